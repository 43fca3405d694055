"""A report sent back, published, corrected by an addendum and a recall: on the running demo, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect

from overread.demo.people import PASSWORD
from tests.e2e.browser import Album, press, sign_in
from tests.e2e.test_story import ask, pay, release, send_as_hospital, write_report
from tests.live.server import Server

pytestmark = pytest.mark.browser


def test_a_report_is_sent_back_published_added_to_recalled_and_corrected(
    demo: Server, browser: Browser, album: Album
) -> None:
    patient = sign_in(browser, demo, "maria@example.org")
    case_url, reference = ask(patient, demo, album)
    pay(patient, album)
    case_id = UUID(case_url.rstrip("/").rsplit("/", 1)[1])
    send_as_hospital(demo, reference)
    coordinator = sign_in(browser, demo, "coordinator@example.org")
    release(coordinator, demo, case_id, album)
    specialist = sign_in(browser, demo, "specialist@example.org")
    queue, reading = f"{demo.url}/queue/{case_id}", f"{demo.url}/reading/{case_id}"

    specialist.goto(f"{demo.url}/signature")
    specialist.get_by_label("Qualification").fill("Consultant neuroradiologist, FRCR")
    album.keep(specialist, "signature")
    press(specialist, "Save")
    specialist.goto(f"{demo.url}/offers/{case_id}")
    press(specialist, "Accept this case")
    write_report(specialist, demo, case_id, album)

    # Sent back with a reason, which the specialist reads above the text that is there already.
    coordinator.goto(queue)
    opened(coordinator, "Send it back to the specialist")
    coordinator.get_by_label("Why, for the specialist").fill("Which side? The second question asks for it.")
    album.keep(coordinator, "to-publish")
    press(coordinator, "Send it back")
    specialist.goto(f"{reading}/report")
    expect(specialist.get_by_text("Which side?")).to_be_visible()
    expect(specialist.get_by_label("Impression")).to_have_value(re.compile("Cavernoma"))
    album.keep(specialist, "sent-back")
    specialist.get_by_label("Impression").fill("Cavernoma of the LEFT frontal lobe, 2.1 cm, Zabramski type II.")
    sign(specialist)
    coordinator.goto(queue)
    press(coordinator, "Publish to the patient")
    album.keep(coordinator, "published")
    patient.goto(f"{case_url}/report")
    expect(patient.get_by_text("Consultant neuroradiologist, FRCR").first).to_be_visible()

    # The coordinator asks for an addition; the patient reads on meanwhile.
    coordinator.goto(queue)
    opened(coordinator, "Ask the specialist for a correction or an addition")
    coordinator.get_by_label("What is to be changed").fill("Older images have come: are they the same?")
    press(coordinator, "Ask")
    specialist.goto(reading)
    expect(specialist.get_by_text("Older images have come")).to_be_visible()
    album.keep(specialist, "asked")
    press(specialist, "Add to the report")
    specialist.get_by_label("What is changed or added").fill("Older images came after the report.")
    specialist.get_by_label("Addition").fill("The images of last year show the same finding, of the same size.")
    album.keep(specialist, "addition")
    sign(specialist, album)
    coordinator.goto(queue)
    press(coordinator, "Publish to the patient")
    patient.goto(f"{case_url}/report")
    expect(patient.get_by_text("The images of last year").first).to_be_visible()
    album.keep(patient, "report-with-addition")

    # Recalled: at once the page says so, and is no error; nothing of it can be got.
    pdf = f"{case_url}/reports/2.pdf"
    assert patient.request.get(pdf).status == 200
    coordinator.goto(queue)
    opened(coordinator, "Recall version 2")
    coordinator.locator("#f-recall-2").fill("The size is that of another finding.")
    album.keep(coordinator, "recall")
    coordinator.locator("details[open]").get_by_role("button", name="Recall it").click()
    expect(coordinator.get_by_text("Who has opened it").first).to_be_visible()
    album.keep(coordinator, "recalled")
    answer = patient.goto(f"{case_url}/report")
    assert answer is not None
    assert answer.status == 200
    expect(patient.get_by_role("heading", name="Your report was taken back")).to_be_visible()
    album.keep(patient, "report-recalled")
    assert patient.request.get(pdf).status == 404
    patient.goto(case_url)
    album.keep(patient, "case-recalled")
    coordinator.goto(f"{queue}/reports/2")
    expect(coordinator.get_by_text("it must not be used").first).to_be_visible()
    album.keep(coordinator, "recalled-version")

    # Corrected: the new version is in force, the recalled one stays closed.
    specialist.goto(reading)
    press(specialist, "Correct the report")
    specialist.get_by_label("What is changed or added").fill("The size was that of another finding: it is 1.2 cm.")
    specialist.get_by_label("Impression").fill("Cavernoma of the left frontal lobe, 1.2 cm, Zabramski type II.")
    album.keep(specialist, "correction")
    sign(specialist)
    coordinator.goto(queue)
    press(coordinator, "Publish to the patient")
    patient.goto(f"{case_url}/report")
    expect(patient.get_by_text("1.2 cm, Zabramski").first).to_be_visible()
    expect(patient.get_by_text("Recalled on").first).to_be_visible()
    album.keep(patient, "report-corrected")
    with patient.expect_download() as downloading:
        patient.get_by_role("link", name="Download the report (PDF)").click()
    assert Path(downloading.value.path()).read_bytes().startswith(b"%PDF-")
    coordinator.goto(queue)
    album.keep(coordinator, "all-versions")

    # A question after it, whose answer is signed.
    patient.get_by_label("Your question").fill("May I swim?")
    press(patient, "Send the question")
    specialist.goto(reading)
    specialist.get_by_label("Your answer").fill("Yes.")
    specialist.get_by_label("Your password").fill(PASSWORD)
    album.keep(specialist, "follow-up")
    press(specialist, "Sign and send the answer")
    patient.goto(f"{case_url}/report")
    expect(patient.get_by_text("Yes.", exact=True)).to_be_visible()
    album.keep(patient, "answered")


def opened(page: Page, summary: str) -> None:
    """Open what is folded."""
    page.locator("summary", has_text=summary).click()


def sign(specialist: Page, album: Album | None = None) -> None:
    """Read once more what was written, and sign it."""
    press(specialist, "Check and sign")
    # The page that is left has boxes, too.
    specialist.get_by_label("Your password").wait_for()
    if album is not None:
        album.keep(specialist, "sign-addition")
    for box in specialist.locator("main input[type=checkbox]").all():
        box.check()
    specialist.get_by_label("Your password").fill(PASSWORD)
    press(specialist, "Sign the report")
