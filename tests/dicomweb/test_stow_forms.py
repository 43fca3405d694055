"""Store in every form of PS3.18 10.5.2: metadata and bulk data in JSON and XML, one body, XML answers, coercion."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import orjson
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid
from starlette.testclient import TestClient

from pacs.dicom.dicomxml import to_xml
from pacs.store.archive import Archive
from tests.blobs import blob_folder

ACCEPT = {"Accept": "application/dicom+json"}
Part = tuple[dict[str, str], bytes]


def file(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def multipart(*parts: Part) -> bytes:
    joined = b"".join(
        b"--XX\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n" + data
        + b"\r\n"
        for headers, data in parts
    )  # fmt: skip
    return joined + b"--XX--\r\n"


def post(client: TestClient, kind: str, *parts: Part, **headers: str) -> Any:
    content_type = f'multipart/related; type="{kind}"; boundary=XX'
    return client.post(
        "studies", content=multipart(*parts), headers={"Content-Type": content_type, **ACCEPT, **headers}
    )


def metadata(name: str = "CT_small.dcm", uri: str = "bulk/1") -> tuple[pydicom.Dataset, dict[str, Any]]:
    """A sample and its metadata, its Pixel Data named by `uri`."""
    ds = pydicom.dcmread(io.BytesIO(file(name)))
    ds.pop(0xFFFCFFFC, None)
    pixels = ds.PixelData
    del ds.PixelData
    described = ds.to_json_dict()
    ds.PixelData = pixels
    described["7FE00010"] = {"vr": "OW", "BulkDataURI": uri}
    described["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return ds, described


def json_part(*instances: Any) -> Part:
    return {"Content-Type": "application/dicom+json"}, orjson.dumps(instances)


def bulk(data: bytes, uri: str = "bulk/1", kind: str = "application/octet-stream") -> Part:
    return {"Content-Type": kind, "Content-Location": uri}, data


def fetched(client: TestClient, ds: pydicom.Dataset) -> pydicom.Dataset:
    url = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    response = client.get(url, headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert response.status_code == 200, (response.text, response.headers)
    return pydicom.dcmread(io.BytesIO(response.content))


def nothing_left(archive: Archive, client: TestClient) -> bool:
    incoming = list((blob_folder(archive) / "incoming").iterdir())
    return not incoming and client.get("instances", headers=ACCEPT).json() == []


@pytest.mark.parametrize("kind", ["json", "xml"])
def test_metadata_with_bulk_data_becomes_the_instance(client: TestClient, archive: Archive, kind: str) -> None:
    ds, described = metadata()
    first = json_part(described) if kind == "json" else ({"Content-Type": "application/dicom+xml"}, to_xml(described))
    response = post(client, f"application/dicom+{kind}", first, bulk(ds.PixelData))
    assert response.status_code == 200, (response.text, response.headers)
    again = fetched(client, ds)
    assert again.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert again.PixelData == ds.PixelData
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds["PixelData"].VR = "OW"
    assert again.to_json_dict(bulk_data_threshold=1 << 30) == ds.to_json_dict(bulk_data_threshold=1 << 30)
    assert list((blob_folder(archive) / "incoming").iterdir()) == []


def test_several_instances_share_a_request_and_fail_one_by_one(client: TestClient) -> None:
    ds, one = metadata(uri="a")
    two = {**one, "00080018": {"vr": "UI", "Value": [generate_uid()]}, "7FE00010": {"vr": "OW", "BulkDataURI": "b"}}
    lost = {**one, "00080018": {"vr": "UI", "Value": ["1.2.3"]}, "7FE00010": {"vr": "OW", "BulkDataURI": "nowhere"}}
    nameless = {key: value for key, value in one.items() if key != "00080018"}
    response = post(
        client, "application/dicom+json", json_part(one, lost, two, nameless, "nothing"), bulk(ds.PixelData, "b"),
        bulk(ds.PixelData, "a"),
    )  # fmt: skip
    assert response.status_code == 202
    answer = response.json()
    assert len(answer["00081199"]["Value"]) == 2
    assert [item["00081155"]["Value"] for item in answer["00081198"]["Value"]] == [["1.2.3"]]
    assert len(answer["0008119A"]["Value"]) == 2
    assert "Content-Location of no part" in response.headers["warning"]


def test_a_single_document_with_inline_binary(client: TestClient) -> None:
    ds, _ = metadata()
    for kind, form in (("json", orjson.dumps), ("xml", to_xml)):
        ds.SOPInstanceUID, ds.SpecificCharacterSet = generate_uid(), "ISO_IR 192"
        described = ds.to_json_dict(bulk_data_threshold=1 << 30)
        body = form(described)
        response = client.post("studies", content=body, headers={"Content-Type": f"application/dicom+{kind}", **ACCEPT})
        assert response.status_code == 200, (response.text, response.headers)
        assert fetched(client, ds).PixelData == ds.PixelData


def test_what_we_answer_as_metadata_can_be_sent_back(client: TestClient) -> None:
    data = file("CT_small.dcm")
    client.post("studies", content=data, headers={"Content-Type": "application/dicom", **ACCEPT})
    ds = pydicom.dcmread(io.BytesIO(data))
    url = f"studies/{ds.StudyInstanceUID}/metadata"
    described = client.get(url, headers=ACCEPT).json()[0]
    uris = [attribute["BulkDataURI"] for attribute in described.values() if "BulkDataURI" in attribute]
    assert len(uris) > 1
    parts = [bulk(client.get(uri, headers={"Accept": "application/octet-stream"}).content, uri) for uri in uris]
    described["00080005"]["Value"] = ["ISO_IR 192"]
    described["00080018"]["Value"] = [ds.SOPInstanceUID + ".1"]
    ds.SOPInstanceUID += ".1"
    response = post(client, "application/dicom+json", json_part(described), *parts)
    assert response.status_code == 200, (response.text, response.headers)
    assert (fetched(client, ds).pixel_array == ds.pixel_array).all()


@pytest.mark.parametrize("parameter", ["", f'; transfer-syntax="{JPEGBaseline8Bit}"'])
def test_compressed_frames_are_encapsulated_one_a_part(client: TestClient, parameter: str) -> None:
    ds, described = metadata("examples_ybr_color.dcm")
    frames = list(generate_frames(ds.PixelData, number_of_frames=30))
    parts = [bulk(frame, kind="image/jpeg" + parameter) for frame in frames]
    response = post(client, "application/dicom+json", json_part(described), *parts)
    assert response.status_code == 200, (response.text, response.headers)
    again = fetched(client, ds)
    assert again.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert list(generate_frames(again.PixelData, number_of_frames=30)) == frames
    url = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}/frames/30"
    assert frames[29] in client.get(url, headers={"Accept": 'multipart/related; type="image/jpeg"'}).content


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (["image/jpeg"] * 29, "a part for each of its 30 frames"),
        (["image/jpeg"] * 29 + ["image/jp2"], "differ in their transfer syntax"),
        (['image/jpeg; transfer-syntax="1.2.840.10008.1.2.4.90"'] * 30, "none that its media type has"),
        (['application/octet-stream; transfer-syntax="1.2.840.10008.1.2.2"'] * 30, "can't be stored"),
        (['application/octet-stream; transfer-syntax="1.2.840.10008.1.2.4.999"'] * 30, "can't be stored"),
        (["text/html"] * 30, "stands for no transfer syntax"),
    ],
)
def test_frames_whose_type_is_in_doubt_are_refused(
    client: TestClient, archive: Archive, kinds: list[str], words: str
) -> None:
    ds, described = metadata("examples_ybr_color.dcm")
    frames = generate_frames(ds.PixelData, number_of_frames=30)
    parts = [bulk(frame, kind=kind) for kind, frame in zip(kinds, frames, strict=False)]
    response = post(client, "application/dicom+json", json_part(described), *parts)
    assert response.status_code == 409
    assert words in response.headers["warning"]
    assert nothing_left(archive, client)


def test_a_jpeg_that_is_none_is_refused(client: TestClient, archive: Archive) -> None:
    _, described = metadata()
    response = post(client, "application/dicom+json", json_part(described), bulk(b"no JPEG", kind="image/jpeg"))
    assert response.status_code == 409
    assert "holds no JPEG" in response.headers["warning"]
    assert nothing_left(archive, client)


def test_another_character_set_than_utf_8_is_coerced_and_said(client: TestClient) -> None:
    ds, described = metadata()
    described["00080005"] = {"vr": "CS", "Value": ["ISO_IR 100"]}
    described["00100010"] = {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jürgen"}]}
    response = post(client, "application/dicom+json", json_part(described), bulk(ds.PixelData))
    assert response.status_code == 202
    assert response.json()["00081199"]["Value"][0]["00081196"]["Value"] == [0xB000]
    assert "WarningReason" in response.headers["warning"]
    again = fetched(client, ds)
    assert (again.SpecificCharacterSet, again.PatientName) == ("ISO_IR 192", "Müller^Jürgen")


def test_the_answer_can_be_had_in_xml(client: TestClient) -> None:
    headers = {"Content-Type": "application/dicom", "Accept": "application/dicom+xml"}
    response = client.post("studies", content=file("CT_small.dcm"), headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/dicom+xml"
    assert 'keyword="ReferencedSOPSequence"' in response.text
    assert pydicom.dcmread(io.BytesIO(file("CT_small.dcm"))).SOPInstanceUID in response.text


@pytest.mark.parametrize(
    ("kind", "parts", "words"),
    [
        ("json", [json_part()], "no DICOM object"),
        ("json", [({"Content-Type": "application/dicom+json"}, b"{]")], "not JSON"),
        ("json", [({"Content-Type": "application/dicom+json"}, b"[" * 100_000)], "not JSON"),
        ("json", [({"Content-Type": "application/dicom+json"}, b"7")], "not an object"),
        ("json", [bulk(b"1")], "not the metadata"),
        ("json", [json_part({}), ({"Content-Type": "image/png"}, b"")], "Content-Location"),
        ("json", [json_part({}), ({"Content-Type": "nonsense"}, b"")], "media type"),
        ("xml", [({"Content-Type": "application/dicom+xml"}, b"<!DOCTYPE x><x/>")], "document type"),
        ("xml", [({}, b"<NativeDicomModel/>")], "no valid SOP"),
    ],
)
def test_a_bad_body_is_refused_in_words(
    client: TestClient, archive: Archive, kind: str, parts: list[Part], words: str
) -> None:
    response = post(client, f"application/dicom+{kind}", *parts)
    assert response.status_code == 400
    assert words in response.json()["detail"]
    assert nothing_left(archive, client)


def test_a_body_that_is_cut_off_stores_nothing(client: TestClient, archive: Archive) -> None:
    ds, described = metadata()
    body = multipart(json_part(described), bulk(ds.PixelData))[:-500]
    content_type = 'multipart/related; type="application/dicom+json"; boundary=XX'
    response = client.post("studies", content=body, headers={"Content-Type": content_type, **ACCEPT})
    assert response.status_code == 400
    assert "in the middle" in response.json()["detail"]
    assert nothing_left(archive, client)


def test_metadata_is_limited(client: TestClient, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb.stow.metadata.MAX_METADATA", 1000)
    response = post(client, "application/dicom+json", ({"Content-Type": "application/dicom+json"}, b" " * 1001))
    assert response.status_code == 413
    monkeypatch.setattr("dicomweb.stow.metadata.MAX_METADATA", 1 << 20)
    monkeypatch.setattr("dicomweb.stow.metadata.MAX_NODES", 100)
    response = post(client, "application/dicom+json", json_part(*[{}] * 200))
    assert response.status_code == 413
    assert nothing_left(archive, client)
