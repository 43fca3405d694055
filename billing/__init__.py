"""Prices, holds, captures, refunds and webhooks: money for an opaque `subject_ref`.

This room knows nothing of imaging or of cases. What happened to a payment travels upwards as an event
(`billing.events`); nobody above it may conclude anything from a redirect.
"""
