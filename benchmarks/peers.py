"""The servers that are measured: ours and its peers, each as processes on free ports with an empty folder."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

CALLING = "BENCH"
_HERE = Path(__file__).parent
_READY_SECONDS = 90.0
#: Both servers take a study for complete when nothing came for three seconds, and look for such ones once a second.
_SETTLES_SECONDS = 5.0
_REST_SECONDS = 15.0


@dataclass
class Peer:
    """A running server. `web`: the base of its DICOMweb service, empty where it has none."""

    name: str
    version: str
    process: subprocess.Popen[str]
    dicom: tuple[str, int]
    called: str
    web: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def processes(self) -> list[psutil.Process]:
        """Its processes, PostgreSQL's left out."""
        mine = psutil.Process(self.process.pid)
        return [mine, *(one for one in mine.children(recursive=True) if one.name() != "postgres")]

    def resident(self) -> float:
        """Megabytes: the proportional set size of its processes."""
        total = 0
        for process in self.processes():
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total / 1e6

    def rest(self) -> None:
        """Wait until it has done what it does when a study is complete: it must not do that in another's time."""
        time.sleep(_SETTLES_SECONDS)
        deadline, last = time.monotonic() + _REST_SECONDS, self._worked()
        while time.monotonic() < deadline:
            time.sleep(0.5)
            now = self._worked()
            if now - last < 0.05:
                return
            last = now

    def _worked(self) -> float:
        """Seconds of processor time."""
        total = 0.0
        for process in self.processes():
            with suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
        return total


@contextmanager
def overread(folder: Path) -> Iterator[Peer]:
    """`overread serve` with its defaults: a registered hospital sends, and a token of its own."""
    http, viewer, dicom = (_free_port() for _ in range(3))
    program = [sys.executable, "-m", "overread"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OVERREAD_")}
    environment["OVERREAD_LOG_LEVEL"] = "WARNING"
    flags = ["--http", f"127.0.0.1:{http}", "--viewer", f"127.0.0.1:{viewer}", "--dicom", f"127.0.0.1:{dicom}"]

    def run(*arguments: str) -> str:
        command = [*program, *arguments, "--data-dir", str(folder)]
        return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    with _started([*program, "serve", "--data-dir", str(folder), *flags], folder, environment) as process:
        _wait_line(process, "ready")
        run("ae", "add", CALLING, "--host", "127.0.0.1", "--port", "11199", "--role", "hospital")
        token = run("token", "create", "--role", "hospital", "--name", "bench")
        yield Peer(
            "Overread",
            _revision(),
            process,
            ("127.0.0.1", dicom),
            "OVERREAD",
            f"http://127.0.0.1:{http}/dicomweb",
            {"Authorization": f"Bearer {token}"},
        )


@contextmanager
def orthanc(root: Path, folder: Path) -> Iterator[Peer]:
    """Debian trixie's Orthanc and its DICOMweb plugin, installed in `root`, with its default durability."""
    http, dicom = _free_port(), _free_port()
    script = str(_HERE / "orthanc.sh")
    subprocess.run([script, "install", str(root)], check=True, stdout=sys.stderr)
    version = subprocess.run([script, "version", str(root)], check=True, stdout=subprocess.PIPE, text=True).stdout
    command = [script, "run", str(root), str(http), str(dicom)]
    try:
        with _started(command, folder, dict(os.environ)) as process:
            _wait_port(process, http)
            yield Peer(
                "Orthanc",
                ", ".join(version.split("\n")).removeprefix("orthanc ").strip(", "),
                process,
                ("127.0.0.1", dicom),
                "ORTHANC",
                f"http://127.0.0.1:{http}/dicom-web",
            )
    finally:
        shutil.rmtree(root / "srv" / "db", ignore_errors=True)


@contextmanager
def pynetdicom(folder: Path) -> Iterator[Peer]:
    """pynetdicom's own receiver, writing files and indexing nothing."""
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks.plain", str(port), str(folder / "received")]
    with _started(command, folder, dict(os.environ)) as process:
        _wait_line(process, "ready")
        from pynetdicom import __version__

        yield Peer("pynetdicom", __version__, process, ("127.0.0.1", port), "PLAIN")


@contextmanager
def _started(command: Sequence[str], folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        (folder.parent / f"{folder.name}.log").open("w") as log,
        subprocess.Popen(
            command, cwd=_HERE.parent, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_line(process: subprocess.Popen[str], start: str) -> None:
    assert process.stdout
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if select.select([process.stdout], [], [], 0.5)[0] and process.stdout.readline().startswith(start):
            return
    raise RuntimeError(f"{process.args!r} is not ready")


def _wait_port(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{process.args!r} is not ready")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _revision() -> str:
    """The commit that is measured; `+` where files differ from it."""
    git = ["git", "-C", str(_HERE)]
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True, check=False)
    changed = subprocess.run([*git, "status", "--porcelain"], stdout=subprocess.PIPE, text=True, check=False)
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")
