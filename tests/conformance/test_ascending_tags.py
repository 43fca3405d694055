"""DICOM JSON has the attributes of each data set in ascending order of their tags (PS3.18 F.2.2)."""

from __future__ import annotations

import io
import re
from typing import Any

import pydicom
from pydicom.uid import generate_uid
from starlette.testclient import TestClient

from tests.conformance.rendered_objects import encoded, image, path, ramp
from tests.conformance.test_ups import JSON, code, create, scheduled

SENT = {"Content-Type": "application/dicom", "Accept": "application/dicom+json"}


def ui(uid: str) -> dict[str, Any]:
    return {"vr": "UI", "Value": [uid]}


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
    answers = [client.post("studies", content=encoded(ds), headers=SENT)]
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


def test_f_2_2_responses_to_storing_are_in_order_whatever_went_wrong(client: TestClient) -> None:
    """Stored, stored again, refused, and not read: each sequence of the Store Instances Response (Table I.2.2-1)."""
    stored, other = image(ramp(), PatientName="One^Anna"), image(ramp())
    assert client.post("studies", content=encoded(stored), headers=SENT).status_code == 200
    changed = pydicom.dcmread(io.BytesIO(encoded(stored)))
    changed.PatientName = "Two^Bert"
    bodies = [encoded(other), encoded(changed), b"none"]
    head, end = b"--x\r\nContent-Type: application/dicom\r\n\r\n", b"\r\n--x--\r\n"
    several = {**SENT, "Content-Type": 'multipart/related; type="application/dicom"; boundary=x'}
    content = head + (b"\r\n" + head).join(bodies) + end
    answer = client.post("studies", content=content, headers=several)
    assert answer.status_code == 202, answer.text
    assert {"00081190", "00081198", "00081199", "0008119A"} == set(answer.json())
    assert unsorted(answer.json()) == []
    alone = client.post("studies", content=encoded(changed), headers=SENT)
    assert (alone.status_code, unsorted(alone.json())) == (409, [])


def test_f_2_2_results_of_storage_commitment_are_in_order(client: TestClient) -> None:
    """Committed and not, in both forms of the request (PS3.18 13.4.3, annex J.2)."""
    ds = image(ramp())
    client.post("studies", content=encoded(ds), headers=SENT)
    here = {"00081150": ui(ds.SOPClassUID), "00081155": ui(ds.SOPInstanceUID)}
    gone = {**here, "00081155": ui("1.2.3.4")}
    plain = {"00081199": {"vr": "SQ", "Value": [here, gone]}}
    instances = [{"00081155": one["00081155"]} for one in (here, gone)]
    group = {"00081150": here["00081150"], "0008114A": {"vr": "SQ", "Value": instances}}
    series = {"0020000E": ui(ds.SeriesInstanceUID), "00081112": {"vr": "SQ", "Value": [group]}}
    study = {"0020000D": ui(ds.StudyInstanceUID), "00081115": {"vr": "SQ", "Value": [series]}}
    nested = {"00081110": {"vr": "SQ", "Value": [study]}}
    for body in (plain, nested, plain | nested):
        uid = generate_uid()
        asked = client.post(f"commitment-requests/{uid}", json=body, headers=JSON)
        again = client.get(f"commitment-requests/{uid}", headers=JSON)
        for answer in (asked, again):
            assert answer.status_code == 200, answer.text
            assert len(answer.json()) == 2 * len(body)
            assert unsorted(answer.json()) == []
