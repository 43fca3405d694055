"""Running parts of the program as child processes: forked, watched, restarted, stopped together.

Children are forked from a supervisor that has the whole program loaded and starts no thread: they begin at once and
share its memory until they write to it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from overread.kit import log
from overread.kit.errors import OverreadError
from overread.kit.settings import address

_logger = log.get(__name__)
_READY_FD = "OVERREAD_READY_FD"
_PR_SET_PDEATHSIG = 1
# <malloc.h>
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_STOP_SECONDS = 8.0
#: Seconds after which no part of a supervisor that was killed runs any more.
PARTS_END = _STOP_SECONDS + 4.0
_MAX_BACKOFF = 30.0
_LOOK_SECONDS = 1.0


def announce_ready() -> None:
    """Tell the supervisor, if there is one, that this process does its work from now on."""
    descriptor = os.environ.pop(_READY_FD, None)
    if descriptor is not None:
        # Nobody waits for the readiness of a child that was started again.
        with suppress(BrokenPipeError):
            os.write(int(descriptor), b"1")
        os.close(int(descriptor))


@dataclass
class Child:
    """One part: a function that works until SIGTERM.

    It is ready when it says so (`announce_ready`), or where `probe` is set, when that HOST:PORT accepts connections.
    """

    name: str
    target: Callable[[], None]
    probe: str | None = None
    #: It forks children of its own, and so may have no thread; it ends them, and itself, in time.
    supervises: bool = False
    pid: int = 0
    ready_from: int = -1
    started_at: float = 0.0
    failures: int = 0
    not_before: float = 0.0
    status: int | None = None

    def start(self, lifeline: tuple[int, int] | None = None) -> None:
        """Fork; the child never returns.

        `lifeline`: a pipe whose end to write is the parent's alone: where the parent is gone, the child ends.
        """
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.status, self.started_at = None, time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            self._run(writer, lifeline)
        os.close(writer)
        self.ready_from = reader

    def _run(self, writer: int, lifeline: tuple[int, int] | None) -> None:
        """The child's whole life. It leaves without the parent's exit handlers, which stop the database."""
        code = 1
        try:
            # A terminal's Ctrl-C reaches the supervisor alone, which then stops its children in order.
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            # Killed, a supervisor can stop nobody: the kernel does it then.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if lifeline is not None:
                os.close(lifeline[1])
                if not self.supervises:
                    _end_without_parent(lifeline[0])
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.environ[_READY_FD] = str(writer)
            # A header of a thousand frames makes tens of thousands of objects and no cycle: collecting at every 700
            # of them doubles the time that it takes to read.
            gc.set_threshold(50_000, 20, 100)
            self.target()
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        except OverreadError as error:
            print(f"overread: {self.name}: {error}", file=sys.stderr)  # noqa: T201  foreseen: a line, no trace
        except BaseException:  # noqa: BLE001  whatever it is, it ends here, and is said
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def alive(self) -> bool:
        """Whether the process runs; its status is kept when it has ended."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is None

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
        while time.monotonic() < deadline and self.alive():
            try:
                socket.create_connection(where, timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return True
        return False


def _end_without_parent(reader: int) -> None:
    """End this process, hard, where its parent has been gone for so long that SIGTERM should have ended it."""

    def watch() -> None:
        os.read(reader, 1)
        time.sleep(_STOP_SECONDS)
        os._exit(1)

    # A thread begins with the signals blocked that its maker has blocked: this one takes none from who waits for them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    threading.Thread(target=watch, name="lifeline", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _spare_memory() -> None:
    """Have the C library give back what was freed: it keeps an arena a thread, and blocks of megabytes, for ever.

    The children that are forked then do the same.
    """
    library = ctypes.CDLL(None)
    tune, trim = getattr(library, "mallopt", None), getattr(library, "malloc_trim", None)
    if tune is not None and trim is not None:  # glibc has them, others need none of this
        tune(_M_ARENA_MAX, 2)
        tune(_M_TRIM_THRESHOLD, 1 << 20)
        tune(_M_MMAP_THRESHOLD, 4 << 20)
        trim(ctypes.c_size_t(0))


def raise_descriptors(wanted: int) -> None:
    """Have as many descriptors as that, or as the system gives: silent connections may take a thousand.

    Many systems begin with that many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def run_aside(name: str, target: Callable[[], None]) -> None:
    """Run a function to its end in a process of its own, so that its threads are not in the way of later forks.

    Raises OverreadError where it fails.
    """
    child = Child(name, target)
    child.start()
    os.close(child.ready_from)
    _, status = os.waitpid(child.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise OverreadError(f"{name} failed: see the lines above")


class Supervisor:
    """Starts children, waits until all are ready, restarts those that die, and stops them all."""

    def __init__(self, children: Sequence[Child], keep: Callable[[], None] | None = None) -> None:
        """`keep` is called every second: it sees to what is no child of ours."""
        self._children = children
        self._keep = keep
        self._lifeline = os.pipe()
        self.stopping = False

    def start(self, timeout: float = 60.0) -> None:
        """Start every child and wait until each is ready. Raises OverreadError where one dies or takes too long."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        if threading.active_count() > 1:
            # A forked child has the locks and queues of such threads, and not the threads that serve them.
            raise OverreadError(f"threads run before the fork: {[one.name for one in threading.enumerate()]}")
        # What is loaded now is never collected: the collector's marks would unshare every page of it.
        gc.collect()
        gc.freeze()
        _spare_memory()
        for child in self._children:
            child.start(self._lifeline)
        deadline = time.monotonic() + timeout
        for child in self._children:
            ready = child.wait_ready(deadline)
            if self.stopping:
                return
            if not ready:
                raise OverreadError(f"{child.name} did not start: see the lines above")

    def watch(self) -> None:
        """Restart children that end, with growing pauses, until told to stop."""
        looked = time.monotonic()
        while not self.stopping:
            for child in self._children:
                self._revive(child)
            if self._keep is not None and time.monotonic() - looked > _LOOK_SECONDS:
                try:
                    self._keep()
                except OverreadError as error:
                    _logger.error("not_kept", reason=str(error))
                looked = time.monotonic()
            time.sleep(0.25)

    def stop(self) -> None:
        """Ask every child to end, and end those that do not."""
        running = [child for child in self._children if child.pid and child.alive()]
        for child in running:
            os.kill(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while any(child.alive() for child in running) and time.monotonic() < deadline:
            time.sleep(0.02)
        for child in running:
            if child.alive():
                _logger.warning("child_killed", child=child.name)
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _revive(self, child: Child) -> None:
        if child.alive():
            return
        now = time.monotonic()
        if child.not_before <= child.started_at:
            child.failures = child.failures + 1 if now - child.started_at < _MAX_BACKOFF else 1
            child.not_before = now + min(_MAX_BACKOFF, 0.25 * 2**child.failures)
            _logger.error("child_died", child=child.name, code=child.status)
        elif now >= child.not_before:
            child.start(self._lifeline)
            # Nobody waits for its readiness now: the port is shared, and the others serve meanwhile.
            os.close(child.ready_from)
