"""The worklist service: PS3.18 11, PS3.4 CC."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.uid import generate_uid
from starlette.testclient import TestClient

from overread.kit.principals import Principal, Role
from pacs.dicom.dicomxml import to_xml
from tests.conformance.conftest import As
from tests.conformance.samples import store

JSON = {"Content-Type": "application/dicom+json", "Accept": "application/dicom+json"}
Json = dict[str, Any]


def attribute(vr: str, *values: Any) -> Json:
    return {"vr": vr, "Value": list(values)}


def code(value: str, scheme: str = "DCM", meaning: str = "something") -> Json:
    return {
        "00080100": attribute("SH", value),
        "00080102": attribute("SH", scheme),
        "00080104": attribute("LO", meaning),
    }


def scheduled(**more: Json) -> Json:
    """A work item as it is created: what is of type 1, and a little more."""
    return {
        "00741000": attribute("CS", "SCHEDULED"),
        "00741200": attribute("CS", "MEDIUM"),
        "00741204": attribute("LO", "Read a CT"),
        "00741202": attribute("LO", "Readings"),
        "00404005": attribute("DT", "20260105103000"),
        "00404041": attribute("CS", "READY"),
        "00404018": attribute("SQ", code("110005")),
        "00100010": attribute("PN", {"Alphabetic": "Somebody^Else"}),
        "00100020": attribute("LO", "P-17"),
        **{tag[1:]: value for tag, value in more.items()},
    }


def unnamed(**more: Json) -> Json:
    """The same without the patient, as a specialist may see it."""
    plain = {tag: value for tag, value in scheduled().items() if not tag.startswith("0010")}
    return {**plain, **{tag[1:]: value for tag, value in more.items()}}


def for_specialist(who: Principal) -> Json:
    coded = {"00080120": attribute("UR", f"urn:uuid:{who.id}"), "00080104": attribute("LO", "A reader")}
    return attribute("SQ", {"00404009": attribute("SQ", coded)})


PERFORMED = attribute(
    "SQ",
    {
        "00404028": attribute("SQ", code("WS1", "99X")),
        "00404019": attribute("SQ", code("110005")),
        "00404050": attribute("DT", "20260105110000"),
        "00404051": attribute("DT", "20260105113000"),
    },
)
DISCONTINUED = attribute(
    "SQ", {"00404052": attribute("DT", "20260105110000"), "0074100E": attribute("SQ", code("110513"))}
)


def create(client: TestClient, dataset: Json | None = None, uid: str | None = None) -> str:
    uid = uid or str(generate_uid())
    response = client.post(f"workitems?{uid}", json=dataset or scheduled(), headers=JSON)
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"http://test/dicomweb/workitems/{uid}"
    return uid


def to(client: TestClient, uid: str, state: str, transaction: str | None, **more: Any) -> Any:
    body = {"00741000": attribute("CS", state)}
    if transaction:
        body["00081195"] = attribute("UI", transaction)
    return client.put(f"workitems/{uid}/state", json=body, headers={**JSON, **more})


def update(client: TestClient, uid: str, dataset: Json, transaction: str | None = None) -> Any:
    query = f"?{transaction}" if transaction else ""
    return client.post(f"workitems/{uid}{query}", json=dataset, headers=JSON)


def item(client: TestClient, uid: str) -> Json:
    (found,) = client.get(f"workitems/{uid}").json()
    return dict(found)


def state(client: TestClient, uid: str) -> str:
    return str(item(client, uid)["00741000"]["Value"][0])


def uids(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [one["00080018"]["Value"][0] for one in response.json()]


@pytest.fixture
def reader(client: TestClient, as_: As) -> TestClient:
    """The specialist's client."""
    return TestClient(client.app, base_url=str(client.base_url), headers=as_(Role.SPECIALIST))


