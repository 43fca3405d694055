"""What a destination or a fetching peer may do to us: size, slowness, silence, nonsense; and stopping meanwhile."""

from __future__ import annotations

import socket
import struct
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import generate_uid
from pynetdicom import evt

from overread.kit.principals import Principal
from pacs.dicom.part10 import write_meta
from pacs.dicom.transfer_syntaxes import EXPLICIT_LITTLE_ENDIAN
from pacs.dimse import access, peers, sending
from pacs.dimse.access import Selected
from pacs.index import selection
from pacs.store.archive import Archive
from pacs.store.ingest import Source, Stored
from tests.conformance.search.archive import instance
from tests.pacs.dimse.conftest import Listen, eventually, threads
from tests.pacs.dimse.querying import (
    CT,
    PLAIN,
    STUDY_FIND,
    STUDY_GET,
    STUDY_MOVE,
    Receiver,
    ask,
    associated,
    find_once,
    get,
    keep,
    move,
    principal_of,
    retrieved,
)
from tests.pacs.store.test_ingest import put


@pytest.fixture
def ward(archive: Archive, registered: None) -> Principal:
    return principal_of(archive, "WARD")


@pytest.fixture
def two(archive: Archive, ward: Principal) -> None:
    keep(archive, ward, *(instance(StudyInstanceUID="1.1", SOPInstanceUID=f"1.1.1.{n}") for n in (1, 2)))


def register(archive: Archive, owner: Principal, port: int) -> None:
    with archive.db.transaction() as tx:
        peers.register(tx, "SHELF", "127.0.0.1", port, owner.role, owner_id=owner.id)


def _wait(event: threading.Event) -> None:
    event.wait(20)


MOVE = ask("STUDY", StudyInstanceUID="1.1")


def test_memory_does_not_grow_with_the_object(listen: Listen, archive: Archive, ward: Principal) -> None:
    size = 48 << 20
    uid = generate_uid()
    head = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, size)
    elements = instance(StudyInstanceUID="1.1", SOPInstanceUID=uid, SOPClassUID=CT)
    data = write_meta(CT, uid, EXPLICIT_LITTLE_ENDIAN) + _body(elements) + head + bytes(size)
    assert isinstance(put(archive, Source(ward, "dimse"), data), Stored)
    del data
    counted = [0]

    def count(event: Any) -> int:
        counted[0] = len(event.request.DataSet.getbuffer())
        return 0

    with archive.db.transaction() as tx:
        [wanted] = _wanted(tx, ward)
    located = access.locate(archive, access.sent_by, ward, wanted)
    tracemalloc.start()
    try:
        for syntax in PLAIN:
            total = sum(len(chunk) for chunk in sending.data_set(archive, located, str(syntax)))
            assert size < total < size + 4096
        assert tracemalloc.get_traced_memory()[1] < size / 8
    finally:
        tracemalloc.stop()
    port = listen()
    with associated(port, contexts=[STUDY_GET], storage=[(CT, PLAIN)], handlers=[(evt.EVT_C_STORE, count)]) as assoc:
        assert retrieved(assoc.send_c_get(MOVE, STUDY_GET)).status == 0
    assert size < counted[0] < size + 4096


def _wanted(tx: Any, ward: Principal) -> list[Selected]:
    [mine] = access.sent_by(tx, ward, None)
    return [Selected(mine, one) for one in selection.instances(tx, mine.scope, {"0020000D": "1.1"}, 10)]


def _body(ds: Any) -> bytes:
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = False, True
    write_dataset(out, ds)
    return bytes(out.getvalue())


