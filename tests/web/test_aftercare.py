"""The pages after the report: how it went, words for others, visits, check-ins, figures, and what a program does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from cases.models import Case, Program
from cases.service import reporting, versions
from cases.service import surveys as said
from overread.kit import zones
from tests.cases.world import World
from tests.web.filled import fields

Browser = Callable[..., TestClient]
_WORDS = "I understood at last <b>what</b> was found."


@pytest.fixture
def case_id(world: World) -> UUID:
    with world.db.transaction() as tx:
        tx.execute(update(Program).values(clinic="Hillside Clinic, Ghent", check_in_readings=1))
    made = world.published()
    with world.db.transaction() as tx:
        reporting.read(tx, world.patient, made)
    return made


def test_a_patient_says_how_it_went(world: World, browser: Browser, case_id: UUID) -> None:
    patient, page = browser(world, "patient"), f"/cases/{case_id}/survey"
    assert f'href="{page}"' in patient.get(f"/cases/{case_id}/report").text
    nothing = patient.post(page, data={})
    assert nothing.status_code == 422
    assert "Please choose an answer, or write something." in nothing.text
    sent = patient.post(page, data={"clear": "4", "text": "Thank you"})
    assert (sent.status_code, sent.headers["location"]) == (303, f"{page}?done=said")
    assert 'value="4" checked' in patient.get(page).text
    shown = browser(world, "coordinator").get("/aftercare").text
    assert "Thank you" in shown
    assert "4 of 5" in shown


def test_words_too_long_come_back_as_they_were_typed(world: World, browser: Browser, case_id: UUID) -> None:
    patient, page = browser(world, "patient"), f"/cases/{case_id}/survey"
    refused = patient.post(page, data={"clear": "4", "text": "x" * 4_001})
    assert refused.status_code == 422
    assert "x" * 4_001 in refused.text
    with world.db.transaction() as tx:
        assert said.of_case(tx, world.patient, case_id) is None


def test_words_go_from_the_patient_by_the_coordinator_to_everybody(
    world: World, browser: Browser, case_id: UUID
) -> None:
    patient, page = browser(world, "patient"), f"/cases/{case_id}/words"
    form = fields(patient.get(page).text, page)
    without = patient.post(page, data={**form, "text": [_WORDS], "name": ["M."]})
    assert without.status_code == 422
    assert "Without your consent" in without.text
    assert "I understood at last" in without.text
    given = patient.post(page, data={**form, "text": [_WORDS], "name": ["M."], "consent": ["yes"]})
    assert given.headers["location"] == f"{page}?done=words-given"
    visitor = browser()
    assert json.loads(visitor.get("/api/v1/testimonials").text) == []
    coordinator = browser(world, "coordinator")
    listed = coordinator.get("/aftercare").text
    assert "&lt;b&gt;what&lt;/b&gt;" in listed
    decision = fields(listed, f"/aftercare/words/{case_id}")
    assert coordinator.post(f"/aftercare/words/{case_id}", data={**decision, "decision": ["show"]}).status_code == 303
    (shown,) = json.loads(visitor.get("/api/v1/testimonials?program=free").text)
    assert shown == {"text": _WORDS, "name": "M.", "program": "free", "program_name": "Free reading"}
    assert patient.post(f"{page}/withdraw").headers["location"] == f"{page}?done=words-taken-back"
    assert json.loads(visitor.get("/api/v1/testimonials").text) == []
    # The coordinator's other window still has the button.
    late = coordinator.post(f"/aftercare/words/{case_id}", data={**decision, "decision": ["show"]})
    assert late.status_code == 409
    assert "changed or taken back meanwhile" in late.text


def test_a_visit_is_asked_for_and_answered_on_the_pages(world: World, browser: Browser, case_id: UUID) -> None:
    patient, page = browser(world, "patient"), f"/cases/{case_id}/visit"
    assert "Hillside Clinic, Ghent" in patient.get(page).text
    assert patient.post(page, data={"wish": "Mondays"}).headers["location"] == f"{page}?done=visit-asked"
    assert f'action="{page}"' not in patient.get(page).text
    again = patient.post(page, data={"wish": "Tuesdays"})
    assert again.status_code == 409
    assert "You have asked already" in again.text
    coordinator = browser(world, "coordinator")
    assert "The patient asks for a visit" in coordinator.get(f"/queue/{case_id}").text
    listed = coordinator.get("/aftercare").text
    found = re.search(r'action="(/aftercare/visits/[0-9a-f-]+)"', listed)
    assert found
    empty = coordinator.post(found[1], data={"text": " ", "decision": "arranged"})
    assert empty.status_code == 422
    assert "Please write when and where" in empty.text
    answered = coordinator.post(found[1], data={"text": "Monday, 9:00", "decision": "arranged"})
    assert answered.headers["location"] == "/aftercare?done=visit-answered"
    assert "Monday, 9:00" in patient.get(page).text
    assert "The patient asks for a visit" not in coordinator.get(f"/queue/{case_id}").text


def test_no_visit_is_offered_without_a_clinic(world: World, browser: Browser, case_id: UUID) -> None:
    with world.db.transaction() as tx:
        tx.execute(update(Program).values(clinic=""))
    patient = browser(world, "patient")
    assert f"/cases/{case_id}/visit" not in patient.get(f"/cases/{case_id}/report").text
    refused = patient.post(f"/cases/{case_id}/visit", data={"wish": ""})
    assert refused.status_code == 409
    assert "no clinic that sees patients" in refused.text


def test_before_the_report_there_is_nothing_to_say(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    patient = browser(world, "patient")
    for path in ("survey", "words", "visit"):
        assert patient.get(f"/cases/{case_id}/{path}").status_code == 404
    unread = world.published()
    assert patient.get(f"/cases/{unread}/survey").headers["location"] == f"/cases/{unread}/report"


def test_a_specialist_says_how_the_work_goes_with_one_click(world: World, browser: Browser, case_id: UUID) -> None:
    specialist = browser(world, "specialist")
    assert 'href="/check-ins"' in specialist.get("/offers").text
    found = re.search(r'action="(/check-ins/[0-9a-f-]+)"', specialist.get("/check-ins").text)
    assert found
    nothing = specialist.post(found[1], data={"text": "More priors"})
    assert nothing.status_code == 422
    assert "More priors" in nothing.text
    assert specialist.post(found[1], data={"score": "4", "text": "More priors"}).status_code == 303
    assert 'href="/check-ins"' not in specialist.get("/offers").text
    assert specialist.post(found[1], data={"score": "1"}).status_code == 409
    assert "More priors" in browser(world, "coordinator").get("/aftercare").text


def test_figures_are_drawn_tabled_and_given_as_csv(world: World, browser: Browser, case_id: UUID) -> None:
    for key in ("coordinator", "admin"):
        client = browser(world, key)
        page = client.get("/figures?program=free").text
        assert page.count('<figure class="plot"') == 6
        # One report, read; nobody has said how it went, nor have three specialists.
        assert page.count("Nothing to show yet.") == 2
        assert "1 of 1" in page
        assert world.patient.name not in page
        assert world.specialist.name not in page
        csv = client.get("/figures.csv?program=free")
        assert csv.headers["content-type"].startswith("text/csv")
        assert len(csv.text.splitlines()) == 13
        assert client.get("/figures?program=nothing").status_code == 404


def test_an_admin_says_what_a_program_does_after_a_report(world: World, browser: Browser) -> None:
    admin = browser(world, "admin")
    assert "after 30 days" in admin.get("/after-report").text
    form = {"close_days": "3", "check_in_readings": "5", "clinic": "Here"}
    refused = admin.post("/after-report/free", data=form)
    assert refused.status_code == 422
    assert "7 to 365 days" in refused.text
    assert 'value="3"' in refused.text
    assert admin.post("/after-report/free", data=form | {"close_days": "x"}).status_code == 422
    assert admin.post("/after-report/free", data=form | {"close_days": "0"}).status_code == 303
    shown = admin.get("/after-report").text
    assert "after every 5 reports" in shown
    assert admin.get("/after-report/nothing").status_code == 404


def test_coordinators_read_when_a_case_closes_by_itself(world: World, browser: Browser, case_id: UUID) -> None:
    page = browser(world, "coordinator").get(f"/queue/{case_id}").text
    with world.db.transaction() as tx:
        at = tx.get_one(Case, case_id).closes_at
    assert at is not None
    assert f"It closes by itself on {zones.sentence(at)}" in page


def test_a_report_that_was_taken_back_is_in_no_list_as_ready(world: World, browser: Browser, case_id: UUID) -> None:
    with world.db.transaction() as tx:
        versions.recall(tx, world.coordinator, case_id, 1, "Another patient's")
    for key, path in (("patient", "/cases"), ("coordinator", "/queue"), ("specialist", "/offers")):
        page = browser(world, key).get(path).text
        assert "Report taken back" in page
        assert "Report ready to read" not in page
    page = browser(world, "coordinator").get(f"/queue/{case_id}").text
    assert "Give the patient a report again" in page
    assert f"/queue/{case_id}/close" not in page
    refused = browser(world, "coordinator").post(f"/queue/{case_id}/close")
    assert refused.status_code == 422
    assert "until one is in force again the case stays open" in refused.text
