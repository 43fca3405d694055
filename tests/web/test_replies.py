"""The page of saved replies, and inserting one in a case."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from cases.service import replies
from tests.cases.world import World
from tests.e2e.browser import Album, chromium
from tests.web.test_first_screen import SIZES, signed_in

Browser = Callable[..., TestClient]


def test_replies_are_written_on_their_page(world: World, browser: Browser) -> None:
    client = browser(world, "coordinator")
    assert "None yet." in client.get("/replies").text
    assert client.post("/replies/free", data={"name": "Thanks", "text": "Thank <you>."}).is_redirect
    page = client.get("/replies").text
    assert "Thank &lt;you&gt;." in page
    taken = client.post("/replies/free", data={"name": "Thanks", "text": "Other words"})
    assert taken.status_code == 422
    assert "Other words" in taken.text, "nothing typed is lost"
    found = re.search(r'action="(/replies/free/[0-9a-f-]{36})"', page)
    stands = re.search(r'name="instead_of" value="([^"]+)"', page)
    assert found
    assert stands
    form = {"name": "Thanks", "text": "Thank you.", "instead_of": unescape(stands[1])}
    assert client.post(found[1], data=form).is_redirect
    stale = client.post(found[1], data=form | {"text": "Words of another window"})
    assert stale.status_code == 409
    assert "Words of another window" in stale.text
    assert client.post(found[1], data={"name": "Thanks", "text": "x"}).status_code == 422
    assert client.post(f"{found[1]}/delete").is_redirect
    assert client.post(f"{found[1]}/delete").status_code == 404
    assert browser(world, "specialist").get("/replies").status_code == 403


@pytest.mark.browser
def test_a_reply_is_inserted_in_a_message(world: World, served: str, tmp_path: Path) -> None:
    case_id, album = world.submitted("free"), Album(tmp_path)
    with world.db.transaction() as tx:
        replies.add(tx, world.coordinator, "free", "Thanks", "Thank you for your message.")
    with chromium() as chrome:
        page = signed_in(world, chrome, served, "coordinator")
        page.goto(f"{served}/queue/{case_id}#f-message")
        page.locator("#f-message").fill("Dear Ms Oyelaran, ")
        page.get_by_label("Insert a saved reply").first.select_option("Thanks")
        expect(page.locator("#f-message")).to_have_value("Dear Ms Oyelaran, Thank you for your message.")
        album.keep(page, "insert-reply", sizes=SIZES)
        page.goto(f"{served}/replies")
        page.locator("summary", has_text="Thanks").click()
        album.keep(page, "replies", sizes=SIZES)