def test_11_4_and_11_5_a_work_item_is_created_and_retrieved(client: TestClient) -> None:
    uid = create(client)
    found = item(client, uid)
    assert found["00080016"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"]
    assert found["00741204"]["Value"] == ["Read a CT"]
    assert "00404010" in found
    assert "00081195" not in found


def test_11_4_the_uid_may_be_named_in_every_way_or_not_at_all(client: TestClient) -> None:
    for name in ("workitem", "workitemUID", "AffectedSOPInstanceUID"):
        uid = generate_uid()
        response = client.post(f"workitems?{name}={uid}", json=scheduled(), headers=JSON)
        assert response.headers["location"].endswith(uid)
    inside = generate_uid()
    response = client.post("workitems", json=[scheduled(_00080018=attribute("UI", inside))], headers=JSON)
    assert response.headers["location"].endswith(inside)
    ours = client.post("workitems", json=scheduled(), headers=JSON).headers["location"]
    assert "/workitems/2.25." in ours


def test_11_4_3_a_taken_uid_is_a_conflict(client: TestClient) -> None:
    uid = create(client)
    assert client.post(f"workitems?{uid}", json=scheduled(), headers=JSON).status_code == 409


@pytest.mark.parametrize("tag", ["00741000", "00741200", "00741204", "00741202", "00404005", "00404041"])
def test_cc_2_5_what_is_of_type_1_must_be_there(client: TestClient, tag: str) -> None:
    dataset = scheduled()
    dataset[tag] = {"vr": dataset[tag]["vr"]}
    response = client.post("workitems", json=dataset, headers=JSON)
    assert response.status_code == 400
    assert tag in response.json()["detail"]


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("00741000", attribute("CS", "IN PROGRESS")),
        ("00081195", attribute("UI", "1.2.3")),
        ("00741216", PERFORMED),
        ("00741002", DISCONTINUED),
        ("00741200", attribute("CS", "URGENT")),
        ("00404041", attribute("CS", "MAYBE")),
        ("00404005", attribute("DT", "soon")),
        ("00404034", attribute("LO", "me")),
    ],
)
def test_cc_2_5_what_a_new_item_may_not_hold(client: TestClient, tag: str, value: Json) -> None:
    response = client.post("workitems", json=scheduled(**{f"_{tag}": value}), headers=JSON)
    assert response.status_code == 400
    assert len(response.json()["detail"]) > 20


def test_11_7_claimed_worked_on_and_completed(client: TestClient) -> None:
    uid, lock = create(client), str(generate_uid())
    assert to(client, uid, "IN PROGRESS", lock).status_code == 200
    assert "00081195" not in item(client, uid)
    early = to(client, uid, "COMPLETED", lock)
    assert early.status_code == 409
    assert "final state" in early.headers["warning"]
    assert "00741216" in early.json()["detail"]
    assert update(client, uid, {"00741216": PERFORMED}, lock).status_code == 200
    assert to(client, uid, "COMPLETED", lock).status_code == 200
    assert state(client, uid) == "COMPLETED"
    again = to(client, uid, "COMPLETED", lock)
    assert again.status_code == 200
    assert again.headers["warning"].endswith('"The UPS is already in the requested state of COMPLETED."')


def test_11_7_canceled_by_its_owner(client: TestClient) -> None:
    uid, lock = create(client), str(generate_uid())
    to(client, uid, "IN PROGRESS", lock)
    assert to(client, uid, "CANCELED", lock).status_code == 409
    update(client, uid, {"00741002": DISCONTINUED}, lock)
    assert to(client, uid, "CANCELED", lock).status_code == 200
    assert to(client, uid, "CANCELED", lock).headers["warning"].endswith('state of CANCELED."')
    assert to(client, uid, "COMPLETED", lock).status_code == 409


def test_11_7_3_without_the_lock_nothing_moves(client: TestClient) -> None:
    uid, lock = create(client), str(generate_uid())
    assert to(client, uid, "IN PROGRESS", None).status_code == 409
    assert to(client, uid, "COMPLETED", lock).status_code == 409
    to(client, uid, "IN PROGRESS", lock)
    other = to(client, uid, "COMPLETED", str(generate_uid()))
    assert other.status_code == 409
    assert "Transaction UID" in other.headers["warning"]
    assert to(client, uid, "IN PROGRESS", str(generate_uid())).status_code == 409
    assert to(client, uid, "SCHEDULED", lock).status_code == 409
    assert state(client, uid) == "IN PROGRESS"


