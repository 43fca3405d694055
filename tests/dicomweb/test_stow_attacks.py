"""Uploads that mean harm: a typed refusal, the next request served, and nothing left behind."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from starlette.testclient import TestClient

from dicomweb.stow import bodies
from overread.kit.errors import StorageFull, Unavailable
from overread.kit.local_blobs import LocalWriter
from pacs.dicom.part10 import write_meta
from pacs.dicom.transfer_syntaxes import DEFLATED_EXPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from pacs.store import ingest
from pacs.store.archive import Archive
from tests.blobs import blob_folder

ACCEPT = {"Accept": "application/dicom+json"}
SINGLE = {"Content-Type": "application/dicom", **ACCEPT}
MULTIPART = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=XX', **ACCEPT}
CT = "1.2.840.10008.5.1.4.1.1.2"


def sample() -> bytes:
    path = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    if vr in (b"OB", b"SQ", b"UN", b"UT", b"OW"):
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def header(sop_uid: bytes = b"1.2.3.4", study: bytes = b"1.2.3", series: bytes = b"1.2.3.1") -> bytes:
    def even(value: bytes) -> bytes:
        return value + b"\0" * (len(value) % 2)

    return (
        element(0x00080016, b"UI", even(CT.encode()))
        + element(0x00080018, b"UI", even(sop_uid))
        + element(0x0020000D, b"UI", even(study))
        + element(0x0020000E, b"UI", even(series))
    )


def whole(dataset: bytes, syntax: str = EXPLICIT_LITTLE_ENDIAN) -> bytes:
    return write_meta(CT, "1.2.3.4", syntax) + dataset


def undefined(tag: int, items: bytes = b"") -> bytes:
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"SQ", 0, 0xFFFFFFFF) + items


ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)


def deflated(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    out = packer.compress(header() + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, size))
    for _ in range(size >> 20):
        out += packer.compress(bytes(1 << 20))
    return whole(out + packer.flush(), DEFLATED_EXPLICIT_LITTLE_ENDIAN)


UNREADABLE = {
    "deep sequences": whole(header() + (undefined(0x00409999) + ITEM) * 10_000),
    "no end": whole(header() + undefined(0x00409999)),
    "a million empty items": whole(
        header() + undefined(0x00409999, struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 1_000_000)
    ),
    "a length behind the end": whole(header() + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 0xFFFFFFF0)),
    "an implicit length behind the end": whole(
        struct.pack("<HHI", 8, 0x18, 0x7FFFFFFF) + b"1.2", IMPLICIT_LITTLE_ENDIAN
    ),
    "cut in a header": whole(header())[:-10],
    "no data set": whole(b""),
    "a UID as a path": whole(header(b"../../etc/passwd")),
    "a UID of 65": whole(header(b"1." + b"2" * 63)),
    "a study UID as a path": whole(header(study=b"1.2/../3")),
    "no series UID": whole(header(series=b"")),
    "a UID with line ends": whole(header(b"1.2\r\nX: y")),
    "not deflated": whole(b"nothing deflated at all", DEFLATED_EXPLICIT_LITTLE_ENDIAN),
    "a program": b"MZ" + bytes(5000),
    "HTML": b"<html><script>alert(1)</script>" + bytes(500),
    "only a preamble": bytes(128) + b"DICM",
}


def nothing_left(archive: Archive) -> None:
    assert list((blob_folder(archive) / "incoming").iterdir()) == []


def served(client: TestClient) -> None:
    """The next request of the same kind is served."""
    data = pydicom.dcmread(io.BytesIO(sample()))
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    out = io.BytesIO()
    data.save_as(out)
    assert client.post("studies", content=out.getvalue(), headers=SINGLE).status_code == 200


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_harmful_file_is_refused_alone(client: TestClient, archive: Archive, name: str) -> None:
    response = client.post("studies", content=UNREADABLE[name], headers=SINGLE)
    assert response.status_code in (400, 409), response.text
    assert "etc/passwd" not in str(response.headers)
    assert list(archive.blobs.digests()) == []
    nothing_left(archive)
    body = b"".join(
        b"--XX\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n" for data in (UNREADABLE[name], sample())
    )
    response = client.post("studies", content=body + b"--XX--", headers=MULTIPART)
    assert response.status_code == 202, "what comes with it is stored"
    assert len(list(archive.blobs.digests())) == 1
    nothing_left(archive)


def test_a_deflate_bomb_is_refused_at_the_cap(client: TestClient, archive: Archive) -> None:
    response = client.post("studies", content=deflated(300 << 20), headers=SINGLE)
    assert response.status_code == 400
    assert "unpacks to more than" in response.json()["detail"]
    assert list(archive.blobs.digests()) == []
    nothing_left(archive)
    served(client)


@pytest.mark.parametrize(
    "more",
    [
        element(0x00280010, b"US", b"\xff\xff") + element(0x00280011, b"US", b"\xff\xff"),
        element(0x00280008, b"IS", b"2147483647 ") + element(0x00280010, b"US", b"\0\0"),
        element(0x00280100, b"US", b"\3\0") + element(0x7FE00010, b"OW", bytes(16)),
        element(0x00100010, b"PN", b"\xff\xfe\x1b$)C\x80^") + element(0x00100020, b"LO", b"../../x "),
        element(0x00104000, b"UT", b"x" * (1 << 20)),
    ],
    ids=["huge rows", "frames and no rows", "odd bits", "broken text", "a megabyte of text"],
)
def test_an_odd_object_is_stored_and_does_no_harm(client: TestClient, archive: Archive, more: bytes) -> None:
    assert client.post("studies", content=whole(header() + more), headers=SINGLE).status_code == 200
    assert client.get("studies", headers=ACCEPT).json()
    url = "studies/1.2.3/series/1.2.3.1/instances/1.2.3.4"
    assert client.get(url + "/metadata", headers=ACCEPT).json()
    assert 400 <= client.get(url + "/rendered", headers={"Accept": "image/jpeg"}).status_code < 500
    nothing_left(archive)


def test_meta_information_that_contradicts_the_data_set_does_not_count(client: TestClient) -> None:
    data = write_meta("1.2.840.10008.1.1", "9.9.9", EXPLICIT_LITTLE_ENDIAN) + header()
    answer = client.post("studies", content=data, headers=SINGLE).json()
    item = answer["00081199"]["Value"][0]
    assert (item["00081150"]["Value"], item["00081155"]["Value"]) == ([CT], ["1.2.3.4"])


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"--XX\r\n" + b"X-Header: y\r\n" * 10_000 + b"\r\n1\r\n--XX--", MULTIPART, 400),
        (b"--XX\r\nX: " + b"y" * 100_000, MULTIPART, 400),
        (b"--XX\r\n\r\n" * 5000, MULTIPART, 400),
        (b"x" * 200_000, MULTIPART, 400),
        (b"", {**MULTIPART, "Content-Type": "multipart/related; boundary=" + "x" * 5000}, 400),
        (b"", {**MULTIPART, "Content-Type": "multipart/related"}, 400),
        (b"", {**MULTIPART, "Content-Type": "multipart/form-data; boundary=XX"}, 415),
        (b"", {**MULTIPART, "Content-Type": ";;;"}, 400),
        (sample(), {**SINGLE, "Content-Encoding": "gzip"}, 415),
        (b"", {**SINGLE, "Accept": "x" * 10_000}, 400),
        (b"", {**SINGLE, "Accept": "text/html"}, 406),
        (b"", SINGLE, 400),
    ],
)
def test_a_harmful_request_is_refused(
    client: TestClient, archive: Archive, body: bytes, headers: dict[str, str], status: int
) -> None:
    response = client.post("studies", content=body, headers=headers)
    assert response.status_code == status, response.text
    assert response.json()["detail"]
    nothing_left(archive)
    served(client)


def test_more_parts_than_a_request_may_have_end_it(
    client: TestClient, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MAX_INSTANCES", 3)
    part = b"--XX\r\nContent-Type: application/dicom\r\n\r\n" + sample() + b"\r\n"
    response = client.post("studies", content=part * 5 + b"--XX--", headers=MULTIPART)
    assert response.status_code == 202
    assert "too many parts" in response.headers["warning"]
    assert len(response.json()["00081199"]["Value"]) == 3
    nothing_left(archive)


def limited(archive: Archive, size: int) -> None:
    object.__setattr__(archive, "max_instance_bytes", size)


def test_an_instance_that_is_too_large_is_refused_alone(client: TestClient, archive: Archive) -> None:
    limited(archive, 100_000)
    assert client.post("studies", content=sample() + bytes(100_000), headers=SINGLE).status_code == 413
    nothing_left(archive)
    part = b"--XX\r\nContent-Type: application/dicom\r\n\r\n"
    body = part + sample() + bytes(3 << 20) + b"\r\n" + part + sample() + b"\r\n--XX--"
    response = client.post("studies", content=body, headers=MULTIPART)
    assert response.status_code == 202
    assert response.json()["0008119A"]["Value"] == [{"00081197": {"vr": "US", "Value": [0xA700]}}]
    assert len(response.json()["00081199"]["Value"]) == 1
    nothing_left(archive)


def test_bulk_data_that_is_too_large_in_all_is_refused(client: TestClient, archive: Archive) -> None:
    limited(archive, 100_000)
    head = b"--XX\r\nContent-Type: application/dicom+json\r\n\r\n[{}]\r\n"
    bulk = b"--XX\r\nContent-Location: a\r\n\r\n" + bytes(60_000) + b"\r\n"
    headers = {**ACCEPT, "Content-Type": 'multipart/related; type="application/dicom+json"; boundary=XX'}
    assert client.post("studies", content=head + bulk + bulk + b"--XX--", headers=headers).status_code == 413
    nothing_left(archive)
    served(client)


@pytest.mark.parametrize(("error", "status"), [(StorageFull("full"), 507), (Unavailable("gone"), 503)])
@pytest.mark.parametrize("form", ["single", "multipart", "metadata"])
def test_a_full_disk_is_said_and_heals_by_itself(
    client: TestClient, archive: Archive, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, form: str
) -> None:
    def fails(_self: LocalWriter, _data: Any) -> None:
        raise error

    part = b"--XX\r\nContent-Type: application/dicom\r\n\r\n" + sample() + b"\r\n"
    described = b'--XX\r\nContent-Type: application/dicom+json\r\n\r\n[{"00080016":{"vr":"UI","Value":["1.2"]},'
    described += b'"00080018":{"vr":"UI","Value":["1.3"]}}]\r\n--XX\r\nContent-Location: a\r\n\r\n1\r\n--XX--'
    body, kind = {
        "single": (sample(), "application/dicom"),
        "multipart": (part * 3 + b"--XX--", MULTIPART["Content-Type"]),
        "metadata": (described, 'multipart/related; type="application/dicom+json"; boundary=XX'),
    }[form]
    with monkeypatch.context() as patched:
        patched.setattr(LocalWriter, "write", fails)
        response = client.post("studies", content=body, headers={**ACCEPT, "Content-Type": kind})
    assert response.status_code == status
    assert response.json()["detail"] == error.safe  # type: ignore[attr-defined]
    nothing_left(archive)
    assert list(archive.blobs.digests()) == []
    served(client)


def test_a_database_that_is_away_is_503_and_the_sender_may_try_again(
    client: TestClient, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise Unavailable("the database can't be reached")

    part = b"--XX\r\nContent-Type: application/dicom\r\n\r\n" + sample() + b"\r\n"
    with monkeypatch.context() as patched:
        patched.setattr(ingest, "commit", away)
        response = client.post("studies", content=part + b"--XX--", headers=MULTIPART)
    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert client.get("instances", headers=ACCEPT).json() == []
    nothing_left(archive)
    assert client.post("studies", content=part + b"--XX--", headers=MULTIPART).status_code == 200


def test_many_groups_of_one_request_are_all_listed_in_order(
    client: TestClient, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacs.views.batch.GROUP", 3)
    names = [f"1.2.9.{number}" for number in range(20)]
    body = b""
    for number, name in enumerate(names):
        data = b"no DICOM" if number % 7 == 3 else whole(header(name.encode()))
        body += b"--XX\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n"
    response = client.post("studies", content=body + b"--XX--", headers=MULTIPART)
    assert response.status_code == 202
    listed = [item["00081155"]["Value"][0] for item in response.json()["00081199"]["Value"]]
    assert listed == [name for number, name in enumerate(names) if number % 7 != 3]
    assert len(response.json()["0008119A"]["Value"]) == 3
    nothing_left(archive)
