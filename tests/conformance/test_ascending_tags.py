"""DICOM JSON has the attributes of each data set in ascending order of their tags (PS3.18 F.2.2)."""

from __future__ import annotations

import re
from typing import Any

from starlette.testclient import TestClient

from tests.conformance.rendered_objects import encoded, image, path, ramp
from tests.conformance.test_ups import JSON, code, create, scheduled


def unsorted(found: Any) -> list[list[str]]:
    """The tags of every data set within that is not in order."""
    if isinstance(found, list):
        return [wrong for one in found for wrong in unsorted(one)]
    if not isinstance(found, dict):
        return []
    tags = [key for key in found if re.fullmatch("[0-9A-F]{8}", key)]
    here = [tags] if tags != sorted(tags) else []
    return here + [wrong for one in found.values() for wrong in unsorted(one)]


def test_f_2_2_attributes_are_in_ascending_order_everywhere(client: TestClient) -> None:
    ds = image(ramp(), StudyDescription="CT of the knee", StationName="CT1")
    sent = {"Content-Type": "application/dicom", "Accept": "application/dicom+json"}
    answers = [client.post("studies", content=encoded(ds), headers=sent)]
    for level in (path(ds), "/".join(path(ds).split("/")[:4]), "/".join(path(ds).split("/")[:2])):
        answers.append(client.get(f"{level}/metadata", headers={"Accept": "application/dicom+json"}))
    for search in ("studies", "series", "instances"):
        answers.append(client.get(f"{search}?includefield=all", headers={"Accept": "application/dicom+json"}))
        answers.append(client.get(search, headers={"Accept": "application/dicom+json"}))
    uid = create(client, dict(reversed(scheduled(_00404018={"vr": "SQ", "Value": [code("1")]}).items())))
    answers += [client.get(f"workitems/{uid}", headers=JSON), client.get("workitems", headers=JSON)]
    for answer in answers:
        assert answer.headers["content-type"].startswith("application/dicom+json"), answer.url
        assert unsorted(answer.json()) == [], answer.url
