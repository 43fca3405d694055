"""Subscriptions and event reports: PS3.18 8.10, 11.10 to 11.13; PS3.4 CC.2.3, CC.2.4."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.uid import generate_uid
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from overread.kit import tokens
from overread.kit.principals import Principal, Role
from overread.services import Services
from pacs.ups import subscriptions
from tests.conformance.conftest import As
from tests.conformance.test_ups import (
    DISCONTINUED,
    JSON,
    PERFORMED,
    attribute,
    create,
    for_specialist,
    reader,
    scheduled,
    to,
    unnamed,
    update,
)

__all__ = ["reader"]

ALL = "workitems/1.2.840.10008.5.1.4.34.5"
SOME = "workitems/1.2.840.10008.5.1.4.34.5.1"


@pytest.fixture
def heard(portal: Services, people: dict[Role, Principal]) -> Any:
    """Takes what waits for a subscriber: (event type, work item, state)."""

    def take(subscriber: str = "WS1", role: Role = Role.COORDINATOR) -> list[tuple[Any, ...]]:
        with portal.db.transaction() as tx:
            waiting = subscriptions.pending(tx, people[role], subscriber)
            subscriptions.delivered(tx, people[role], [pk for pk, _ in waiting])
        return [
            (
                report["00001002"]["Value"][0],
                report["00001000"]["Value"][0],
                report.get("00741000", {}).get("Value", [None])[0],
            )
            for _, report in waiting
        ]

    return take


def test_11_10_a_subscriber_hears_of_the_present_state_and_of_every_change(client: TestClient, heard: Any) -> None:
    uid, lock = create(client), str(generate_uid())
    response = client.post(f"workitems/{uid}/subscribers/WS1")
    assert response.status_code == 201
    assert response.headers["content-location"] == "ws://test/dicomweb/subscribers/WS1"
    assert heard() == [(1, uid, "SCHEDULED")]
    to(client, uid, "IN PROGRESS", lock)
    update(client, uid, {"00741002": DISCONTINUED}, lock)
    client.post(f"workitems/{uid}/cancelrequest", json={"00741238": attribute("LT", "Why")}, headers=JSON)
    to(client, uid, "CANCELED", lock)
    assert heard() == [(1, uid, "IN PROGRESS"), (3, uid, None), (2, uid, None), (1, uid, "CANCELED")]


def test_cc_2_2_3_a_scheduled_item_is_canceled_in_two_steps(client: TestClient, heard: Any) -> None:
    uid = create(client)
    client.post(f"workitems/{uid}/subscribers/WS1")
    heard()
    client.post(f"workitems/{uid}/cancelrequest")
    assert [one[2] for one in heard()] == ["IN PROGRESS", "CANCELED"]


def test_11_10_a_global_subscriber_hears_of_what_is_and_of_what_comes(client: TestClient, heard: Any) -> None:
    before = create(client)
    assert client.post(f"{ALL}/subscribers/WS1?deletionlock=true").status_code == 201
    after = create(client)
    assert heard() == [(1, before, "SCHEDULED"), (1, after, "SCHEDULED")]
    assert client.post(f"{ALL}/subscribers/WS1/suspend").status_code == 200
    create(client)
    to(client, after, "IN PROGRESS", "1.2.3")
    assert heard() == [(1, after, "IN PROGRESS")]
    assert client.delete(f"{ALL}/subscribers/WS1").status_code == 200
    to(client, before, "IN PROGRESS", "1.2.3")
    assert heard() == []
    assert client.delete(f"{ALL}/subscribers/WS1").status_code == 404


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("NoSuchKeyword", "NoSuchKeyword is neither a parameter of this search nor an attribute."),
        ("00404018", "Matching on 00404018 is not supported."),
    ],
)
def test_11_10_a_filter_with_a_key_that_is_not_heeded_is_refused(client: TestClient, key: str, told: str) -> None:
    answer = client.post(f"{SOME}/subscribers/WS1?filter={key}=1,00741200=HIGH")
    assert (answer.status_code, answer.json()["detail"]) == (400, told)


def test_11_10_a_filter_lets_through_what_it_matches(client: TestClient, heard: Any) -> None:
    assert client.post(f"{SOME}/subscribers/WS1?filter=00741204=Read%20an*,00741200=HIGH").status_code == 201
    create(client)
    fits = create(client, scheduled(_00741204=attribute("LO", "Read an MR"), _00741200=attribute("CS", "HIGH")))
    create(client, scheduled(_00741204=attribute("LO", "Read an MR")))
    assert heard() == [(1, fits, "SCHEDULED")]


def test_11_11_an_ended_subscription_is_silent(client: TestClient, heard: Any) -> None:
    uid = create(client)
    client.post(f"workitems/{uid}/subscribers/WS1")
    heard()
    assert client.delete(f"workitems/{uid}/subscribers/WS1").status_code == 200
    to(client, uid, "IN PROGRESS", "1.2.3")
    assert heard() == []


def test_cc_2_4_assignment_is_reported(client: TestClient, heard: Any, people: dict[Role, Principal]) -> None:
    client.post(f"{ALL}/subscribers/WS1")
    uid = create(client, unnamed())
    heard()
    update(client, uid, {"00404034": for_specialist(people[Role.SPECIALIST])})
    assert [one[0] for one in heard()] == [5]


def test_a_specialist_hears_of_their_own_alone(
    client: TestClient, reader: TestClient, heard: Any, people: dict[Role, Principal]
) -> None:
    assert reader.post(f"{ALL}/subscribers/WS1").status_code == 201
    create(client)
    later = create(client, unnamed())
    theirs = create(client, unnamed(_00404034=for_specialist(people[Role.SPECIALIST])))
    assert [one[:2] for one in heard(role=Role.SPECIALIST)] == [(1, theirs), (5, theirs)]
    # Newly theirs, and then no longer.
    update(client, later, {"00404034": for_specialist(people[Role.SPECIALIST])})
    assert [one[1] for one in heard(role=Role.SPECIALIST)] == [later, later]
    update(client, later, {"00404034": {"vr": "SQ"}})
    to(client, later, "IN PROGRESS", "1.2.3")
    assert heard(role=Role.SPECIALIST) == []
    # The same AE title of somebody else is another subscriber.
    assert heard() == []


def test_8_10_5_reports_come_as_json_through_the_channel(client: TestClient) -> None:
    uid, lock = create(client), str(generate_uid())
    client.post(f"workitems/{uid}/subscribers/WS1")
    with client.websocket_connect("/dicomweb/subscribers/WS1") as channel:
        first = channel.receive_json()
        assert first["00000002"]["Value"] == ["1.2.840.10008.5.1.4.34.6.4"]
        assert first["00001000"]["Value"] == [uid]
        assert first["00001002"]["Value"] == [1]
        assert first["00741000"]["Value"] == ["SCHEDULED"]
        channel.send_text("ignored")
        to(client, uid, "IN PROGRESS", lock)
        assert channel.receive_json()["00741000"]["Value"] == ["IN PROGRESS"]
    update(client, uid, {"00741216": PERFORMED}, lock)
    to(client, uid, "COMPLETED", lock)
    # What happened while the channel was closed was kept.
    with client.websocket_connect("/dicomweb/subscribers/WS1") as channel:
        assert channel.receive_json()["00741000"]["Value"] == ["COMPLETED"]


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"Authorization": ""}, "WS1"),
        ({"Authorization": "Bearer nonsense"}, "WS1"),
        ({}, "A" * 17),
    ],
)
def test_8_10_4_a_stranger_gets_no_channel(client: TestClient, headers: dict[str, str], path: str) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(f"/dicomweb/subscribers/{path}", headers=headers),
    ):
        pass


def test_8_10_4_hospitals_get_no_channel(client: TestClient, as_: As) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/dicomweb/subscribers/WS1", headers=as_(Role.HOSPITAL)),
    ):
        pass


def test_rfc6455_10_2_another_site_may_not_open_it_with_a_session(
    client: TestClient, portal: Services, people: dict[Role, Principal]
) -> None:
    with portal.db.transaction() as tx:
        session = tokens.issue(tx, people[Role.COORDINATOR].id, kind=tokens.SESSION)
    cookie = {"Cookie": f"overread_session={session}", "Authorization": ""}
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/dicomweb/subscribers/WS1", headers={**cookie, "Origin": "https://evil.example"}),
    ):
        pass
    with client.websocket_connect("/dicomweb/subscribers/WS1", headers={**cookie, "Origin": "http://testserver"}):
        pass


def test_a_revoked_token_ends_the_channel(client: TestClient, as_: As, portal: Services, monkeypatch: Any) -> None:
    monkeypatch.setattr("overread.kit.looks.LOOK", 0.01)
    mine = as_(Role.COORDINATOR)
    with client.websocket_connect("/dicomweb/subscribers/WS1", headers=mine) as channel:
        with portal.db.transaction() as tx:
            tokens.revoke(tx, mine["Authorization"].removeprefix("Bearer "))
        with pytest.raises(WebSocketDisconnect) as ended:
            channel.receive_text()
    assert ended.value.code == 1008


def test_rfc9110_15_5_22_a_plain_get_is_told_to_upgrade(client: TestClient) -> None:
    response = client.get("subscribers/WS1")
    assert response.status_code == 426
    assert response.headers["upgrade"] == "websocket"
