"""Referrals in the portal: the form, the mailed link, whoever opens it, and the consent to read the report."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from cases import consents
from cases.models import CONSENTS
from cases.service import referrals
from cases.service.referred import SHARING
from tests.cases.test_referrals import make, report_of, submit, take_up, token
from tests.cases.world import BORN, EMAIL, NAME, World, study

FORM: dict[str, Any] = {
    "opinion": "free/report",
    "patient_name": NAME,
    "birth_date": BORN.isoformat(),
    "sex": "F",
    "email": EMAIL,
    "phone": "",
    "place": "US-CA",
    "subjects": ["CT"],
    "other_subject": "",
    "questions": ["Is it torn?", ""],
    "history": "Fell from a ladder.",
    "physician": "Dr. Ruth Lindqvist",
}
Make = Callable[..., TestClient]


def test_a_hospital_refers_and_sees_how_far_it_is(browser: Make, world: World) -> None:
    hospital = browser(world, "hospital")
    assert 'href="/referrals/new"' in hospital.get("/sent").text
    answer = hospital.post("/referrals/new", data=FORM)
    assert answer.status_code == 303
    again = hospital.post("/referrals/new", data=FORM)
    assert again.headers["location"] == answer.headers["location"], "a second press finds the first"
    page = hospital.get(answer.headers["location"]).text
    number = re.findall(r"OV-\w{4}-\w{4}", page)[0]
    assert "The invitation is on its way" in page
    assert number in hospital.get("/referrals").text
    one = answer.headers["location"].partition("?")[0]
    assert number in hospital.get(f"{one}/sheet").text
    assert hospital.get(f"{one}/report.pdf").status_code == 404
    assert hospital.post(f"{one}/again").status_code == 303
    ended = hospital.post(f"{one}/end")
    assert "Its link opens nothing any more" in hospital.get(ended.headers["location"]).text
    refused = hospital.post(f"{one}/again")
    assert (refused.status_code, "Refer the patient anew" in refused.text) == (409, True)
    assert hospital.get(f"{one}/sheet").headers["location"] == one


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"patient_name": ""}, "full name"),
        ({"birth_date": "yesterday"}, "as year, month and day"),
        ({"birth_date": "1700-01-01"}, "check the birth date"),
        ({"email": "nobody"}, "such as jane@example.org"),
        ({"place": ""}, "where the patient is"),
        ({"place": "FR"}, "take patients from there"),
        ({"opinion": "free/none"}, "choose an opinion"),
        ({"subjects": []}, "what it is about"),
        ({"subjects": ["other"]}, "in a few words"),
        ({"questions": ["", " "]}, "at least one question"),
        ({"physician": ""}, "who you are"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(
    browser: Make, world: World, wrong: dict[str, Any], sentence: str
) -> None:
    hospital = browser(world, "hospital")
    answer = hospital.post("/referrals/new", data=FORM | wrong)
    assert answer.status_code == 422
    assert sentence in answer.text
    for name in {"history", "email", "patient_name"} - set(wrong):
        assert str(FORM[name]) in answer.text
    with world.db.transaction() as tx:
        assert referrals.listed(tx, world.hospital).rows == []


def test_too_many_mails_to_one_address_wait(browser: Make, world: World) -> None:
    hospital = browser(world, "hospital")
    said = [hospital.post("/referrals/new", data=FORM | {"questions": [f"{n}?"]}).status_code for n in range(4)]
    assert said == [303, 303, 303, 429]


def test_the_link_leads_through_signing_in_and_the_birth_date_to_the_draft(browser: Make, world: World) -> None:
    make(world)
    link = f"/referred/{token(world)}"
    visitor = browser()
    assert visitor.get(link).headers["location"] == f"/sign-in?next={link}"
    patient = browser(world, "patient")
    page = patient.get(link).text
    assert "Dr. Ruth Lindqvist" in page
    assert "mailed to another address" not in page
    for word in ("ladder", "torn", "1971"):
        assert word not in page, "nothing of the patient is shown before the birth date is said"
    for typed, sentence in (("", "as year, month and day"), ("1971-03-10", "not the birth date")):
        refused = patient.post(link, data={"birth_date": typed})
        assert (refused.status_code, sentence in refused.text) == (422, True)
    taken = patient.post(link, data={"birth_date": BORN.isoformat()})
    question = patient.get(taken.headers["location"]).text
    assert "Prepared by Dr. Ruth Lindqvist" in question
    assert "Fell from a ladder." in question
    case = taken.headers["location"].rpartition("/")[0]
    assert patient.get(link).headers["location"] == case, "a second click comes to the request"
    assert patient.post(link, data={"birth_date": BORN.isoformat()}).headers["location"].startswith(case)
    assert "As it was written" in patient.get(case).text
    assert "Fell from a ladder." in patient.get(f"{case}/referral").text


def test_guesses_of_a_birth_date_are_counted(browser: Make, world: World) -> None:
    make(world)
    link, patient = f"/referred/{token(world)}", browser(world, "other_patient")
    assert "mailed to another address" in patient.get(link).text
    said = [patient.post(link, data={"birth_date": f"1971-04-{day:02}"}).status_code for day in range(1, 7)]
    assert said == [422] * 5 + [429]
    assert patient.post(link, data={"birth_date": BORN.isoformat()}).status_code == 429


def test_whoever_it_is_not_for_is_told_so(browser: Make, world: World) -> None:
    make(world)
    link = f"/referred/{token(world)}"
    for key in ("hospital", "coordinator", "specialist", "admin", "auditor"):
        answer = browser(world, key).get(link)
        assert (answer.status_code, "This invitation is for a patient" in answer.text) == (403, True)
    assert "too old, or the invitation was taken back" in browser(world, "patient").get("/referred/nothing").text
    patient = browser(world, "patient")
    patient.post(link, data={"birth_date": BORN.isoformat()})
    other = browser(world, "other_patient").get(link)
    assert (other.status_code, "taken up with another account" in other.text) == (409, True)


def test_saying_no_leaves_nothing(browser: Make, world: World) -> None:
    made = make(world)
    link, patient = f"/referred/{token(world)}", browser(world, "patient")
    answer = patient.post(f"{link}/refuse")
    assert "Nothing of what was written is kept" in patient.get(answer.headers["location"]).text
    page = browser(world, "hospital").get(f"/referrals/{made}").text
    assert "The patient declined" in page
    assert "Oyelaran" not in page


def test_the_consent_stands_with_the_others_and_is_taken_back(browser: Make, world: World) -> None:
    made = make(world)
    case_id = take_up(world, token(world))
    patient, hospital = browser(world, "patient"), browser(world, "hospital")
    page = patient.get(f"/cases/{case_id}/consent").text
    assert 'name="report_to_referrer"' in page
    given = dict.fromkeys(CONSENTS, "yes") | {f"{n}-version": consents.CURRENT[n].version for n in CONSENTS}
    offered = {"report_to_referrer-version": SHARING.version, "report_to_referrer-digest": SHARING.digest}
    stale = patient.post(
        f"/cases/{case_id}/consent",
        data=given | offered | {"report_to_referrer": "yes", "report_to_referrer-version": "0"},
    )
    assert (stale.status_code, "Please read it, then agree" in stale.text) == (409, True)
    assert world.state(case_id) == "draft"
    answer = patient.post(f"/cases/{case_id}/consent", data=given | offered | {"report_to_referrer": "yes"})
    assert answer.status_code == 303
    assert world.state(case_id) == "submitted"
    assert "They may read your report." in patient.get(f"/cases/{case_id}").text
    _to_the_report(world, made, case_id)
    assert "Download the report" in hospital.get("/referrals").text
    assert hospital.get(f"/referrals/{made}/report.pdf").content.startswith(b"%PDF-")
    assert world.hospital.name in patient.get(f"/cases/{case_id}").text, "the patient sees who read it"
    assert patient.post(f"/cases/{case_id}/referral", data={"share": "no"}).status_code == 303
    assert hospital.get(f"/referrals/{made}/report.pdf").status_code == 404
    assert "Download the report" not in hospital.get("/referrals").text
    assert patient.post(f"/cases/{case_id}/referral", data={"share": "yes", **offered}).status_code == 303
    assert hospital.get(f"/referrals/{made}/report.pdf").status_code == 200


def test_an_unticked_box_shares_nothing(browser: Make, world: World) -> None:
    make(world)
    case_id = take_up(world, token(world))
    given = dict.fromkeys(CONSENTS, "yes") | {f"{n}-version": consents.CURRENT[n].version for n in CONSENTS}
    offered = {"report_to_referrer-version": SHARING.version, "report_to_referrer-digest": SHARING.digest}
    patient = browser(world, "patient")
    assert patient.post(f"/cases/{case_id}/consent", data=given | offered).status_code == 303
    assert "They can’t read your report." in patient.get(f"/cases/{case_id}").text


def test_a_coordinator_starts_for_a_caller(browser: Make, world: World) -> None:
    coordinator = browser(world, "coordinator")
    assert "Start for a caller" in coordinator.get("/queue").text
    answer = coordinator.post("/referrals/new", data=FORM | {"physician": ""})
    assert answer.status_code == 303
    assert "Start for a caller" in coordinator.get("/referrals").text
    case_id = take_up(world, token(world))
    page = browser(world, "patient").get(f"/cases/{case_id}/consent").text
    assert "report_to_referrer" not in page, "a coordinator reads the report anyway"
    submit(world, case_id)
    assert "Referred" in (worked := coordinator.get(f"/queue/{case_id}").text)
    assert world.coordinator.name in worked
    assert browser(world, "hospital").get(answer.headers["location"]).status_code == 404


def test_who_began_by_themselves_has_no_such_page(browser: Make, world: World) -> None:
    case_id = world.draft("free")
    patient = browser(world, "patient")
    assert patient.get(f"/cases/{case_id}/referral").headers["location"] == f"/cases/{case_id}"
    assert patient.post(f"/cases/{case_id}/referral", data={"share": "yes"}).status_code in (303, 422)
    assert "Prepared by" not in patient.get(f"/cases/{case_id}").text


def _to_the_report(world: World, made: UUID, case_id: UUID) -> None:
    with world.db.transaction() as tx:
        number = referrals.show(tx, world.hospital, made).reference
    world.settle(world.upload(None, who=world.hospital, dicom=study(AccessionNumber=number)))
    report_of(world, case_id)
