"""Retrieval over HTTP: transcoding, ZIP, ranges, validators, what is asked for wrongly (PS3.18 10.4, RFC 9110)."""

from __future__ import annotations

import gzip
import io
import threading
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.fileset import FileSet
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from sqlalchemy import select
from starlette.testclient import TestClient

from overread.kit.audit import AuditRow
from overread.kit.principals import Role
from pacs.index.events import StudyStable
from pacs.index.models import KeptMetadata, Study
from pacs.index.scope import ORIGINAL, Scope, one_study
from pacs.pixels.cache import Cache
from pacs.serve import metadata
from pacs.store.archive import Archive
from tests.conformance.test_retrieve_10_4_corpus import parts
from tests.dicomweb.conftest import Bearer
from tests.dicomweb.test_roundtrip import JSON, MULTIPART, body, path, sample, varied

EXPLICIT = "1.2.840.10008.1.2.1"
OCTETS = "application/octet-stream"


def store(client: TestClient, *files: bytes) -> list[pydicom.Dataset]:
    response = client.post("studies", content=body(*files), headers={**MULTIPART, **JSON})
    assert response.status_code == 200, response.text
    return [pydicom.dcmread(io.BytesIO(data)) for data in files]


def series(client: TestClient, count: int = 3) -> list[pydicom.Dataset]:
    return store(
        client, *(varied(sample(), SOPInstanceUID=generate_uid(), InstanceNumber=str(n + 1)) for n in range(count))
    )