def test_11_6_updates_of_a_scheduled_item_take_no_lock_and_those_of_a_claimed_one_do(client: TestClient) -> None:
    uid, lock = create(client), str(generate_uid())
    assert update(client, uid, {"00741200": attribute("CS", "HIGH")}).status_code == 200
    assert update(client, uid, {"00741200": attribute("CS", "LOW")}, lock).status_code == 409
    to(client, uid, "IN PROGRESS", lock)
    assert update(client, uid, {"00741200": attribute("CS", "LOW")}).status_code == 409
    inside = {"00741200": attribute("CS", "LOW"), "00081195": attribute("UI", lock)}
    assert update(client, uid, inside).status_code == 200
    assert item(client, uid)["00741200"]["Value"] == ["LOW"]
    assert "00081195" not in item(client, uid)


@pytest.mark.parametrize("tag", ["00741000", "00080018", "00100010", "00100020", "0020000D"])
def test_cc_2_6_what_no_update_changes(client: TestClient, tag: str) -> None:
    response = update(client, create(client), {tag: attribute("LO", "x")})
    assert response.status_code == 400
    assert tag in response.json()["detail"]


def test_11_8_a_scheduled_item_is_canceled_on_request(client: TestClient) -> None:
    uid = create(client)
    body = {"00741238": attribute("LT", "Not needed any more")}
    assert client.post(f"workitems/{uid}/cancelrequest", json=body, headers=JSON).status_code == 202
    found = item(client, uid)
    assert found["00741000"]["Value"] == ["CANCELED"]
    progress = found["00741002"]["Value"][0]
    assert progress["00741238"]["Value"] == ["Not needed any more"]
    assert "00404052" in progress
    assert "0074100E" in progress
    again = client.post(f"workitems/{uid}/cancelrequest")
    assert again.status_code == 202
    assert "already" in again.headers["warning"]


def test_11_8_3_a_claimed_item_is_its_performers(client: TestClient) -> None:
    uid, lock = create(client), str(generate_uid())
    to(client, uid, "IN PROGRESS", lock)
    assert client.post(f"workitems/{uid}/cancelrequest").status_code == 409
    client.post(f"workitems/{uid}/subscribers/WS1")
    assert client.post(f"workitems/{uid}/cancelrequest").status_code == 202
    assert state(client, uid) == "IN PROGRESS"
    update(client, uid, {"00741216": PERFORMED}, lock)
    to(client, uid, "COMPLETED", lock)
    assert client.post(f"workitems/{uid}/cancelrequest").status_code == 409


