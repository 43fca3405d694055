"""Frames in flight, by their bytes, and whose turn it is to make one.

Whoever may look at an object may ask for its frames forty times at once, and a frame of 64 MB may lie in a file of one.
So a process holds a budget of bytes, and principals have turns: each has a line of its own, lines are served in turn.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from overread.kit import threads
from overread.kit.errors import Unavailable
from pacs.pixels.layout import Layout

#: Bytes of frames in flight in one process.
CAPACITY = 256 << 20
#: Frames that are made for one principal at once.
EACH = 4
#: Longest lines: one principal's, and all together; seconds that one stands there.
LINE, LINES, PATIENCE = 128, 256, 60.0
#: What is sent in one piece.
PIECE = 1 << 20


@dataclass(eq=False, slots=True)
class _Waiter:
    size: int
    called: threading.Event = field(default_factory=threading.Event)


class Turns:
    """The budget of one process; safe for threads."""

    def __init__(
        self,
        capacity: int = CAPACITY,
        *,
        each: int = EACH,
        line: int = LINE,
        lines: int = LINES,
        patience: float = PATIENCE,
    ) -> None:
        self.capacity = capacity
        #: Bytes that are in flight, and the most that ever were.
        self.held = self.peak = 0
        self._each, self._line, self._lines, self._patience = each, line, lines, patience
        self._lock = threading.Lock()
        #: The lines of those who wait, in the order in which they are served.
        self._waiting: dict[str, deque[_Waiter]] = {}
        #: Frames that are made or sent for a principal.
        self._busy: dict[str, int] = {}
        #: How often each frame that was made is sent just now, by its identity.
        self._sent: dict[int, int] = {}
        self._mine = threading.local()

    @contextmanager
    def turn(self, size: int, who: str | None = None) -> Iterator[None]:
        """Make what takes `size` bytes, for `who`, or who asks just now; within a turn there is no other.

        Raises Unavailable where too many wait, or it takes too long.
        """
        if getattr(self._mine, "turn", False):
            yield
            return
        who = asker() if who is None else who
        self._take(who, size)
        self._mine.turn = True
        try:
            yield
        finally:
            self._mine.turn = False
            with self._lock:
                self._give(who, size)

    def sent(self, frame: bytes, who: str) -> Iterator[bytes]:
        """Give what was made in pieces; it is in flight, and of its principal's turns, until the last was taken."""
        if len(frame) <= PIECE:
            # As much as any other answer has under way.
            yield frame
            return
        name = id(frame)
        with self._lock:
            self._busy[who] = self._busy.get(who, 0) + 1
            self._sent[name] = self._sent.get(name, 0) + 1
            self._hold(len(frame) if self._sent[name] == 1 else 0)
        try:
            for at in range(0, len(frame), PIECE):
                yield frame[at : at + PIECE]
        finally:
            with self._lock:
                self._sent[name] -= 1
                last = not self._sent[name]
                if last:
                    del self._sent[name]
                self._give(who, len(frame) if last else 0)

    def _take(self, who: str, size: int) -> None:
        with self._lock:
            if not self._waiting and self._may(who, size):
                self._start(who, size)
                return
            line = self._waiting.get(who, ())
            if len(line) >= self._line or sum(map(len, self._waiting.values())) >= self._lines:
                raise Unavailable("too many wait for a frame", safe=_BUSY)
            waiter = _Waiter(size)
            self._waiting.setdefault(who, deque()).append(waiter)
            self._call()
        until = time.monotonic() + self._patience
        if not waiter.called.is_set():
            with threads.waiting():
                waiter.called.wait(until - time.monotonic())
        with self._lock:
            if waiter.called.is_set():
                return
            self._waiting[who].remove(waiter)
            if not self._waiting[who]:
                del self._waiting[who]
            self._call()
        raise Unavailable("no turn to make a frame", safe=_BUSY)

    def _may(self, who: str, size: int) -> bool:
        """Whether it may begin; what is larger than everything there is has to be alone."""
        return self._busy.get(who, 0) < self._each and (not self.held or self.held + size <= self.capacity)

    def _start(self, who: str, size: int) -> None:
        self._busy[who] = self._busy.get(who, 0) + 1
        self._hold(size)

    def _hold(self, size: int) -> None:
        self.held += size
        self.peak = max(self.peak, self.held)

    def _give(self, who: str, size: int) -> None:
        self.held -= size
        self._busy[who] -= 1
        if not self._busy[who]:
            del self._busy[who]
        self._call()

    def _call(self) -> None:
        """Call those whose turn it is; who is called goes to the end."""
        called = True
        while called:
            called = False
            for who in list(self._waiting):
                if self._busy.get(who, 0) >= self._each:
                    continue
                line = self._waiting[who]
                if not self._may(who, line[0].size):
                    # It waits for room: what is smaller must not overtake it for ever.
                    return
                waiter = line.popleft()
                self._start(who, waiter.size)
                del self._waiting[who]
                if line:
                    self._waiting[who] = line
                waiter.called.set()
                called = True
                break


_BUSY = "The server is busy with pictures: try again in a minute."


def asker() -> str:
    """Who asks just now, as `overread.kit.http.principal` bound it; nobody in particular elsewhere."""
    return str(structlog.contextvars.get_contextvars().get("principal", ""))


def to_make(form: Layout, coded: int, *, drawn: bool = False) -> int:
    """Bytes that are in flight while a frame is made of `coded` bytes; `drawn`: a picture, in levels and colours."""
    plain = form.count * form.dtype.itemsize
    # Here and in the decoding worker; levels, a picture of them, and what that is scaled to.
    return coded + 2 * plain + (6 * form.count if drawn else 0)


#: The budget of this process.
TURNS = Turns()
