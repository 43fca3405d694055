"""A peer is locked out, or its grant ends, while it sends or fetches: what is under way ends with it (PS3.7 9.3.1)."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from pydicom.uid import generate_uid
from pynetdicom import evt
from sqlalchemy import func, select

from overread.kit import looks, tokens
from overread.kit.principals import Principal
from pacs.dicom.part10 import write_meta
from pacs.dicom.transfer_syntaxes import EXPLICIT_LITTLE_ENDIAN
from pacs.dimse import access
from pacs.index.models import Instance
from pacs.store.archive import Archive
from pacs.store.ingest import Source, Stored
from tests.conformance.search.archive import instance
from tests.pacs.dimse.conftest import Listen, eventually, threads
from tests.pacs.dimse.querying import (
    CT,
    PLAIN,
    STUDY_GET,
    STUDY_MOVE,
    Receiver,
    ask,
    associated,
    move,
    principal_of,
    retrieved,
)
from tests.pacs.dimse.raw import ABORT, Peer, pdu, pdv, store_command
from tests.pacs.dimse.test_sending import _body, register
from tests.pacs.store.test_ingest import put

MOVE = ask("STUDY", StudyInstanceUID="1.1")
NOT_AUTHORISED = 0x0124  # PS3.7 C.5.13


@pytest.fixture
def ward(archive: Archive, registered: None) -> Principal:
    return principal_of(archive, "WARD")


def lock(archive: Archive, who: Principal) -> None:
    with archive.db.transaction() as tx:
        tokens.lock_out(tx, who.id)


def stored(archive: Archive) -> int:
    with archive.db.transaction() as tx:
        return tx.scalar(select(func.count()).select_from(Instance)) or 0


def begun(port: int, data: bytes, sop_uid: str) -> Peer:
    """A peer that has sent half of a data set."""
    peer = Peer(port)
    assert peer.associate()[0] == 2
    peer.send(pdu(4, pdv(1, 3, store_command(sop_uid))))
    peer.send(pdu(4, pdv(1, 0, data[: len(data) // 2])))
    return peer


def test_what_a_locked_peer_has_begun_to_send_is_not_stored(
    listen: Listen, archive: Archive, ward: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it ends within the second in which nobody looks; and so is what follows on the association."""
    monkeypatch.setattr(looks, "LOOK", 3600.0)
    uid = generate_uid()
    data = _body(instance(StudyInstanceUID="1.1", SOPInstanceUID=uid, SOPClassUID=CT))
    port = listen()
    with begun(port, data, uid) as peer:
        lock(archive, ward)
        peer.send(pdu(4, pdv(1, 2, data[len(data) // 2 :])))
        assert peer.status() == (1, NOT_AUTHORISED)
        peer.store(uid, data, message_id=2)
        assert peer.status() == (2, NOT_AUTHORISED)
        assert stored(archive) == 0
    with Peer(port) as again:
        assert again.associate()[0] == 3


def test_a_locked_peer_s_data_set_is_not_read_to_its_end(
    listen: Listen, archive: Archive, ward: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "LOOK", 0.0)
    uid = generate_uid()
    data = _body(instance(StudyInstanceUID="1.1", SOPInstanceUID=uid, SOPClassUID=CT))
    with begun(listen(), data, uid) as peer:
        lock(archive, ward)
        peer.send(pdu(4, pdv(1, 0, data[len(data) // 2 : -2])))
        assert peer.receive()[0] == ABORT
    eventually(lambda: threads() == ["dimse acceptor"])
    assert stored(archive) == 0


def giant(archive: Archive, ward: Principal, size: int = 4 << 20) -> None:
    uid = generate_uid()
    head = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, size)
    body = _body(instance(StudyInstanceUID="1.1", SOPInstanceUID=uid, SOPClassUID=CT))
    data = write_meta(CT, uid, EXPLICIT_LITTLE_ENDIAN) + body + head + bytes(size)
    assert isinstance(put(archive, Source(ward, "dimse"), data), Stored)


class Ending:
    """What may be seen, until it was asked for so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, tx: Any, who: Principal, case_id: Any) -> list[access.Access]:
        self.left -= 1
        return access.sent_by(tx, who, case_id) if self.left >= 0 else []


@pytest.mark.parametrize("way", ["get", "move"])
@pytest.mark.parametrize("ends", [False, True])
def test_one_giant_instance_is_looked_at_while_it_is_sent(
    listen: Listen, archive: Archive, ward: Principal, monkeypatch: pytest.MonkeyPatch, way: str, ends: bool
) -> None:
    monkeypatch.setattr(looks, "LOOK", 0.0)
    giant(archive, ward)
    # Once to find it, once before it is sent, and then in its middle.
    may = Ending(10 if ends else 1 << 30)
    listen._accesses = may
    port = listen()
    came: list[int] = []

    def take(event: Any) -> int:
        came.append(len(event.request.DataSet.getbuffer()))
        return 0

    if way == "get":
        with associated(port, contexts=[STUDY_GET], storage=[(CT, PLAIN)], handlers=[(evt.EVT_C_STORE, take)]) as assoc:
            answers = retrieved(assoc.send_c_get(MOVE, STUDY_GET))
            eventually(lambda: bool(assoc.is_established) != ends)
        assert (came != []) == (not ends)
        assert ends or answers.status == 0
    else:
        shelf = Receiver()
        with shelf.listening("SHELF"):
            register(archive, ward, shelf.port)
            done = move(port, STUDY_MOVE, MOVE, "SHELF")
        assert len(shelf.requests) == (0 if ends else 1)
        assert (done.status, done.counts()) == ((0xA702, (None, 0, 1, 0)) if ends else (0, (None, 1, 0, 0)))
    assert (may.left < 0) == ends