def test_11_9_search_by_what_work_items_hold(client: TestClient) -> None:
    first = create(client)
    later = scheduled(
        _00404005=attribute("DT", "20260201"),
        _00741204=attribute("LO", "Read an MR_1"),
        _00100010=attribute("PN", {"Alphabetic": "Else^Anna", "Ideographic": "別^杏奈"}),
        _00404018=attribute("SQ", code("110007", meaning="Verification")),
    )
    second = create(client, later)
    to(client, first, "IN PROGRESS", str(generate_uid()))
    for query, expected in (
        ("", [first, second]),
        ("?ProcedureStepState=SCHEDULED", [second]),
        ("?00741000=IN%20PROGRESS", [first]),
        (f"?SOPInstanceUID={second},1.2", [second]),
        ("?ProcedureStepLabel=Read%20a%20CT", [first]),
        ("?ProcedureStepLabel=Read%20an*", [second]),
        ("?ProcedureStepLabel=Read%20an%20MR%3F1", [second]),
        ("?ProcedureStepLabel=Read.*", []),
        ("?PatientName=else*", [second]),
        ("?PatientName=%E5%88%A5*", [second]),
        ("?PatientID=P-17", [first, second]),
        ("?ScheduledProcedureStepStartDateTime=20260105", [first]),
        ("?ScheduledProcedureStepStartDateTime=20260106-", [second]),
        ("?ScheduledProcedureStepStartDateTime=-20260131235959", [first]),
        ("?ScheduledWorkitemCodeSequence.CodeValue=110005", [first]),
        ("?00404018.00080104=Verif*", [second]),
        ("?limit=1", [first]),
        ("?limit=1&offset=1", [second]),
        ("?PatientID=nobody", []),
        ('?PatientID="%22)%20||%20(*', []),
    ):
        assert uids(client.get("workitems" + query)) == expected, query
    assert "larger offset" in client.get("workitems?limit=1").headers["warning"]
    assert "not supported" in client.get("workitems?ScheduledWorkitemCodeSequence=1").headers["warning"]
    unknown = client.get("workitems?NoSuchKeyword=1&PatientID=P-17")
    assert uids(unknown) == [first, second]
    assert "NoSuchKeyword is neither" in unknown.headers["warning"]
    assert client.get("workitems?NoSuchKeyword=1&PatientID=nobody").status_code in (200, 204)


@pytest.mark.parametrize(
    ("written", "its_zone", "query", "found"),
    [
        # What has no offset is compared as it stands.
        ("20250601233000+0200", "", "=20250601", True),
        ("20250601233000+0200", "", "=20250602", False),
        ("20250601233000", "", "=20250601233000%2B0200", True),
        ("20250601233000", "", "=20250601213000%2B0000", False),
        # By its own offset, the hour ends of a range too; a day is the day there.
        ("20250601233000+0200", "", "=20250601213000%2B0000", True),
        ("20250601233000+0200", "", "=20250601213000 0000", True),
        ("20250601233000+0200", "", "=20250601233000%2B0200", True),
        ("20250601233000+0200", "", "=20250601233000%2B0000", False),
        ("20250601233000+0200", "", "=20250602030000%2B0530", True),
        ("20250601233000+0200", "", "=20250601163000-0500", True),
        ("20250601233000+0200", "", "=20250602%2B1000", True),
        ("20250601233000+0200", "", "=20250601%2B1000", False),
        ("20250601233000+0200", "", "=20250601213000%2B0000-20250601213100%2B0000", True),
        ("20250601233000+0200", "", "=20250601234500%2B0200-20250602000000%2B0200", False),
        ("20250601233000+0200", "", "=20250601163000-0500-20250602033000%2B0600", True),
        ("20250601233000+0200", "", "=20250601213000%2B0000-", True),
        ("20250601233000+0200", "", "=-20250601212900%2B0000", False),
        ("20250601233000+0200", "", "=-20250601163000-0500", True),
        ("20250601233000+0200", "", "=2025-2026", True),
        ("20250601233000+0200", "", "=2024-2024", False),
        # As much as is written, on either side; a leap day, a month's and a year's end.
        ("2025060123+0200", "", "=2025060121%2B0000", True),
        ("202506012330+0200", "", "=202506012130%2B0000", True),
        ("20250601233000.25+0200", "", "=20250601213000.25%2B0000", True),
        ("20250601233000.25+0200", "", "=20250601213000.5%2B0000", False),
        ("202506+0200", "", "=202506%2B0000", True),
        ("20240228233000-0500", "", "=20240229%2B0000", True),
        ("20250228233000-0500", "", "=20250301%2B0000", True),
        ("20251231233000-0100", "", "=20260101003000%2B0000", True),
        # By that of its data set, and of the other keys (CC.2.8.1.3.1).
        ("20250601233000", "+0200", "=20250601213000&TimezoneOffsetFromUTC=%2B0000", True),
        ("20250601233000", "+0200", "=20250601213000-20250601213100&TimezoneOffsetFromUTC=%2B0000", True),
        ("20250601233000", "+0200", "=20250601233000&00080201=%2B0200", True),
        ("20250601233000", "+0200", "=20250601233000&TimezoneOffsetFromUTC= 0000", False),
        ("20250601233000", "+0200", "=20250601213000%2B0000&TimezoneOffsetFromUTC=-0500", True),
        ("20250601233000-0500", "+0200", "=20250602043000&TimezoneOffsetFromUTC=%2B0000", True),
        ("20250601233000", "", "=20250601233000&TimezoneOffsetFromUTC=-0500", True),
    ],
)
def test_11_9_moments_are_compared_where_both_say_their_offset(
    client: TestClient, written: str, its_zone: str, query: str, found: bool
) -> None:
    zone = {"_00080201": attribute("SH", its_zone)} if its_zone else {}
    uid = create(client, scheduled(_00404005=attribute("DT", written), **zone))
    answer = client.get(f"workitems?ScheduledProcedureStepStartDateTime{query}")
    assert "warning" not in answer.headers
    assert uids(answer) == ([uid] if found else [])


