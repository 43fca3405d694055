"""The bell, the list behind it, and in which language somebody is written to."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

from sqlalchemy import delete
from starlette.testclient import TestClient

from cases.models import Message
from overread.demo import people as demo_people
from overread.kit import clock, passwords, principals
from tests.cases.world import World
from tests.web.filled import fields

Browser = Callable[..., TestClient]


def test_the_bell_counts_what_was_not_opened(world: World, browser: Browser) -> None:
    with world.db.transaction() as tx:
        tx.execute(delete(Message))
    case_id = world.submitted("free")
    world.drain()
    patient = browser(world, "patient")
    assert 'aria-label="1 unread notification"' in patient.get("/cases").text
    # Also on pages that everybody may see.
    assert 'aria-label="1 unread notification"' in patient.get("/").text
    assert "notification" not in browser().get("/").text
    shown = patient.get("/notifications").text
    assert "we have received your request" in shown
    assert "Mail sent" in shown
    [url] = re.findall(r'href="(/notifications/[\w-]{36})"', shown)
    assert browser(world, "coordinator").get(url).status_code == 404
    for _ in range(2):
        opened = patient.get(url)
        assert (opened.status_code, opened.headers["location"]) == (303, f"/cases/{case_id}")
    assert 'aria-label="Notifications"' in patient.get("/cases").text
    assert "(unread)" not in patient.get("/notifications").text
    assert patient.get(f"/notifications/{uuid4()}").status_code == 404


def test_all_are_marked_at_once_and_an_empty_list_says_so(world: World, browser: Browser) -> None:
    with world.db.transaction() as tx:
        tx.execute(delete(Message))
        tx.add_all(
            Message(recipient_id=world.patient.id, template="has_account", facts={}, sent_at=clock.now())
            for _ in range(60)
        )
    patient = browser(world, "patient")
    shown = patient.get("/notifications").text
    assert 'rel="next"' in shown
    assert 'action="/notifications/read"' in shown
    for _ in range(2):
        assert patient.post("/notifications/read").headers["location"] == "/notifications?done=saved"
    assert 'action="/notifications/read"' not in patient.get("/notifications").text
    assert "Nothing yet" in browser(world, "hospital").get("/notifications").text


def test_who_got_no_mail_is_told_why_to_look(world: World, browser: Browser) -> None:
    with world.db.transaction() as tx:
        message = Message(recipient_id=world.patient.id, template="has_account", facts={}, failed_at=clock.now())
        tx.add(message)
    shown = browser(world, "patient").get("/notifications").text
    assert "Mail did not arrive" in shown
    assert "Tell us if it is not." in shown


def test_an_account_takes_the_browsers_language_until_somebody_chooses(world: World, browser: Browser) -> None:
    hashed = passwords.hashed(demo_people.PASSWORD)
    with world.db.transaction() as tx:
        person = principals.get(tx, world.patient.id)
        person.password_hash, person.language = hashed, None
    somebody = browser()
    form = {"email": "maria.oyelaran@example.org", "password": demo_people.PASSWORD}
    spoken = {"accept-language": "tlh, de-AT;q=0.9, en;q=0.5"}
    assert somebody.post("/sign-in", data=form, headers=spoken).status_code == 303
    page = "/account/language"
    assert fields(somebody.get(page).text, page)["language"] == ["de"]
    assert somebody.post(page, data={"language": "tlh"}).status_code == 422
    assert somebody.post(page, data={"language": "ja"}).headers["location"] == f"{page}?done=saved"
    assert somebody.post("/sign-in", data=form, headers=spoken).status_code == 303
    assert fields(somebody.get(page).text, page)["language"] == ["ja"]
    assert page in somebody.get("/account").text