@contextmanager
def speaking(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A destination that does what it likes with a connection."""
    server = socket.create_server(("127.0.0.1", 0))
    opened: list[socket.socket] = []

    def run() -> None:
        while True:
            try:
                one, _ = server.accept()
            except OSError:
                return
            opened.append(one)
            threading.Thread(target=_quietly, args=(talk, one), daemon=True).start()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)
        for one in opened:
            one.close()


def _quietly(talk: Callable[[socket.socket], None], one: socket.socket) -> None:
    try:
        talk(one)
    except OSError:
        return


def _says(answer: bytes, *, close: bool = False) -> Callable[[socket.socket], None]:
    def talk(one: socket.socket) -> None:
        one.recv(65536)
        one.sendall(answer)
        if close:
            one.close()
        else:
            while one.recv(65536):
                pass

    return talk


DESTINATIONS = {
    "closes": _says(b"", close=True),
    "is silent": _says(b""),
    "rejects": _says(bytes((3, 0, 0, 0, 0, 4, 0, 1, 1, 7))),
    "aborts": _says(bytes((7, 0, 0, 0, 0, 4, 0, 0, 2, 0))),
    "speaks HTTP": _says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "accepts without end": _says(b"\x02\x00\xff\xff\xff\xff" + bytes(1000)),
    "accepts nonsense": _says(b"\x02\x00\x00\x00\x00\x46" + bytes(70)),
    "accepts with a broken item": _says(b"\x02\x00\x00\x00\x00\x4c\x00\x01" + bytes(66) + b"\x21\x00\xff\xff\x01\x00"),
    "asks itself": _says(b"\x01\x00\x00\x00\x00\x46" + bytes(70)),
    "releases": _says(bytes((5, 0, 0, 0, 0, 4, 0, 0, 0, 0))),
}


@pytest.mark.parametrize("name", DESTINATIONS)
def test_a_bad_destination_fails_the_move_and_nothing_else(
    listen: Listen, archive: Archive, ward: Principal, two: None, name: str
) -> None:
    port = listen(dimse_artim_seconds=2, dimse_idle_seconds=3)
    with speaking(DESTINATIONS[name]) as destination:
        register(archive, ward, destination)
        done = move(port, STUDY_MOVE, MOVE, "SHELF")
    assert (done.status, done.counts(), len(done.failed())) == (0xA702, (None, 0, 2, 0), 2)
    assert len(find_once(port, STUDY_FIND, ask("STUDY", StudyInstanceUID="")).found) == 1
    eventually(lambda: threads() == ["dimse acceptor"])


def test_a_peer_that_leaves_during_its_get_leaves_nothing(
    listen: Listen, archive: Archive, ward: Principal, two: None
) -> None:
    port = listen()
    done = get(port, STUDY_GET, MOVE, Receiver(dies_at=1))
    assert 0xFF00 not in {int(one.get("Status", 0)) for one in done.responses}
    eventually(lambda: threads() == ["dimse acceptor"])


def test_a_destination_that_never_answers_a_store_is_left(
    listen: Listen, archive: Archive, ward: Principal, two: None
) -> None:
    port = listen(dimse_idle_seconds=2)
    go_on = threading.Event()
    shelf = Receiver(before=lambda _number: _wait(go_on))
    with shelf.listening("SHELF"):
        register(archive, ward, shelf.port)
        with associated(port, contexts=[STUDY_MOVE]) as assoc:
            done = retrieved(assoc.send_c_move(MOVE, "SHELF", STUDY_MOVE))
            assert done.counts()[1] == 0
            assert len(done.failed()) == 2
        go_on.set()


def test_the_listener_stops_while_a_destination_is_waited_for(
    listen: Listen, archive: Archive, ward: Principal, two: None, tmp_path: Path
) -> None:
    port = listen()
    go_on = threading.Event()
    shelf = Receiver(before=lambda _number: _wait(go_on))
    with shelf.listening("SHELF"):
        register(archive, ward, shelf.port)
        with associated(port, contexts=[STUDY_MOVE]) as assoc:
            mover = threading.Thread(target=lambda: list(assoc.send_c_move(MOVE, "SHELF", STUDY_MOVE)))
            mover.start()
            eventually(lambda: len(shelf.requests) == 1)
            [listener] = listen.listeners
            listener.stop()
            assert threads() == []
            go_on.set()
            mover.join(20)
    assert not mover.is_alive()
