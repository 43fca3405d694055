"""A list of things that a patient is asked for, on the pages of both sides."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from cases.service import asked, intake
from cases.service.asked import Wanted
from cases.states import AskedKind
from cases.views import AskedView
from tests.cases.world import World
from tests.e2e.browser import Album, chromium
from tests.fakes import papers
from tests.web.test_first_screen import SIZES, signed_in

Browser = Callable[..., TestClient]


def listed(world: World, case_id: UUID) -> AskedView:
    with world.db.transaction() as tx:
        return asked.listed(tx, world.patient, case_id)


def test_a_coordinator_asks_item_by_item_and_the_patient_goes_through_them(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    coordinator, patient = browser(world, "coordinator"), browser(world, "patient")
    wanted = {
        "item_kind_1": "question",
        "item_text_1": "Since when does it hurt?",
        "item_kind_2": "document",
        "item_text_2": "The first report",
    }
    long = coordinator.post(f"/queue/{case_id}/info", data=wanted | {"item_text_3": "x" * 401, "item_kind_3": "study"})
    assert long.status_code == 422
    assert "Since when does it hurt?" in long.text, "nothing typed is lost"
    assert coordinator.post(f"/queue/{case_id}/info", data={"text": ""}).status_code == 422
    assert coordinator.post(f"/queue/{case_id}/info", data=wanted).is_redirect
    [first, second] = listed(world, case_id).items
    url = f"/cases/{case_id}/answer"
    page = patient.get(url).text
    assert "2. The first report" in page
    edition = listed(world, case_id).edition
    half = {"edition": edition, f"answer_{first.item_id}": "Since Easter", f"answer_{second.item_id}": ""}
    assert patient.post(url, data=half | {"go": "later"}).headers["location"] == f"/cases/{case_id}?done=kept"
    assert "Since Easter" in patient.get(url).text
    half["edition"] = listed(world, case_id).edition
    refused = patient.post(url, data=half | {"go": "send"})
    assert refused.status_code == 422
    assert "Point 2: please answer it" in unescape(refused.text)
    stale = patient.post(url, data=half | {"edition": edition, f"answer_{first.item_id}": "Since May", "go": "send"})
    assert stale.status_code == 409
    assert "Since May" in stale.text
    there = patient.post(url, data=half | {"go": str(second.item_id)}).headers["location"]
    assert there == f"{url}/{second.item_id}/document"
    assert "The first report" in patient.get(there).text
    assert patient.post(there, data={"kind": "first_report"}).status_code == 422
    assert patient.post(there, data={"kind": "first_report"}, files={"documents": ("a.pdf", b"no")}).status_code == 422
    sent = patient.post(there, data={"kind": "first_report"}, files={"documents": ("a.pdf", papers.pdf("One"))})
    assert sent.headers["location"] == f"{url}?done=asked-document"
    assert "First report: a.pdf" in patient.get(url).text
    assert "First report: a.pdf" in coordinator.get(f"/queue/{case_id}").text
    assert patient.post(url, data=half | {"go": "send"}).headers["location"] == f"/cases/{case_id}?done=answered"
    # Sent already: the page says what is now, and nothing happens twice.
    assert patient.get(url).headers["location"] == f"/cases/{case_id}"
    assert patient.get(there).headers["location"] == f"/cases/{case_id}"
    assert patient.post(url, data=half | {"go": "send", "text": "again"}).status_code in (303, 409)
    assert browser(world, "other_patient").get(url).status_code == 404


def test_what_is_typed_is_kept_by_the_script(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, case_id, "", [Wanted(AskedKind.STUDY, "The MRI of last year")])
    [item] = listed(world, case_id).items
    said = {f"answer_{item.item_id}": "Lost", f"missing_{item.item_id}": "yes"}
    kept = browser(world, "patient").post(f"/cases/{case_id}/answer/keep", data=said)
    assert kept.json() == {"edition": listed(world, case_id).edition, "refused": {}}
    assert [(one.answer, one.missing) for one in listed(world, case_id).items] == [("Lost", True)]


@pytest.mark.browser
def test_the_list_is_gone_through_in_a_browser(world: World, served: str, tmp_path: Path) -> None:
    case_id, album = world.submitted("free"), Album(tmp_path)
    with chromium() as chrome:
        page = signed_in(world, chrome, served, "coordinator")
        page.goto(f"{served}/queue/{case_id}#f-info")
        page.get_by_label("Item 1").select_option("question")
        page.get_by_label("What, in words").nth(0).fill("Since when does your knee hurt, and after what?")
        page.get_by_label("Item 2").select_option("document")
        page.get_by_label("What, in words").nth(1).fill("The first report")
        page.get_by_label("Item 3").select_option("study")
        page.get_by_label("What, in words").nth(2).fill("The MRI of last year")
        album.keep(page, "ask-items", sizes=SIZES)
        page.get_by_role("button", name="Ask", exact=True).click()
        page = signed_in(world, chrome, served, "patient")
        page.goto(f"{served}/cases/{case_id}")
        page.get_by_role("link", name="Answer", exact=True).click()
        page.get_by_label("Your answer").fill("Since Easter")
        expect(page.locator("[data-kept]")).to_contain_text("Saved at")
        album.keep(page, "items", sizes=SIZES)
        page.get_by_role("button", name="Add the document").click()
        album.keep(page, "item-document", sizes=SIZES)
        page.get_by_label("Files or photos").set_input_files(
            {"name": "report.pdf", "mimeType": "application/pdf", "buffer": papers.pdf("One")}
        )
        page.get_by_role("button", name="Add them").click()
        expect(page.get_by_text("First report: report.pdf")).to_be_visible()
        expect(page.get_by_label("Your answer")).to_have_value("Since Easter")
        page.get_by_role("button", name="Send my answers").last.click()
        expect(page.get_by_role("alert")).to_contain_text("Point 3: please answer it")
        album.keep(page, "items-open", sizes=SIZES)
        page.get_by_label("I don’t have it, and can’t get it").last.check()
        page.get_by_role("button", name="Send my answers").last.click()
        page.wait_for_url(f"{served}/cases/{case_id}?done=answered")
        page = signed_in(world, chrome, served, "coordinator")
        page.goto(f"{served}/queue/{case_id}#asked")
        expect(page.locator("#asked")).to_contain_text("Doesn’t have it")
        album.keep(page, "items-answered", sizes=SIZES)
