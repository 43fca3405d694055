"""Several senders at once, each a process with its instances in memory, started together.

A run ends with its instances or with its time, so that a slow peer costs no more of it than a fast one.
"""

from __future__ import annotations

import mmap
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import ForkContext, ForkProcess
from pathlib import Path
from queue import Empty
from typing import Any

from benchmarks import part10, series, stow
from benchmarks.cstore import Association
from benchmarks.peers import CALLING, Peer

_START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: `count` instances of a series of `seed`, kept as files, as another study in every run."""

    files: Sequence[Path]
    seed: str
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run came to: instances acknowledged, bytes of them, instances that failed, seconds of wall time."""

    count: int
    size: int
    failed: int
    seconds: float

    @property
    def rate(self) -> float:
        """Instances a second."""
        return self.count / self.seconds


#: What a sender does one after the other, each telling how many instances were acknowledged.
_Steps = list[Callable[[], int]]


def by_cstore(peer: Peer, load: Load, run: str, associations: int, *, nagle: bool = False) -> Sent:
    """C-STORE over so many associations at once."""

    def prepare(instances: list[part10.Instance]) -> _Steps:
        contexts = {(instance.sop_class, instance.syntax) for instance in instances}
        association = Association(peer.dicom, peer.called, CALLING, contexts, nagle=nagle)

        def step(instance: part10.Instance) -> int:
            return int(association.store(instance) == 0)

        return [partial(step, instance) for instance in instances]

    return _run(load, run, associations, 1, prepare)


def one_by_cstore(peer: Peer, path: Path) -> int:
    """One file, which is mapped and never read as a whole; its status."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        instance = part10.parse(mapped)
        contexts = [(instance.sop_class, instance.syntax)]
        with Association(peer.dicom, peer.called, CALLING, contexts, timeout=300) as association:
            return association.store(instance)


def by_stow(peer: Peer, load: Load, run: str, clients: int, each: int) -> Sent:
    """STOW-RS by so many clients at once, `each` instances a request."""

    def prepare(instances: list[part10.Instance]) -> _Steps:
        client = stow.Client(peer.web, peer.headers)
        groups = [instances[start : start + each] for start in range(0, len(instances), each)]
        bodies = [stow.body([bytes(instance.data) for instance in group]) for group in groups]

        def step(body: bytes) -> int:
            status, answer = client.post(body)
            return len(stow.stored(answer)) if status in (200, 202) else 0

        return [partial(step, body) for body in bodies]

    return _run(load, run, clients, each, prepare)


def _run(load: Load, run: str, senders: int, each: int, prepare: Callable[[list[part10.Instance]], _Steps]) -> Sent:
    # Forked: what is to be sent is made by each sender for itself, and nothing has to be pickled.
    context: ForkContext = multiprocessing.get_context("fork")
    results: Any = context.Queue()
    barrier = context.Barrier(senders)

    def work(number: int) -> None:
        instances = [_instance(load, run, i) for i in range(load.count)[number::senders]]
        steps = prepare(instances)
        barrier.wait(_START_SECONDS)
        begun = time.monotonic()
        done = failed = size = 0
        for place, step in enumerate(steps):
            group = instances[place * each : (place + 1) * each]
            stored = step()
            done, failed = done + stored, failed + len(group) - stored
            size += sum(len(instance.data) for instance in group)
            if time.monotonic() - begun > load.seconds:
                break
        results.put((done, size, failed, begun, time.monotonic()))

    processes: list[ForkProcess] = [context.Process(target=work, args=(number,)) for number in range(senders)]
    for process in processes:
        process.start()
    told: list[tuple[int, int, int, float, float]] = []
    while len(told) < senders:
        try:
            told.append(results.get(timeout=1))
        except Empty:
            if any(process.exitcode for process in processes):
                raise RuntimeError("a sender failed: see above") from None
    for process in processes:
        process.join()
    begun, ended = min(one[3] for one in told), max(one[4] for one in told)
    return Sent(sum(one[0] for one in told), sum(one[1] for one in told), sum(one[2] for one in told), ended - begun)


def _instance(load: Load, run: str, place: int) -> part10.Instance:
    """The files in turn; when all were taken, once more as the next study."""
    lap, number = divmod(place, len(load.files))
    return part10.parse(series.renamed(load.files[number].read_bytes(), load.seed, number, f"{run} {lap}"))
