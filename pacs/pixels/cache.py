"""Values kept for a while within a number of bytes, each made once however many ask for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

from overread.kit import threads

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """The values used last, up to `capacity` bytes; safe for threads.

    Who asks for a value that another thread is making waits for it, and gets its error too. Errors aren't kept.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.held = 0
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._made: dict[Hashable, Future[Value]] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """Give the key's value, made by `make` where it is not there; `size` counts its bytes."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
            coming = self._made.get(key)
            if coming is None:
                mine = self._made[key] = Future()
        if coming is not None:
            if not coming.done():
                with threads.waiting():
                    return coming.result()
            return coming.result()
        try:
            value = make()
        except BaseException as failed:
            self._forget(key)
            mine.set_exception(failed)
            raise
        self._keep(key, value, size(value))
        mine.set_result(value)
        return value

    def peek(self, key: Hashable) -> Value | None:
        """Give the key's value where it is there."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def _forget(self, key: Hashable) -> None:
        with self._lock:
            del self._made[key]

    def _keep(self, key: Hashable, value: Value, size: int) -> None:
        with self._lock:
            del self._made[key]
            if size > self.capacity // 2:  # one giant would drive out everything else
                return
            self._kept[key] = value, size
            self.held += size
            while self.held > self.capacity:
                self.held -= self._kept.popitem(last=False)[1][1]
