"""The questions before an account, by plain forms: whom we can help, why not, and an address to hear when that "
"changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from sqlalchemy import select
from starlette.testclient import TestClient

from cases.models import PlaceWish
from cases.service import eligibility, people
from cases.states import LicenceRequirement
from tests.cases.world import World
from tests.web.filled import fields
from tests.web.mailbox import Mailbox

Browser = Callable[..., TestClient]
ASKED = {"program": "msk", "subject": "CT", "emergency": "no"}


def test_a_visitor_is_told_before_typing_anything(world: World, browser: Browser) -> None:
    visitor = browser()
    assert 'href="/eligibility"' in visitor.get("/").text
    page = visitor.get("/eligibility").text
    assert "We give opinions to people who are in California (USA) or Germany" in page
    assert '<optgroup label="Countries">' in page
    assert '<optgroup label="States of the USA">' in page
    assert 'type="text"' not in page
    found = visitor.get("/eligibility", params={**ASKED, "place": "US-CA"})
    assert "Yes, we can help you" in found.text
    start = re.search(r'href="(/start\?[^"]+)"', found.text)
    assert start
    asked = visitor.get(unescape(start[1]))
    assert asked.status_code == 303
    assert "sign-in" in asked.headers["location"]
    patient = browser(world, "patient")
    filled = patient.get(unescape(start[1])).text
    assert re.search(r'name="opinion" value="msk/report"[^>]* checked', filled)
    case = patient.post("/start", data=fields(filled, "/start")).headers["location"].rsplit("/", 1)[0]
    assert re.search(r'name="subjects" value="CT"[^>]* checked', patient.get(f"{case}/question").text)
    assert re.search(r'value="US-CA" selected', patient.get(f"{case}/patient").text)
    assert 'href="/start"' in patient.get("/").text


def test_what_is_not_answered_is_asked_for(browser: Browser) -> None:
    page = browser().get("/eligibility", params={"program": "none", "subject": "the knee", "place": "Mars"}).text
    for sentence in (
        "Please choose an opinion.",
        "Please choose what it is about.",
        "Please say where the patient is now.",
        "Please say whether it is an emergency.",
    ):
        assert sentence in page
    assert "Yes, we can help" not in page


def test_an_emergency_is_no_case_and_waits_for_nothing(browser: Browser) -> None:
    page = browser().get("/eligibility", params={**ASKED, "place": "FR", "emergency": "yes"}).text
    assert "call your local emergency number" in page
    assert "Tell me" not in page
    alone = browser().get("/eligibility", params={"emergency": "yes"}).text
    assert "Call your local emergency number now" in alone
    assert "Please choose what it is about." in alone


def test_an_address_is_left_once_and_told_once(world: World, browser: Browser) -> None:
    visitor = browser()
    page = visitor.get("/eligibility", params={**ASKED, "place": "FR"}).text
    assert "This program can&#39;t take patients from there." in page
    action = re.search(r'<form method="post" action="([^"]+)"', page)
    assert action
    url = unescape(action[1])
    refused = visitor.post(url, data={"email": "no address"})
    assert (refused.status_code, "Please give an e-mail address" in refused.text) == (422, True)
    for _ in range(2):
        kept = visitor.post(url, data={"email": "jo@example.org"})
        assert (kept.status_code, kept.headers["location"]) == (303, "/eligibility?done=waiting")
    assert "You get one mail when we can help" in visitor.get("/eligibility?done=waiting").text
    foreign = visitor.post(url, data={"email": "jo@example.org"}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    with world.db.transaction() as tx:
        assert [one.email for one in tx.scalars(select(PlaceWish))] == ["jo@example.org"]
        people.add_rule(tx, world.admin, "FR", LicenceRequirement.DIRECT, "a decree", world.today())
        assert eligibility.tell(tx) == 1
    [mail] = Mailbox(world).texts("jo@example.org")
    assert "/eligibility" in mail


def test_nobody_is_asked_to_flood_a_mailbox(browser: Browser) -> None:
    visitor = browser()
    statuses = [
        visitor.post("/eligibility?program=msk&place=FR", data={"email": "jo@example.org"}).status_code
        for _ in range(5)
    ]
    assert statuses == [303, 303, 303, 429, 429]


def test_an_admin_says_what_opinions_are_given_about(world: World, browser: Browser) -> None:
    admin, visitor = browser(world, "admin"), browser()
    scope = {"program": "msk", "subjects": ["MRI", "CT"], "unsuited": "Not for the pictures of a dentist."}
    assert browser(world, "coordinator").post("/prices/scope", data=scope).status_code == 403
    assert admin.post("/prices/scope", data={**scope, "subjects": ["the knee"]}).status_code == 422
    assert "choose at least one" in admin.post("/prices/scope", data={"program": "msk"}).text
    assert admin.post("/prices/scope", data=scope).status_code == 303
    assert re.search(r'value="mammogram"><span>', admin.get("/prices").text)
    page = visitor.get("/eligibility?program=msk").text
    assert "Not for the pictures of a dentist." in page
    assert re.findall(r'name="subject" value="([^"]+)"', page) == ["MRI", "CT"]
    found = visitor.get("/eligibility", params={**ASKED, "subject": "PET", "place": "US-CA"}).text
    assert "This program gives no opinions about that." in found


def test_an_admin_verifies_licences_and_says_who_reads(world: World, browser: Browser) -> None:
    specialist, admin = browser(world, "specialist"), browser(world, "admin")
    entered = {
        "specialist": str(world.specialist.id),
        "licence_place": "US-TX",
        "number": "TX 1",
        "expires_on": "2099-01-01",
    }
    assert specialist.post("/licences", data=entered).status_code == 303
    seen = specialist.get("/licences").text
    assert "Not verified yet" in seen
    assert "/verify" not in seen
    page = admin.get("/licences").text
    [verify] = re.findall(r'action="(/licences/[\w-]+/verify)"', page)
    assert specialist.post(verify).status_code == 403
    assert admin.post(verify).headers["location"] == "/licences?done=verified"
    assert "Not verified yet" not in admin.get("/licences").text
    taken = {"program": "msk", "specialist": str(world.specialist.id), "reads": "no"}
    assert specialist.post("/licences/readers", data=taken).status_code == 403
    assert "Take out" in page
    assert admin.post("/licences/readers", data=taken).status_code == 303
    assert "Let read" in admin.get("/licences").text
