"""The pages of time: a case's clock, the board, a program's hours, one's own zone, and what a patient reads of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cases.models import Case, Message, Program
from cases.service import board
from overread.demo import people as demo_people
from overread.kit import clock, passwords, principals, zones
from overread.kit.principals import PrincipalRow
from overread.web.zoned import COOKIE
from tests.cases.world import World
from tests.web.filled import fields

Browser = Callable[..., TestClient]
_DAY = timedelta(days=1)


def zoned(world: World, key: str, zone: str) -> None:
    with world.db.transaction() as tx:
        principals.get(tx, world.who[key].id).zone = zone


def test_a_new_time_is_typed_in_the_coordinators_own_zone(world: World, browser: Browser) -> None:
    case_id = world.in_review()
    zoned(world, "coordinator", "America/New_York")
    coordinator, page = browser(world, "coordinator"), f"/queue/{case_id}"
    day = (clock.now() + 8 * _DAY).date()
    form = fields(coordinator.get(page).text, f"{page}/promise")
    typed = {**form, "due": [f"{day}T09:30"], "promise": ["The specialist is ill."]}
    answered = coordinator.post(f"{page}/promise", data=typed)
    assert (answered.status_code, answered.headers["location"]) == (303, f"{page}?done=promised")
    # The same form from another tab says so, and shows what stands.
    late = coordinator.post(f"{page}/promise", data={**typed, "due": [f"{day}T10:30"]})
    assert late.status_code == 409
    assert "another time meanwhile" in late.text
    assert "The specialist is ill." in late.text
    with world.db.transaction() as tx:
        due = tx.get_one(Case, case_id).due_at
        assert due is not None
        assert due.astimezone(UTC).strftime("%H:%M") in ("13:30", "14:30")
    zoned(world, "patient", "Asia/Tokyo")
    shown = browser(world, "patient").get(f"/cases/{case_id}").text
    assert "We gave you a new time" in shown
    assert "The specialist is ill." in shown
    assert re.search(r"(22|23):30 <span class=\"nowrap\">JST", shown)


@pytest.mark.parametrize(
    ("due", "reason", "told"),
    [
        ("", "Why", "Please give a day and a time."),
        ("tomorrow", "Why", "Please give a day and a time."),
        ("2099-01-01T10:00+01:00", "Why", "Please give a day and a time."),
        ("9999-12-31T23:59", "Why", "The new time lies ahead, within a year."),
        ("2020-01-01T10:00", "Why", "The new time lies ahead, within a year."),
        ("2099-01-01T10:00", "", "Please give a reason; the patient reads it."),
    ],
)
def test_what_is_wrong_with_a_new_time_is_said_beside_it(
    world: World, browser: Browser, due: str, reason: str, told: str
) -> None:
    case_id = world.submitted("free")
    coordinator, page = browser(world, "coordinator"), f"/queue/{case_id}"
    form = fields(coordinator.get(page).text, f"{page}/promise")
    answered = coordinator.post(f"{page}/promise", data={**form, "due": [due], "promise": [reason]})
    assert answered.status_code == 422
    assert told in answered.text
    again = fields(answered.text, f"{page}/promise")
    assert (again["due"], again["promise"]) == ([due], [reason])
    assert re.search(r"<details open><summary>Give the patient a new time", answered.text)


def test_a_pause_from_its_button_to_its_end(world: World, browser: Browser) -> None:
    case_id = world.in_review()
    coordinator, page = browser(world, "coordinator"), f"/queue/{case_id}"
    assert coordinator.post(f"{page}/pause", data={"pause": " "}).status_code == 422
    for _ in range(2):
        answered = coordinator.post(f"{page}/pause", data={"pause": "The archive is being mended."})
        assert answered.headers["location"] == f"{page}?done=paused"
    shown = coordinator.get(page).text
    assert "The clock stands still" in shown
    assert f'action="{page}/promise"' not in shown
    assert "clock stopped" in coordinator.get("/queue").text
    told = browser(world, "patient").get(f"/cases/{case_id}").text
    assert "The archive is being mended." in told
    assert "The clock stands still" in told
    assert "You will have your answer by" not in told
    assert "Your answer comes by" not in browser(world, "patient").get("/cases").text
    assert "Report due" not in browser(world, "specialist").get(f"/reading/{case_id}").text
    for _ in range(2):
        assert coordinator.post(f"{page}/resume").headers["location"] == f"{page}?done=resumed"
    assert "You will have your answer by" in browser(world, "patient").get(f"/cases/{case_id}").text
    assert "Report due" in browser(world, "specialist").get(f"/reading/{case_id}").text
    with world.db.transaction() as tx:
        sent = tx.scalars(select(Message.template).where(Message.case_id == case_id)).all()
    assert (sent.count("paused"), sent.count("resumed")) == (1, 1)


@pytest.mark.parametrize("key", ["patient", "specialist", "admin", "hospital", "auditor"])
def test_nobody_else_reaches_the_clock(world: World, browser: Browser, key: str) -> None:
    case_id = world.in_review()
    for path, form in (("promise", {"due": "2099-01-01T10:00", "promise": "x"}), ("pause", {"pause": "x"})):
        assert browser(world, key).post(f"/queue/{case_id}/{path}", data=form).status_code == 403
    assert browser(world, key).post(f"/queue/{case_id}/resume").status_code == 403


def test_a_broken_promise_is_the_next_step_and_no_time_to_come(world: World, browser: Browser) -> None:
    case_id = world.in_review()
    past = clock.now() - timedelta(hours=3)
    with world.db.transaction() as tx:
        tx.get_one(Case, case_id).due_at = past
    coordinator = browser(world, "coordinator").get(f"/queue/{case_id}").text
    assert coordinator.index("Promise broken: tell the patient") < coordinator.index("Wait for the report")
    told = browser(world, "patient").get(f"/cases/{case_id}").text
    assert "did not keep that" in told
    assert "You will have your answer by" not in told
    assert "Your answer comes by" not in browser(world, "patient").get("/cases").text
    shown = browser(world, "coordinator").get("/due").text
    assert '<section id="overdue"' in shown


def test_the_board_links_each_case(world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "MOST", 1)
    cases = [world.submitted("free"), world.submitted("free")]
    shown = browser(world, "coordinator").get("/due").text
    assert sum(f"/queue/{case_id}" in shown for case_id in cases) == 1
    assert "1 more is in the queue." in shown
    assert "We are" in shown
    assert browser(world, "patient").get("/due").status_code == 403
    assert "Nothing is due" not in shown


def test_an_empty_board_says_so(world: World, browser: Browser) -> None:
    assert "No case waits for an answer." in browser(world, "coordinator").get("/due").text


def test_hours_are_shown_changed_and_kept_as_typed_when_wrong(world: World, browser: Browser) -> None:
    admin = browser(world, "admin")
    assert "round the clock" in admin.get("/hours").text
    form = fields(admin.get("/hours/free").text, "/hours/free")
    assert (form["zone"], form["from-0"], form["warn_hours"]) == (["UTC"], ["00:00"], ["8, 2"])
    typed = {f"from-{n}": "09:00" for n in range(5)} | {f"until-{n}": "17:30" for n in range(5)}
    typed |= {"from-5": "", "until-5": "", "from-6": "", "until-6": "", "zone": "Europe/Berlin"}
    typed |= {"days_off": "2026-12-25 Christmas\r\n\r\n2027-01-01", "warn_hours": "16, 4"}
    assert admin.post("/hours/free", data=typed).headers["location"] == "/hours?done=saved"
    again = fields(admin.get("/hours/free").text, "/hours/free")
    assert again["days_off"] == ["2026-12-25 Christmas\n2027-01-01"]
    assert (again["until-4"], again["from-5"], again["warn_hours"]) == (["17:30"], [""], ["16, 4"])
    with world.db.transaction() as tx:
        before = tx.scalars(select(Program.week).where(Program.slug == "free")).one()
    for wrong, told in (
        ({"zone": "Mars"}, "Please choose a time zone."),
        ({"until-0": ""}, "Monday needs a beginning and an end"),
        ({"days_off": "Christmas"}, "This line does not begin with a day"),
        ({"days_off": "2026-13-01 x"}, "This line does not begin with a day"),
        ({"warn_hours": "soon"}, "Please give whole hours"),
        ({"warn_hours": "0"}, "each between 1 and 200 hours"),
        ({"until-0": "09:10"}, "an hour at least"),
        ({f"{end}-{n}": "" for n in range(5) for end in ("from", "until")}, "open on at least one day"),
    ):
        answered = admin.post("/hours/free", data={**typed, **wrong})
        assert answered.status_code == 422, wrong
        assert told in answered.text
        assert fields(answered.text, "/hours/free")["until-1"] == [wrong.get("until-1", "17:30")]
    with world.db.transaction() as tx:
        assert tx.scalars(select(Program.week).where(Program.slug == "free")).one() == before
    assert admin.get("/hours/nothing").status_code == 404
    assert admin.post("/hours/nothing", data=typed).status_code == 404
    for key in ("coordinator", "patient", "specialist"):
        assert browser(world, key).post("/hours/free", data=typed).status_code == 403


def test_times_are_written_in_the_zone_of_whoever_reads(world: World, browser: Browser) -> None:
    case_id = world.in_review()
    at = datetime(2027, 1, 15, 11, 42, tzinfo=UTC)
    with world.db.transaction() as tx:
        tx.get_one(Case, case_id).due_at = at
    pages = {"coordinator": f"/queue/{case_id}", "specialist": f"/reading/{case_id}", "patient": f"/cases/{case_id}"}
    zone_of = {"coordinator": "Asia/Kolkata", "specialist": "America/Sao_Paulo", "patient": "Europe/Berlin"}
    told = {"coordinator": "17:12", "specialist": "08:42", "patient": "12:42"}
    short = {"coordinator": "IST", "specialist": "UTC-3", "patient": "CET"}
    for key, path in pages.items():
        # Nothing is known of them: the program's zone.
        assert "11:42" in browser(world, key).get(path).text
        by_cookie = browser(world, key)
        by_cookie.cookies.set(COOKIE, zone_of[key])
        assert told[key] in by_cookie.get(path).text
        by_cookie.cookies.set(COOKIE, "Mars/Olympus_Mons")
        assert "11:42" in by_cookie.get(path).text
        zoned(world, key, zone_of[key])
        by_cookie.cookies.set(COOKIE, "UTC")
        shown = by_cookie.get(path).text
        assert told[key] in shown
        assert short[key] in shown


def test_an_account_takes_the_browsers_zone_until_somebody_chooses(world: World, browser: Browser) -> None:
    hashed = passwords.hashed(demo_people.PASSWORD)
    with world.db.transaction() as tx:
        principals.get(tx, world.patient.id).password_hash = hashed
    somebody = browser()
    somebody.cookies.set(COOKIE, "America/Denver")
    form = {"email": "maria.oyelaran@example.org", "password": demo_people.PASSWORD}
    assert somebody.post("/sign-in", data=form).status_code == 303

    def zone() -> str | None:
        with world.db.transaction() as tx:
            return tx.get_one(PrincipalRow, world.patient.id).zone

    assert zone() == "America/Denver"
    assert "America/Denver" in somebody.get("/account").text
    assert fields(somebody.get("/account/zone").text, "/account/zone")["zone"] == ["America/Denver"]
    assert somebody.post("/account/zone", data={"zone": "Moon"}).status_code == 422
    assert somebody.post("/account/zone", data={"zone": "Asia/Tokyo"}).status_code == 303
    assert somebody.post("/sign-in", data=form).status_code == 303
    assert zone() == "Asia/Tokyo"


def test_the_audit_logs_days_are_the_readers(world: World, browser: Browser) -> None:
    island = zones.zone("Pacific/Kiritimati")
    first = clock.now().astimezone(island).date()
    world.submitted("free")
    last = clock.now().astimezone(island).date()
    zoned(world, "auditor", "Pacific/Kiritimati")
    auditor = browser(world, "auditor")
    assert "case.submit" in auditor.get(f"/audit?since={first}&until={last}").text
    assert "case.submit" not in auditor.get(f"/audit?until={first - _DAY}").text
    assert "case.submit" not in auditor.get(f"/audit?since={last + _DAY}").text
    assert "case.submit" in auditor.get(f"/audit.csv?since={first}&until={last}").text
    assert "case.submit" not in auditor.get(f"/audit.csv?until={first - _DAY}").text
