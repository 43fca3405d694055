"""Store, search and retrieve over HTTP: statuses, bytes, metadata (PS3.18 10.4, 10.5, 10.6)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from starlette.testclient import TestClient

from overread.kit.principals import Role
from pacs.store.archive import Archive
from tests.dicomweb.conftest import Bearer

JSON = {"Accept": "application/dicom+json"}
MULTIPART = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=XX'}


def sample(name: str = "CT_small.dcm") -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def body(*parts: bytes, kind: str = "application/dicom") -> bytes:
    joined = b"".join(b"--XX\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + part + b"\r\n" for part in parts)
    return joined + b"--XX--\r\n"


def raw_parts(response: Any) -> list[bytes]:
    """Binary parts to the byte: the e-mail parser would fold line ends."""
    boundary = response.headers["content-type"].split("boundary=")[1].encode()
    pieces = response.content.split(b"--" + boundary)[1:-1]
    return [piece.split(b"\r\n\r\n", 1)[1][:-2] for piece in pieces]


def varied(data: bytes, **keywords: str) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(data))
    for keyword, value in keywords.items():
        setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@pytest.fixture
def stored(client: TestClient) -> pydicom.Dataset:
    response = client.post("studies", content=body(sample()), headers={**MULTIPART, **JSON})
    assert response.status_code == 200, response.text
    return pydicom.dcmread(io.BytesIO(sample()))


def path(ds: pydicom.Dataset) -> str:
    return f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"


def test_store_answers_with_references_and_retrieve_urls(client: TestClient) -> None:
    response = client.post("studies", content=body(sample()), headers={**MULTIPART, **JSON})
    ds = pydicom.dcmread(io.BytesIO(sample()))
    answer = response.json()
    assert response.headers["content-type"] == "application/dicom+json"
    assert answer["00081190"]["Value"] == [f"http://test/dicomweb/studies/{ds.StudyInstanceUID}"]
    item = answer["00081199"]["Value"][0]
    assert item["00081155"]["Value"] == [ds.SOPInstanceUID]
    assert item["00081190"]["Value"] == [f"http://test/dicomweb/{path(ds)}"]
    assert "00081198" not in answer


def test_a_single_dicom_body_is_stored(client: TestClient) -> None:
    response = client.post("studies", content=sample(), headers={"Content-Type": "application/dicom", **JSON})
    assert response.status_code == 200


def test_a_batch_fails_one_by_one(client: TestClient) -> None:
    other = varied(sample(), SOPInstanceUID=generate_uid())
    response = client.post("studies", content=body(sample(), b"not DICOM at all", other), headers={**MULTIPART, **JSON})
    answer = response.json()
    assert response.status_code == 202
    assert len(answer["00081199"]["Value"]) == 2
    assert answer["0008119A"]["Value"] == [{"00081197": {"vr": "US", "Value": [0xC000]}}]
    assert "not a DICOM file" in response.headers["warning"]


def test_other_content_under_a_known_uid_is_a_conflict(client: TestClient, stored: pydicom.Dataset) -> None:
    other = varied(sample(), PatientComments="changed")
    response = client.post("studies", content=body(other), headers={**MULTIPART, **JSON})
    assert response.status_code == 409
    item = response.json()["00081198"]["Value"][0]
    assert item["00081155"]["Value"] == [stored.SOPInstanceUID]
    assert item["00081197"]["Value"] == [0x0111]
    assert client.get(path(stored), headers={"Accept": "application/dicom"}).content == sample()


def test_a_study_in_the_address_that_is_another_is_refused(client: TestClient) -> None:
    response = client.post("studies/1.2.3", content=body(sample()), headers={**MULTIPART, **JSON})
    assert response.status_code == 409
    assert response.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]


@pytest.mark.parametrize(
    ("content", "headers", "status", "word"),
    [
        (b"hello", {"Content-Type": "text/plain"}, 415, "multipart/related"),
        (b"hello", {"Content-Type": 'multipart/related; type="application/dicom"'}, 400, "boundary"),
        (body(b"hello"), MULTIPART, 400, "not a DICOM file"),
        (body(sample())[:-300], MULTIPART, 400, "ends in the middle"),
        (b"", MULTIPART, 400, "multipart"),
        (b"--XX--\r\n", MULTIPART, 400, "no DICOM object"),
        (body(sample(), kind="image/png"), MULTIPART, 400, "not application/dicom"),
        (body(b"%PDF-1.4" + bytes(500)), MULTIPART, 400, "PDF"),
    ],
)
def test_a_bad_body_is_refused_in_words(
    client: TestClient, archive: Archive, content: bytes, headers: dict[str, str], status: int, word: str
) -> None:
    response = client.post("studies", content=content, headers={**headers, **JSON})
    assert response.status_code == status
    assert word in response.json()["detail"]
    assert list(archive.blobs.digests()) == []
    assert client.get("studies", headers=JSON).json() == []


def test_what_was_whole_before_a_cut_is_stored_and_listed(client: TestClient) -> None:
    other = varied(sample(), SOPInstanceUID=generate_uid())
    response = client.post("studies", content=body(sample(), other)[:-400], headers={**MULTIPART, **JSON})
    assert response.status_code == 202
    assert len(response.json()["00081199"]["Value"]) == 1
    assert len(client.get("instances", headers=JSON).json()) == 1


def test_nobody_stores_or_reads_without_a_credential(client: TestClient, stored: pydicom.Dataset) -> None:
    nobody = {"Authorization": ""}
    assert client.post("studies", content=body(sample()), headers={**MULTIPART, **nobody}).status_code == 401
    for url in ("studies", "series", "instances", path(stored), path(stored) + "/metadata", path(stored) + "/frames/1"):
        response = client.get(url, headers=nobody)
        assert response.status_code == 401, url
        assert "CompressedSamples" not in response.text


def test_a_stranger_finds_nothing(client: TestClient, stored: pydicom.Dataset, bearer: Bearer) -> None:
    patient = bearer(Role.PATIENT)
    assert client.get("studies", headers=patient).json() == []
    for tail in ("", "/metadata", "/frames/1", "/rendered", "/bulkdata/7FE00010"):
        assert client.get(path(stored) + tail, headers=patient).status_code == 404
    assert client.get("studies", headers=bearer(Role.SPECIALIST)).status_code == 403
    assert client.get("studies", headers=bearer(Role.AUDITOR)).status_code == 403


@pytest.mark.parametrize(
    "key",
    [
        "PatientID=1CT1", "00100020=1CT1", "PatientName=compressed*", "PatientName=CompressedSamples%5ECT1",
        "StudyDate=20040119", "StudyDate=20040101-20040131", "StudyDate=-20050101", "StudyTime=07",
        "ModalitiesInStudy=CT", "ModalitiesInStudy=C*", "Modality=CT", "StudyDescription=e%2B1",
        "StudyInstanceUID=1.3.6.1.4.1.5962.1.2.1.20040119072730.12322", "limit=1", "AccessionNumber=*",
        "fuzzymatching=true",
    ],
)  # fmt: skip
def test_a_study_is_found_by(client: TestClient, stored: pydicom.Dataset, key: str) -> None:
    found = client.get(f"studies?{key}", headers=JSON)
    assert found.status_code == 200, found.text
    assert [one["0020000D"]["Value"][0] for one in found.json()] == [stored.StudyInstanceUID]


@pytest.mark.parametrize(
    "key",
    ["PatientID=other", "PatientName=compressed", "StudyDate=20050101-", "ModalitiesInStudy=MR", "Modality=MR",
     "StudyInstanceUID=1.2.3", "PatientID=1CT_", "PatientName=%25", "limit=0", "offset=1"],
)  # fmt: skip
def test_a_study_is_not_found_by(client: TestClient, stored: pydicom.Dataset, key: str) -> None:
    assert client.get(f"studies?{key}", headers=JSON).json() == []


@pytest.mark.parametrize("key", ["StudyDate=yesterday", "limit=-1", "limit=ten", "offset=x"])
def test_a_bad_key_is_refused_in_words(client: TestClient, key: str) -> None:
    response = client.get(f"studies?{key}", headers=JSON)
    assert response.status_code == 400
    assert response.json()["detail"]


def test_an_unsupported_key_is_ignored_with_a_warning(client: TestClient, stored: pydicom.Dataset) -> None:
    response = client.get("studies?SliceThickness=9", headers=JSON)
    assert len(response.json()) == 1
    assert response.headers["warning"].startswith("299 ")


def test_paging_is_stable_and_says_when_there_is_more(client: TestClient) -> None:
    files = [varied(sample(), SOPInstanceUID=generate_uid(), InstanceNumber=str(n)) for n in range(1, 8)]
    assert client.post("studies", content=body(*files), headers={**MULTIPART, **JSON}).status_code == 200
    pages = [client.get(f"instances?limit=3&offset={offset}", headers=JSON) for offset in (0, 3, 6)]
    assert ["warning" in page.headers for page in pages] == [True, True, False]
    numbers = [one["00200013"]["Value"][0] for page in pages for one in page.json()]
    assert numbers == list(range(1, 8))


def test_levels_carry_their_counts_and_fields(client: TestClient, stored: pydicom.Dataset) -> None:
    study = client.get("studies", headers=JSON).json()[0]
    assert study["00201206"]["Value"] == [1]
    assert study["00201208"]["Value"] == [1]
    assert study["00080061"]["Value"] == ["CT"]
    series = client.get(f"studies/{stored.StudyInstanceUID}/series", headers=JSON).json()[0]
    assert series["00201209"]["Value"] == [1]
    assert "00100010" not in series
    plain = client.get(f"{path(stored).rsplit('/', 1)[0]}", headers=JSON).json()[0]
    assert "00180050" not in plain
    for asked in ("includefield=SliceThickness", "includefield=00180050", "includefield=all"):
        with_field = client.get(f"{path(stored).rsplit('/', 1)[0]}?{asked}", headers=JSON).json()[0]
        assert with_field["00180050"]["Value"] == [5]


def test_an_instance_a_series_and_a_study_come_back_to_the_byte(client: TestClient, stored: pydicom.Dataset) -> None:
    for url in (path(stored), f"studies/{stored.StudyInstanceUID}"):
        response = client.get(url, headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'})
        assert raw_parts(response) == [sample()]
    single = client.get(path(stored), headers={"Accept": "application/dicom"})
    assert single.content == sample()


def test_metadata_is_what_pydicom_reads_and_its_bulk_data_can_be_fetched(
    client: TestClient, stored: pydicom.Dataset
) -> None:
    found = client.get(path(stored) + "/metadata", headers=JSON).json()[0]
    uri = found["7FE00010"]["BulkDataURI"]
    assert uri == f"http://test/dicomweb/{path(stored)}/bulkdata/7FE00010"
    pixels = client.get(uri, headers={"Accept": "application/octet-stream"})
    assert pixels.content == stored.PixelData

    def fetched(_tag: str, _vr: str, bulk: str) -> bytes:
        return bytes(client.get(bulk, headers={"Accept": "application/octet-stream"}).content)

    ours = pydicom.Dataset.from_json(found, bulk_data_uri_handler=fetched)
    del ours.PixelData
    # PS3.18 Table 10.6.3-5: viewers choose by it what to ask for.
    assert ours.pop("AvailableTransferSyntaxUID").value == stored.file_meta.TransferSyntaxUID
    theirs = pydicom.dcmread(io.BytesIO(sample()))
    del theirs.PixelData
    theirs.pop(0xFFFCFFFC, None)
    assert ours == pydicom.Dataset.from_json(theirs.to_json_dict())


def test_frames_are_the_pixels(client: TestClient, stored: pydicom.Dataset) -> None:
    response = client.get(
        path(stored) + "/frames/1", headers={"Accept": 'multipart/related; type="application/octet-stream"'}
    )
    pixels = np.frombuffer(raw_parts(response)[0], "<i2").reshape(stored.Rows, stored.Columns)
    assert (pixels == stored.pixel_array).all()
    for bad, status in (("0", 400), ("2", 404), ("x", 400), ("1,2", 404)):
        assert client.get(path(stored) + f"/frames/{bad}").status_code == status


def test_compressed_frames_come_as_they_are_or_decoded(client: TestClient) -> None:
    data = sample("examples_ybr_color.dcm")
    ds = pydicom.dcmread(io.BytesIO(data))
    assert client.post("studies", content=body(data), headers={**MULTIPART, **JSON}).status_code == 200
    three = client.get(path(ds) + "/frames/1,2,30", headers={"Accept": 'multipart/related; type="image/jpeg"'})
    frames = raw_parts(three)
    assert [frame[:2] for frame in frames] == [b"\xff\xd8"] * 3
    encoded = list(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=30))
    assert frames == [encoded[0], encoded[1], encoded[29]]
    explicit = 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1'
    decoded = raw_parts(client.get(path(ds) + "/frames/1", headers={"Accept": explicit}))[0]
    assert len(decoded) == 240 * 320 * 3


@pytest.mark.parametrize(("kind", "form"), [("image/jpeg", "JPEG"), ("image/png", "PNG"), ("image/gif", "GIF")])
def test_rendered_pictures_have_the_asked_type_and_size(
    client: TestClient, stored: pydicom.Dataset, kind: str, form: str
) -> None:
    response = client.get(path(stored) + "/rendered", headers={"Accept": kind})
    picture = Image.open(io.BytesIO(response.content))
    assert (picture.format, picture.size) == (form, (128, 128))
    small = client.get(path(stored) + "/rendered?viewport=64,64&window=40,400,linear", headers={"Accept": kind})
    assert Image.open(io.BytesIO(small.content)).size == (64, 64)


@pytest.mark.parametrize("query", ["window=1,0,linear", "window=a,b,c", "quality=0", "quality=101", "viewport=0,0"])
def test_bad_rendering_parameters_are_refused(client: TestClient, stored: pydicom.Dataset, query: str) -> None:
    response = client.get(f"{path(stored)}/rendered?{query}", headers={"Accept": "image/jpeg"})
    assert response.status_code == 400
    assert response.json()["detail"]


def test_thumbnails_exist_at_every_level(client: TestClient, stored: pydicom.Dataset) -> None:
    whole = path(stored)
    for url in (whole, whole.rsplit("/instances", 1)[0], whole.split("/series")[0], whole + "/frames/1"):
        response = client.get(url + "/thumbnail", headers={"Accept": "image/png"})
        assert Image.open(io.BytesIO(response.content)).format == "PNG"


def test_what_cannot_be_made_is_406_and_what_is_no_uid_400(client: TestClient, stored: pydicom.Dataset) -> None:
    assert client.get("studies", headers={"Accept": "text/html"}).status_code == 406
    assert client.get(path(stored), headers={"Accept": "image/jpeg"}).status_code == 406
    assert client.get("studies/..%5C..%5Cetc/metadata").status_code == 400
    assert client.get("studies/1.2.3/metadata").status_code == 404
    assert client.get("nothing").status_code == 404
