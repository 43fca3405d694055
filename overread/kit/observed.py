"""What is known of requests while they are served: by which route, for whom; and how long they took, for /metrics.

Routes are named by their templates, never by what a client wrote in their place, so that no UID of a study, no case and
no link gets into a log line or a metric, and nobody makes series without end.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

#: Upper bounds of a request's duration, in seconds; the last bucket has none.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
#: What no route was found for, and methods that are none of HTTP's own (RFC 9110 9.3, RFC 5789).
OTHER = "other"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", OTHER)
_KEY = "overread.observed"
#: A row: the buckets, the sum of seconds.
_WIDTH = len(BOUNDS) + 2
#: The templates of all applications of this program that were assembled, in the order of their assembly.
_templates: dict[str, None] = {OTHER: None}


@dataclass(slots=True)
class Observed:
    """One request: its route's template, the role of who asks and how they proved it, and the numbers of all."""

    latencies: Latencies
    template: str = OTHER
    role: str = ""
    via: str = ""


def watch(scope: Scope, latencies: Latencies) -> Observed:
    """Observe a request from now on."""
    found = Observed(latencies)
    scope[_KEY] = found
    return found


def of(scope: Scope) -> Observed | None:
    """What is known of a request; None where nobody observes it."""
    found: Observed | None = scope.get(_KEY)
    return found


def route(scope: Scope) -> str:
    """The template of a request's route, for log lines."""
    found = of(scope)
    return found.template if found is not None else OTHER


def named(app: Starlette) -> Starlette:
    """The application, each of whose routes tells its template to who observes a request."""
    for one in app.routes:
        _name(one, "")
    return app


def _name(one: BaseRoute, above: str) -> None:
    if isinstance(one, Mount) and one.routes:
        for inner in one.routes:
            _name(inner, above + one.path)
    elif isinstance(one, Mount | Route | WebSocketRoute):
        template = above + one.path
        _templates[template] = None
        handle = one.handle

        async def observed(scope: Scope, receive: Receive, send: Send) -> None:
            if (found := of(scope)) is not None:
                found.template = template
            await handle(scope, receive, send)

        one.handle = observed  # type: ignore[method-assign]


class Latencies:
    """How long requests took, by method and route, of all processes that are forked after it was made.

    Each process writes its own rows, and only its event loop does; whoever is asked adds up those of all.
    """

    def __init__(self, processes: int = 1) -> None:
        self._rows = {
            (method, template): number
            for number, (template, method) in enumerate((t, m) for t in _templates for m in METHODS)
        }
        self._each = len(self._rows) * _WIDTH + 1
        self._processes = processes
        # Anonymous and shared: what is written to it after a fork, the others see.
        self._cells = memoryview(mmap.mmap(-1, processes * self._each * 8)).cast("d")
        self._mine = 0

    def be(self, number: int) -> None:
        """Be this one of the processes; what one before with this number had under way is over."""
        self._mine = number * self._each
        self._cells[self._mine] = 0.0

    def add(self, requests: int) -> None:
        """So many requests more are under way."""
        self._cells[self._mine] += requests

    def took(self, method: str, template: str, seconds: float) -> None:
        """One request is over."""
        known = method if method in METHODS else OTHER
        row = self._rows.get((known, template), self._rows[known, OTHER])
        at = self._mine + 1 + row * _WIDTH
        self._cells[at + bisect_left(BOUNDS, seconds)] += 1
        self._cells[at + _WIDTH - 1] += seconds

    @property
    def under_way(self) -> int:
        """How many requests are."""
        return int(sum(self._cells[number * self._each] for number in range(self._processes)))

    def rows(self) -> Iterator[tuple[str, str, list[float], float]]:
        """Method, template, how many were in each bucket and all below, and the sum of seconds; of what was asked."""
        for (method, template), row in self._rows.items():
            starts = [number * self._each + 1 + row * _WIDTH for number in range(self._processes)]
            sums = [sum(self._cells[start + column] for start in starts) for column in range(_WIDTH)]
            buckets, total = [], 0.0
            for count in sums[:-1]:
                total += count
                buckets.append(total)
            if total:
                yield method, template, buckets, sums[-1]


def who(scope: Scope, principal: Any) -> None:
    """Tell who asks: by role, and by what they proved it."""
    if (found := of(scope)) is not None:
        found.role, found.via = principal.role.value, principal.via
