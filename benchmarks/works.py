"""What is measured: one `Work` a row of the table. A further row is a further entry of `WORKS`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile

from benchmarks import blast, reading, series, walker
from benchmarks.blast import Load, Sent
from benchmarks.peers import Peer


@dataclass(frozen=True, slots=True)
class Bench:
    """What a measurement is given: the load, the name of this run (no two alike), and headers for the walker."""

    load: Load
    run: str
    header: bytes
    enhanced: bytes
    memory_count: int


@dataclass(frozen=True, slots=True)
class Work:
    """One row. `measure` takes a running peer and gives a figure in `unit`; it raises where anything failed.

    `peers`: which of them can do it. `goal`: what we want. `less`: whether less is better. `once`: whether one run is
    enough (a long one, with little spread). `sends`: whether a server has to rest from it.
    """

    name: str
    unit: str
    peers: tuple[str, ...]
    goal: str
    measure: Callable[[Peer, Bench], float]
    less: bool = False
    once: bool = False
    sends: bool = True


def _whole(sent: Sent) -> float:
    """The rate of a run in which nothing failed."""
    if sent.failed or not sent.count:
        raise RuntimeError(f"{sent.failed} of {sent.failed + sent.count} instances failed")
    return sent.rate


def _cstore(associations: int, *, nagle: bool = False) -> Callable[[Peer, Bench], float]:
    return lambda peer, bench: _whole(blast.by_cstore(peer, bench.load, bench.run, associations, nagle=nagle))


def _stow(clients: int, each: int) -> Callable[[Peer, Bench], float]:
    return lambda peer, bench: _whole(blast.by_stow(peer, bench.load, bench.run, clients, each))


@contextmanager
def _most_resident(peer: Peer) -> Iterator[list[float]]:
    """Megabytes that its processes hold, looked at four times a second; the last value is the most."""
    seen, done = [peer.resident()], threading.Event()

    def watch() -> None:
        while not done.wait(0.25):
            seen.append(peer.resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()
        seen.sort()


def _memory(peer: Peer, bench: Bench) -> float:
    """The most that is resident while the load arrives, half by each way in."""
    load = replace(bench.load, count=bench.memory_count // 2, seconds=600.0)
    with _most_resident(peer) as seen:
        _whole(blast.by_cstore(peer, load, f"{bench.run} cstore", 4))
        _whole(blast.by_stow(peer, load, f"{bench.run} stow", 4, 10))
    return seen[-1]


def _huge(peer: Peer, bench: Bench) -> float:
    """The most that is resident while one object of twice that size arrives by C-STORE."""
    with NamedTemporaryFile(dir=bench.load.files[0].parent.parent, suffix=".dcm") as file:
        series.huge(Path(file.name), 2 * bench.memory_count * len(bench.header))
        with _most_resident(peer) as seen:
            status = blast.one_by_cstore(peer, Path(file.name))
    if status:
        raise RuntimeError(f"{peer.name} answers {status:#06x}")
    return seen[-1]


def _walk(data: Callable[[Bench], bytes]) -> Callable[[Peer, Bench], float]:
    return lambda peer, bench: walker.milliseconds(
        walker.ours if peer.name == "Overread" else walker.theirs, data(bench)
    )


def _first_metadata(peer: Peer, bench: Bench) -> float:
    """Milliseconds for the metadata of a series that nobody has read."""
    return 1000 * reading.get(peer, reading.held(peer, bench.load, bench.run).path + "/metadata", reading.JSON)[0]


def _later_metadata(peer: Peer, bench: Bench) -> float:
    found = reading.shared(peer, bench.load, bench.run)
    return 1000 * reading.get(peer, found.path + "/metadata", reading.JSON, repeats=5)[0]


def _whole_series(peer: Peer, bench: Bench) -> float:
    """Megabytes a second."""
    seconds, size = reading.get(peer, reading.shared(peer, bench.load, bench.run).path, reading.WHOLE, repeats=2)
    return size / seconds / 1e6


def _search(peer: Peer, bench: Bench) -> float:
    reading.shared(peer, bench.load, bench.run)
    return 1000 * reading.get(peer, "/studies?limit=25", reading.JSON, repeats=20)[0]


def _often(tail: str, accept: str) -> Callable[[Peer, Bench], float]:
    def measure(peer: Peer, bench: Bench) -> float:
        found = reading.shared(peer, bench.load, bench.run)
        paths = [f"{found.path}/instances/{uid}{tail}" for uid in found.instances]
        return reading.requests_a_second(peer, paths, accept, max(2, int(bench.load.seconds)))

    return measure


_ALL = ("Overread", "Orthanc", "pynetdicom")
_WEB = ("Overread", "Orthanc")
_LIBRARY = ("Overread", "pynetdicom")

WORKS = (
    Work(
        "resident after the start",
        "MB",
        _WEB,
        "",
        lambda peer, _bench: peer.resident(),
        less=True,
        once=True,
        sends=False,
    ),
    Work("C-STORE, 1 association", "inst/s", _ALL, ">= 10x Orthanc, > pynetdicom", _cstore(1)),
    Work("C-STORE, 1 association, Nagle on", "inst/s", _ALL, "", _cstore(1, nagle=True)),
    Work("C-STORE, 4 associations", "inst/s", _ALL, ">= 7x Orthanc", _cstore(4)),
    Work("STOW-RS, 1 client x 10 a request", "inst/s", _WEB, ">= 3.5x Orthanc", _stow(1, 10)),
    Work("STOW-RS, 4 clients x 10 a request", "inst/s", _WEB, ">= 4x Orthanc", _stow(4, 10)),
    Work("resident while it arrives", "MB", _WEB, "<= 250 MB a GB", _memory, less=True, once=True),
    Work("resident while one object of twice that size arrives", "MB", _WEB, "constant", _huge, less=True, once=True),
    Work("series metadata, first read", "ms", _WEB, ">= 9x Orthanc", _first_metadata, less=True, sends=False),
    Work("series metadata, later", "ms", _WEB, ">= 9x Orthanc", _later_metadata, less=True, sends=False),
    Work("frames, 6 connections", "req/s", _WEB, ">= 2x Orthanc", _often("/frames/1", reading.FRAMES), sends=False),
    Work(
        "rendered JPEG, 6 connections", "req/s", _WEB, ">= 1.2x Orthanc", _often("/rendered", "image/jpeg"), sends=False
    ),
    Work("whole series, multipart", "MB/s", _WEB, ">= 1x Orthanc", _whole_series, sends=False),
    Work("search of 25 studies, best", "ms", _WEB, "<= 2 ms", _search, less=True, sends=False),
    Work(
        "walk of a CT header, with JSON", "ms", _LIBRARY, "<= 0.4 ms", _walk(lambda b: b.header), less=True, sends=False
    ),
    Work(
        "walk of a 1,000-frame enhanced header, with JSON",
        "ms",
        _LIBRARY,
        "<= 40 ms",
        _walk(lambda b: b.enhanced),
        less=True,
        sends=False,
    ),
)
