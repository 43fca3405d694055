"""What people do with cases, one module a subject; every function takes the transaction and who asks.

A stranger gets NotFound, whoever has a part in the case but not this one gets Forbidden, the wrong moment is a
Conflict, and what is still missing is Unprocessable with every reason.
"""