def test_c_2_2_2_6_the_keys_of_a_sequence_match_in_one_item(client: TestClient) -> None:
    both = scheduled(_00404018=attribute("SQ", *(code(value, scheme) for value, scheme in (("1", "A"), ("2", "B")))))
    uid = create(client, both)
    for first, second, found in (("1", "A", True), ("2", "B", True), ("1", "B", False), ("2", "A", False)):
        # What the index answers alone, and what needs a look at the items.
        for scheme in (second, f"{second}*"):
            query = f"00404018.CodeValue={first}&00404018.CodingSchemeDesignator={scheme}"
            assert uids(client.get(f"workitems?{query}")) == ([uid] if found else []), query


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "offset=x",
        "00404005=tomorrow",
        "00404005=-",
        "00404005=2025%2B1500",
        "00404005=2025%2B0000%2B0000",
        "00404005=20250601213000%2B00",
        "TimezoneOffsetFromUTC=CET",
        "PatientID=%00",
    ],
)
def test_11_9_3_a_bad_search_is_told_why(client: TestClient, query: str) -> None:
    response = client.get(f"workitems?{query}")
    assert response.status_code == 400
    assert len(response.json()["detail"]) > 20


def test_8_7_3_xml_in_and_out(client: TestClient) -> None:
    uid = generate_uid()
    kind = {"Content-Type": "application/dicom+xml"}
    assert client.post(f"workitems?{uid}", content=to_xml(scheduled()), headers=kind).status_code == 201
    response = client.get(
        f"workitems/{uid}", headers={"Accept": 'multipart/related; type="application/dicom+xml", */*;q=0.1'}
    )
    assert response.status_code == 200
    xml = client.get(f"workitems/{uid}", headers={"Accept": "application/dicom+xml"})
    assert "<NativeDicomModel" in xml.text
    assert 'keyword="ProcedureStepLabel"' in xml.text


def test_a_specialist_sees_and_claims_what_is_theirs(
    client: TestClient, reader: TestClient, people: dict[Role, Principal]
) -> None:
    theirs = create(client, unnamed(_00404034=for_specialist(people[Role.SPECIALIST])))
    other = create(client)
    assert uids(reader.get("workitems")) == [theirs]
    assert reader.get(f"workitems/{other}").status_code == 404
    assert to(reader, other, "IN PROGRESS", "1.2.3").status_code == 404
    assert update(reader, theirs, {"00741200": attribute("CS", "HIGH")}).status_code == 403
    assert reader.post("workitems", json=scheduled(), headers=JSON).status_code == 403
    assert reader.post(f"workitems/{theirs}/cancelrequest").status_code == 403
    lock = str(generate_uid())
    assert to(reader, theirs, "IN PROGRESS", lock).status_code == 200
    assert update(reader, theirs, {"00741216": PERFORMED}, lock).status_code == 200
    assert to(reader, theirs, "COMPLETED", lock).status_code == 200


