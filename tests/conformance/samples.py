"""Instances to store, and how to name them."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from starlette.testclient import TestClient

from tests.dicomweb.test_roundtrip import varied

DICOM = {"Content-Type": "application/dicom", "Accept": "application/dicom+json"}


def sample(name: str = "CT_small.dcm") -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def store(client: TestClient, data: bytes | None = None, **keywords: str) -> pydicom.Dataset:
    """Store an instance with another SOP Instance UID and these values; returns its data set."""
    body = varied(data or sample(), **{"SOPInstanceUID": str(generate_uid()), **keywords})
    response = client.post("studies", content=body, headers=DICOM)
    assert response.status_code == 200, response.text
    return pydicom.dcmread(io.BytesIO(body))


def path(ds: pydicom.Dataset, level: str = "instance") -> str:
    """The resource of an instance, of its series or of its study."""
    found = f"studies/{ds.StudyInstanceUID}"
    if level in ("series", "instance"):
        found += f"/series/{ds.SeriesInstanceUID}"
    return found + f"/instances/{ds.SOPInstanceUID}" if level == "instance" else found
