"""The checklist on the coordinator's page, and where an admin writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from cases.service import kinds
from cases.service.kinds import KindFields
from tests.cases.world import World
from tests.e2e.browser import Album, chromium
from tests.web.test_first_screen import SIZES, signed_in

Browser = Callable[..., TestClient]


def test_an_admin_writes_it_and_a_coordinator_ticks_it(world: World, browser: Browser) -> None:
    case_id = world.released("msk")
    kind = {"name": "Written report", "reading_days": "5", "images": "required", "documents": "optional"}
    form = kind | {"active": "yes", "checklist": "In scope\r\n\r\n<b>Both</b> sides compared"}
    admin = browser(world, "admin")
    assert admin.post("/kinds/msk/report", data=form).is_redirect
    assert "In scope\n&lt;b&gt;Both&lt;/b&gt; sides compared" in admin.get("/kinds/msk/report").text
    long = admin.post("/kinds/msk/report", data=form | {"checklist": "x" * 301})
    assert (long.status_code, "x" * 301 in long.text) == (422, True)
    client, url = browser(world, "coordinator"), f"/queue/{case_id}"
    page = client.get(url).text
    assert "Go through the checklist" in page
    assert client.post(f"{url}/ready").status_code == 422
    assert client.post(f"{url}/checklist", data={"item": "In scope"}).is_redirect
    # A page that was older takes nothing of it back.
    assert client.post(f"{url}/checklist", data={"item": "<b>Both</b> sides compared"}).is_redirect
    assert "Ready: ask a specialist" in client.get(url).text
    assert client.post(f"{url}/checklist", data={"shown": "In scope"}).is_redirect
    assert "Go through the checklist" in client.get(url).text
    assert client.post(f"{url}/checklist", data={"item": "something else"}).status_code == 404
    assert client.post(f"{url}/checklist", data={"item": "In scope"}).is_redirect
    assert client.post(f"{url}/ready").is_redirect


@pytest.mark.browser
def test_the_checklist_in_a_browser(world: World, served: str, tmp_path: Path) -> None:
    case_id, album = world.released("msk"), Album(tmp_path)
    with world.db.transaction() as tx:
        items = ("The question is in the program’s scope", "Both sides are there to be compared")
        kinds.change(tx, world.admin, "msk", "report", KindFields("Written report", checklist=items))
    with chromium() as chrome:
        page = signed_in(world, chrome, served, "coordinator")
        page.goto(f"{served}/queue/{case_id}")
        page.get_by_role("link", name="Go to the checklist").click()
        page.get_by_label(items[0]).check()
        page.get_by_role("button", name="Save the checklist").click()
        expect(page.get_by_label(items[0])).to_be_checked()
        album.keep(page, "checklist", sizes=SIZES)
        page = signed_in(world, chrome, served, "admin")
        page.goto(f"{served}/kinds/msk/report#f-checklist")
        album.keep(page, "kind-checklist", sizes=SIZES)
