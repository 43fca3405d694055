"""Group commit: instances of all associations and requests of a process share transactions.

Whoever comes first commits; those who come meanwhile wait in line, and the first of them then commits for all of
them. Alone, nobody waits for company.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
#: The most items that share a transaction: its memory and the time that everybody in it waits are bounded.
MOST = 256


@dataclass
class _Entry(Generic[_Item, _Result]):
    items: Sequence[_Item]
    results: list[_Result] = field(default_factory=list)
    error: BaseException | None = None
    done: bool = False


class GroupCommit(Generic[_Item, _Result]):
    """Calls `commit(items) -> results` for the items of many threads together; it must give a result an item."""

    def __init__(self) -> None:
        self._line: list[_Entry[_Item, _Result]] = []
        self._line_lock = threading.Lock()
        self._turn = threading.Lock()

    def run(self, items: Sequence[_Item], commit: Callable[[Sequence[_Item]], list[_Result]]) -> list[_Result]:
        """The results of `items`, in order. Raises what `commit` raised for the group that they were in."""
        entry: _Entry[_Item, _Result] = _Entry(items)
        with self._line_lock:
            self._line.append(entry)
        while not entry.done:
            with self._turn:
                if not entry.done:
                    self._lead(commit)
        if entry.error is not None:
            raise entry.error
        return entry.results

    def _lead(self, commit: Callable[[Sequence[_Item]], list[_Result]]) -> None:
        group: list[_Entry[_Item, _Result]] = []
        count = 0
        with self._line_lock:
            while self._line and (not group or count + len(self._line[0].items) <= MOST):
                group.append(self._line.pop(0))
                count += len(group[-1].items)
        try:
            results = commit([item for entry in group for item in entry.items])
            for entry in group:
                entry.results, results = results[: len(entry.items)], results[len(entry.items) :]
        except BaseException as error:  # noqa: BLE001  it is everybody's of the group, and each raises it
            for entry in group:
                entry.error = error
        finally:
            for entry in group:
                entry.done = True
