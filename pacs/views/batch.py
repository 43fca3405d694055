"""Many instances into the one write path: each is made durable while the next arrives, their rows go in groups.

Headers are read by the thread that brings the bytes: another one would only wait for the interpreter's lock.
"""

from __future__ import annotations

import contextvars
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple, ParamSpec, Protocol, TypeVar

from overread.kit.errors import OverreadError, TooLarge
from pacs.dicom.status import FailureReason
from pacs.store import ingest
from pacs.store.archive import Archive
from pacs.store.ingest import Clash, Incoming, Outcome, Prepared, Refused, Source, Stored
from pacs.views import evidence

_T = TypeVar("_T")
_P = ParamSpec("_P")

#: Instances whose rows are committed together.
GROUP = 64
#: Whole instances of one batch that may wait for the disk: their files are open.
_AHEAD = 8
# The disk takes several files at once in little more than the time of one. Threads begin with the first use, so after
# the process was forked.
_keepers = ThreadPoolExecutor(8, thread_name_prefix="keep")


class Allowance(Protocol):
    """How much a sender may still store."""

    def take(self, size: int, instances: int) -> tuple[int, int]:
        """Reserve at least so many bytes and instances; how many were. Raises TooLarge, and then none are."""

    def give_back(self, size: int, instances: int) -> None:
        """What was reserved and not used."""


class Result(NamedTuple):
    """What became of one instance, and the warning reason of Table I.2.2-1 (PS3.18), if any."""

    outcome: Outcome
    warning: int | None = None


def submit(pool: ThreadPoolExecutor, function: Callable[_P, _T], *args: _P.args, **keywords: _P.kwargs) -> Future[_T]:
    """Run a function in a pool; what it logs names the request, as here."""
    context = contextvars.copy_context()
    return pool.submit(lambda: context.run(function, *args, **keywords))


