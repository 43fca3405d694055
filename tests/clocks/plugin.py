"""pytest with a clock that passes a moment while each test runs: `-p tests.clocks.plugin`, started by tests.clocks."""

from __future__ import annotations

import ctypes
import math
import os
import random
import struct
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

#: Seconds of a test's life that may pass before the moment: most tests are short, some are not.
_SOONEST, _LATEST = 0.02, 3.0


class Clock:
    """The clock of this process and of what it starts from now on; every worker of pytest-xdist has one of its own."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment.timestamp()
        self._folder = tempfile.TemporaryDirectory(prefix="overread-shift-")
        # PostgreSQL's user has to read it.
        Path(self._folder.name).chmod(0o755)
        self._file = Path(self._folder.name) / "shift"
        self._file.write_bytes(struct.pack("q", 0))
        self._file.chmod(0o644)
        os.environ["CLOCK_SHIFT"] = str(self._file)
        ctypes.CDLL(None).overread_shift(os.fsencode(self._file))
        self._shift = 0

    def set(self, lead: float) -> None:
        """Let it be so many seconds before the moment."""
        real = time.time_ns() - self._shift
        self._shift = int((self._moment - lead) * 1e9) - real
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", self._shift))

    def end(self) -> None:
        """Remove its file."""
        self._folder.cleanup()


def lead(name: str) -> float:
    """How long before the moment a test begins: the same in every run with a CLOCK_SEED, all lengths alike often."""
    chance = random.Random(os.environ.get("CLOCK_SEED", "") + name).random()
    return math.exp(math.log(_SOONEST) + chance * (math.log(_LATEST) - math.log(_SOONEST)))


class Plugin:
    """Sets the clock anew before each test, its fixtures included."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Called by pytest."""
        self._clock.set(lead(item.nodeid))
        yield

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Called by pytest: the last test first, where that is wanted."""
        if os.environ.get("CLOCK_BACKWARDS"):
            items.reverse()

    def pytest_unconfigure(self) -> None:
        """Called by pytest."""
        self._clock.end()


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest."""
    config.pluginmanager.register(Plugin(Clock(datetime.fromisoformat(os.environ["CLOCK_MOMENT"]))), "clocks")
