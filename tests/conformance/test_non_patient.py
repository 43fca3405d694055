"""Non-patient instances: PS3.18 12."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_palette_files
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from starlette.testclient import TestClient

from overread.kit.principals import Role
from tests.conformance.conftest import As
from tests.conformance.samples import DICOM, sample
from tests.dicomweb.test_roundtrip import MULTIPART, body, raw_parts

JSON = {"Accept": "application/dicom+json"}


def palette(name: str = "fall.dcm") -> bytes:
    return Path(str(get_palette_files(name)[0])).read_bytes()


def uid_of(data: bytes) -> str:
    return str(pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID)


def test_12_5_and_12_4_what_is_stored_is_retrieved(client: TestClient) -> None:
    data = palette()
    response = client.post("color-palettes", content=data, headers=DICOM)
    assert response.status_code == 200, response.text
    (item,) = response.json()["00081199"]["Value"]
    assert item["00081155"]["Value"] == [uid_of(data)]
    assert item["00081190"]["Value"] == [f"http://test/dicomweb/color-palettes/{uid_of(data)}"]
    place = f"color-palettes/{uid_of(data)}"
    assert client.get(place, headers={"Accept": "application/dicom"}).content == data
    whole = client.get(place, headers={"Accept": 'multipart/related; type="application/dicom"'})
    assert raw_parts(whole) == [data]
    assert whole.headers["etag"]
    assert client.get(place, headers={"If-None-Match": "*"}).status_code == 304
    other = client.get(place, headers={"Accept": "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50"})
    assert other.status_code == 406
    assert "transfer-syntax=1.2.840.10008.1.2" in other.json()["detail"]
    (found,) = client.get(place, headers=JSON).json()
    assert found == pydicom.dcmread(io.BytesIO(data)).to_json_dict()
    assert "<NativeDicomModel" in client.get(place, headers={"Accept": "application/dicom+xml"}).text


def test_12_5_several_at_once_and_the_same_again(client: TestClient) -> None:
    many = body(palette("fall.dcm"), palette("pet.dcm"))
    for _ in range(2):
        response = client.post("color-palettes", content=many, headers={**MULTIPART, **JSON})
        assert response.status_code == 200
        assert len(response.json()["00081199"]["Value"]) == 2


def test_12_5_each_goes_where_it_belongs(client: TestClient) -> None:
    refused = client.post("hanging-protocols", content=palette(), headers=DICOM)
    assert refused.status_code == 409
    assert refused.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]
    some = client.post("color-palettes", content=body(palette(), sample()), headers={**MULTIPART, **JSON})
    assert some.status_code == 202
    assert "SOP class" in some.headers["warning"]


def test_12_5_1_1_one_instance_is_stored_at_its_own_address(client: TestClient) -> None:
    place = f"color-palettes/{uid_of(palette())}"
    for _ in range(2):
        stored = client.post(place, content=palette(), headers=DICOM)
        assert (stored.status_code, stored.json()["00081199"]["Value"][0]["00081155"]["Value"]) == (
            200, [uid_of(palette())],
        )  # fmt: skip
    assert client.get(place, headers={"Accept": "application/dicom"}).content == palette()


def test_12_5_1_1_nothing_else_is_stored_there(client: TestClient, as_: As) -> None:
    place = f"color-palettes/{uid_of(palette())}"
    other = client.post(place, content=palette("pet.dcm"), headers=DICOM)
    assert other.status_code == 409
    assert other.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]
    assert "address" in other.headers["warning"]
    both = client.post(place, content=body(palette(), palette("pet.dcm")), headers={**MULTIPART, **JSON})
    assert both.status_code == 202
    assert len(client.get("color-palettes").json()) == 1
    assert client.post("color-palettes/abc", content=palette(), headers=DICOM).status_code == 400
    assert client.post(place, content=palette(), headers={**DICOM, **as_(Role.SPECIALIST)}).status_code == 403
    assert client.post(place, content=palette(), headers={**DICOM, "Authorization": ""}).status_code == 401


def test_12_5_a_taken_uid_is_kept(client: TestClient) -> None:
    client.post("color-palettes", content=palette(), headers=DICOM)
    other = pydicom.dcmread(io.BytesIO(palette()))
    other.ContentLabel = "OTHER"
    out = io.BytesIO()
    other.save_as(out)
    refused = client.post("color-palettes", content=out.getvalue(), headers=DICOM)
    assert refused.status_code == 409
    assert refused.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0x0111]


def test_12_5_the_same_instance_in_another_encoding_is_the_one_that_is_here(client: TestClient) -> None:
    client.post("color-palettes", content=palette(), headers=DICOM)
    again = pydicom.dcmread(io.BytesIO(palette()))
    implicit = again.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    again.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if implicit else ImplicitVRLittleEndian
    out = io.BytesIO()
    again.save_as(out, implicit_vr=not implicit, little_endian=True)
    assert client.post("color-palettes", content=out.getvalue(), headers=DICOM).status_code == 200
    place = f"color-palettes/{uid_of(palette())}"
    assert client.get(place, headers={"Accept": "application/dicom"}).content == palette()


def test_12_5_a_file_meta_that_contradicts_is_put_right(client: TestClient) -> None:
    wrong = pydicom.dcmread(io.BytesIO(palette()))
    wrong.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    out = io.BytesIO()
    wrong.save_as(out)
    assert client.post("color-palettes", content=out.getvalue(), headers=DICOM).status_code == 200
    place = f"color-palettes/{uid_of(palette())}"
    given = pydicom.dcmread(io.BytesIO(client.get(place, headers={"Accept": "application/dicom"}).content))
    assert given.file_meta.MediaStorageSOPInstanceUID == given.SOPInstanceUID


def test_12_6_search(client: TestClient) -> None:
    client.post("color-palettes", content=body(palette("fall.dcm"), palette("pet.dcm")), headers={**MULTIPART, **JSON})
    assert len(client.get("color-palettes").json()) == 2
    (one,) = client.get("color-palettes?ContentLabel=PET").json()
    assert one["00080018"]["Value"] == [uid_of(palette("pet.dcm"))]
    assert len(client.get("color-palettes?ContentLabel=F*").json()) == 1
    assert len(client.get(f"color-palettes?SOPInstanceUID={uid_of(palette())}").json()) == 1
    assert client.get("hanging-protocols").json() == []
    assert "larger offset" in client.get("color-palettes?limit=1").headers["warning"]


def test_who_may(client: TestClient, as_: As) -> None:
    client.post("color-palettes", content=palette(), headers=DICOM)
    place = f"color-palettes/{uid_of(palette())}"
    reader = as_(Role.SPECIALIST)
    assert client.get(place, headers=reader).status_code == 200
    assert client.post("color-palettes", content=palette(), headers={**DICOM, **reader}).status_code == 403
    for role in (Role.PATIENT, Role.HOSPITAL, Role.AUDITOR):
        assert client.get(place, headers=as_(role)).status_code == 403
        assert client.get("color-palettes", headers=as_(role)).status_code == 403


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [(b"", "application/dicom", 400), (b"x" * 200, "application/dicom", 400), (b"{}", "application/json", 415),
     (b"--X", "multipart/related; type=application/dicom; boundary=Y", 400)],
)  # fmt: skip
def test_bad_bodies_are_told_why(client: TestClient, content: bytes, kind: str, status: int) -> None:
    response = client.post("color-palettes", content=content, headers={"Content-Type": kind})
    assert response.status_code == status
    assert len(response.json()["detail"]) > 15
    assert client.get(f"color-palettes/{generate_uid()}").status_code == 404
    assert client.get("color-palettes/abc").status_code == 400