class Batch:
    """Give it instances one after another; `end` tells what became of each, in their order.

    `allowed` is called before rows are stored, and raises where the sender may not send any more. Every method may
    raise that, Unavailable or StorageFull: then `abandon` is due. What is written is taken of `allowance` before, and
    what was not stored by it is given back at the end.
    """

    def __init__(
        self,
        archive: Archive,
        source: Source,
        allowance: Allowance | None = None,
        allowed: Callable[[], None] = lambda: None,
    ) -> None:
        self._archive = archive
        self._allowance = allowance
        #: Reserved and not used; of what was reserved the part of the instance that began, and of each whole one.
        self._room = self._places = 0
        self._charged = self._held = 0
        self._sizes: dict[int, int] = {}
        #: The allowance is used up: nothing more is taken.
        self.full: TooLarge | None = None
        self._source = source
        self._allowed = allowed
        self._current: Incoming | None = None
        self._warning: int | None = None
        self._results: list[Result | None] = []
        self._warnings: dict[int, int] = {}
        self._keeping: deque[tuple[int, Prepared, Future[None]]] = deque()
        self._prepared: list[tuple[int, Prepared]] = []
        self._storing: tuple[list[int], list[Prepared], Future[list[Outcome | Clash]] | None] | None = None
        self._comparing = ingest.COMPARING

    @property
    def archive(self) -> Archive:
        """Where the instances go."""
        return self._archive

    @property
    def receiving(self) -> bool:
        """Whether the instance that began is still wanted."""
        return self._current is not None

    def begin(self, warning: int | None = None) -> None:
        """An instance begins; `warning` is told to the sender if it is stored."""
        try:
            self._charge(0, 1)
        except TooLarge as error:
            self.refuse(error.safe, FailureReason.OUT_OF_RESOURCES)
            return
        try:
            self._current = ingest.receive(self._archive, self._source)
        except OverreadError:
            self._uncharge(0)
            raise
        self._warning = warning

    def write(self, data: bytes | memoryview) -> None:
        """Some bytes of the instance that began; ignored where it was refused in the meantime."""
        if self._current is None:
            return
        try:
            self._charge(len(data), 0)
            self._current.write(data)
        except TooLarge as error:
            self.refuse(error.safe, FailureReason.OUT_OF_RESOURCES)

    def finish(self) -> None:
        """The instance is whole: it is read, and made durable aside."""
        if self._current is None:
            return
        outcome = self._current.read()
        if isinstance(outcome, Refused):
            self._discard()
            self._next(outcome)
            return
        current, self._current = self._current, None
        number = self._next(None)
        self._sizes[number], self._charged = self._charged, 0
        if self._warning is not None:
            self._warnings[number] = self._warning
        self._keeping.append((number, outcome, submit(_keepers, _keep, current)))
        while self._keeping and (len(self._keeping) > _AHEAD or self._keeping[0][2].done()):
            self._collect()

    def refuse(
        self,
        sentence: str,
        reason: FailureReason = FailureReason.CANNOT_UNDERSTAND,
        sop_class: str = "",
        sop_uid: str = "",
    ) -> None:
        """Note that a part, or the instance that began, can't be taken."""
        self._discard()
        self._next(Refused(reason, sentence, sop_class, sop_uid))

    def end(self) -> list[Result]:
        """Store what is left; what became of each instance."""
        # Every byte is here: it is asked while the last of them become durable.
        asked = submit(_keepers, self._allowed) if self._keeping else None
        while self._keeping:
            self._collect()
        self._store(asked.result if asked is not None else None)
        self._stored()
        self._give_back()
        return [result for result in self._results if result is not None]

    def abandon(self) -> None:
        """Something failed: what is not whole leaves nothing; whole instances stay, the next try finds them."""
        self._discard()
        while self._keeping:
            with suppress(OverreadError):
                self._collect()
        with suppress(OverreadError):
            self._store()
        with suppress(OverreadError):
            self._stored()
        for number, size in self._sizes.items():
            if self._results[number] is None:
                self._uncharge(size)
        self.let_go()
        with suppress(OverreadError):
            self._give_back()

    def hold(self, size: int) -> None:
        """Take bytes of the allowance for what is kept aside. Raises TooLarge."""
        self._charge(size, 0)
        self._held, self._charged = self._held + self._charged, 0

    def let_go(self) -> None:
        """What was kept aside becomes instances now, which are counted themselves, or nothing."""
        self._room, self._held = self._room + self._held, 0

    def _charge(self, size: int, instances: int) -> None:
        if self._allowance is None:
            return
        if self.full is not None:
            raise self.full
        if size > self._room or instances > self._places:
            try:
                more = self._allowance.take(max(0, size - self._room), max(0, instances - self._places))
            except TooLarge as error:
                self.full = error
                raise
            self._room, self._places = self._room + more[0], self._places + more[1]
        self._room, self._places = self._room - size, self._places - instances
        self._charged += size

    def _uncharge(self, size: int) -> None:
        self._room, self._places = self._room + size, self._places + 1

    def _give_back(self) -> None:
        if self._allowance is not None:
            room, places, self._room, self._places = self._room, self._places, 0, 0
            self._allowance.give_back(room, places)

    def _next(self, outcome: Outcome | None) -> int:
        self._results.append(None if outcome is None else Result(outcome))
        return len(self._results) - 1

    def _discard(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            current.__exit__(None, None, None)
            size, self._charged = self._charged, 0
            self._uncharge(size)

    def _collect(self) -> None:
        number, prepared, kept = self._keeping.popleft()
        kept.result()
        self._prepared.append((number, prepared))
        if len(self._prepared) >= GROUP:
            self._store()

    def _store(self, allowed: Callable[[], None] | None = None) -> None:
        """Begin to commit what is prepared; the next instances arrive meanwhile. `allowed`: the answer, if asked."""
        self._stored()
        prepared, self._prepared = self._prepared, []
        if prepared:
            (allowed or self._allowed)()
            numbers = [number for number, _ in prepared]
            batch = [one for _, one in prepared]
            committing = None
            if self._source.view is None:
                committing = submit(_keepers, ingest.commit, self._archive, self._source, batch)
            self._storing = numbers, batch, committing

    def _stored(self) -> None:
        storing, self._storing = self._storing, None
        if storing is not None:
            numbers, batch, committing = storing
            if committing is None:
                outcomes = evidence.store(self._archive, self._source, batch)
            else:
                outcomes = self._decided(batch, committing.result())
            for number, outcome in zip(numbers, outcomes, strict=True):
                warning = None if isinstance(outcome, Refused) else self._warnings.get(number)
                if not isinstance(outcome, Stored):
                    self._uncharge(self._sizes[number])
                self._results[number] = Result(outcome, warning)

    def _decided(self, batch: list[Prepared], committed: list[Outcome | Clash]) -> list[Outcome]:
        """Objects are compared in this thread: those that keep others' instances have no time for it."""
        began = time.monotonic()
        try:
            return ingest.decided(self._archive, self._source, batch, committed, self._comparing)
        finally:
            self._comparing -= time.monotonic() - began


def _keep(incoming: Incoming) -> None:
    with incoming:
        incoming.keep()
