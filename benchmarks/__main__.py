"""`make bench`: the table of docs/benchmarks.md, us and our peers one after the other in one run.

usage: python -m benchmarks [--quick] [--runs N] [--count N] [--seconds S] [--only WORDS] [--peers NAMES]
                            [--folder FOLDER] [--orthanc FOLDER] [--write FILE]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks import blast, peers, series, table
from benchmarks.blast import Load
from benchmarks.peers import Peer
from benchmarks.works import WORKS, Bench, Work

SEED = "bench"
_SIZE = 512
_ABOUT = """# Benchmarks

`make bench` writes this page: Overread and its peers on one machine in one run, one after the other, {runs} times each.
A figure is the median, with the least and the most in brackets; a ratio above 1 is Overread being better. Every server
has its defaults: Overread acknowledges what is durable and found by queries, Orthanc indexes too, pynetdicom's receiver
writes files and indexes nothing. The senders (`benchmarks/`) have everything in memory and are never the bottleneck: a
run ends after {count} slices of {size} x {size} x 16 bit (about 260 elements, {megabytes:.2f} MB each) or after
{seconds:g} s. Resident memory is the sum of the proportional set sizes of a server's processes, but PostgreSQL's, at
its highest while {memory:,.0f} MB arrive: half by C-STORE over 4 associations, half by STOW-RS from 4 clients.
`make bench QUICK=1` prints a rough table in two minutes and writes nothing.
"""


def main() -> None:
    """Measure, print, and write the page where asked to."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    slices = options.folder / f"slices-{options.count}"
    series.write(slices, options.count, _SIZE, SEED)
    files = sorted(slices.glob("*.dcm"))
    header = files[0].read_bytes()
    load = Load(files, SEED, options.count, options.seconds)
    wanted = [work for work in WORKS if options.only.lower() in work.name.lower()]
    memory_count = max(20, int(options.memory * 1e6 / len(header)))
    work_folder = options.folder / "servers"
    shutil.rmtree(work_folder, ignore_errors=True)
    figures: dict[str, dict[str, list[float]]] = {work.name: {} for work in wanted}
    with ExitStack() as stack:
        servers = _start(stack, options, work_folder)
        _warm(servers, load)
        bench = Bench(load, "", header, series.enhanced(1000), memory_count)
        for work in wanted:
            _measure(work, servers, bench, 1 if work.once else options.runs, figures[work.name])
        versions = [f"{server.name} {server.version}" for server in servers]
    shutil.rmtree(work_folder, ignore_errors=True)
    drawn = table.markdown([table.row(work, figures[work.name]) for work in wanted])
    told = "\n".join(table.circumstances(versions))
    print(f"\n{told}\n\n{drawn}")
    if options.write:
        about = _ABOUT.format(
            runs=options.runs,
            count=f"{options.count:,}",
            size=_SIZE,
            megabytes=len(header) / 1e6,
            seconds=options.seconds,
            memory=options.memory,
        )
        circumstances = "\n".join(f"- {line}" for line in told.splitlines())
        options.write.write_text(f"{about}\n{circumstances}\n\n{drawn}\n")


def _start(stack: ExitStack, options: argparse.Namespace, folder: Path) -> list[Peer]:
    ways = {
        "overread": lambda: peers.overread(folder / "overread"),
        "orthanc": lambda: peers.orthanc(options.orthanc, folder / "orthanc"),
        "pynetdicom": lambda: peers.pynetdicom(folder / "pynetdicom"),
    }
    return [stack.enter_context(ways[name]()) for name in options.peers.split(",")]


def _warm(servers: list[Peer], load: Load) -> None:
    """The first instances that a server ever gets open its connections and caches."""
    few = replace(load, count=20)
    for server in servers:
        blast.by_cstore(server, few, "warm", 2)
        if server.web:
            blast.by_stow(server, few, "warm", 2, 5)
            server.rest()


def _measure(work: Work, servers: list[Peer], bench: Bench, runs: int, figures: dict[str, list[float]]) -> None:
    """Every server in turn, and then all of them again."""
    for number in range(runs):
        for server in servers:
            if server.name not in work.peers:
                continue
            # What another one left to be written must not be written in this one's time.
            os.sync()
            value = work.measure(server, replace(bench, run=f"{work.name} {number} {time.time_ns()}"))
            figures.setdefault(server.name, []).append(value)
            print(f"{work.name}: {server.name} {value:.2f} {work.unit}", file=sys.stderr, flush=True)
            if server.web and work.sends:
                server.rest()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a rough table: 100 slices, one run each")
    parser.add_argument("--runs", type=int, help="runs of each work (3)")
    parser.add_argument("--count", type=int, help="slices of the series (1000)")
    parser.add_argument("--seconds", type=float, help="the most that a run may take (6)")
    parser.add_argument("--memory", type=float, help="megabytes that arrive while the memory is watched (1000)")
    parser.add_argument("--only", default="", help="works whose name has these words")
    parser.add_argument("--peers", default="overread,orthanc,pynetdicom")
    parser.add_argument("--folder", type=Path, default=Path("artifacts/bench"))
    parser.add_argument("--orthanc", type=Path, default=Path("artifacts/orthanc"))
    parser.add_argument("--write", type=Path, help="the page to write")
    options = parser.parse_args()
    defaults = {"runs": 1, "count": 100, "seconds": 4.0, "memory": 100.0} if options.quick else {
        "runs": 3, "count": 1000, "seconds": 6.0, "memory": 1000.0,
    }  # fmt: skip
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.folder, options.orthanc = options.folder.resolve(), options.orthanc.resolve()
    return options


if __name__ == "__main__":
    main()
