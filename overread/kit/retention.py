"""What is kept for a time, and goes a little at a time: no transaction is long, and no row is held for long."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from overread.kit.db import Database

_BATCH, _BATCHES = 1_000, 200

#: Deletes at most so many of what is too old, and tells how many.
Sweep = Callable[[Session, int], int]


def in_batches(db: Database, sweep: Sweep) -> int:
    """Sweep until nothing is left, each batch a transaction of its own; what is too much for now waits. How many."""
    gone = 0
    for _ in range(_BATCHES):
        with db.transaction() as tx:
            count = sweep(tx, _BATCH)
        gone += count
        if not count:
            break
    return gone
