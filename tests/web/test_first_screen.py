"""The coordinator's case page in every state: what comes next stands in the first screen, at a desk and on a phone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from cases.models import Case
from cases.service import assignment, deadlines, intake, reporting
from overread.kit import clock, http, tokens
from tests.cases.world import World, study
from tests.e2e.browser import Album, chromium

SIZES = ({"width": 1280, "height": 800}, {"width": 390, "height": 844})


def cases(world: World) -> dict[str, tuple[UUID, str]]:
    """A case in each state, and what comes next in it."""
    who = world.coordinator
    made = {
        "images-to-come": (world.draft("free"), "Wait for the images"),
        "checking": (world.submitted("msk"), "Check the studies"),
        "mismatch": (world.submitted("free"), "Decide whose images these are"),
        "asked": (world.submitted("free"), "Wait for the patient’s answer"),
        "checked": (world.released(), "Have a specialist asked"),
        "ready": (world.ready(), "Offer it to a specialist"),
        "offered": (world.offered(), "Wait for the specialist’s yes"),
        "reading": (world.in_review(), "Wait for the report"),
        "late": (world.in_review(), "Promise broken: tell the patient"),
        "stands": (world.in_review(), "The clock stands still"),
        "signed": (world.signed(), "Check the report and publish it"),
        "followed-up": (world.published(), "Wait for the specialist’s answer"),
        "published": (world.published(), "Close it when nothing more is asked"),
        "recalled": (world.recalled(), "Give the patient a report again"),
        "closed": (world.published(), "Nothing more to do"),
        "declined": (world.submitted("free"), "Nothing more to do"),
        "withdrawn": (world.submitted("free"), "Nothing more to do"),
    }
    mismatch = made["mismatch"][0]
    world.settle(world.upload(mismatch, dicom=study(name="DOE^JOHN", born="19500101")))
    with world.db.transaction() as tx:
        intake.ask_info(tx, who, made["asked"][0], "Which knee is it, and since when does it hurt? " * 30)
        deadlines.pause(tx, who, made["stands"][0], "The hospital’s archive is being mended until Thursday. " * 20)
        intake.follow_up(tx, world.patient, made["followed-up"][0], "Do I need surgery?")
        reporting.close(tx, who, made["closed"][0])
        assignment.decline(tx, who, made["declined"][0], "The images are of another part of the body.")
        intake.withdraw(tx, world.patient, made["withdrawn"][0])
        tx.execute(update(Case).where(Case.id == made["late"][0]).values(due_at=clock.now() - timedelta(hours=3)))
        # As it is while a hospital's images are to come.
        tx.execute(
            update(Case).where(Case.id == made["images-to-come"][0]).values(state="submitted", images_by="hospital")
        )
    return made


def _within(page: Page, size: dict[str, int]) -> None:
    """What comes next, its reason and its action lie in the first screen; so do patient, due time and money."""
    first = page.locator("#next")
    for part in (first.locator("h2"), first.locator("p").first, first.locator(".actions .button").first):
        box = part.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= size["height"], (page.url, size, part)
    glance = page.locator(".glance").bounding_box()
    assert glance is not None
    assert glance["y"] + glance["height"] <= size["height"]


def signed_in(world: World, browser: Browser, served: str, key: str) -> Page:
    with world.db.transaction() as tx:
        token = tokens.issue(tx, world.who[key].id, tokens.SESSION, lasts=tokens.SESSION_LENGTH)
    context = browser.new_context(timezone_id="Europe/Berlin")
    context.add_cookies([{"name": http.SESSION_COOKIE, "value": token, "url": served}])
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"script error on {page.url}: {error}"))
    # The first page tells the zone; from the second on times are written in it.
    page.goto(f"{served}/account")
    return page


@pytest.mark.browser
def test_the_next_step_stands_in_the_first_screen(world: World, served: str, tmp_path: Path) -> None:
    made, album = cases(world), Album(tmp_path)
    with chromium() as chrome:
        page = signed_in(world, chrome, served, "coordinator")
        for name, (case_id, title) in made.items():
            for size in SIZES:
                page.set_viewport_size(size)  # type: ignore[arg-type]  # a dict of numbers
                page.goto(f"{served}/queue/{case_id}")
                expect(page.locator("#next h2")).to_contain_text(title)
                _within(page, size)
                page.screenshot(path=album.folder / f"first-{name}-{size['width']}.png")
            # The log is there, folded away.
            expect(page.locator("#trail table")).to_be_hidden()
            page.locator("#trail summary").click()
            expect(page.locator("#trail table")).to_be_visible()
            album.keep(page, f"case-{name}", sizes=SIZES)
        page.goto(f"{served}/queue/{made['late'][0]}")
        expect(page.locator(".glance time").last).to_contain_text("CE")
        page.get_by_role("link", name="Give a new time").click()
        expect(page.get_by_label("The patient hears by")).to_be_focused()
        album.keep(page, "clock", sizes=SIZES)
        page.goto(f"{served}/due")
        expect(page.locator("#overdue")).to_contain_text("With the specialist")
        album.keep(page, "due", sizes=SIZES)
        page = signed_in(world, chrome, served, "patient")
        for name in ("late", "stands"):
            page.goto(f"{served}/cases/{made[name][0]}")
            album.keep(page, f"patient-{name}", sizes=SIZES)
        page = signed_in(world, chrome, served, "admin")
        for path in ("hours", "hours/free", "account/zone"):
            page.goto(f"{served}/{path}")
            album.keep(page, path.replace("/", "-"), sizes=SIZES)
