"""The pages of finding a specialist: a profile, everybody's, the list by fit, a refusal, and the next one by itself."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from cases.service import assignment, readers
from cases.service.readers import Profile
from cases.states import Refusal
from tests.cases.world import World
from tests.web.filled import fields

Browser = Callable[..., TestClient]
FORM = {
    "subspecialties": ["", "musculoskeletal"],
    "subjects": ["", "CT"],
    "languages": ["", "en", "de"],
    "practices": "Riverside Joint Practice\r\n\r\nSt. Brendan Hospital",
    "most_open": "4",
    "most_week": "",
    "leave": "2026-12-24 to 2027-01-02\n2027-05-01",
}


def test_a_profile_is_typed_confirmed_and_shown(world: World, browser: Browser) -> None:
    specialist, admin = browser(world, "specialist"), browser(world, "admin")
    saved = specialist.post("/reader", data=FORM)
    assert (saved.status_code, saved.headers["location"]) == (303, "/reader?done=reader")
    mine = specialist.get("/reader").text
    assert "Waits to be confirmed" in mine
    shown = fields(mine, "/reader")
    assert shown["leave"] == ["2026-12-24 to 2027-01-02\n2027-05-01 to 2027-05-01"]
    assert shown["languages"] == ["", "en", "de"]
    everybody = admin.get("/readers").text
    for words in ("Bones and joints", "English, German", "4 open at once", "24 Dec 2026 to 2 Jan 2027", "Nothing."):
        assert words in everybody
    action = f"/readers/{world.specialist.id}/confirm"
    assert action not in browser(world, "coordinator").get("/readers").text
    assert admin.post(action).headers["location"] == "/readers?done=reader-confirmed"
    assert action not in admin.get("/readers").text
    assert "Confirmed" in specialist.get("/reader").text
    # From another tab, after somebody has confirmed it.
    late = admin.post(f"/readers/{world.specialist.id}/decline")
    assert late.status_code == 409
    assert "This profile is confirmed already." in late.text


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"most_open": "many"}, "Please give a number from 0 to 500, or nothing."),
        ({"most_week": "-1"}, "Please give a number from 0 to 500, or nothing."),
        ({"leave": "at Christmas"}, "This line is not two days such as 2026-12-24 to 2027-01-02: at Christmas"),
        ({"leave": "2026-13-24"}, "This line is not two days"),
        ({"leave": "2026-12-24 to 2026-12-20"}, "Leave ends on the day that it begins or later"),
        ({"languages": ["", "tlh"]}, "Please choose languages from the list."),
    ],
)
def test_what_is_wrong_with_a_profile_is_said_and_nothing_typed_is_lost(
    world: World, browser: Browser, typed: dict[str, object], told: str
) -> None:
    answered = browser(world, "specialist").post("/reader", data=FORM | typed)
    assert answered.status_code == 422
    assert told in answered.text
    assert fields(answered.text, "/reader")["practices"] == ["Riverside Joint Practice\n\nSt. Brendan Hospital"]
    with world.db.transaction() as tx:
        assert readers.own(tx, world.specialist).profile == Profile()


def test_the_next_one_by_itself_is_switched_by_an_admin(world: World, browser: Browser) -> None:
    admin = browser(world, "admin")
    # Of two programs, each with its own button.
    assert admin.get("/readers").text.count("A coordinator chooses the next one.") == 2
    switch = {"program": "free", "wanted": "yes"}
    for _ in range(2):
        assert admin.post("/readers/next", data=switch).status_code == 303
    assert admin.get("/readers").text.count("The next one is asked by itself.") == 1
    assert browser(world, "coordinator").post("/readers/next", data=switch).status_code == 403
    assert admin.post("/readers/next", data={**switch, "wanted": "perhaps"}).status_code == 422
    assert admin.post("/readers/next", data={**switch, "program": "none"}).status_code == 404


def test_the_list_by_fit_and_an_exception_for_what_it_shows(world: World, browser: Browser) -> None:
    case_id = world.ready("free", first_report_by="Riverside Joint Practice")
    with world.db.transaction() as tx:
        readers.change(tx, world.specialist, Profile(practices=("Riverside Joint Practice",), languages=("en",)))
    coordinator, page = browser(world, "coordinator"), f"/queue/{case_id}"
    shown = coordinator.get(page).text
    # Who may be asked stands first.
    names = re.findall(r'<div class="person[^"]*">\s*<div>\s*<strong>(.*?)</strong>', shown)
    assert names == ["Some Other_Specialist", "Some Specialist"]
    assert "Practises where the first report was written." in shown
    assert "1 specialist may read it." in shown
    form = fields(shown, f"{page}/exception")
    assert (form["specialist"], form["about"]) == ([str(world.specialist.id)], ["conflict"])
    nothing = coordinator.post(f"{page}/exception", data={**form, "reason": " "})
    assert nothing.status_code == 422
    assert "Please give a reason." in nothing.text
    done = coordinator.post(f"{page}/exception", data={**form, "reason": "They left that practice in 2019."})
    assert done.headers["location"] == f"{page}?done=exception"
    shown = coordinator.get(page).text
    assert "Some Specialist (conflict of interest): They left that practice in 2019." in shown
    assert f"{page}/exception" not in shown
    assert coordinator.post(f"{page}/offer", data={"specialist": str(world.specialist.id)}).status_code == 303


def test_a_refusal_has_a_reason_of_the_list_and_coordinators_read_it(world: World, browser: Browser) -> None:
    case_id = world.offered()
    specialist, page = browser(world, "specialist"), f"/offers/{case_id}"
    action = f"{page}/decline"
    missing = specialist.post(action, data={"refusal": "", "reason": "I know her <well>"})
    assert missing.status_code == 422
    assert "Please choose a reason." in missing.text
    assert "I know her &lt;well&gt;" in missing.text
    assert re.search(r"<details open><summary>Decline", missing.text)
    bare = specialist.post(action, data={"refusal": "other", "reason": ""})
    assert bare.status_code == 422
    assert "Please give a reason." in bare.text
    said = {"refusal": Refusal.TREATED.value, "reason": "In 2020."}
    for _ in range(2):
        assert specialist.post(action, data=said).headers["location"] == "/offers?done=refused"
    shown = browser(world, "coordinator").get(f"/queue/{case_id}").text
    for words in ("I treated this patient", "In 2020.", "Has said that they treated this patient."):
        assert words in shown
    # What no exception opens has no form for one.
    assert f"/queue/{case_id}/exception" not in shown


def test_a_block_that_came_meanwhile_is_said_when_it_is_accepted(world: World, browser: Browser) -> None:
    case_id = world.offered()
    with world.db.transaction() as tx:
        readers.change(tx, world.specialist, Profile(most_open=0))
    refused = browser(world, "specialist").post(f"/offers/{case_id}/accept")
    assert refused.status_code == 422
    assert "Has 0 open cases and wants no more than 0." in refused.text
    with world.db.transaction() as tx:
        readers.change(tx, world.specialist, Profile())
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    assert world.state(case_id) == "in_review"
