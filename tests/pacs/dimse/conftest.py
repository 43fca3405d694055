"""A listener with the limits that a test chooses, and registered peers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from overread.kit.principals import Role
from overread.kit.settings import Settings
from pacs.dimse import peers
from pacs.dimse.access import Accesses, Takes, nothing, sent_by
from pacs.dimse.listener import Listener
from pacs.store.archive import Archive
from tests.live.server import free_port
from tests.pacs.dimse.raw import Peer


class Listen:
    """Starts listeners: `listen(dimse_idle_seconds=1)` gives the port. Each setting not named has its default."""

    def __init__(self, archive: Archive, folder: Path, accesses: Accesses = sent_by, takes: Takes = nothing) -> None:
        self._archive = archive
        self._accesses = accesses
        self._takes = takes
        self._folder = folder
        self.listeners: list[Listener] = []

    def __call__(self, *, archive: Archive | None = None, port: int | None = None, **chosen: Any) -> int:
        number = port or free_port()
        settings = Settings.model_validate({"data_dir": self._folder, "dicom": f"127.0.0.1:{number}", **chosen})
        listener = Listener(archive or self._archive, settings, self._accesses, self._takes)
        listener.start()
        self.listeners.append(listener)
        return number


@pytest.fixture
def registered(archive: Archive) -> None:
    """Hospitals WARD and OTHER, a specialist READER; one hospital that calls from elsewhere."""
    with archive.db.transaction() as tx:
        for title, host, role in (
            ("WARD", "127.0.0.1", Role.HOSPITAL),
            ("OTHER", "127.0.0.1", Role.HOSPITAL),
            ("READER", "127.0.0.1", Role.SPECIALIST),
            ("ELSEWHERE", "192.0.2.1", Role.HOSPITAL),
        ):
            peers.register(tx, title, host, 104, role)


@pytest.fixture
def listen(archive: Archive, tmp_path: Path, registered: None) -> Iterator[Listen]:
    """Starts listeners, and sees that afterwards nothing of any is left."""
    start = Listen(archive, tmp_path)
    yield start
    for listener in start.listeners:
        listener.stop()
    eventually(lambda: threads() == [])


def threads() -> list[str]:
    """The listeners' threads that live."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("dimse")]


def settled(port: int, archive: Archive, blobs: Path) -> None:
    """The next request is served, and of what was before nothing is left: no thread, descriptor, file or row."""
    with Peer(port) as peer:
        assert peer.associate()[0] == 2
        assert peer.echo() == 0
        assert peer.release() == 6
    eventually(lambda: threads() == ["dimse acceptor"])
    eventually(lambda: not connections(port))
    assert [path for path in blobs.rglob("*") if path.is_file()] == []


def connections(port: int) -> list[Any]:
    """The sockets of this process that are connected to the port, or accepted from it."""
    return [one for one in psutil.Process().net_connections("tcp") if one.laddr.port == port and one.status != "LISTEN"]


def eventually(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something holds; a machine that is busy takes its time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)
