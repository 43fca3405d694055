"""De-identification beside other tools: what survives of what was planted, what is lost, speed, and extra disk.

usage: python -m benchmarks.deid [--peers FOLDER] [--folder FOLDER] [--turns N]

FOLDER of `--peers` is a virtual environment with any of dicognito, dicom-anonymizer and deid in it; what is not there
is skipped with a word. All work on the same files, from a file to a file; ours too, though the server writes no pixels.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from struct import pack

from benchmarks import series
from pacs.deid.header import deidentify_next
from pacs.deid.profile import SECOND_OPINION
from pacs.deid.values import Memory
from pacs.dicom.part10 import parse
from tests.pacs.deid.planted import EXPLICIT, El, Planted, decoys, nest, part10, plant, skeleton, text
from tests.pacs.deid.test_rows import may_stay

_PEERS = ("dicognito", "dicom-anonymizer", "deid")
_DEPTHS = (0, 1, 3)
_SECRET = bytes(range(32))


@dataclass(slots=True)
class Figures:
    """One tool's: survivors by depth, extras that survived, decoys lost, and milliseconds by file."""

    survivors: list[int] = field(default_factory=list)
    extras: int = 0
    lost: int = 0
    milliseconds: list[float] = field(default_factory=list)
    header: float | None = None


def extras() -> list[El]:
    """Places outside of the table's rows, each with a marker of its own."""
    mark = b"ZQEXTRA%02d"
    fill = iter(mark % number for number in range(99))
    reference = El(0x7FE00010, "OB", next(fill))
    return [
        text(0x00090010, "LO", "ACME"),
        El(0x00091001, "LO", next(fill)),
        El(0x00091002, "SQ", [[El(0x00100010, "PN", next(fill))]]),
        El(0x00089999, "LO", next(fill)),
        El(0x00140104, "PN", next(fill)),
        El(0x00100033, "LO", next(fill)),
        El(0x0008103E, "LO", b"CT " + next(fill) + b" Chest"),
        El(0x00204000, "LT", b"seen with " + next(fill)),
        El(0x00181020, "LO", next(fill) + b"^Anna"),
        El(0x50023000, "OW", next(fill) + b" "),
        El(0x60003000, "OW", next(fill) + b" "),
        El(0x60001500, "LO", next(fill)),
        El(0x00880200, "SQ", [[reference]]),
        El(0x04000500, "SQ", [[El(0x04000520, "OB", next(fill))]]),
        El(0x0040A730, "SQ", [[text(0x0040A040, "CS", "TEXT"), El(0x0040A160, "UT", next(fill))]]),
        El(
            0x00082218,
            "UN",
            pack("<HHI", 0xFFFE, 0xE000, 18) + pack("<HHI", 0x0010, 0x0010, 10) + next(fill)[:9] + b" ",
        ),
        El(0xFFFCFFFC, "OB", next(fill)),
    ]


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        planted = [plant(depth) for depth in _DEPTHS]
        sources = [
            _write(folder / f"depth-{depth}.dcm", _planted(one, depth))
            for depth, one in zip(_DEPTHS, planted, strict=True)
        ]
        others = _write(folder / "extras.dcm", part10([*skeleton(), *extras()], EXPLICIT, preamble=b"ZQEXTRAP"))
        kept = _write(folder / "decoys.dcm", part10([*skeleton(), *decoys()], EXPLICIT))
        series.write(folder / "slices", 1, 512, "deid")
        timed = [
            sources[0],
            next((folder / "slices").glob("*.dcm")),
            _write(folder / "large.dcm", series.enhanced(200)),
        ]
        print(f"files of {', '.join(f'{path.stat().st_size / 1e6:.2f} MB' for path in timed)}; {options.turns} turns")
        print("| tool | survivors at root, 1, 3 deep | extras | decoys lost | ms a file, by size | ms a header |")
        print("|---|---|---|---|---|---|")
        for tool in ("Overread", *_PEERS):
            figures = _measure(tool, options, folder, planted, [*sources, others, kept], timed)
            if figures is None:
                print(f"{tool} is not in {options.peers or 'any environment: give one with --peers'}", file=sys.stderr)
                continue
            survivors = " / ".join(map(str, figures.survivors)) + f" of {len(planted[0])}"
            taken = " / ".join(f"{number:.1f}" for number in figures.milliseconds)
            header = "-" if figures.header is None else f"{figures.header:.2f}"
            print(
                f"| {tool} | {survivors} | {figures.extras} | {figures.lost} of {len(decoys())} | {taken} | {header} |"
            )
        _disk(timed[1])


