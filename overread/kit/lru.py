"""A memory of limited weight: what was used last is kept. For facts that can't change; never for who may do what."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Lru(Generic[_Key, _Value]):
    """Values by key, together never heavier than `most`; safe for threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._values: OrderedDict[_Key, tuple[_Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key) -> _Value | None:
        """The value of a key, None where it is not remembered."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: _Key, value: _Value, weight: int) -> None:
        """Remember a value, unless it alone is too heavy."""
        with self._lock:
            if weight > self._most or key in self._values:
                return
            self._values[key] = (value, weight)
            self._weight += weight
            while self._weight > self._most:
                _, (_, less) = self._values.popitem(last=False)
                self._weight -= less
