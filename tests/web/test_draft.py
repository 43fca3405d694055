"""A draft by its pages: it opens as it was saved, loses nothing, and goes on from wherever somebody stopped."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from itertools import product
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from cases import consents
from cases.models import CONSENTS, Case, Consent, Report
from cases.service import intake, payments, people, read
from cases.states import ImagesBy, LicenceRequirement
from cases.views import PatientCase
from overread.kit import principals
from tests.cases.world import World
from tests.fakes.payments import DECLINED
from tests.web.filled import STORY, begin, fields
from tests.web.test_flow import AGREED

Browser = Callable[..., TestClient]


def test_a_saved_draft_opens_as_it_was_saved_and_saving_it_again_changes_nothing(
    world: World, browser: Browser
) -> None:
    patient = browser(world, "patient")
    story = STORY | {
        "subjects": ["CT", "other"],
        "other_subject": "My <knee>",
        "additional": "Nothing",
        "history": "None",
        "symptoms": 'A "cough" & <fever>',
        "for_other": "yes",
        "patient_name": "Ann Lee",
        "relation": "child",
        "authority": "She is ill",
        "address": "1 Main Street\nSpringfield",
        "language": "Deutsch",
        "interpreter": "yes",
        "physician": "Dr. Who",
        "physician_contact": "who@example.org",
        "inform_physician": "yes",
    }
    draft = begin(patient, **story)
    case_id = UUID(draft.rsplit("/", 1)[1])
    with world.db.transaction() as tx:
        before = read.show(tx, world.patient, case_id)
    opened: dict[str, dict[str, list[str]]] = {}
    for step in ("question", "patient"):
        url = f"{draft}/{step}"
        opened[step] = fields(patient.get(url).text, url)
        for name, values in opened[step].items():
            if name in story and name not in ("questions", "subjects"):
                assert values[0] == story[name], name
        assert patient.post(url, data=opened[step]).status_code == 303
    assert opened["question"]["subjects"] == ["CT", "other", ""]
    assert opened["question"]["questions"] == ["Is the spot new?", "Do I need a biopsy?", ""]
    assert set(opened["question"]) | set(opened["patient"]) >= set(story)
    with world.db.transaction() as tx:
        after = read.show(tx, world.patient, case_id)
    assert after == before
    # What the form doesn't hold stays; what it holds and is emptied goes.
    assert patient.post(f"{draft}/question", data={"history": ""}).status_code == 303
    assert patient.post(f"{draft}/patient", data={"sex": "F"}).status_code == 303
    with world.db.transaction() as tx:
        kept = read.show(tx, world.patient, case_id)
        assert principals.get(tx, world.patient.id).phone == STORY["phone"]
    assert isinstance(before, PatientCase)
    assert isinstance(kept, PatientCase)
    assert kept == replace(before, history="", edition=kept.edition)
    # A new request offers the number that is known; it can be taken back.
    other = begin(patient, **{name: text for name, text in STORY.items() if name != "phone"})
    assert fields(patient.get(f"{other}/patient").text, f"{other}/patient")["phone"] == [STORY["phone"]]
    assert patient.post(f"{other}/patient", data={"phone": ""}).status_code == 303
    with world.db.transaction() as tx:
        assert principals.get(tx, world.patient.id).phone is None


def test_two_windows_of_one_draft_are_told_of_each_other(world: World, browser: Browser) -> None:
    patient = browser(world, "patient")
    url = f"/cases/{world.draft()}/question"
    here = fields(patient.get(url).text, url)
    there = dict(here)
    assert patient.post(url, data=here | {"symptoms": "From the first window"}).status_code == 303
    lost = patient.post(url, data=there | {"symptoms": "From the second window"})
    assert lost.status_code == 409
    page = unescape(lost.text)
    assert "changed since you opened it" in page
    assert "From the second window" in page, "what was typed is still there"
    assert "Look at what is saved" in page
    assert "From the first window" in patient.get(url).text
    # Now they know: the form that was shown again saves.
    assert patient.post(url, data=fields(lost.text, url)).status_code == 303
    assert "From the second window" in patient.get(url).text


def test_two_windows_of_one_report_are_told_of_each_other(world: World, browser: Browser) -> None:
    case_id = world.in_review()
    specialist = browser(world, "specialist")
    url = f"/reading/{case_id}/report"
    here = fields(specialist.get(url).text, url) | {"step": ["save"]}
    there = dict(here)
    assert specialist.post(url, data=here | {"impression": "First."}).status_code == 303
    lost = specialist.post(url, data=there | {"impression": "Second."})
    assert lost.status_code == 409
    assert "Second." in lost.text
    with world.db.transaction() as tx:
        assert [r.texts["impression"] for r in tx.query(Report).filter_by(case_id=case_id)] == ["First."]
    again = fields(lost.text, url) | {"step": ["save"]}
    assert specialist.post(url, data=again).status_code == 303
    assert fields(specialist.get(url).text, url)["impression"] == ["Second."]


def test_a_place_without_a_rule_is_told_before_it_is_sold(world: World, browser: Browser) -> None:
    assert "We give opinions to people who are in California (USA) or Germany" in browser().get("/").text
    patient = browser(world, "patient")
    url = f"{begin(patient)}/patient"
    for place in ("FR", "XX", "US-ND", "elsewhere", "nonsense"):
        refused = patient.post(url, data=fields(patient.get(url).text, url) | {"place": place})
        assert refused.status_code == 422, place
    # A draft whose place lost its rule meanwhile says so, and sells nothing.
    case_id = world.draft("msk", images_by=ImagesBy.HOSPITAL)
    with world.db.transaction() as tx:
        people.add_rule(tx, world.admin, "US-CA", LicenceRequirement.UNKNOWN, "withdrawn", world.today())
    case = f"/cases/{case_id}"
    assert f'href="{case}/patient"' in patient.get(case).text
    shown = patient.get(f"{case}/patient").text
    assert "Still missing" in shown
    assert "take patients from there" in unescape(shown)
    assert patient.get(f"{case}/consent").headers["location"] == f"{case}/patient"
    assert patient.post(f"{case}/consent", data=AGREED).status_code == 422
    assert patient.post(f"{case}/pay").headers["location"] == f"{case}/patient"


def test_a_newer_text_is_shown_before_it_is_agreed_to(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = browser(world, "patient")
    case = f"/cases/{world.draft('free', images_by=ImagesBy.HOSPITAL)}"
    opened = fields(patient.get(f"{case}/consent").text, f"{case}/consent")
    assert opened["terms"] == ["yes"]
    newer = replace(consents.CURRENT["terms"], version="2")
    monkeypatch.setattr(consents, "CURRENT", {**consents.CURRENT, "terms": newer})
    monkeypatch.setattr("cases.service.intake.CONSENTS", tuple(consents.CURRENT.values()))
    refused = patient.post(f"{case}/consent", data=opened)
    assert refused.status_code == 409
    assert "version 2" in refused.text
    shown = fields(refused.text, f"{case}/consent")
    assert shown["terms-version"] == ["2"]
    assert "terms" not in shown, "it is not ticked for them"
    assert shown["privacy"] == ["yes"]
    # Without a word on which text was shown, nothing is recorded.
    assert patient.post(f"{case}/consent", data=dict.fromkeys(CONSENTS, "yes")).status_code == 409
    assert patient.post(f"{case}/consent", data=shown | {"terms": ["yes"]}).headers["location"] == case


QUESTIONS, BORN, PLACES = (True, False), (True, False), ("US-CA", "FR", "")
IMAGES = ("none", "chosen", "sent", "sent and chosen", "hospital")
AGREEMENTS = ("none", "some", "all")
PAID = ("nothing", "opened", "refused", "saved for a hospital", "held")
EVERY = list(product(QUESTIONS, BORN, PLACES, IMAGES, AGREEMENTS, PAID, (True, False)))


def _pairs(one: tuple[object, ...]) -> set[tuple[int, int, object, object]]:
    return {(i, j, one[i], one[j]) for i in range(len(one)) for j in range(i)}


def _some() -> list[tuple[bool, bool, str, str, str, str, bool]]:
    """Few of the combinations, so that each pair of two values of any two of their parts is among them."""
    left, chosen = set().union(*map(_pairs, EVERY)), []
    while left:
        chosen.append(max(EVERY, key=lambda one: len(_pairs(one) & left)))
        left -= _pairs(chosen[-1])
    return chosen


def test_go_on_leads_from_any_state_of_a_draft_to_its_end(world: World, browser: Browser) -> None:
    """Whatever was done so far, in whatever order: each "Go on" opens a page to fill in, and the last one sends."""
    patient = browser(world, "patient")
    for one in _some():
        case_id = _draft(world, *one)
        walked: list[str] = []
        while world.state(case_id) == "draft":
            assert len(walked) < 7, (one, walked)
            page = patient.get(f"/cases/{case_id}").text
            link = re.search(r'href="([^"]+)">Go on<', page)
            assert link, (one, walked)
            walked.append(link[1].rsplit("/", 1)[1])
            _fill_in(world, patient, case_id, link[1], (one, walked))
        assert world.state(case_id) == "submitted", one


def _draft(world: World, asked: bool, born: bool, place: str, images: str, agreed: str, paid: str, free: bool) -> UUID:
    """A draft in which so much was done."""
    program = "free" if free else "msk"
    case_id = world.draft(program, images_by=ImagesBy.HOSPITAL)
    if paid != "nothing" and not free:
        if paid != "saved for a hospital":
            world.upload(case_id)
            _set(world, case_id, images_by=ImagesBy.UPLOAD)
        with world.db.transaction() as tx:
            url = payments.checkout(
                tx, world.patient, case_id, world.gateway, success_url="https://a/", cancel_url="https://a/"
            )
        assert url
        assert world.sandbox
        if paid == "refused":
            world.sandbox.submit(url, DECLINED)
        elif paid != "opened":
            world.sandbox.pay(url)
    chosen = {"none": None, "sent": None, "hospital": ImagesBy.HOSPITAL}.get(images, ImagesBy.UPLOAD)
    if images.startswith("sent"):
        world.upload(case_id)
    _set(world, case_id, images_by=chosen, place=place, **({} if born else {"birth_date": None}))
    with world.db.transaction() as tx:
        if not asked:
            intake.set_questions(tx, world.patient, case_id, [])
        if agreed != "all":
            given = tx.query(Consent).filter_by(case_id=case_id)
            for row in given if agreed == "none" else given.limit(1):
                tx.delete(row)
    return case_id


def _set(world: World, case_id: UUID, **values: object) -> None:
    with world.db.transaction() as tx:
        case = tx.get_one(Case, case_id)
        for name, value in values.items():
            setattr(case, name, value)


def _fill_in(world: World, patient: TestClient, case_id: UUID, url: str, told: object) -> None:
    """Do what a person does on the page of a step."""
    shown = patient.get(url)
    if shown.status_code == 303:
        # Only the page of the payment may lead on by itself: it has just heard what the provider says.
        assert url.endswith("/payment"), (told, shown.headers["location"])
        return
    assert shown.status_code == 200, told
    step = url.rsplit("/", 1)[1]
    if step == "question":
        answer = patient.post(url, data=fields(shown.text, url) | {"questions": ["Is it new?"]})
    elif step == "patient":
        answer = patient.post(url, data=fields(shown.text, url) | {"place": ["DE"], "birth_date": ["1971-03-09"]})
    elif step == "images":
        world.upload(case_id)
        answer = patient.post(url, data={"images": "uploaded"})
    elif step == "consent":
        answer = patient.post(url, data=fields(shown.text, url) | {name: ["yes"] for name in (*CONSENTS, "charge")})
    else:
        pay = re.search(r'action="([^"]+/pay)"', shown.text)
        if pay is None:
            assert world.state(case_id) == "submitted", told
            return
        answer = patient.post(pay[1])
    assert answer.status_code == 303, (told, re.findall(r'class="alert.*?</div>', answer.text, re.S))
    target = str(answer.headers["location"])
    if target.startswith("http://127.0.0.1"):
        assert world.sandbox
        world.sandbox.pay(target)
        patient.get(f"/cases/{case_id}/payment")


def test_what_is_renewed_or_replaced_is_filled_in_as_it_stands(world: World, browser: Browser) -> None:
    admin = browser(world, "admin")
    with world.db.transaction() as tx:
        people.set_licence(tx, world.admin, world.specialist.id, "US-CA", world.today(), "A-123")
    page = unescape(admin.get("/licences").text)
    links = re.findall(r'href="(/licences\?licence=[0-9a-f-]+)#record"', page)
    (renew,) = (url for url in links if fields(admin.get(url).text, "/licences")["number"] == ["A-123"])
    form = fields(admin.get(renew).text, "/licences")
    assert (form["number"], form["licence_place"], form["specialist"]) == (
        ["A-123"],
        ["US-CA"],
        [str(world.specialist.id)],
    )
    assert admin.post("/licences", data=form | {"expires_on": "2099-01-01"}).status_code == 303
    # A way that says nothing of the number leaves it.
    with world.db.transaction() as tx:
        people.set_licence(tx, world.admin, world.specialist.id, "US-CA", world.today())
        assert [row.number for row in people.licences_of(tx, world.specialist)] == ["A-123"]
    price = fields(admin.get("/prices?kind=written").text, "/prices")
    assert price == {
        "label": ["Written report"],
        "amount": ["350.00"],
        "fee": ["120.00"],
        "kind": ["written"],
        "currency": ["USD"],
    }
