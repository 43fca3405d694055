"""The foundation: settings, database, errors, principals, tokens, blobs, jobs, audit, clock, log, HTTP helpers.

It knows nothing of any other room.
"""
