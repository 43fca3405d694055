"""A thread that waits for long lends its place: others of the event loop's threads may work meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from anyio import from_thread, to_thread


def _change(places: int) -> None:
    limiter = to_thread.current_default_thread_limiter()
    limiter.total_tokens += places


@contextmanager
def waiting() -> Iterator[None]:
    """Wait inside of this, and do nothing else: there is one thread more for as long as it lasts.

    Does nothing in a thread that is none of an event loop's.
    """
    try:
        from_thread.run_sync(_change, 1)
    except (RuntimeError, anyio.NoEventLoopError):
        yield
        return
    try:
        yield
    finally:
        from_thread.run_sync(_change, -1)
