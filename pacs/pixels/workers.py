"""The decoding workers of this process: started when first needed, ended when idle, replaced when they die.

One that went home is waited for at once by a thread of its own, so that it leaves neither an entry in the process table
nor a socket, also where nobody asks for a frame any more.
"""

from __future__ import annotations

import atexit
import hashlib
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from threading import BoundedSemaphore, Lock, Thread
from typing import Any

from overread.kit import threads
from overread.kit.errors import Unavailable
from overread.kit.language import gettext
from pacs.pixels import wire
from pacs.pixels.errors import CannotDecode, refuse
from pacs.pixels.layout import Layout
from pacs.pixels.turns import TURNS, to_make

#: Seconds that one frame may take, waiting for a worker included.
PATIENCE = 40.0

_ROOT = Path(__file__).resolve().parents[2]


class _Worker:
    """One process and the socket to it."""

    def __init__(self, module: str) -> None:
        self.sock, theirs = socket.socketpair()
        with theirs:
            # exec, not fork: this process has threads. Of its environment the worker gets nothing.
            self.process = subprocess.Popen(  # noqa: S603 - the interpreter that runs this, a module of our own
                [sys.executable, "-P", "-s", "-B", "-m", module],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={
                    "PYTHONPATH": str(_ROOT),
                    "LANG": "C.UTF-8",
                    "MALLOC_ARENA_MAX": "2",
                    "OMP_NUM_THREADS": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                },
            )

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> int:
        """End it; give its exit code, negative for a signal."""
        self.sock.close()
        try:
            # A dying process may need a moment until the kernel tells why.
            return self.process.wait(0.5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Pool:
    """Up to `size` workers, for the threads of one process; what they raise is CannotDecode or Unavailable."""

    def __init__(self, size: int = 1, module: str = "pacs.pixels.worker", patience: float = PATIENCE) -> None:
        self.patience = patience
        self._module = module
        self._free = BoundedSemaphore(size)
        self._idle: list[_Worker] = []
        self._lock = Lock()

    def call(
        self, head: dict[str, Any], form: Layout, frame: bytes, *, exactly: int | None = None, limit: int = 0
    ) -> bytearray:
        """Have one operation of `pacs.pixels.worker` done; the answer has `exactly` or at most `limit` bytes."""
        with TURNS.turn(to_make(form, len(frame))):
            until = time.monotonic() + self.patience
            self._wait()
            try:
                body = self._call({**head, "layout": asdict(form)}, frame, limit if exactly is None else exactly, until)
            finally:
                self._free.release()
        if exactly is not None and len(body) != exactly:
            raise refuse("its pixel data has another size than its header says.")
        return body

    def close(self) -> None:
        """End the workers that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def pids(self) -> list[int]:
        """The process ids of idle workers."""
        with self._lock:
            return [worker.process.pid for worker in self._idle]

    def _wait(self) -> None:
        if self._free.acquire(blocking=False):
            return
        with threads.waiting():
            free = self._free.acquire(timeout=self.patience)
        if not free:
            raise Unavailable(
                "no decoding worker was free", safe=gettext("The server is busy decoding: try again in a minute.")
            )

    def _call(self, head: dict[str, Any], frame: bytes, limit: int, until: float) -> bytearray:
        for attempt in (1, 2):
            worker = self._take()
            try:
                wire.send(worker.sock, head, frame, until)
                answer, body = wire.receive(worker.sock, limit, until)
            except TimeoutError as slow:
                worker.process.kill()
                worker.end()
                raise refuse("decoding it takes too long.") from slow
            except wire.Broken as died:
                code = worker.end()
                if code in (0, -signal.SIGKILL) and attempt == 1:
                    continue  # it went home just then, or someone ended it from outside: not this frame's fault
                if code == -signal.SIGKILL or code >= 0:
                    raise Unavailable(f"decoding workers don't live: {code}") from died
                if code == -signal.SIGXCPU:
                    raise refuse("decoding it takes too long.") from died
                raise CannotDecode(f"the decoding worker ended with {code}") from died
            except wire.Garbled as strange:
                worker.process.kill()
                worker.end()
                raise CannotDecode(f"the decoding worker answered with {strange}") from strange
            with self._lock:
                self._idle.append(worker)
            if "refused" in answer:
                raise CannotDecode(str(answer["refused"]), safe=str(answer.get("safe", ""))[:300] or None)
            return body
        raise AssertionError("unreachable")

    def _take(self) -> _Worker:
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                return self._start()
            if worker.alive:
                return worker
            worker.end()

    def _start(self) -> _Worker:
        worker = _Worker(self._module)
        Thread(target=self._reap, args=(worker,), name="decoder ended", daemon=True).start()
        return worker

    def _reap(self, worker: _Worker) -> None:
        worker.process.wait()
        with self._lock:
            if worker not in self._idle:
                # Somebody waits for its answer, and is told.
                return
            self._idle.remove(worker)
        worker.sock.close()


def digest(frame: bytes) -> bytes:
    """Give a frame's name by its content."""
    return hashlib.sha256(frame).digest()


#: One worker for each process that decodes: as many processes as the server has for requests, no more.
POOL = Pool()
atexit.register(POOL.close)
