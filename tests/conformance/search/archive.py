"""Instances made for a clause, stored over STOW-RS, and searches by what they are named."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from starlette.testclient import TestClient

CT = "1.2.840.10008.5.1.4.1.1.2"


def instance(**keywords: Any) -> Dataset:
    """A small instance of a study of its own, but for what is given; sequences as lists of dicts."""
    ds = Dataset()
    defaults: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": CT,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "PatientName": "Nobody",
        "Modality": "CT",
    }
    for keyword, value in {**defaults, **keywords}.items():
        setattr(ds, keyword, [_item(one) for one in value] if _is_sequence(value) else value)
    return ds


def _is_sequence(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _item(values: dict[str, Any]) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, [_item(one) for one in value] if _is_sequence(value) else value)
    return made


def part10(ds: Dataset) -> bytes:
    """The file of an instance."""
    ds.ensure_file_meta()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def store(client: TestClient, *instances: Dataset, headers: dict[str, str] | None = None) -> None:
    """Store instances in one request."""
    head = b"--XX\r\nContent-Type: application/dicom\r\n\r\n"
    body = b"".join(head + part10(one) + b"\r\n" for one in instances) + b"--XX--\r\n"
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=XX'}
    response = client.post("studies", content=body, headers={**kind, **(headers or {})})
    assert response.status_code == 200, response.text


def ask(client: TestClient, resource: str, **parameters: str) -> Any:
    """The response to a search; an underscore in a parameter's name stands for a dot."""
    return ask_as(client, {}, resource, **parameters)


def ask_as(client: TestClient, headers: dict[str, str], resource: str, **parameters: str) -> Any:
    """The same, asked by somebody else."""
    query = urlencode({name.replace("_", "."): value for name, value in parameters.items()}, quote_via=quote)
    return client.get(f"{resource}?{query}", headers=headers)


def found(client: TestClient, resource: str, tag: str, **parameters: str) -> list[Any]:
    """The first values of one attribute in the results, sorted; of a name its alphabetic group."""
    response = ask(client, resource, **parameters)
    assert response.status_code == 200, response.text
    values = [first(one, tag) for one in response.json()]
    return sorted(value.get("Alphabetic", "") if isinstance(value, dict) else value for value in values)


def first(result: dict[str, Any], tag: str) -> Any:
    """An attribute's first value in a result, None where it has none."""
    values: Sequence[Any] = result.get(tag, {}).get("Value", [None])
    return values[0]
