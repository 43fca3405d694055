"""Whoever is refused reads why, on the page where they stand, and none is offered what would be refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cases.service import inboxes, intake, studies
from overread.kit import tokens
from overread.kit.words import counted
from overread.web import render
from pacs.dimse import peers
from tests.cases.world import World, study

Browser = Callable[..., TestClient]
TEMPLATES = Path(render.__file__).parent / "templates"
#: No form in them comes back: signing out stands in the frame of every page; a refused payment has an error page; what
#: was carried through signing in comes back on the page that it belongs to.
NEVER_BACK = {"base.html", "components.html", "patient/payment.html", "public/carried.html", "documents.html"}


@pytest.mark.parametrize(
    "name",
    sorted({str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html")} - NEVER_BACK),
)
def test_each_page_with_a_form_has_a_place_for_a_refusal(name: str) -> None:
    page = (TEMPLATES / name).read_text()
    if 'method="post"' in page or "ui.post_button(" in page:
        # A part of a page lies in a folder of the page's name, and the page has the place.
        whole = (TEMPLATES / name).parent.with_suffix(".html")
        page = whole.read_text() if whole.exists() else page
        assert "ui.error_summary(errors)" in page or re.search(r"errors\.(get\('form'\)|form)", page)


def test_a_peer_that_acts_for_another_role_is_refused_with_the_reason(world: World, browser: Browser) -> None:
    admin = browser(world, "admin")
    typed = {"ae_title": "CITY", "host": "127.0.0.1", "port": "104", "role": "hospital"}
    refused = admin.post("/peers", data={**typed, "owner": str(world.specialist.id)})
    assert refused.status_code in (409, 422)
    assert 'role="alert"' in refused.text
    assert 'value="CITY"' in refused.text
    with world.db.transaction() as tx:
        assert "CITY" not in {peer.ae_title for peer in peers.listed(tx, world.admin)}


def test_a_reference_that_is_refused_stays_in_its_own_field(world: World, browser: Browser) -> None:
    world.settle(world.upload(None, who=world.hospital))
    world.settle(world.upload(None, who=world.hospital, dicom=study()))
    with world.db.transaction() as tx:
        first, second = inboxes.listed(tx, world.coordinator)
    page = browser(world, "coordinator").post(f"/inbox/{second.id}/match", data={"case": "OV-2222-2222"})
    assert f'href="#f-{second.id}"' in page.text
    [field] = re.findall(rf'<input type="text" id="f-{second.id}"[^>]*>', page.text)
    [other] = re.findall(rf'<input type="text" id="f-{first.id}"[^>]*>', page.text)
    assert 'value="OV-2222-2222"' in field
    assert "OV-2222-2222" not in other


def test_what_was_taken_out_of_a_case_is_not_offered_to_it_again(world: World, browser: Browser) -> None:
    case_id, other = world.submitted("free"), world.submitted("free")
    stray = world.upload(None, who=world.hospital)
    world.settle(stray)
    coordinator = browser(world, "coordinator")

    def offered() -> set[str]:
        return set(re.findall(r'name="case" value="(OV-[^"]+)"', coordinator.get("/inbox").text))

    with world.db.transaction() as tx:
        [item] = inboxes.listed(tx, world.coordinator)
        assert inboxes.taken_out(tx, world.coordinator, [item]) == set()
    before = offered()
    assert len(before) == 2
    with world.db.transaction() as tx:
        studies.match_by_hand(tx, world.coordinator, item.id, case_id)
    world.drain()
    with world.db.transaction() as tx:
        studies.reject(tx, world.coordinator, case_id, stray, "Another patient's after all")
        assert item.study is not None
        assert inboxes.taken_out(tx, world.coordinator, [item]) == {(case_id, item.study.pk)}
    assert len(offered()) == 1
    assert offered() < before
    # Whoever types its number means it.
    [number] = before - offered()
    again = coordinator.post(f"/inbox/{item.id}/match", data={"case": number}, follow_redirects=False)
    assert again.headers["location"].startswith(f"/queue/{case_id}")
    assert coordinator.get(f"/queue/{other}").status_code == 200


def test_a_form_after_the_session_is_kept_while_signing_in_elsewhere(world: World, browser: Browser) -> None:
    case_id = world.draft("free")
    client = browser(world, "patient")
    with world.db.transaction() as tx:
        tokens.revoke(tx, client.cookies["overread_session"])
    kept = client.post(f"/cases/{case_id}/messages", data={"text": "A long message"})
    assert kept.status_code == 401
    assert "What you wrote is still here" in kept.text
    assert "A long message" in kept.text
    # A file can't go along: its page says how to keep it.
    file = client.post("/profiles/kept", files={"file": b"x"})
    assert file.status_code in (401, 404, 405)
    assert "bearer token" not in kept.text


def test_more_images_for_a_case_that_was_sent_lead_back_to_it(world: World, browser: Browser) -> None:
    client = browser(world, "patient")
    draft = client.get(f"/cases/{world.draft('free')}/images").text
    assert ">Go on<" in draft
    assert 'value="hospital"' in draft
    sent = client.get(f"/cases/{world.submitted('free')}/images").text
    assert "Send more images" in sent
    assert ">Go on<" not in sent
    assert 'value="hospital"' not in sent
    assert "Back to my case" in sent


@pytest.mark.parametrize(("number", "said"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1234, "1,234 images")])
def test_one_is_singular(number: int, said: str) -> None:
    assert counted(number, "image", "images") == said


def test_what_a_second_tab_sends_too_late_is_answered_in_words(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, case_id, "Since when does it hurt?")
    patient, said = browser(world, "patient"), {"text": "Since Easter"}
    assert patient.post(f"/cases/{case_id}/answer", data=said).is_redirect
    # Its page leads on to the case now; a refusal in its place would be an empty one.
    again = patient.post(f"/cases/{case_id}/answer", data={"text": "Since May"})
    assert (again.status_code, "location" in again.headers) == (409, False)
    assert "This is not possible while the case is" in again.text
    assert "My cases" in again.text
