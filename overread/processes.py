"""Running parts of the program as child processes: started, watched, restarted, stopped together."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from overread.kit import log
from overread.kit.errors import OverreadError
from overread.kit.settings import address

_logger = log.get(__name__)
_READY_FD = "OVERREAD_READY_FD"
_PR_SET_PDEATHSIG = 1
_STOP_SECONDS = 8.0
_MAX_BACKOFF = 30.0


def announce_ready() -> None:
    """Tell the supervisor, if there is one, that this process does its work from now on."""
    descriptor = os.environ.pop(_READY_FD, None)
    if descriptor is not None:
        os.write(int(descriptor), b"1")
        os.close(int(descriptor))


def die_with_parent() -> None:
    """Have the kernel end this process when its supervisor is killed; it could not be stopped any other way."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """One part: a module of ours run as a program, with more environment.

    It is ready when it says so (`announce_ready`), or where `probe` is set, when that HOST:PORT accepts connections.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    module: str = "overread"
    probe: str | None = None
    process: subprocess.Popen[bytes] | None = None
    ready_from: int = -1
    started_at: float = 0.0
    failures: int = 0
    not_before: float = 0.0

    def start(self) -> None:
        """Start the process; it announces itself over a pipe."""
        reader, writer = os.pipe()
        self.process = subprocess.Popen(  # noqa: S603  our own program with our own arguments
            [sys.executable, "-m", self.module, *self.arguments],
            env={**os.environ, **self.environment, _READY_FD: str(writer)},
            pass_fds=[writer],
            stdin=subprocess.DEVNULL,
            # A terminal's Ctrl-C reaches the supervisor alone, which then stops its children in order.
            start_new_session=True,
        )
        os.close(writer)
        self.ready_from = reader
        self.started_at = time.monotonic()

    def wait_ready(self, deadline: float) -> bool:
        """Wait until the process does its work; False where it ended or the time is up."""
        try:
            if self.probe is None:
                readable, _, _ = select.select([self.ready_from], [], [], max(0.0, deadline - time.monotonic()))
                return bool(readable) and os.read(self.ready_from, 1) == b"1"
            return self._wait_connectable(address(self.probe), deadline)
        finally:
            os.close(self.ready_from)

    def _wait_connectable(self, where: tuple[str, int], deadline: float) -> bool:
        assert self.process
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(where, timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return True
        return False


class Supervisor:
    """Starts children, waits until all are ready, restarts those that die, and stops them all."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = children
        self.stopping = False

    def start(self, timeout: float = 60.0) -> None:
        """Start every child and wait until each is ready. Raises OverreadError where one dies or takes too long."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for child in self._children:
            child.start()
        deadline = time.monotonic() + timeout
        for child in self._children:
            ready = child.wait_ready(deadline)
            if self.stopping:
                return
            if not ready:
                raise OverreadError(f"{child.name} did not start: see the lines above")

    def watch(self) -> None:
        """Restart children that end, with growing pauses, until told to stop."""
        while not self.stopping:
            for child in self._children:
                self._revive(child)
            time.sleep(0.25)

    def stop(self) -> None:
        """Ask every child to end, and end those that do not."""
        running = [child for child in self._children if child.process and child.process.poll() is None]
        for child in running:
            assert child.process
            child.process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for child in running:
            assert child.process
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _logger.warning("child_killed", child=child.name)
                child.process.kill()
                child.process.wait()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _revive(self, child: Child) -> None:
        assert child.process
        now = time.monotonic()
        if child.process.poll() is None:
            return
        if child.not_before <= child.started_at:
            child.failures = child.failures + 1 if now - child.started_at < _MAX_BACKOFF else 1
            child.not_before = now + min(_MAX_BACKOFF, 0.25 * 2**child.failures)
            _logger.error("child_died", child=child.name, code=child.process.returncode)
        elif now >= child.not_before:
            child.start()
            # Nobody waits for its readiness now: the port is shared, and the others serve meanwhile.
            os.close(child.ready_from)
