"""The payment sandbox: a local server that speaks the part of Stripe's API that Overread uses.

It is there for demonstrations and tests: no card is real, no money moves, and it refuses to start unless its
caller says which of the two it is (`billing.sandbox.server.run(..., mode="demo" | "test")`).

Faithful to https://docs.stripe.com/api in shapes, form encoding, errors, idempotency keys, signatures and the
states of a PaymentIntent; the clock can be moved, webhooks can be held back, repeated and reordered.
"""
