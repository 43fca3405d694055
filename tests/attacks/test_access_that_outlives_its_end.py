"""A download is under way when the access that let it in ends: the connection is cut, whatever its reader does."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from select import POLLERR, POLLHUP, poll
from uuid import UUID

import pytest
from pydicom.uid import generate_uid
from sqlalchemy import func, select, update

from cases import access
from cases.repository import studies_of
from cases.service import intake, studies
from overread.kit import http, looks, tokens
from overread.kit.db import Session
from overread.services import Services
from pacs.index.models import Instance, Study
from pacs.serve import retrieve
from tests.attacks.conftest import BUFFER, Site, in_review, picture
from tests.cases.world import World
from viewer_bridge import grants

#: What the reader's own kernel holds at most when the connection is cut: twice what it was asked for.
HELD = 2 * BUFFER
WHOLE = 16 << 20


class Download:
    """A GET whose reader reads what they like, when they like."""

    def __init__(self, site: Site, path: str, headers: dict[str, str]) -> None:
        self._socket = site.connect()
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{site.port}", *(f"{k}: {v}" for k, v in headers.items())]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self.head = b""
        while b"\r\n\r\n" not in self.head:
            self.head += self._socket.recv(1024)
        self.head, _, rest = self.head.partition(b"\r\n\r\n")
        self.size = len(rest)
        self.tail = rest

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    @property
    def told(self) -> int | None:
        """The length that was promised, None where the body is chunked."""
        found = re.search(rb"(?i)content-length: (\d+)", self.head)
        return int(found[1]) if found else None

    def read(self, most: int = 1 << 16) -> int:
        """Read on; how much came. Raises ConnectionResetError where the connection was cut."""
        piece = self._socket.recv(most)
        self.size += len(piece)
        self.tail = (self.tail + piece)[-200:]
        return len(piece)

    def wait_until_cut(self) -> None:
        """Read nothing until the connection is no more."""
        watched = poll()
        watched.register(self._socket, POLLERR | POLLHUP)
        assert watched.poll(60_000), "nobody cut the connection"

    def rest(self, piece: int = 1 << 16, pause: float = 0.0) -> int:
        """Read until the connection is cut, with a pause after each piece; how much still came."""
        before = self.size
        try:
            while self.read(piece):
                time.sleep(pause)
        except ConnectionResetError:
            return self.size - before
        raise AssertionError("the connection ended in good order")

    def __enter__(self) -> Download:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


Event = Callable[[Session, World, UUID, str], object]


def _take_out(tx: Session, world: World, case: UUID, _token: str) -> None:
    studies.reject(tx, world.coordinator, case, studies_of(tx, case)[0].study_uid, "a mistake")


def _withhold(tx: Session, _world: World, case: UUID, _token: str) -> None:
    """The second picture, whose turn may not have come yet."""
    view = studies_of(tx, case)[0].view_study_uid
    of_the_view = select(Study.pk).where(Study.study_uid == view).scalar_subquery()
    second = Instance.study_pk == of_the_view, Instance.number == 2
    assert tx.execute(update(Instance).where(*second).values(review="withheld").returning(Instance.pk)).one()


EVENTS: dict[str, Event] = {
    "token ended": lambda tx, _world, _case, token: tokens.revoke(tx, token),
    "locked": lambda tx, world, _case, _token: tokens.lock_out(tx, world.specialist.id),
    "signed out everywhere": lambda tx, world, _case, _token: tokens.revoke_all(tx, world.specialist.id),
    "password changed": lambda tx, world, _case, _token: tokens.change_password(
        tx, world.specialist.id, "another three words"
    ),
    "grant ended": lambda tx, _world, case, _token: grants.revoke(tx, case),
    "case withdrawn": lambda tx, world, case, _token: intake.withdraw(tx, world.patient, case),
    "study taken out": _take_out,
    "picture withheld": _withhold,
}


@pytest.fixture
def case(world: World) -> tuple[str, str]:
    return in_review(world)


def viewer(services: Services, world: World, case: str) -> str:
    with services.db.transaction() as tx:
        return tokens.issue(tx, world.specialist.id, tokens.VIEWER, lasts=tokens.VIEWER_LENGTH, case_id=UUID(case))


MULTIPART = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@pytest.mark.parametrize("event", EVENTS)
def test_a_reader_who_waits_gets_what_their_own_machine_holds(
    site: Site, services: Services, world: World, case: tuple[str, str], event: str
) -> None:
    token = viewer(services, world, case[0])
    path = f"/cases/{case[0]}/dicomweb/studies/{case[1]}"
    with Download(site, path, {**MULTIPART, "Authorization": f"Bearer {token}"}) as download:
        assert download.status == 200
        while download.size < 2 << 20:
            download.read()
        with services.db.transaction() as tx:
            EVENTS[event](tx, world, UUID(case[0]), token)
        download.wait_until_cut()
        after = download.rest()
        print(f"{event}: {after} bytes after the end, {download.size} of {WHOLE} in all")
        assert after <= HELD
        # No end of a body, and no last boundary.
        assert b"0\r\n\r\n" not in download.tail
    with Download(site, path, {**MULTIPART, "Authorization": f"Bearer {token}"}) as again:
        # What is left of the study is there for who asks again.
        assert again.status == (200 if event == "picture withheld" else 401)


#: Every kind of answer of some size, and what is accepted; each is larger than what both kernels hold.
KINDS = {
    "study": ("", MULTIPART["Accept"]),
    "zip": ("", "application/zip"),
    "instance": ("/series/{series}/instances/{instance}", "application/dicom; transfer-syntax=*"),
    "another transfer syntax": (
        "/series/{series}/instances/{instance}",
        "application/dicom; transfer-syntax=1.2.840.10008.1.2.5",
    ),
    "frame": ("/series/{series}/instances/{instance}/frames/1", "application/octet-stream"),
    "frames": ("/series/{series}/instances/{instance}/frames/1", 'multipart/related; type="application/octet-stream"'),
    "bulk data": ("/series/{series}/instances/{instance}/bulkdata/7FE00010", "application/octet-stream"),
    "all pixel data": ("/pixeldata", 'multipart/related; type="application/octet-stream"'),
    "all bulk data": ("/bulkdata", 'multipart/related; type="application/octet-stream"'),
    "rendered": ("/series/{series}/instances/{instance}/rendered", "image/png"),
    "rendered study": ("/rendered", 'multipart/related; type="image/png"'),
}


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_sent_ends_with_the_access(
    site: Site, services: Services, world: World, case: tuple[str, str], kind: str
) -> None:
    token, root = viewer(services, world, case[0]), f"/cases/{case[0]}/dicomweb"
    with services.db.transaction() as tx:
        scope = access.scope(tx, world.specialist, UUID(case[0]))
        one = retrieve.locate(tx, scope, case[1])[0]
    below, accept = KINDS[kind]
    path = f"{root}/studies/{case[1]}{below.format(series=one.series_uid, instance=one.sop_uid)}"
    with Download(site, path, {"Accept": accept, "Authorization": f"Bearer {token}"}) as download:
        assert download.status == 200, download.head
        with services.db.transaction() as tx:
            tokens.lock_out(tx, world.specialist.id)
        download.wait_until_cut()
        after = download.rest()
        print(f"{kind}: {after} bytes after the end")
        assert after <= HELD


def test_a_reader_who_reads_on_is_cut_in_the_middle(
    site: Site, services: Services, world: World, case: tuple[str, str]
) -> None:
    token = viewer(services, world, case[0])
    path = f"/cases/{case[0]}/dicomweb/studies/{case[1]}"
    with Download(site, path, {**MULTIPART, "Authorization": f"Bearer {token}"}) as download:
        with services.db.transaction() as tx:
            tokens.lock_out(tx, world.specialist.id)
        # A trickle, as slow lines are: the whole would take minutes.
        began = time.monotonic()
        after = download.rest(4096, 0.02)
        print(f"{after} bytes in {time.monotonic() - began:.1f} s after the end")
        assert download.size < WHOLE / 4


def test_what_is_sent_under_access_that_stands_comes_whole(
    site: Site, services: Services, world: World, case: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at before every piece."""
    monkeypatch.setattr(looks, "LOOK", 0.0)
    token = viewer(services, world, case[0])
    path = f"/cases/{case[0]}/dicomweb/studies/{case[1]}"
    headers = {**MULTIPART, "Authorization": f"Bearer {token}", "Connection": "close"}
    with Download(site, path, headers) as download:
        while download.read():
            pass
        assert download.size > WHOLE
        assert download.tail.endswith(b"--\r\n\r\n0\r\n\r\n")


