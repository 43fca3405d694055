"""Storage commitment over the web: PS3.18 13 and annex J."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import generate_uid
from sqlalchemy import select
from starlette.testclient import TestClient

from overread.kit.audit import AuditRow
from overread.kit.principals import Role
from overread.services import Services
from overread.wiring import wire
from pacs.dicom.dicomxml import to_xml
from pacs.index.models import Instance
from pacs.store import commitment
from pacs.store.archive import Archive
from tests.blobs import blob_folder
from tests.conformance.conftest import As
from tests.conformance.samples import path, store

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
JSON = {"Content-Type": "application/dicom+json", "Accept": "application/dicom+json"}


def ui(uid: str) -> dict[str, Any]:
    return {"vr": "UI", "Value": [uid]}


def sq(*items: dict[str, Any]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


def sop(uid: str, kind: str = CT) -> dict[str, Any]:
    return {"00081150": ui(kind), "00081155": ui(uid)}


def ask(client: TestClient, body: dict[str, Any], uid: str | None = None, headers: dict[str, str] | None = None) -> Any:
    return client.post(f"commitment-requests/{uid or generate_uid()}", json=body, headers={**JSON, **(headers or {})})


def uids(answer: dict[str, Any], tag: str) -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.get(tag, {}).get("Value", [])]


def reasons(answer: dict[str, Any]) -> dict[str, int]:
    return {item["00081155"]["Value"][0]: item["00081197"]["Value"][0] for item in answer["00081198"]["Value"]}


def blob_of(archive: Archive, ds: pydicom.Dataset) -> Path:
    with archive.db.transaction() as tx:
        digest = tx.scalars(select(Instance.blob).where(Instance.sop_uid == ds.SOPInstanceUID)).one()
    return blob_folder(archive) / digest[:2] / digest


def test_13_4_3_what_is_safe_is_committed(client: TestClient, archive: Archive) -> None:
    first, second = store(client), store(client)
    uid = generate_uid()
    response = ask(client, {"00081199": sq(sop(first.SOPInstanceUID), sop(second.SOPInstanceUID))}, uid)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/dicom+json"
    assert uids(response.json(), "00081199") == [first.SOPInstanceUID, second.SOPInstanceUID]
    assert "00081198" not in response.json()
    # The Transaction UID is in the path, not in the answer (13.4.1.1).
    assert "00081195" not in response.json()
    assert client.get(f"commitment-requests/{uid}").json() == response.json()
    with archive.db.transaction() as tx:
        assert tx.scalars(select(AuditRow.action).where(AuditRow.object_id == uid)).all() == ["commitment.request"]


def test_c_14_1_1_each_failure_has_its_reason(client: TestClient, archive: Archive) -> None:
    good, wrong, flipped, lost = (store(client) for _ in range(4))
    missing = generate_uid()
    file = blob_of(archive, flipped)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.chmod(0o600)
    file.write_bytes(data)
    blob_of(archive, lost).unlink()
    items = [sop(one.SOPInstanceUID) for one in (good, flipped, lost)]
    response = ask(client, {"00081199": sq(*items, sop(wrong.SOPInstanceUID, MR), sop(missing))})
    assert response.status_code == 200
    assert uids(response.json(), "00081199") == [good.SOPInstanceUID]
    assert reasons(response.json()) == {
        flipped.SOPInstanceUID: 0x0110,
        lost.SOPInstanceUID: 0x0110,
        wrong.SOPInstanceUID: 0x0119,
        missing: 0x0112,
    }


def test_j_2_what_was_asked_by_study_is_answered_by_study(client: TestClient) -> None:
    ds = store(client)

    def by_study(series: str, *sops: str) -> dict[str, Any]:
        group = {"00081150": ui(CT), "0008114A": sq(*({"00081155": ui(one)} for one in sops))}
        return {"0020000D": ui(ds.StudyInstanceUID), "00081115": sq({"0020000E": ui(series), "00081112": sq(group)})}

    missing = generate_uid()
    response = ask(client, {"00081110": sq(by_study(ds.SeriesInstanceUID, ds.SOPInstanceUID, missing))})
    assert response.json()["00081110"] == sq(by_study(ds.SeriesInstanceUID, ds.SOPInstanceUID))
    (failed,) = response.json()["0008119B"]["Value"]
    item = failed["00081115"]["Value"][0]["00081112"]["Value"][0]["0008114A"]["Value"][0]
    assert item == {"00081155": ui(missing), "00081197": {"vr": "US", "Value": [0x0112]}}
    elsewhere = ask(client, {"00081110": sq(by_study(generate_uid(), ds.SOPInstanceUID))})
    assert "00081110" not in elsewhere.json()


def test_13_4_3_a_used_transaction_uid_is_a_conflict(client: TestClient, as_: As) -> None:
    uid, body = generate_uid(), {"00081199": sq(sop(generate_uid()))}
    assert ask(client, body, uid).status_code == 200
    again = ask(client, body, uid)
    assert again.status_code == 409
    assert "Choose another" in again.json()["detail"]
    # Somebody else's choice of the same UID tells nothing.
    assert ask(client, body, uid, as_(Role.HOSPITAL)).status_code == 200


def test_13_1_what_takes_long_is_answered_later(
    client: TestClient, portal: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commitment, "_AT_ONCE", 1)
    monkeypatch.setattr(commitment, "_CHUNK", 1)
    first, second = store(client), store(client)
    uid = generate_uid()
    accepted = ask(client, {"00081199": sq(sop(first.SOPInstanceUID), sop(second.SOPInstanceUID))}, uid)
    assert accepted.status_code == 202
    assert accepted.content == b""
    assert "retry-after" in accepted.headers
    assert client.get(f"commitment-requests/{uid}").status_code == 202
    for _ in range(3):  # each part is a job that asks for the next
        wire(portal).run(wait=False)
    done = client.get(f"commitment-requests/{uid}")
    assert done.status_code == 200
    assert uids(done.json(), "00081199") == [first.SOPInstanceUID, second.SOPInstanceUID]


def test_only_what_the_caller_may_see_is_there(client: TestClient, as_: As) -> None:
    theirs = store(TestClient(client.app, base_url=str(client.base_url), headers=as_(Role.HOSPITAL)))
    other = store(client, StudyInstanceUID=str(generate_uid()))
    body = {"00081199": sq(sop(theirs.SOPInstanceUID), sop(other.SOPInstanceUID))}
    answer = ask(client, body, headers=as_(Role.HOSPITAL)).json()
    assert uids(answer, "00081199") == [theirs.SOPInstanceUID]
    assert reasons(answer) == {other.SOPInstanceUID: 0x0112}
    for role in (Role.SPECIALIST, Role.AUDITOR):
        assert ask(client, body, headers=as_(role)).status_code == 403


def test_13_5_a_result_is_its_askers(client: TestClient, as_: As) -> None:
    uid = generate_uid()
    ask(client, {"00081199": sq(sop(generate_uid()))}, uid)
    assert client.get(f"commitment-requests/{uid}", headers=as_(Role.HOSPITAL)).status_code == 404
    assert client.get(f"commitment-requests/{generate_uid()}").status_code == 404


def test_8_7_3_xml_in_and_out(client: TestClient) -> None:
    ds = store(client)
    kind = {"Content-Type": "application/dicom+xml", "Accept": "application/dicom+xml"}
    body = to_xml({"00081199": sq(sop(ds.SOPInstanceUID))})
    response = client.post(f"commitment-requests/{generate_uid()}", content=body, headers=kind)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/dicom+xml")
    assert ds.SOPInstanceUID in response.text
    assert 'keyword="ReferencedSOPSequence"' in response.text


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/dicom+json", 400),
        (b"[]", "application/dicom+json", 400),
        (b"{", "application/dicom+json", 400),
        (b"", "application/dicom+json", 400),
        (b"<a/>", "application/dicom+xml", 400),
        (b"{}", "text/plain", 415),
        (b'{"00081199":{"vr":"SQ","Value":[{}]}}', "application/dicom+json", 400),
        (b'{"00081199":{"vr":"SQ","Value":["x"]}}', "application/dicom+json", 400),
        (b'{"00081199":{"vr":"UI","Value":["1.2"]}}', "application/dicom+json", 400),
        (b'{"00081199":[]}', "application/dicom+json", 400),
        (b'{"00081199":{"vr":"SQ","Value":{}}}', "application/dicom+json", 400),
        (b'{"00081110":{"vr":"SQ","Value":[{"0020000D":{"vr":"UI","Value":["1.2"]}}]}}', "application/dicom+json", 400),
        (b'{"00081199":{"vr":"SQ","Value":[' * 200, "application/dicom+json", 400),
        (
            b'{"00081199":{"vr":"SQ","Value":[' * 100 + b"]}}" * 100,
            "application/dicom+json",
            400,
        ),
    ],
)
def test_13_4_3_a_bad_request_is_told_why(client: TestClient, content: bytes, kind: str, status: int) -> None:
    response = client.post(
        f"commitment-requests/{generate_uid()}", content=content, headers={"Content-Type": kind, "Accept": "*/*"}
    )
    assert response.status_code == status
    assert len(response.json()["detail"]) > 20
    assert client.get("studies").status_code == 200


def test_a_transaction_uid_must_be_one(client: TestClient) -> None:
    assert ask(client, {"00081199": sq(sop(generate_uid()))}, "abc").status_code == 400
    assert client.get("commitment-requests/abc").status_code == 400


def test_a_deleted_instance_is_not_committed(client: TestClient) -> None:
    ds = store(client)
    client.delete(path(ds))
    assert reasons(ask(client, {"00081199": sq(sop(ds.SOPInstanceUID))}).json()) == {ds.SOPInstanceUID: 0x0112}
