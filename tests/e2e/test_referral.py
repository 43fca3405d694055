"""A physician refers a patient who has no images at hand; the patient agrees and pays; a hospital's C-STORE follows."""

from __future__ import annotations

import re
import time
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import Album, press, sign_in
from tests.e2e.test_story import card, send_as_hospital
from tests.live.server import Server

pytestmark = pytest.mark.browser


def test_a_referral_from_the_physician_to_the_images(demo: Server, browser: Browser, album: Album) -> None:
    physician = sign_in(browser, demo, "hospital@example.org")
    reference = refer(physician, album)

    patient = sign_in(browser, demo, "maria@example.org")
    patient.goto(mailed_link(demo, "maria@example.org"))
    case_url = take_up(patient, album)
    pay(patient, album)

    physician.goto(f"{demo.url}/referrals")
    expect(physician.get_by_text("Sent, being prepared")).to_be_visible()
    album.keep(physician, "referral-list-sent")

    send_as_hospital(demo, reference)
    chosen = patient.get_by_text(re.compile("Waits for a coordinator|Ready for the specialist|Names are being removed"))
    for _ in range(120):
        patient.goto(case_url)
        if chosen.count():
            break
        patient.wait_for_timeout(1000)
    expect(chosen.first).to_be_visible()
    expect(patient.get_by_text("You will have your answer by")).to_be_visible()
    expect(patient.get_by_text("They may read your report.")).to_be_visible()
    album.keep(patient, "referral-patient-images-here")

    coordinator = sign_in(browser, demo, "coordinator@example.org")
    coordinator.goto(f"{demo.url}/queue/{UUID(case_url.rsplit('/', 1)[1])}")
    expect(coordinator.get_by_text("allowed by the patient")).to_be_visible()
    album.keep(coordinator, "referral-coordinator-case")


def refer(physician: Page, album: Album) -> str:
    """The form of a referral; its reference number."""
    physician.get_by_role("link", name="Refer a patient").click()
    physician.get_by_label("Full name").fill("Maria Keller")
    physician.get_by_label("Date of birth").fill("1967-05-14")
    physician.get_by_label("Sex").select_option("Female")
    physician.get_by_label("E-mail address").fill("maria@example.org")
    physician.get_by_label("Where is the patient now?").select_option("Massachusetts (USA)")
    physician.get_by_label("Kind of opinion").select_option("Neuroradiology second opinions: Written report")
    physician.get_by_text("MRI", exact=True).click()
    physician.get_by_label("Question 1").fill("Is it a cavernoma?")
    physician.get_by_label("Findings, history").fill("Headaches since August. Seen in the emergency room in October.")
    physician.get_by_label("Your name").fill("Dr. Ruth Lindqvist")
    album.keep(physician, "referral-form")
    press(physician, "Invite the patient")
    expect(physician.get_by_text("The patient is invited")).to_be_visible()
    album.keep(physician, "referral-made")
    return physician.get_by_text(re.compile(r"^OV-\w{4}-\w{4}$")).first.inner_text()


def take_up(patient: Page, album: Album) -> str:
    """The mailed link, the birth date, and the steps, in which all but the symptoms stands already."""
    expect(patient.get_by_text("Dr. Ruth Lindqvist")).to_be_visible()
    album.keep(patient, "referral-invited")
    patient.get_by_label("date of birth").fill("1967-05-14")
    press(patient, "Go on")
    expect(patient.get_by_text("Prepared by Dr. Ruth Lindqvist")).to_be_visible()
    album.keep(patient, "referral-question")
    patient.get_by_label("What are your symptoms?").fill("Headaches, worse in the morning.")
    expect(patient.get_by_text(re.compile("^Saved at"))).to_be_visible()
    case_url = patient.url.rsplit("/", 1)[0]
    press(patient, "Save and go on")
    press(patient, "Save and go on")
    album.keep(patient, "referral-images")
    patient.goto(f"{case_url}/consent")
    return case_url


def pay(patient: Page, album: Album) -> None:
    """Every consent, that to share the report, too; the card is saved, since nothing is here to be read yet."""
    album.keep(patient, "referral-consent")
    for box in patient.locator("main input[type=checkbox]").all():
        box.check()
    press(patient, "Go on to the payment page")
    album.keep(patient, "referral-payment")
    card(patient, "4242 4242 4242 4242")
    patient.wait_for_url(re.compile("/cases/"))
    expect(patient.get_by_text("Your card is saved.")).to_be_visible()
    album.keep(patient, "referral-paid")


def mailed_link(demo: Server, address: str) -> str:
    """The link of the invitation, which the demo writes into a folder."""
    for _ in range(150):
        mails = [path.read_text() for path in (demo.folder / "mail").glob("*.eml")]
        theirs = "\n".join(mail for mail in mails if f"To: {address}" in mail)
        if links := re.findall(r"http://\S+/referred/[\w-]{43}", theirs):
            return str(links[-1])
        time.sleep(0.2)
    raise AssertionError(f"no link was mailed to {address}")
