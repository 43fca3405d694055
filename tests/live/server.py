"""A server under test: `overread serve` as an operator starts it, on free ports and a folder of its own."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil

PROGRAM = [sys.executable, "-m", "overread"]
# Not the common generator: runs beside each other, of which a test has seeded it, would go through the same ports.
_RANDOM = random.SystemRandom()
#: Names of the ports that were given.
_TAKEN: list[socket.socket] = []


def free_port() -> int:
    """A port that nobody has, and that no other test of this machine is given for as long as this process lives.

    It lies below those that the kernel gives to outgoing connections (ip_local_port_range, 32768 and up): one of them
    could take it before who asked listens there.
    """
    while True:
        port = _RANDOM.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            # A name that nobody else can have, and that ends with the process, however that ends.
            named = socket.socket(socket.AF_UNIX)
            try:
                named.bind(f"\0overread-test-port-{port}")
            except OSError:
                named.close()
                raise
            _TAKEN.append(named)
            return port


def clean_environment() -> dict[str, str]:
    """The environment without settings of ours, so that flags alone decide."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OVERREAD_")}


class Server:
    """`overread serve` (or `demo`) running; `with` starts it and stops it by SIGTERM."""

    def __init__(self, folder: Path, command: str = "serve", *, workers: int = 1) -> None:
        self.folder = folder
        self.command = command
        self.workers = workers
        self.http = f"127.0.0.1:{free_port()}"
        self.viewer = f"127.0.0.1:{free_port()}"
        self.dicom_port = free_port()
        self.sandbox = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.http}"
        self.output = ""
        self.process: subprocess.Popen[str] | None = None
        #: What it ended with where it ended before it was ready.
        self.code: int | None = None

    def start(self, timeout: float = 300.0) -> None:
        flags = ["--data-dir", str(self.folder), "--http", self.http, "--viewer", self.viewer]
        flags += ["--dicom", f"127.0.0.1:{self.dicom_port}"]
        if self.command == "serve":
            flags += ["--workers", str(self.workers)]
        self.log = (self.folder.parent / f"{self.folder.name}.log").open("a")
        self.process = subprocess.Popen(
            [*PROGRAM, self.command, *flags],
            env={**clean_environment(), "OVERREAD_SANDBOX": self.sandbox, "OVERREAD_LOG_LEVEL": "WARNING"},
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            bufsize=1,
        )
        assert self.process.stdout
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            readable, _, _ = select.select([self.process.stdout], [], [], 0.5)
            if readable:
                line = self.process.stdout.readline()
                self.output += line
                if line.startswith("ready"):
                    return
                if not line:
                    # It ended by itself. Whatever else runs over this folder is not its own.
                    self.code = self.process.wait(60)
                    self._close()
                    raise AssertionError(f"not ready: {self.output}\n{self.read_log()}")
        told = f"not ready: {self.output}\n{self.read_log()}"
        with suppress(psutil.Error):
            self.kill()  # else it would run on, in the way of the tests to come
        raise AssertionError(told)

    def read_log(self) -> str:
        return (self.folder.parent / f"{self.folder.name}.log").read_text()

    def run(self, *arguments: str) -> str:
        """Run another command of the program over the same folder; its standard output."""
        done = subprocess.run(
            [*PROGRAM, *arguments, "--data-dir", str(self.folder)],
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def token(self, role: str) -> str:
        lines = self.run("token", "create", "--role", role, "--name", f"test {role}").splitlines()
        assert len(lines) == 1
        return lines[0]

    def processes(self) -> list[psutil.Process]:
        """Every process of this server, PostgreSQL's too."""
        assert self.process
        mine = psutil.Process(self.process.pid)
        found = [mine, *mine.children(recursive=True)]
        pid_file = self.folder / "postgres" / "postmaster.pid"
        if pid_file.exists():
            postgres = psutil.Process(int(pid_file.read_text().split()[0]))
            found += [postgres, *postgres.children(recursive=True)]
        return found

    def kill(self) -> None:
        """kill -9 of everything at once."""
        for process in self.processes():
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        assert self.process
        self.process.wait(10)
        self._close()

    def stop(self, timeout: float = 60.0) -> int:
        """SIGTERM; the exit code. Raises subprocess.TimeoutExpired where it takes longer, on a busy machine even."""
        assert self.process
        self.process.terminate()
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._close()
        return code

    def _close(self) -> None:
        assert self.process
        assert self.process.stdout
        self.process.stdout.close()
        self.log.close()
        self.process = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None:
            if kind is None:
                self.stop()
            else:
                self.kill()
