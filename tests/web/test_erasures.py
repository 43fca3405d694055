"""The pages of erasure: a patient asks, an admin begins, a coordinator carries it out; looked at as pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from overread.kit import http, tokens
from tests.cases.world import World
from tests.e2e.browser import Album, chromium

Browser = Callable[..., TestClient]


def test_from_the_wish_to_the_tombstone(world: World, browser: Browser) -> None:
    case_id = world.published("free")
    patient, coordinator = browser(world, "patient"), browser(world, "coordinator")
    admin, auditor = browser(world, "admin"), browser(world, "auditor")
    page = f"/erasures/{case_id}"
    assert f"/cases/{case_id}/erase" in patient.get(f"/cases/{case_id}").text
    assert "can bring it back" in patient.get(f"/cases/{case_id}/erase").text
    assert patient.post(f"/cases/{case_id}/erase", data={"reason": "Please"}).status_code == 303
    assert page in admin.get("/erasures").text
    shown = admin.get(page).text
    assert "1 original image in 1 study" in shown
    assert "1 report and 0 messages" in shown
    assert "An admin has to begin" in coordinator.get(page).text
    # A hold stops both.
    assert auditor.post(f"{page}/hold", data={"reason": ""}).status_code == 422
    assert auditor.post(f"{page}/hold", data={"reason": "A lawsuit"}).status_code == 303
    held = admin.get(page).text
    assert "A lawsuit" in held
    assert f"{page}/begin" not in held
    assert admin.post(f"{page}/begin").status_code == 409
    assert admin.post(f"{page}/lift").status_code == 303
    assert admin.post(f"{page}/begin").status_code == 303
    assert "You began this" in admin.get(page).text
    assert admin.post(f"{page}/carry-out", data={"word": "erase"}).status_code == 422
    refused = coordinator.post(f"{page}/carry-out", data={"word": "no"})
    assert (refused.status_code, "Please type" in refused.text) == (422, True)
    assert world.state(case_id) == "published"
    assert coordinator.post(f"{page}/carry-out", data={"word": "Erase"}).status_code == 303
    assert world.state(case_id) == "erased"
    assert "What stays is the reference number" in coordinator.get(page).text
    assert patient.get(f"/cases/{case_id}").status_code == 404
    assert coordinator.get(f"/queue/{case_id}").status_code == 200
    assert coordinator.get("/queue?show=ended").status_code == 200


def test_a_coordinator_records_the_patients_wish(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    coordinator = browser(world, "coordinator")
    assert f"/erasures/{case_id}" in coordinator.get(f"/queue/{case_id}").text
    assert "Nobody has asked" in coordinator.get(f"/erasures/{case_id}").text
    assert coordinator.post(f"/erasures/{case_id}/ask", data={"reason": "By letter"}).status_code == 303
    assert "By letter" in coordinator.get(f"/erasures/{case_id}").text


@pytest.mark.browser
def test_the_pages_fit_a_phone_and_a_desk(world: World, browser: Browser, served: str, tmp_path: Path) -> None:
    case_id: UUID = world.published("free")
    album = Album(tmp_path)
    page_of = f"/erasures/{case_id}"
    with chromium() as chrome:

        def look(key: str, path: str, name: str) -> None:
            with world.db.transaction() as tx:
                token = tokens.issue(tx, world.who[key].id, tokens.SESSION, lasts=tokens.SESSION_LENGTH)
            context = chrome.new_context()
            context.add_cookies([{"name": http.SESSION_COOKIE, "value": token, "url": served}])
            page = context.new_page()
            answer = page.goto(served + path)
            assert answer is not None
            assert answer.status == 200
            album.keep(page, name)
            context.close()

        look("patient", f"/cases/{case_id}/erase", "erase-patient")
        browser(world, "patient").post(f"/cases/{case_id}/erase", data={"reason": "I moved away."})
        look("admin", page_of, "erase-admin")
        browser(world, "auditor").post(f"{page_of}/hold", data={"reason": "A lawsuit runs."})
        look("auditor", page_of, "erase-held")
        browser(world, "auditor").post(f"{page_of}/lift")
        browser(world, "admin").post(f"{page_of}/begin")
        look("coordinator", page_of, "erase-second")
        look("coordinator", "/erasures", "erase-list")
        browser(world, "coordinator").post(f"{page_of}/carry-out", data={"word": "erase"})
        look("admin", page_of, "erase-done")
    assert len(list(album.folder.glob("*-erase-*.png"))) == 12
