"""Where too many passwords wait to be hashed: every page says what to do, keeps what was typed, and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from cases.models import Report
from overread.kit import passwords, principals
from overread.kit.audit import AuditRow
from overread.kit.passwords import Line
from overread.kit.principals import PrincipalRow
from overread.services import Services
from tests.cases.world import World
from tests.web.mailbox import Mailbox
from tests.web.test_sign_up import JANE, signed_up

PASSWORD = "three words together"
Browser = Callable[..., TestClient]
#: Nobody has a place in it.
FULL = Line(waiting=-1)
TOLD = "wait 20 seconds, then try again"


def counted(services: Services) -> tuple[object, ...]:
    """What a password that is looked at, or set, would change."""
    with services.db.transaction() as tx:
        of_passwords = AuditRow.action.regexp_match("^(session|account|report)[.](start|refused|create|password|sign)$")
        lines = tx.scalar(select(func.count()).where(of_passwords))
        people = tx.execute(select(PrincipalRow.id, PrincipalRow.password_hash, PrincipalRow.email)).all()
        return lines, sorted(map(repr, people)), tx.scalar(select(func.count(Report.digest)))


NEW = {"role": "hospital", "name": "St. Example", "email": "x@example.org", "wish": "1"}
CHANGE = {"password": PASSWORD, "new_password": "other words"}
#: Who sends what where, and what is still to be read in the answer.
PAGES: dict[str, tuple[str, str, dict[str, str], str]] = {
    "sign in": ("", "/sign-in", {"email": "coordinator@example.org", "password": PASSWORD}, "coordinator@example.org"),
    "sign in, no account": ("", "/sign-in", {"email": "no@example.org", "password": PASSWORD}, "no@example.org"),
    "sign up": ("", "/sign-up", {**JANE, "email": "new@example.org"}, "new@example.org"),
    "make an account": ("admin", "/people", NEW, "St. Example"),
    "another password": ("coordinator", "/account", CHANGE, "Change it"),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_to_do_and_keeps_what_was_typed(
    browser: Browser, world: World, services: Services, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    key, path, form, kept = PAGES[page]
    hashed = passwords.hashed(PASSWORD)
    with services.db.transaction() as tx:
        principals.get(tx, world.coordinator.id).password_hash = hashed
    client = browser(world, key) if key else browser()
    before = counted(services)
    monkeypatch.setattr(passwords, "LINE", FULL)
    # More often than any budget allows: none of it counts.
    for _ in range(12):
        answer = client.post(path, data=form)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "20")
    assert TOLD in answer.text
    assert kept in answer.text
    assert PASSWORD not in answer.text
    assert "set-cookie" not in answer.headers
    assert counted(services) == before
    monkeypatch.undo()
    assert client.post(path, data=form).status_code == (422 if "no account" in page else 200 if "make" in page else 303)


def test_the_link_of_a_mail_too(
    browser: Browser, world: World, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_up(browser)
    client, link = browser(), Mailbox(world).link("jane@example.org")
    before = counted(services)
    monkeypatch.setattr(passwords, "LINE", FULL)
    answer = client.post(link, data={"password": PASSWORD})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "20")
    assert TOLD in answer.text
    assert 'type="password"' in answer.text
    assert counted(services) == before


def test_a_signature_too_on_the_page_and_by_the_api(
    browser: Browser, world: World, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = world.written()
    hashed = passwords.hashed(PASSWORD)
    with services.db.transaction() as tx:
        principals.get(tx, world.specialist.id).password_hash = hashed
    client = browser(world, "specialist")
    shown = client.get(f"/reading/{case_id}/report?step=preview").text
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', shown)
    assert digest
    before = counted(services)
    monkeypatch.setattr(passwords, "LINE", FULL)
    form = {"digest": digest[1], "confirm": "yes", "password": PASSWORD}
    page = client.post(f"/reading/{case_id}/sign", data=form)
    api = client.post(f"/api/v1/cases/{case_id}/report/sign", json={"password": PASSWORD})
    for answer in (page, api):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "20")
    assert TOLD in page.text
    assert digest[1] in page.text
    assert TOLD in api.json()["detail"]
    assert counted(services) == before
    monkeypatch.undo()
    assert client.post(f"/reading/{case_id}/sign", data=form).status_code == 303
    assert world.state(case_id) == "signed"
