"""One instance that can't be given takes nothing else with it: 206 and a Warning (PS3.18 10.4.3.1)."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.fileset import FileSet
from pydicom.uid import UID, generate_uid
from sqlalchemy import delete, select
from starlette.testclient import TestClient

from overread.kit.db import Database
from pacs.index.models import Instance
from pacs.store.archive import Archive
from pacs.store.damage import DamagedBlob
from tests.conformance.test_retrieve_10_4_corpus import parts
from tests.dicomweb.test_roundtrip import path, sample, varied
from tests.dicomweb.test_wado import EXPLICIT, OCTETS, above, series, store
from tests.pacs.store.test_damage import DAMAGES, Damage, blob_of

JPEG_LS, MPEG4 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.102"
DICOM = 'multipart/related; type="application/dicom"'
ANY, ALL_JPEG_LS = f"{DICOM}; transfer-syntax=*", f"{DICOM}; transfer-syntax={JPEG_LS}"
#: What is asked for of a study or series, below its address.
DOORS = [
    ("", ANY),
    ("", DICOM),
    ("", ALL_JPEG_LS),
    ("", "application/zip"),
    ("", f'multipart/related; type="{OCTETS}"'),
    ("/bulkdata", f'multipart/related; type="{OCTETS}"'),
    ("/pixeldata", f'multipart/related; type="{OCTETS}"'),
    ("/rendered", 'multipart/related; type="image/png"'),
]


def encapsulated(syntax: str, codestream: bytes, like: pydicom.Dataset) -> bytes:
    """An instance of the same series whose one frame is this codestream."""
    ds = pydicom.dcmread(io.BytesIO(sample()))
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = like.StudyInstanceUID, like.SeriesInstanceUID
    ds.InstanceNumber = "9"
    ds.PixelData = encapsulate([codestream + bytes(len(codestream) % 2)])
    ds["PixelData"].VR = "OB"
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def held(answer: Any) -> int:
    """How many things an answer holds."""
    if answer.headers["content-type"] == "application/zip":
        return len(zipfile.ZipFile(io.BytesIO(answer.content)).namelist()) - 1
    return len(parts(answer))


@pytest.mark.parametrize("tail", ["study", "series"])
@pytest.mark.parametrize(("door", "accept"), DOORS)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_there_is_given(
    client: TestClient, archive: Archive, damage: Damage, door: str, accept: str, tail: str
) -> None:
    stored = series(client, 4)
    url = (above(stored[0]) if tail == "series" else f"studies/{stored[0].StudyInstanceUID}") + door
    whole = client.get(url, headers={"Accept": accept})
    each = held(whole) // 4  # values of bulk data there are two of each instance
    assert (whole.status_code, held(whole), whole.headers.get("warning")) == (200, 4 * each, None)
    assert each
    damage(archive, str(stored[1].SOPInstanceUID))
    answer = client.get(url, headers={"Accept": accept})
    assert (answer.status_code, held(answer)) == (206, 3 * each)
    assert answer.headers["warning"] == (
        '299 overread "1 of 4 instances are left out: 1 with a missing or damaged file."'
    )
    assert answer.headers.get("etag") != whole.headers.get("etag") or door == "/rendered"
    # Nothing is kept for whole that is not.
    if "etag" in whole.headers:
        again = client.get(url, headers={"Accept": accept, "If-None-Match": whole.headers["etag"]})
        assert again.status_code == 206
    assert client.head(url, headers={"Accept": accept}).status_code == 206


@pytest.mark.parametrize(("door", "accept"), [*DOORS, ("/rendered", "image/png"), ("/thumbnail", "image/png")])
def test_where_nothing_is_left_it_is_as_for_one_instance(
    client: TestClient, archive: Archive, door: str, accept: str
) -> None:
    stored = series(client, 2)
    for ds in stored:
        DAMAGES["missing"](archive, str(ds.SOPInstanceUID))
    answer = client.get(above(stored[0]) + door, headers={"Accept": accept})
    assert answer.status_code == 404
    assert "missing or damaged on our side" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("door", "accept"),
    [("", ANY), ("", "application/zip"), ("", DICOM), ("/frames/1", "*/*"), ("/frames/1,1", "*/*"),
     ("/bulkdata/7FE00010", "*/*"), ("/rendered", "image/png"), ("/thumbnail", "image/png")],
)  # fmt: skip
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_one_instance_that_is_gone_is_not_found_and_the_others_are(
    client: TestClient, archive: Archive, database: Database, damage: Damage, door: str, accept: str
) -> None:
    first, second = series(client, 2)
    damage(archive, str(first.SOPInstanceUID))
    answer = client.get(path(first) + door, headers={"Accept": accept})
    assert answer.status_code == 404
    assert client.get(path(second) + door, headers={"Accept": accept}).status_code == 200
    assert client.get(f"{above(first)}/metadata").status_code == 200
    with database.transaction() as tx:
        assert list(tx.scalars(select(DamagedBlob.blob))) == [blob_of(archive, str(first.SOPInstanceUID))]


def test_a_zip_names_what_it_lacks_and_its_directory_lists_what_it_has(
    client: TestClient, archive: Archive, tmp_path: Path
) -> None:
    stored = series(client)
    DAMAGES["missing"](archive, str(stored[1].SOPInstanceUID))
    answer = client.get(f"studies/{stored[0].StudyInstanceUID}", headers={"Accept": "application/zip"})
    assert answer.status_code == 206
    with zipfile.ZipFile(io.BytesIO(answer.content)) as folder:
        assert folder.testzip() is None
        assert folder.namelist() == ["IMAGES/I0000001", "IMAGES/I0000002", "DICOMDIR"]
        assert folder.comment.decode().splitlines() == [
            "1 of 3 instances are left out: 1 with a missing or damaged file.",
            stored[1].SOPInstanceUID,
        ]
        folder.extractall(tmp_path)
    found = FileSet(tmp_path / "DICOMDIR")
    assert {one.SOPInstanceUID for one in found} == {stored[0].SOPInstanceUID, stored[2].SOPInstanceUID}
    found._stage["t"].cleanup()


# forms that one of many can't be had in


def syntaxes(answer: Any) -> list[str]:
    return sorted(str(pydicom.dcmread(io.BytesIO(one)).file_meta.TransferSyntaxUID) for one in parts(answer))


def test_a_video_does_not_make_the_others_unacceptable(client: TestClient) -> None:
    stored = series(client, 2)
    store(client, encapsulated(MPEG4, b"\0\0\0\1" + bytes(60), stored[0]))
    url = above(stored[0])
    answer = client.get(url, headers={"Accept": ALL_JPEG_LS})
    assert (answer.status_code, syntaxes(answer)) == (206, [JPEG_LS] * 2)
    assert answer.headers["warning"] == (
        '299 overread "1 of 3 instances are left out: 1 that can\'t be had in a form that was asked for."'
    )
    # Where the client takes that too, it is given as it is stored.
    for accept in (f"{ALL_JPEG_LS}, {ANY}; q=0.5", f"{ALL_JPEG_LS}, {DICOM}; transfer-syntax={MPEG4}"):
        answer = client.get(url, headers={"Accept": accept})
        assert (answer.status_code, syntaxes(answer)) == (200, sorted([JPEG_LS, JPEG_LS, MPEG4]))
    # And what holds all goes before what holds some.
    answer = client.get(url, headers={"Accept": f"{ALL_JPEG_LS}, application/zip; q=0.1"})
    assert (answer.status_code, held(answer)) == (200, 3)
    assert client.get(url, headers={"Accept": DICOM}).status_code == 200
    assert client.get(url, headers={"Accept": f"{DICOM}; transfer-syntax=1.2.3"}).status_code == 406
    assert "1.2.3" not in client.get(url, headers={"Accept": f"{DICOM}; transfer-syntax=1.2.3"}).text


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_image_that_can_t_be_decoded_does_not_take_the_others(client: TestClient, place: int) -> None:
    files = [varied(sample(), SOPInstanceUID=generate_uid(), InstanceNumber=str(n)) for n in range(2)]
    like = pydicom.dcmread(io.BytesIO(files[0]))
    files.insert(place, encapsulated(JPEG_LS, b"\xff\xd8 no JPEG at all", like))
    store(client, *files)
    url = above(like)
    answer = client.get(url, headers={"Accept": f"{DICOM}; transfer-syntax={EXPLICIT}"})
    assert (answer.status_code, syntaxes(answer)) == (206, [EXPLICIT] * 2)
    assert "form that was asked for" in answer.headers["warning"]
    answer = client.get(url, headers={"Accept": ANY})
    assert (answer.status_code, len(parts(answer))) == (200, 3)
    rendered = client.get(url + "/rendered", headers={"Accept": "image/png"})
    assert Image.open(io.BytesIO(rendered.content)).size == (128, 128)
    assert client.get(url + "/thumbnail", headers={"Accept": "image/png"}).status_code == 200
    bulk = client.get(url + "/pixeldata", headers={"Accept": f'multipart/related; type="{OCTETS}"; transfer-syntax=*'})
    assert (bulk.status_code, len(parts(bulk))) == (200, 3)


def test_what_fails_when_the_answer_has_begun_is_given_as_it_is_stored(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicomweb.instances._AHEAD", 1)
    stored = series(client, 2)
    store(client, encapsulated(JPEG_LS, b"\xff\xd8 no JPEG at all", stored[0]))
    answer = client.get(above(stored[0]), headers={"Accept": f"{DICOM}; transfer-syntax={EXPLICIT}"})
    # The part's own Content-Type says so, and the file.
    assert (answer.status_code, syntaxes(answer)) == (200, [EXPLICIT, EXPLICIT, JPEG_LS])
    assert f"application/dicom; transfer-syntax={JPEG_LS}".encode() in answer.content


def test_an_image_alone_that_can_t_be_decoded_is_an_error(client: TestClient) -> None:
    [like] = store(client, sample())
    [broken] = store(client, encapsulated(JPEG_LS, b"\xff\xd8 no JPEG at all", like))
    answer = client.get(path(broken), headers={"Accept": f"{DICOM}; transfer-syntax={EXPLICIT}"})
    assert answer.status_code == 422
    assert "can't be shown" in answer.json()["detail"]


def test_nothing_is_reported_of_what_is_erased_meanwhile(
    client: TestClient, archive: Archive, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = series(client, 2)
    for ds in (first, second):
        DAMAGES["missing"](archive, str(ds.SOPInstanceUID))
    real = type(archive.blobs).has

    def has(self: object, digest: str, size: int) -> bool:
        with database.transaction() as tx:
            tx.execute(delete(Instance))
        return real(archive.blobs, digest, size)

    monkeypatch.setattr(type(archive.blobs), "has", has)
    answer = client.get(above(first), headers={"Accept": ANY})
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no such study, series or instance here.")
    with database.transaction() as tx:
        assert list(tx.scalars(select(DamagedBlob.blob))) == []
