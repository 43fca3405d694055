"""Disks that fail: one that forgets at a power cut, and one that is small."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


class Volatile:
    """A mounted `tests.faults.volatile.Disk`, served by a process of its own."""

    def __init__(self, process: subprocess.Popen[str], point: Path) -> None:
        self._process = process
        self.point = point

    def tell(self, command: str) -> str:
        """Send a command (settle, cut, sick, heal); its answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


@contextmanager
def volatile(point: Path, deaf: str | None = None) -> Iterator[Volatile]:
    """A disk in memory that forgets at a cut what was not fsynced. Skips where FUSE can't be mounted."""
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("a power cut needs root and /dev/fuse")
    point.mkdir()
    command = [sys.executable, "-m", "tests.faults.fuse", str(point)]
    with subprocess.Popen(
        [*command, *(["--deaf", deaf] if deaf is not None else [])],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield Volatile(process, point)
        finally:
            # Closing its input ends it; what still uses the mount loses it.
            assert process.stdin
            process.stdin.close()
            process.wait(20)


@contextmanager
def small(point: Path, megabytes: int) -> Iterator[Path]:
    """A disk in memory of so many megabytes. Skips where it can't be mounted."""
    point.mkdir()
    options = f"size={megabytes}m,mode=755"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", str(point)], check=False)
    if done.returncode != 0:
        pytest.skip("a small disk needs root and the right to mount a tmpfs")
    try:
        yield point
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=True)