def test_a_session_s_download_ends_with_its_sign_out(
    site: Site, services: Services, world: World, case: tuple[str, str]
) -> None:
    """The patient's own images, by the cookie of a browser; another session goes on."""
    with services.db.transaction() as tx:
        here, there = (tokens.issue(tx, world.patient.id, tokens.SESSION, lasts=tokens.SESSION_LENGTH) for _ in "ab")
        study = studies_of(tx, UUID(case[0]))[0].study_uid
    path = f"/cases/{case[0]}/dicomweb/studies/{study}"

    def headers(session: str) -> dict[str, str]:
        return {"Accept": "application/zip", "Cookie": f"{http.SESSION_COOKIE}={session}", "Connection": "close"}

    with Download(site, path, headers(here)) as mine, Download(site, path, headers(there)) as other:
        with services.db.transaction() as tx:
            tokens.revoke(tx, here)
        mine.wait_until_cut()
        assert mine.rest() <= HELD
        while other.read():
            pass
        assert other.size > WHOLE


def test_an_upload_that_is_under_way_ends_with_the_access(
    site: Site, services: Services, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last byte comes after the lock: nothing of it is stored, also where nobody looked meanwhile."""
    data = picture(generate_uid(), generate_uid(), 1)
    for seconds in (3600.0, 0.0):
        monkeypatch.setattr(looks, "LOOK", seconds)
        with services.db.transaction() as tx:
            tokens.let_in(tx, world.hospital.id)
            token = tokens.issue(tx, world.hospital.id)
        with site.connect() as connection:
            lines = [
                "POST /dicomweb/studies HTTP/1.1", f"Host: 127.0.0.1:{site.port}", f"Authorization: Bearer {token}",
                "Content-Type: application/dicom", "Accept: application/dicom+json", f"Content-Length: {len(data)}",
            ]  # fmt: skip
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + data[: len(data) // 2])
            with services.db.transaction() as tx:
                tokens.lock_out(tx, world.hospital.id)
            with suppress(ConnectionError):
                connection.sendall(data[len(data) // 2 :])
            answer = connection.recv(1 << 16)
        assert answer.split()[1] == b"401", answer
        with services.db.transaction() as tx:
            assert tx.scalar(select(func.count()).select_from(Instance)) == 0
