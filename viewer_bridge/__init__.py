"""How a study reaches a specialist's viewer: grants, one-time launch links, and the hosted OHIF viewer.

Case and view identifiers are opaque here: the room above decides who gets a grant, this one keeps and ends it.
"""
