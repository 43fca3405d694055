"""What was sent to somebody, as they see it: their own, newest first, unread until opened, gone with the case."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from cases import erasure, notify
from cases.models import Case, Message
from cases.repository import load_unasked
from cases.service import notifications
from overread.kit import clock
from overread.kit.errors import Forbidden, NotFound
from overread.kit.principals import Principal
from tests.cases.test_routes import Api
from tests.cases.world import World


@pytest.fixture(autouse=True)
def none_before(world: World) -> None:
    with world.db.transaction() as tx:
        tx.execute(delete(Message))


@pytest.fixture
def api(world: World) -> Iterator[Api]:
    made = Api(world)
    with made.client:
        yield made


def test_everybody_sees_their_own_and_opens_it_once(world: World) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        notify.queue(tx, tx.get_one(Case, case_id), world.patient.id, "published")
        waiting = notifications.listed(tx, world.patient).rows[0]
        assert (waiting.delivery, waiting.page, waiting.unread) == ("waiting", f"/cases/{case_id}/report", True)
        assert waiting.subject.endswith(": your report is ready")
    world.drain()
    with world.db.transaction() as tx:
        found = notifications.listed(tx, world.patient).rows
        assert [one.delivery for one in found] == ["sent"] * len(found)
        newest, before = found[0], notifications.unread(tx, world.patient)
        assert before == len(found) == 2
        for _ in range(2):
            assert notifications.opened(tx, world.patient, newest.notification_id) == newest.page
        assert notifications.unread(tx, world.patient) == before - 1
        # Another's is none.
        for who in (world.coordinator, world.specialist, world.who["admin"]):
            with pytest.raises(NotFound):
                notifications.opened(tx, who, newest.notification_id)
            assert newest.notification_id not in [one.notification_id for one in notifications.listed(tx, who)]
        assert notifications.all_read(tx, world.patient) == before - 1
        assert notifications.unread(tx, world.patient) == 0
        assert not any(one.unread for one in notifications.listed(tx, world.patient))
        narrowed = Principal(world.patient.id, world.patient.role, "x", case_id=case_id)
        with pytest.raises(Forbidden):
            notifications.listed(tx, narrowed)


def test_a_confirmation_tells_nobody_whether_an_address_has_an_account(world: World) -> None:
    with world.db.transaction() as tx:
        notify.queue_confirmation(tx, world.patient.id, "new@example.org")
        hidden = tx.scalars(select(Message.id)).one()
        assert list(notifications.listed(tx, world.patient)) == []
        assert notifications.unread(tx, world.patient) == notifications.all_read(tx, world.patient) == 0
        with pytest.raises(NotFound):
            notifications.opened(tx, world.patient, hidden)


def test_they_go_with_the_case(world: World) -> None:
    case_id = world.submitted("free")
    world.drain()
    with world.db.transaction() as tx:
        assert notifications.listed(tx, world.patient).rows
        case = load_unasked(tx, case_id, lock=True)
        assert case is not None
        erasure.destroy(tx, case)
        assert list(notifications.listed(tx, world.patient)) == []
        tx.rollback()


def test_a_list_of_many_comes_in_pages(world: World) -> None:
    with world.db.transaction() as tx:
        tx.add_all(
            Message(recipient_id=world.patient.id, template="has_account", facts={}, sent_at=clock.now())
            for _ in range(5)
        )
        tx.flush()
        found: list[UUID] = []
        after = ""
        while True:
            page = notifications.listed(tx, world.patient, after, 2)
            found += [one.notification_id for one in page]
            after = page.next
            if not after:
                break
        assert len(set(found)) == len(found) == 5
        assert found == sorted(found, reverse=True)


def test_notifications_over_http(api: Api, world: World) -> None:
    case_id = world.submitted("free")
    world.drain()
    [line] = json.loads(api.call("patient", "GET", "/notifications")[1])
    assert (line["page"], line["unread"], line["delivery"]) == (f"/cases/{case_id}", True, "sent")
    assert json.loads(api.call("patient", "GET", "/notifications/unread")[1]) == {"count": 1}
    path = f"/notifications/{line['notification_id']}/read"
    assert api.call("coordinator", "POST", path)[0] == 404
    for _ in range(2):
        assert json.loads(api.call("patient", "POST", path)[1]) == {"page": f"/cases/{case_id}"}
    assert json.loads(api.call("patient", "GET", "/notifications/unread")[1]) == {"count": 0}
    assert api.call("coordinator", "POST", "/notifications/read")[0] == 200
    assert json.loads(api.call("coordinator", "GET", "/notifications/unread")[1]) == {"count": 0}
    assert api.call("patient", "POST", "/notifications/nothing/read")[0] == 404
