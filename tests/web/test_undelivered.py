"""The coordinator's pages of mails that did not arrive."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete
from starlette.testclient import TestClient

from cases.models import Message
from overread.kit import clock, principals
from tests.cases.world import World
from tests.web.filled import fields

Browser = Callable[..., TestClient]
_PATH = "/undelivered"


@pytest.fixture(autouse=True)
def none_before(world: World) -> None:
    world.drain()
    with world.db.transaction() as tx:
        tx.execute(delete(Message))
        principals.get(tx, world.patient.id).pending_email = None


def failed(world: World, case_id: UUID | None, reason: str = "550 no such user") -> UUID:
    with world.db.transaction() as tx:
        message = Message(case_id=case_id, recipient_id=world.patient.id, template="published", facts={})
        message.facts = {"reference": "OV-2222-2222"}
        message.failed_at, message.failure, message.address = clock.now(), reason, "maria.oyelaran@example.org"
        tx.add(message)
        tx.flush()
        return message.id


def test_the_list_says_to_whom_why_and_what_to_do(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    coordinator = browser(world, "coordinator")
    assert "Every mail was taken by a mail server" in coordinator.get(_PATH).text
    message_id = failed(world, case_id, "550 <b>no such user</b>")
    shown = coordinator.get(_PATH).text
    for word in ("maria.oyelaran@example.org", "550 &lt;b&gt;no such user", "Call the patient", f"/queue/{case_id}"):
        assert word in shown
    answered = coordinator.post(f"{_PATH}/{message_id}/settle", data={"case": ""})
    assert answered.headers["location"] == f"{_PATH}?done=mail-settled"
    answered = coordinator.post(f"{_PATH}/{message_id}/settle", data={"case": ""})
    assert answered.status_code == 409
    assert "Somebody has dealt with this mail meanwhile" in unescape(answered.text)
    assert coordinator.post(f"{_PATH}/{uuid4()}/again", data={"case": ""}).status_code == 404


def test_a_case_shows_its_own_and_is_come_back_to(world: World, browser: Browser) -> None:
    case_id, other = world.submitted("free"), world.submitted("free")
    first, second = failed(world, case_id), failed(world, case_id)
    coordinator, page = browser(world, "coordinator"), f"/queue/{case_id}"
    assert "2 mails did not arrive" in coordinator.get(page).text
    assert "did not arrive" not in coordinator.get(f"/queue/{other}").text
    form = fields(coordinator.get(page).text, f"{_PATH}/{first}/again")
    answered = coordinator.post(f"{_PATH}/{first}/again", data=form)
    assert answered.headers["location"] == f"{page}?done=mail-again"
    form = fields(coordinator.get(page).text, f"{_PATH}/{second}/address")
    answered = coordinator.post(f"{_PATH}/{second}/address", data={**form, "email": "right@example.org"})
    assert answered.headers["location"] == f"{page}?done=address-corrected"
    assert "right@example.org" in coordinator.get(page).text
    world.drain()
    assert "A mail did not arrive" in coordinator.get(page).text


def test_a_wrong_address_stays_typed_beside_its_mail(world: World, browser: Browser) -> None:
    message_id = failed(world, world.submitted("free"))
    coordinator = browser(world, "coordinator")
    for typed, status, told in (
        ("nonsense", 422, "Please give an e-mail address"),
        ("coordinator@example.org", 409, "has an account already"),
    ):
        answered = coordinator.post(f"{_PATH}/{message_id}/address", data={"case": "", "email": typed})
        assert (answered.status_code, told in answered.text) == (status, True)
        assert fields(answered.text, f"{_PATH}/{message_id}/address")["email"] == [typed]


def test_nobody_else_reaches_them(world: World, browser: Browser) -> None:
    message_id = failed(world, world.submitted("free"))
    for key in ("patient", "specialist", "admin", "hospital", "auditor"):
        assert browser(world, key).get(_PATH).status_code == 403
        for what in ("again", "settle", "address"):
            answered = browser(world, key).post(f"{_PATH}/{message_id}/{what}", data={"email": "a@b.example"})
            assert answered.status_code == 403
