"""The coordinators' own on their pages: owner, notes, tags, what is new, filters that stay, and keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from cases.models import Case
from cases.service import assignment, desk, intake
from overread.kit import principals
from overread.kit.principals import Role
from tests.cases.world import World
from tests.e2e.browser import Album, chromium
from tests.web.test_first_screen import SIZES, signed_in

Browser = Callable[..., TestClient]


def following(browser: Browser, world: World, key: str = "coordinator") -> TestClient:
    """A browser that goes where it is sent."""
    client = browser(world, key)
    client.follow_redirects = True
    return client


def said(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


@pytest.fixture
def anna(world: World) -> UUID:
    with world.db.transaction() as tx:
        return principals.create(tx, role=Role.COORDINATOR, name="Anna Berg", email="anna@example.org").id


def test_a_case_is_taken_and_given_on_its_page(world: World, browser: Browser, anna: UUID) -> None:
    case_id = world.submitted("free")
    client, url = following(browser, world), f"/queue/{case_id}"
    assert "Nobody looks after this case." in said(client.get(url).text)
    me = str(world.coordinator.id)
    taken = client.post(f"{url}/owner", data={"owner": me, "instead_of": "nobody"})
    assert "You look after this case." in said(taken.text)
    given = client.post(f"{url}/owner", data={"owner": str(anna), "instead_of": me})
    assert "Anna Berg looks after this case." in said(given.text)
    stale = client.post(f"{url}/owner", data={"owner": "nobody", "instead_of": me})
    assert stale.status_code == 409
    assert "Anna Berg looks after this case by now." in said(stale.text)
    for bad in ({"owner": "", "instead_of": me}, {"owner": me}, {"owner": "x", "instead_of": "nobody"}):
        assert client.post(f"{url}/owner", data=bad).status_code == 422
    assert "Anna Berg" in client.get("/queue").text


def test_notes_and_tags_on_the_page(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    client, url = following(browser, world), f"/queue/{case_id}"
    assert (
        "Call the &lt;daughter&gt;" in client.post(f"{url}/notes", data={"internal_note": "Call the <daughter>"}).text
    )
    empty = client.post(f"{url}/notes", data={"internal_note": " "})
    assert (empty.status_code, "Please write the note." in empty.text) == (422, True)
    tagged = client.post(f"{url}/tags", data={"tags": "second look, urgent"})
    assert '<span class="tag">second look</span>' in tagged.text
    long = client.post(f"{url}/tags", data={"tags": "x" * 31})
    assert long.status_code == 422
    assert 'value="' + "x" * 31 in long.text
    queue = client.get("/queue").text
    assert '<span class="tag">urgent</span>' in queue
    assert str(case_id) in client.get("/queue?filter=open&tag=urgent").text
    assert str(case_id) not in client.get("/queue?filter=open&tag=other").text
    # The patient's page has none of it.
    theirs = browser(world, "patient").get(f"/cases/{case_id}").text
    assert "daughter" not in theirs
    assert "urgent" not in theirs


def test_what_is_new_is_marked_until_the_case_is_opened(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    client, mark = following(browser, world), '<span class="new">New</span>'
    assert mark in client.get("/queue").text
    client.get(f"/queue/{case_id}")
    assert mark not in client.get("/queue").text
    assert str(case_id) not in client.get("/queue?filter=open&unread=yes").text
    with world.db.transaction() as tx:
        intake.write_note(tx, world.patient, case_id, "Is it here?")
    assert str(case_id) in client.get("/queue?filter=open&unread=yes").text
    client.get(f"/queue/{case_id}")
    back = client.post(f"/queue/{case_id}/unread")
    assert "The case is marked as new again." in back.text
    assert mark in back.text


def test_filters_stay_in_the_address_and_for_the_next_time(world: World, browser: Browser) -> None:
    mine, other = world.submitted("free"), world.submitted("free")
    with world.db.transaction() as tx:
        desk.give(tx, world.coordinator, mine, world.coordinator.id)
    client = following(browser, world)
    page = client.get("/queue?filter=ours&whose=mine").text
    assert str(mine) in page
    assert str(other) not in page
    assert 'href="/queue?filter=late&amp;whose=mine"' in page
    again = client.get("/queue")
    assert again.url.query == b"filter=ours&whose=mine"
    assert str(other) not in again.text
    with world.db.transaction() as tx:
        number = tx.get_one(Case, other).reference
    # A search finds the case wherever it stands, and changes nothing of it.
    assert str(other) in client.get(f"/queue?q={number}").text
    assert client.get("/queue").url.query == b"filter=ours&whose=mine"
    everything = client.get("/queue?filter=open").text
    assert str(mine) in everything
    assert str(other) in everything
    assert client.get("/queue").url.query == b""
    unknown = client.get("/queue?filter=nonsense&whose=x&tag=%00&unread=maybe")
    assert unknown.status_code == 200
    assert str(other) in unknown.text


def test_a_specialist_s_reason_for_no_stands_on_the_page(world: World, browser: Browser) -> None:
    case_id = world.offered()
    with world.db.transaction() as tx:
        assignment.refuse(tx, world.specialist, case_id, "On leave until Monday")
    assert "On leave until Monday" in following(browser, world).get(f"/queue/{case_id}").text


@pytest.mark.browser
def test_the_queue_is_worked_by_keys(world: World, served: str, tmp_path: Path, anna: UUID) -> None:
    made = [world.submitted("free") for _ in range(3)]
    with world.db.transaction() as tx:
        desk.give(tx, world.coordinator, made[0], anna)
        desk.set_tags(tx, world.coordinator, made[1], ["second look", "urgent"])
        desk.write(tx, world.coordinator, made[1], "The daughter calls back on Thursday.")
    album = Album(tmp_path)
    with chromium() as chrome:
        page = signed_in(world, chrome, served, "coordinator")
        page.goto(f"{served}/queue")
        album.keep(page, "queue", sizes=SIZES)
        links = page.locator("tbody tr a")
        page.keyboard.press("j")
        expect(links.nth(0)).to_be_focused()
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("j")
        expect(links.nth(2)).to_be_focused()
        page.keyboard.press("k")
        expect(links.nth(1)).to_be_focused()
        page.keyboard.press("/")
        expect(page.get_by_role("searchbox")).to_be_focused()
        page.keyboard.type("j?k/")
        expect(page.get_by_role("searchbox")).to_have_value("j?k/")
        expect(page.get_by_role("dialog")).to_be_hidden()
        page.get_by_role("heading", name="Queue").click()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys of this list")).to_be_visible()
        album.keep(page, "queue-keys", sizes=SIZES)
        page.get_by_label("Turn j, k and / off on this device").check()
        page.get_by_role("button", name="Close").click()
        page.get_by_role("heading", name="Queue").click()
        page.keyboard.press("j")
        expect(page.locator("tbody tr a:focus")).to_have_count(0)
        page.get_by_role("button", name="Keys of this list").click()
        page.get_by_label("Turn j, k and / off on this device").uncheck()
        page.keyboard.press("Escape")
        page.get_by_role("heading", name="Queue").click()
        page.keyboard.press("j")
        address = links.nth(0).get_attribute("href")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{served}{address}")
        page.goto(f"{served}/queue/{made[1]}")
        page.locator("#desk summary").first.click()
        album.keep(page, "case-desk", sizes=SIZES)