def unsigned() -> bytes:
    """The sample with its values moved up, so that none of them needs a sign."""
    ds = pydicom.dcmread(io.BytesIO(sample()))
    ds.PixelData = (ds.pixel_array.astype(int) + 2048).astype("<u2").tobytes()
    ds.PixelRepresentation = 0
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def above(ds: pydicom.Dataset) -> str:
    return path(ds).rpartition("/instances")[0]


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize(
    "name",
    [
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "image_dfl.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "examples_jpeg2k.dcm",
        "SC_rgb_rle_2frame.dcm",
        "SC_rgb_small_odd_big_endian.dcm",
        "JPEG2000.dcm",
        "rtdose_expb.dcm",
        "rtdose_rle.dcm",
        "liver_expb_1frame.dcm",
        "reportsi.dcm",
        "rtplan.dcm",
    ],
)
def test_an_instance_is_given_in_explicit_vr_little_endian(client: TestClient, name: str) -> None:
    [before] = store(client, sample(name))
    answer = client.get(path(before), headers={"Accept": f"application/dicom; transfer-syntax={EXPLICIT}"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    after = pydicom.dcmread(io.BytesIO(answer.content))
    assert after.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert after.SOPInstanceUID == before.SOPInstanceUID
    if "PixelData" in before or "FloatPixelData" in before:
        # The oracle decodes both; what it makes of the colours, our RGB already is.
        assert np.array_equal(after.pixel_array, before.pixel_array)
    changed = {"PixelData", "FloatPixelData", "PhotometricInterpretation", "PlanarConfiguration"}
    for element in before:
        if element.keyword not in changed and element.tag.element and element.tag < 0xFFFA0000:
            assert after[element.tag].value == element.value, element.keyword


def test_where_no_transfer_syntax_is_named_it_is_the_default_unless_only_a_lossy_form_is_there(
    client: TestClient,
) -> None:
    """8.7.3"""
    lossless, lossy = store(client, sample("MR_small_jp2klossless.dcm")), store(client, sample("JPEG-lossy.dcm"))
    for [ds], syntax in ((lossless, EXPLICIT), (lossy, "1.2.840.10008.1.2.4.51")):
        answer = client.get(path(ds), headers={"Accept": "application/dicom"})
        assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={syntax}"
        assert pydicom.dcmread(io.BytesIO(answer.content)).file_meta.TransferSyntaxUID == syntax


@pytest.mark.parametrize("number", ["110", "112"])
def test_frames_and_instances_in_jpeg_xl(client: TestClient, number: str) -> None:
    """8.7.3 Table 8.7.3-5"""
    [ds] = store(client, unsigned())
    syntax = f"1.2.840.10008.1.2.4.{number}"
    frame = client.get(path(ds) + "/frames/1", headers={"Accept": f"image/jxl; transfer-syntax={syntax}"})
    assert frame.headers["content-type"] == f"image/jxl; transfer-syntax={syntax}"
    found = imagecodecs.jpegxl_decode(frame.content, index=0).astype(int)
    assert int(np.abs(found - ds.pixel_array).max()) <= (0 if number == "110" else 65535 // 1000)
    whole = client.get(path(ds), headers={"Accept": f"application/dicom; transfer-syntax={syntax}"})
    after = pydicom.dcmread(io.BytesIO(whole.content))
    assert after.file_meta.TransferSyntaxUID == syntax
    [codestream] = generate_frames(after.PixelData, number_of_frames=1)
    assert codestream.rstrip(b"\0") == frame.content.rstrip(b"\0")
    assert after.get("LossyImageCompression", "00") == ("00" if number == "110" else "01")


def test_image_jxl_without_a_transfer_syntax_is_its_default(client: TestClient) -> None:
    [ds] = store(client, unsigned())
    answer = client.get(path(ds) + "/frames/1", headers={"Accept": 'multipart/related; type="image/jxl"'})
    [frame] = parts(answer)
    np.testing.assert_array_equal(imagecodecs.jpegxl_decode(frame, index=0), ds.pixel_array)
    assert b"transfer-syntax=1.2.840.10008.1.2.4.110" in answer.content


def test_what_jpeg_xl_does_not_carry_is_refused_with_what_there_is(client: TestClient) -> None:
    [ds] = store(client, sample())
    assert ds.PixelRepresentation == 1
    for tail, accept in (
        ("/frames/1", "image/jxl"),
        ("", "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.110"),
    ):
        answer = client.get(path(ds) + tail, headers={"Accept": accept})
        assert answer.status_code == 406
        assert EXPLICIT in answer.json()["detail"]
        assert "1.2.840.10008.1.2.4.110" not in answer.json()["detail"]


def test_a_stored_jpeg_can_be_had_as_jpeg_xl_of_the_same(client: TestClient) -> None:
    [ds] = store(client, sample("SC_rgb_jpeg_dcmtk.dcm"))
    assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    stored = client.get(path(ds) + "/frames/1", headers={"Accept": "image/jpeg"}).content
    answer = client.get(
        path(ds) + "/frames/1", headers={"Accept": "image/jxl; transfer-syntax=1.2.840.10008.1.2.4.111"}
    )
    assert answer.status_code == 200, answer.text
    assert bytes(imagecodecs.jpegxl_decode_jpeg(answer.content, numthreads=1)) == stored


def test_a_series_is_transcoded_one_instance_after_the_other(client: TestClient) -> None:
    stored = series(client)
    accept = f'multipart/related; type="application/dicom"; transfer-syntax={EXPLICIT}'
    answer = client.get(above(stored[0]), headers={"Accept": accept})
    got = [pydicom.dcmread(io.BytesIO(part)) for part in parts(answer)]
    assert [ds.SOPInstanceUID for ds in got] == [ds.SOPInstanceUID for ds in stored]
    assert answer.headers["content-length"] == str(len(answer.content))


def test_a_zip_holds_every_file_and_a_directory_that_pydicom_reads(client: TestClient, tmp_path: Path) -> None:
    stored = series(client)
    answer = client.get(f"studies/{stored[0].StudyInstanceUID}", headers={"Accept": "application/zip"})
    assert answer.headers["content-type"] == "application/zip"
    assert "attachment" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as folder:
        assert folder.testzip() is None
        assert folder.namelist() == ["IMAGES/I0000001", "IMAGES/I0000002", "IMAGES/I0000003", "DICOMDIR"]
        folder.extractall(tmp_path)
    found = FileSet(tmp_path / "DICOMDIR")
    named = {one.SOPInstanceUID for one in found}
    assert named == {ds.SOPInstanceUID for ds in stored}
    assert {one.load().PixelData for one in found} == {ds.PixelData for ds in stored}
    assert {(one.PatientID, one.StudyInstanceUID, one.Modality) for one in found} == {
        (stored[0].PatientID, stored[0].StudyInstanceUID, stored[0].Modality)
    }
    found.clear()
    found._stage["t"].cleanup()


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=32760-", (32760, 32768)),
        ("bytes=-8", (32760, 32768)),
        ("bytes=0-99999", (0, 32768)),
    ],
)
def test_a_range_of_bulk_data(client: TestClient, asked: str, given: tuple[int, int]) -> None:
    [ds] = store(client, sample())
    answer = client.get(path(ds) + "/bulkdata/7FE00010", headers={"Accept": OCTETS, "Range": asked})
    assert answer.status_code == 206
    assert answer.content == ds.PixelData[slice(*given)]
    assert answer.headers["content-range"] == f"bytes {given[0]}-{given[1] - 1}/32768"
    # As dicomweb-client asks: one part that is a range.
    packed = client.get(
        path(ds) + "/bulkdata/7FE00010", headers={"Accept": f'multipart/related; type="{OCTETS}"', "Range": asked}
    )
    assert (packed.status_code, parts(packed)) == (206, [ds.PixelData[slice(*given)]])


def test_several_ranges_come_as_byteranges(client: TestClient) -> None:
    [ds] = store(client, sample())
    answer = client.get(path(ds) + "/bulkdata/7FE00010", headers={"Accept": OCTETS, "Range": "bytes=0-3, 8-11,-2"})
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert parts(answer) == [ds.PixelData[:4], ds.PixelData[8:12], ds.PixelData[-2:]]
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("asked", ["bytes=32768-", "bytes=" + ",".join(f"{n}-{n}" for n in range(5000))])
def test_ranges_that_are_not_given(client: TestClient, asked: str) -> None:
    [ds] = store(client, sample())
    answer = client.get(path(ds) + "/bulkdata/7FE00010", headers={"Accept": OCTETS, "Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */32768"
    assert answer.json()["detail"].endswith(".")


@pytest.mark.parametrize("asked", ["lines=0-1", "bytes=5-1", "bytes=a-b", "bytes", ""])
def test_a_range_that_cannot_be_read_is_ignored(client: TestClient, asked: str) -> None:
    [ds] = store(client, sample())
    answer = client.get(path(ds) + "/bulkdata/7FE00010", headers={"Accept": OCTETS, "Range": asked})
    assert (answer.status_code, answer.content) == (200, ds.PixelData)


def test_a_range_of_what_has_changed_is_the_whole(client: TestClient) -> None:
    """RFC 9110 13.1.5"""
    [ds] = store(client, sample())
    url, accept = path(ds) + "/bulkdata/7FE00010", {"Accept": OCTETS}
    tag = client.get(url, headers=accept).headers["etag"]
    assert client.get(url, headers={**accept, "Range": "bytes=0-1", "If-Range": tag}).status_code == 206
    assert client.get(url, headers={**accept, "Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200


def test_a_document_is_given_as_what_it_is_and_never_shown(client: TestClient) -> None:
    ds = pydicom.dcmread(io.BytesIO(sample()))
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(ds, keyword)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.104.1")
    ds.EncapsulatedDocument = b"%PDF-1.4" + bytes(2000)
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    out = io.BytesIO()
    ds.save_as(out)
    store(client, out.getvalue())
    url = path(ds) + "/bulkdata/00420011"
    for accept in ("application/pdf", "*/*"):
        answer = client.get(url, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
        assert answer.content == ds.EncapsulatedDocument
        assert answer.headers["content-disposition"] == "attachment"
        assert "sandbox" in answer.headers["content-security-policy"]
    assert client.get(url, headers={"Accept": OCTETS}).headers["content-type"] == OCTETS
    assert client.get(url, headers={"Accept": "image/png"}).status_code == 406


@pytest.mark.parametrize("tail", ["", "/metadata", "/frames/1", "/bulkdata/7FE00010"])
def test_a_validator_spares_the_second_answer_and_head_has_the_same_headers(client: TestClient, tail: str) -> None:
    [ds] = store(client, sample())
    accept = {"Accept": "application/dicom+json" if tail == "/metadata" else "*/*"}
    first = client.get(path(ds) + tail, headers=accept)
    head = client.head(path(ds) + tail, headers=accept)
    assert (first.status_code, head.status_code, head.content) == (200, 200, b"")
    names = ("etag", "content-type", "cache-control", "vary")
    assert [h for h in names[:1] if h not in first.headers] == []
    assert first.headers["etag"] == head.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get(path(ds) + tail, headers={**accept, "If-None-Match": f'"x", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path(ds) + tail, headers={**accept, "If-None-Match": '"x"'}).status_code == 200


def test_a_validator_tells_another_transfer_syntax_apart(client: TestClient) -> None:
    [ds] = store(client, sample("MR_small_jp2klossless.dcm"))
    tags = {
        client.get(path(ds), headers={"Accept": f"application/dicom; transfer-syntax={syntax}"}).headers["etag"]
        for syntax in ("*", EXPLICIT)
    }
    assert len(tags) == 2


def test_metadata_follows_what_arrives_and_is_given_packed(client: TestClient) -> None:
    stored = series(client, 2)
    url = above(stored[0]) + "/metadata"
    first = client.get(url, headers=JSON)
    assert first.headers["content-encoding"] == "gzip"  # the client library unpacks it
    plain = client.get(url, headers={**JSON, "Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["content-length"] == str(len(plain.content))
    assert plain.json() == first.json()
    assert plain.headers["etag"] != first.headers["etag"]
    assert len(first.json()) == 2
    for number in range(3, 6):
        store(client, varied(sample(), SOPInstanceUID=generate_uid(), InstanceNumber=str(number)))
        answer = client.get(url, headers={**JSON, "If-None-Match": first.headers["etag"]})
        assert (answer.status_code, len(answer.json())) == (200, number)


def test_nobody_gets_the_metadata_of_instances_that_another_sent(client: TestClient, bearer: Bearer) -> None:
    hospital, other = bearer(Role.HOSPITAL), bearer(Role.HOSPITAL)
    files = [varied(sample(), SOPInstanceUID=generate_uid(), InstanceNumber=str(n)) for n in (1, 2)]
    for who, data in zip((hospital, other), files, strict=True):
        assert client.post("studies", content=body(data), headers={**MULTIPART, **JSON, **who}).status_code == 200
    url = above(pydicom.dcmread(io.BytesIO(files[0]))) + "/metadata"
    first = client.get(url, headers={**JSON, **hospital})
    for who, data in zip((hospital, other), files, strict=True):
        # What one has read is no news to nobody else.
        known = {} if who is hospital else {"If-None-Match": first.headers["etag"]}
        seen = client.get(url, headers={**JSON, **who, **known})
        uids = [one["00080018"]["Value"] for one in seen.json()]
        assert uids == [[pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID]]
    assert client.get(url, headers={**JSON, **bearer(Role.HOSPITAL)}).status_code == 404
    assert client.get(url, headers={**JSON, **bearer(Role.SPECIALIST)}).status_code == 403


def test_available_transfer_syntax_is_told_in_the_order_of_tags(client: TestClient) -> None:
    [ds] = store(client, sample("MR_small_jp2klossless.dcm"))
    [found] = client.get(path(ds) + "/metadata", headers=JSON).json()
    assert found["00083002"] == {"vr": "UI", "Value": ["1.2.840.10008.1.2.4.90"]}
    assert list(found) == sorted(found)


@pytest.mark.parametrize(
    ("tail", "accept", "status"),
    [
        ("/frames/0", "*/*", 400),
        ("/frames/2", "*/*", 404),
        ("/frames/1,x", "*/*", 400),
        ("/frames/1,", "*/*", 400),
        ("/frames/-1", "*/*", 400),
        ("/frames/" + "9" * 30, "*/*", 400),
        ("/frames/" + ",".join(["1"] * 5000), "*/*", 400),
        ("/frames/1", "image/png", 406),
        ("/frames/1", "text/html, image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", 406),
        ("/frames/1", "/nonsense/", 400),
        ("/frames/1", "a" * 9000, 400),
        ("", "text/html", 406),
        ("", "application/dicom; transfer-syntax=1.2.3", 406),
        ("/metadata", "application/pdf", 406),
        ("/metadata?charset=iso-8859-1", "application/dicom+json", 400),
        ("/bulkdata", "image/png", 406),
        ("/bulkdata", OCTETS, 406),
        ("/pixeldata", "application/dicom", 406),
        ("/bulkdata/00100010", "image/png", 406),
        ("/bulkdata/nonsense", "*/*", 404),
        ("/bulkdata/00081140/9/00081150", "*/*", 404),
        ("/bulkdata/" + "00081140/0/" * 500 + "00080018", "*/*", 404),
        ("/bulkdata/7FE00010/0", "*/*", 404),
        ("/nonsense", "*/*", 404),
    ],
)
def test_what_is_asked_for_wrongly_is_answered_in_a_sentence(
    client: TestClient, tail: str, accept: str, status: int
) -> None:
    [ds] = store(client, sample())
    answer = client.get(path(ds) + tail, headers={"Accept": accept})
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"].endswith((".", "/frames/1,3,5"))
    assert client.get(path(ds) + "/frames/1").status_code == 200


@pytest.mark.parametrize("uid", ["1", "1.2.x", "../../etc", "1." + "2" * 70, "%00"])
def test_what_is_no_uid_is_refused(client: TestClient, uid: str) -> None:
    assert client.get(f"studies/{uid}/metadata").status_code in (400, 404)


def test_a_406_says_what_there_is(client: TestClient) -> None:
    [ds] = store(client, sample("MR_small_jp2klossless.dcm"))
    for tail in ("", "/frames/1"):
        detail = client.get(path(ds) + tail, headers={"Accept": "text/html"}).json()["detail"]
        assert EXPLICIT in detail
        assert "1.2.840.10008.1.2.4.90" in detail


def test_frames_in_another_transfer_syntax(client: TestClient) -> None:
    [ds] = store(client, sample("SC_rgb_rle_2frame.dcm"))
    accept = f'multipart/related; type="{OCTETS}"; transfer-syntax={EXPLICIT}'
    answer = client.get(path(ds) + "/frames/2,1", headers={"Accept": accept})
    assert parts(answer) == [ds.pixel_array[n].tobytes() for n in (1, 0)]
    stored = client.get(path(ds) + "/frames/2", headers={"Accept": "image/dicom-rle"})
    assert stored.headers["content-type"] == "image/dicom-rle; transfer-syntax=1.2.840.10008.1.2.5"


def test_the_metadata_of_a_series_that_went_quiet_is_kept_for_every_process(
    client: TestClient, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = series(client)
    root = "http://test/dicomweb"
    with archive.db.transaction() as tx:
        [study] = tx.scalars(select(Study))
        event = StudyStable(study.pk, study.study_uid, [], [], str(study.sender_id))
    metadata.on_study_stable(archive, event, root)
    metadata.on_study_stable(archive, event, root)
    uids = (stored[0].StudyInstanceUID, stored[0].SeriesInstanceUID)
    with archive.db.transaction() as tx:
        [kept] = tx.scalars(select(KeptMetadata))
        seen = metadata.version(tx, one_study(event.study_pk), *uids)
        assert (kept.root, kept.version) == (root, seen.digest)
        assert gzip.decompress(kept.gzipped) == client.get(above(stored[0]) + "/metadata", headers=JSON).content
        kept.gzipped = gzip.compress(b"[1]")
    with archive.db.transaction() as tx:
        known = metadata.find(tx, seen, root)
        assert known is not None
        assert b"".join(known.json()) != b"[1]"
    # As another process would find it.
    monkeypatch.setattr(metadata, "_bodies", Cache(1 << 20))
    elsewhere = "http://elsewhere/dicomweb"
    with archive.db.transaction() as tx:
        kept_for_it = metadata.find(tx, seen, root)
        assert kept_for_it is not None
        assert b"".join(kept_for_it.json()) == b"[1]"
        assert metadata.find(tx, seen, elsewhere) is None
    other = metadata.build(archive.db, seen, elsewhere, False, one_study(event.study_pk), *uids)
    assert b"http://elsewhere/dicomweb/studies/" in b"".join(other.json())
    monkeypatch.setattr(metadata, "_bodies", Cache(1 << 20))
    with archive.db.transaction() as tx:
        assert metadata.find(tx, seen, elsewhere) is None
    monkeypatch.undo()
    store(client, varied(sample(), SOPInstanceUID=generate_uid()))
    assert len(client.get(above(stored[0]) + "/metadata", headers=JSON).json()) == 4


@pytest.mark.parametrize("processes", [1, 2])
def test_the_metadata_of_a_series_is_made_once_however_many_ask_first(
    client: TestClient, archive: Archive, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    """What a process remembers is emptied between its two readers where they stand for two processes."""
    stored = series(client)
    uids = (stored[0].StudyInstanceUID, stored[0].SeriesInstanceUID)
    scope = Scope(ORIGINAL, unreleased=True)
    with archive.db.transaction() as tx:
        seen = metadata.version(tx, scope, *uids)
    made: list[int] = []
    begun, go_on = threading.Event(), threading.Event()
    pack = metadata.pack

    def slow(bodies: Iterable[bytes]) -> metadata.Ready:
        made.append(1)
        begun.set()
        assert go_on.wait(30)
        return pack(bodies)

    monkeypatch.setattr(metadata, "pack", slow)

    def read() -> bytes:
        return metadata.build(archive.db, seen, "http://test/dicomweb", True, scope, *uids).gzipped

    with ThreadPoolExecutor(4) as readers:
        first = readers.submit(read)
        assert begun.wait(30)
        if processes == 2:
            monkeypatch.setattr(metadata, "_bodies", Cache(1 << 20))
        others = [readers.submit(read) for _ in range(2)]
        go_on.set()
        bodies = {one.result(30) for one in (first, *others)}
    assert (len(made), len(bodies)) == (1, 1)


def test_a_viewer_that_takes_a_study_one_by_one_looks_once(
    client: TestClient, archive: Archive, bearer: Bearer
) -> None:
    images = series(client, 12)
    other = bearer(Role.COORDINATOR)

    def take(ds: pydicom.Dataset) -> None:
        dicom = {"Accept": "application/dicom"}
        assert client.head(path(ds), headers=dicom).status_code == 200
        assert client.get(path(ds), headers=dicom).status_code == 200
        assert client.get(path(ds), headers={**dicom, **other}).status_code == 200
        assert client.get(path(ds) + "/metadata", headers=JSON).status_code == 200
        assert client.get(path(ds) + "/frames/1", headers={"Accept": OCTETS}).status_code == 200
        assert client.get(path(ds)[:-3], headers=dicom).status_code == 404

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(take, images))
    assert client.get(f"studies/{images[0].StudyInstanceUID}/metadata", headers=JSON).status_code == 200
    with archive.db.transaction() as tx:
        rows = tx.scalars(select(AuditRow).where(AuditRow.action.like("%.read"))).all()
    assert {row.object_id for row in rows} == {images[0].StudyInstanceUID}
    found = sorted((row.action, row.instances) for row in rows if row.instances is not None)
    assert found == [("instances.read", 12), ("instances.read", 12), ("metadata.read", 24)]
    assert len({row.actor_id for row in rows if row.action == "instances.read"}) == 2
    assert [row.action for row in rows if row.instances is None] == ["pixels.read"]