@pytest.mark.parametrize(
    "more",
    [
        {"_00100010": attribute("PN", {"Alphabetic": "Some^Body"})},
        {"_00380010": attribute("LO", "A-1")},
        {"_00080050": attribute("SH", "4711")},
        {"_00404021": attribute("SQ", {"00080050": attribute("SH", "4711")})},
    ],
)
def test_what_a_specialist_is_to_see_names_no_patient(
    client: TestClient, people: dict[Role, Principal], more: dict[str, Json]
) -> None:
    theirs = for_specialist(people[Role.SPECIALIST])
    response = client.post("workitems", json=unnamed(_00404034=theirs, **more), headers=JSON)
    assert response.status_code == 422
    assert "leave out" in response.json()["detail"]
    uid = create(client, unnamed(**more))
    assert update(client, uid, {"00404034": theirs}).status_code == 422


def test_what_a_specialist_is_to_see_names_no_original(client: TestClient, people: dict[Role, Principal]) -> None:
    study = store(client).StudyInstanceUID
    inputs = attribute("SQ", {"0020000D": attribute("UI", study)})
    theirs = for_specialist(people[Role.SPECIALIST])
    response = client.post("workitems", json=unnamed(_00404034=theirs, _00404021=inputs), headers=JSON)
    assert response.status_code == 422
    assert "original" in response.json()["detail"]


def test_only_a_specialist_of_ours_is_scheduled(client: TestClient, people: dict[Role, Principal]) -> None:
    for who in (people[Role.PATIENT], people[Role.COORDINATOR]):
        dataset = unnamed(_00404034=for_specialist(who))
        assert client.post("workitems", json=dataset, headers=JSON).status_code == 400


@pytest.mark.parametrize("role", [Role.HOSPITAL, Role.PATIENT, Role.AUDITOR])
def test_others_see_no_work_items(client: TestClient, as_: As, role: Role) -> None:
    uid, who = create(client), as_(role)
    for method, path in (
        ("GET", "workitems"),
        ("POST", "workitems"),
        ("GET", f"workitems/{uid}"),
        ("POST", f"workitems/{uid}"),
        ("PUT", f"workitems/{uid}/state"),
        ("POST", f"workitems/{uid}/cancelrequest"),
        ("POST", f"workitems/{uid}/subscribers/X"),
        ("DELETE", f"workitems/{uid}/subscribers/X"),
        ("GET", "subscribers/X"),
    ):
        assert client.request(method, path, headers=who).status_code == 403, path


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "workitems/abc", None, 400),
        ("GET", "workitems/1.2.3.4", None, 404),
        ("POST", "workitems?workitem=abc", scheduled(), 400),
        ("POST", "workitems", [], 400),
        ("POST", "workitems", [scheduled(), scheduled()], 400),
        ("POST", "workitems", {"PatientName": "x"}, 400),
        ("PUT", "workitems/1.2.3.4/state", {"00741000": attribute("CS", "DONE")}, 400),
        ("PUT", "workitems/1.2.3.4/state", {}, 400),
        ("PUT", "workitems/1.2.3.4/state", {"00741000": attribute("CS", "CANCELED")}, 404),
        ("POST", "workitems/1.2.3.4/cancelrequest", {}, 404),
        ("POST", "workitems/1.2.3.4/subscribers/" + "X" * 17, None, 400),
        ("POST", "workitems/1.2.3.4/subscribers/X", None, 404),
        ("DELETE", "workitems/1.2.840.10008.5.1.4.34.5/subscribers/X", None, 404),
        ("POST", "workitems/1.2.3.4/subscribers/X/suspend", None, 400),
        ("POST", "workitems/1.2.840.10008.5.1.4.34.5.1/subscribers/X", None, 400),
    ],
)
def test_bad_requests_are_told_why(client: TestClient, method: str, path: str, body: Any, status: int) -> None:
    response = client.request(method, path, json=body, headers=JSON)
    assert response.status_code == status, response.text
    assert len(response.json()["detail"]) > 20
