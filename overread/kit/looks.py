"""Looking again whether access still stands, while something long is done under it."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds after which access is looked at again.
LOOK = 1.0

#: Raises an OverreadError where access has ended.
Look = Callable[[], object]


class Every:
    """Looks where a second has passed since it was looked last; for what is done in a thread."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._looked = time.monotonic()

    def __call__(self) -> None:
        """Raises what the look raises."""
        now = time.monotonic()
        if now - self._looked >= LOOK:
            self._look()
            self._looked = now