def _planted(planted: Sequence[Planted], depth: int) -> bytes:
    marks = [element for one in planted for element in one.elements]
    taken = {element.tag for element in marks} if not depth else set()
    return part10([*(e for e in skeleton() if e.tag not in taken), *nest(marks, depth)], EXPLICIT)


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _measure(
    tool: str,
    options: argparse.Namespace,
    folder: Path,
    planted: Sequence[Sequence[Planted]],
    sources: Sequence[Path],
    timed: Sequence[Path],
) -> Figures | None:
    figures = Figures()
    target = folder / "target.dcm"
    for number, source in enumerate(sources):
        if _run(tool, options, source, target, 0) is None:
            return None
        written = target.read_bytes()
        if number < len(planted):
            wanted = (p for p in planted[number] if p.vr not in ("AS", "US") and not may_stay(p, SECOND_OPINION))
            figures.survivors.append(sum(p.needle in written for p in wanted))
        elif number == len(planted):
            figures.extras = written.count(b"ZQEXTRA")
        else:
            parsed = parse(written)
            left = {e.tag: bytes(parsed.buf[e.start : e.start + e.length]).rstrip(b" \0") for e in parsed.elements}
            figures.lost = sum(left.get(e.tag) != e.value for e in decoys())
    figures.milliseconds = [_run(tool, options, source, target, options.turns) or 0.0 for source in timed]
    if tool == "Overread":
        figures.header = _header(timed[1].read_bytes(), options.turns)
    return figures


def _run(tool: str, options: argparse.Namespace, source: Path, target: Path, turns: int) -> float | None:
    """Milliseconds of the median turn; None where the tool is not there."""
    target.unlink(missing_ok=True)
    if tool == "Overread":
        memory = Memory(_SECRET, SECOND_OPINION)
        taken: list[float] = []
        for _ in range(max(1, turns)):
            begun = time.perf_counter()
            data = source.read_bytes()
            result = deidentify_next(parse(data), memory)
            pixels = result.pixel_bytes or b"".join(data[start : start + length] for start, length in result.pixels)
            target.write_bytes(result.header + pixels + result.trailer)
            taken.append(1000 * (time.perf_counter() - begun))
        return statistics.median(taken)
    if options.peers is None:
        return None
    script = Path(__file__).with_name("deid_peer.py")
    command = [options.peers / "bin" / "python", "-I", script, tool, source, target, str(turns or 1)]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode == 3:
        return None
    if done.returncode or not target.exists():
        raise SystemExit(f"{tool} failed on {source.name}:\n{done.stderr[-2000:]}")
    return float(done.stdout.strip().splitlines()[-1])


def _header(data: bytes, turns: int) -> float:
    """What a slice of a series costs: its header walked and rewritten; no pixel is read."""
    memory = Memory(_SECRET, SECOND_OPINION)
    taken: list[float] = []
    for _ in range(max(50, turns)):
        begun = time.perf_counter()
        deidentify_next(parse(data), memory)
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)


def _disk(slice_: Path) -> None:
    data = slice_.read_bytes()
    kept = len(zlib.compress(deidentify_next(parse(data), Memory(_SECRET, SECOND_OPINION)).header, 6))
    share = 100 * kept / len(data)
    print(
        f"extra disk of a slice: {kept} bytes of header beside {len(data)}, {share:.2f} %; others write it whole again"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deid", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peers", type=Path, help="a virtual environment with the other tools")
    parser.add_argument("--folder", type=Path, help="where the files are written")
    parser.add_argument("--turns", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    main()
