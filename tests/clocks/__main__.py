"""Runs the tests that start no server of ours once for each moment: python -m tests.clocks [NAME ...] [-- PYTEST ...].

Whatever a test does, a minute, a day and mostly a month or more end while it does it; where people change their clocks
the machine is in such a place, and PostgreSQL with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

_HERE = Path(__file__).parent
_UNIT = ["-m", "not live and not browser"]


class Moment(NamedTuple):
    """A moment (UTC), the time zone of the machine that sees it, and whether the last test comes first then."""

    at: str
    zone: str
    backwards: bool = False


MOMENTS = {
    "year": Moment("2027-01-01T00:00:00+00:00", "America/New_York"),
    "month": Moment("2027-02-01T00:00:00+00:00", "UTC", backwards=True),
    "february": Moment("2027-03-01T00:00:00+00:00", "America/New_York"),
    "leap-day": Moment("2028-02-29T00:00:00+00:00", "UTC"),
    "after-leap-day": Moment("2028-03-01T00:00:00+00:00", "Asia/Kolkata"),
    "spring": Moment("2027-03-28T01:00:00+00:00", "Europe/Berlin", backwards=True),
    "autumn": Moment("2026-10-25T01:00:00+00:00", "Europe/Berlin"),
    "spring-west": Moment("2027-03-14T07:00:00+00:00", "America/New_York"),
    "local-midnight": Moment("2027-06-30T22:00:00+00:00", "Europe/Berlin", backwards=True),
}


def built(folder: Path) -> Path:
    """The library that moves the clock."""
    made = folder / "shift.so"
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(made), str(_HERE / "shift.c"), "-ldl"]
    subprocess.run(command, check=True)
    return made


def run(moment: Moment, library: Path, options: list[str]) -> int:
    """Run pytest with the clock near a moment; its exit status."""
    moved = {"LD_PRELOAD": str(library), "CLOCK_MOMENT": moment.at, "TZ": moment.zone}
    moved |= {"CLOCK_BACKWARDS": "1"} if moment.backwards else {}
    command = [sys.executable, "-m", "pytest", "-p", "tests.clocks.plugin", *options]
    return subprocess.run(command, env=os.environ | moved, check=False).returncode


def main() -> int:
    """Run them all; how many of the moments failed, as the exit status."""
    arguments, options = sys.argv[1:], _UNIT
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, options = arguments[:cut], [*_UNIT, *arguments[cut + 1 :]]
    failed = []
    with tempfile.TemporaryDirectory(prefix="overread-shift-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL's user loads it, too
        library = built(Path(folder))
        for name in arguments or list(MOMENTS):
            print(f"== {name}: {MOMENTS[name].at}, the machine in {MOMENTS[name].zone}", flush=True)
            if run(MOMENTS[name], library, options):
                failed.append(name)
    print("passed by every clock" if not failed else f"failed: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
