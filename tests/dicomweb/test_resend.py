"""STOW-RS of an object that is here, in another file or another form; what is served is the first, to the byte."""

from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest
from pydicom.uid import generate_uid
from starlette.testclient import TestClient

from tests.dicomweb.test_roundtrip import MULTIPART, body, raw_parts
from tests.dicomweb.test_stow_forms import ACCEPT, file, json_part, metadata, post
from tests.pacs.store.test_resend import ANEW

CT = "CT_small.dcm"


def stow(client: TestClient, *many: bytes) -> Any:
    return client.post("studies", content=body(*many), headers={**MULTIPART, **ACCEPT})


def whole(client: TestClient, ds: pydicom.Dataset) -> list[bytes]:
    accept = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    return raw_parts(client.get(f"studies/{ds.StudyInstanceUID}", headers=accept))


@pytest.mark.parametrize("how", ["implicit", "rle", "preamble", "version", "file meta"])
def test_the_same_object_in_another_file_is_stored(client: TestClient, how: str) -> None:
    ds = pydicom.dcmread(io.BytesIO(file(CT)))
    assert stow(client, file(CT)).status_code == 200
    again = stow(client, ANEW[how](file(CT)))
    assert again.status_code == 200
    (item,) = again.json()["00081199"]["Value"]
    assert item["00081155"]["Value"] == [ds.SOPInstanceUID]
    assert whole(client, ds) == [file(CT)]


def test_the_same_object_as_metadata_and_bulk_data_is_stored(client: TestClient) -> None:
    ds, described = metadata(CT)
    ds["PixelData"].VR = "OW"
    out = io.BytesIO()
    ds.save_as(out)
    assert stow(client, out.getvalue()).status_code == 200
    pixels = {"Content-Type": "application/octet-stream", "Content-Location": "bulk/1"}, ds.PixelData
    # Its text is in UTF-8 now, and its numbers are written as JSON writes them.
    assert post(client, "application/dicom+json", json_part(described), pixels).status_code == 200
    described["00104000"] = {"vr": "LT", "Value": ["changed"]}
    assert post(client, "application/dicom+json", json_part(described), pixels).status_code == 409
    assert whole(client, ds) == [out.getvalue()]


def test_another_object_is_refused_beside_one_that_is_the_same(client: TestClient) -> None:
    ds = pydicom.dcmread(io.BytesIO(file(CT)))
    stow(client, file(CT))
    ds.PatientComments = "changed"
    out = io.BytesIO()
    ds.save_as(out)
    refused = stow(client, out.getvalue())
    assert refused.status_code == 409
    assert refused.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0x0111]
    both = stow(client, out.getvalue(), ANEW["implicit"](file(CT)))
    assert both.status_code == 202
    assert whole(client, ds) == [file(CT)]


def test_what_is_served_never_contradicts_itself(client: TestClient) -> None:
    ds = pydicom.dcmread(io.BytesIO(file(CT)))
    ds.SOPInstanceUID = generate_uid()
    ds.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
    out = io.BytesIO()
    ds.save_as(out)
    assert stow(client, out.getvalue()).status_code == 200
    [given] = whole(client, ds)
    found = pydicom.dcmread(io.BytesIO(given))
    told = found.file_meta.MediaStorageSOPClassUID, found.file_meta.MediaStorageSOPInstanceUID
    assert told == (ds.SOPClassUID, ds.SOPInstanceUID)
