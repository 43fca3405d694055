"""What patients and those who act for them go through on the running demo: a session that ends over half a form and a
request that is finished on the telephone, a mother for her child, a quick read of records without images.
"""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pydicom
import pytest
from playwright.sync_api import Browser, Page, expect
from pydicom.uid import generate_uid

from overread.demo.people import PASSWORD
from tests.e2e.browser import PHONE, Album, press, sign_in
from tests.e2e.test_story import card
from tests.e2e.test_versions import sign
from tests.fakes import papers
from tests.live.server import Server

pytestmark = pytest.mark.browser


def test_half_a_form_outlives_the_session_and_is_finished_on_the_telephone(
    demo: Server, browser: Browser, album: Album, tmp_path: Path
) -> None:
    desk = sign_in(browser, demo, "maria@example.org")
    choose(desk, "Written report")
    desk.get_by_text("MRI", exact=True).click()
    desk.get_by_label("Question 1").fill("Is it a tumour?")
    saved(desk)
    # The session ends in another tab, while she goes on to type.
    other = desk.context.new_page()
    other.goto(f"{demo.url}/home")
    press(other, "Sign out")
    desk.get_by_label("What are your symptoms?").fill("Headaches since August.")
    album.keep(desk, "half-session-ended")
    press(desk, "Save and go on")
    expect(desk.get_by_text("You were signed out")).to_be_visible()
    album.keep(desk, "half-signed-out")
    desk.get_by_label("E-mail").fill("maria@example.org")
    desk.get_by_label("Password").fill(PASSWORD)
    press(desk, "Sign in")
    expect(desk.get_by_role("button", name="Sign out")).to_be_visible()
    album.keep(desk, "half-signed-in-again")
    press(desk, "Send what I wrote")
    desk.wait_for_url(re.compile("/patient$"))
    case_url = desk.url.rsplit("/", 1)[0]

    # Back on the telephone, days later: all is there, and the list leads to where it goes on.
    phone = sign_in(browser, demo, "maria@example.org")
    phone.set_viewport_size(PHONE)  # type: ignore[arg-type]
    album.keep(phone, "half-cases")
    phone.goto(case_url)
    album.keep(phone, "half-case")
    phone.get_by_role("link", name="Go on").click()
    phone.wait_for_url(re.compile("/patient$"))
    phone.goto(f"{case_url}/question")
    expect(phone.get_by_label("Question 1")).to_have_value("Is it a tumour?")
    expect(phone.get_by_label("What are your symptoms?")).to_have_value("Headaches since August.")
    press(phone, "Save and go on")
    about(phone, "1967-05-14", "Female")
    press(phone, "Save and go on")
    album.keep(phone, "half-images")
    press(phone, "My hospital will send them: go on")
    send_papers(phone, tmp_path, {"Report.pdf": papers.pdf("Radiology report"), "IMG_0412.HEIC": papers.HEIC}, album)
    phone.get_by_role("link", name="Go on", exact=True).click()
    expect(phone.get_by_text("Report.pdf, 1 page")).to_be_visible()
    pay(phone, album)
    expect(phone.get_by_text("Your card is saved.")).to_be_visible()
    album.keep(phone, "half-sent")
    phone.goto(case_url)
    expect(phone.get_by_text("IMG_0412.HEIC").first).to_be_visible()
    album.keep(phone, "half-waits")


def test_a_mother_asks_for_her_child(demo: Server, browser: Browser, album: Album, tmp_path: Path) -> None:
    mother = sign_in(browser, demo, "maria@example.org")
    choose(mother, "Written report")
    mother.get_by_text("MRI", exact=True).click()
    mother.get_by_label("Question 1").fill("Does my daughter need an operation?")
    press(mother, "Save and go on")
    mother.get_by_label("I am asking for somebody else").check()
    mother.get_by_label("The patient’s full name").fill("Lena Keller")
    mother.get_by_label("Who are you to the patient?").select_option("Mother or father")
    mother.get_by_label("Why may you act for them?").fill("She is my daughter, nine years old.")
    about(mother, "2017-03-02", "Female")
    saved(mother)
    album.keep(mother, "child-patient")
    press(mother, "Save and go on")
    images = mother.url
    mother.locator("input[webkitdirectory]").set_input_files(of_a_child(demo, tmp_path / "cd"))
    album.keep(mother, "child-images")
    press(mother, "Send 3 images")
    expect(mother.get_by_text(re.compile("3 images are safely stored"))).to_be_visible()
    press(mother, "Go on")
    mother.get_by_role("link", name="Go on without documents").click()
    pay(mother, album)
    case_url = images.rsplit("/", 1)[0]
    mother.goto(case_url)
    album.keep(mother, "child-case")
    mother.get_by_role("link", name="Look at it").click()
    (tmp_path / "birth certificate.pdf").write_bytes(papers.pdf("Certificate of birth"))
    mother.get_by_label("The paper").set_input_files(tmp_path / "birth certificate.pdf")
    album.keep(mother, "child-paper")
    press(mother, "Send it")
    expect(mother.get_by_text("A paper is here")).to_be_visible()
    album.keep(mother, "child-paper-here")

    queue = f"{demo.url}/queue/{UUID(case_url.rsplit('/', 1)[1])}"
    coordinator = sign_in(browser, demo, "coordinator@example.org")
    released(coordinator, queue)
    expect(coordinator.get_by_role("heading", name="Check who acts for the patient")).to_be_visible()
    # What she may do is not checked: no specialist is asked before it is.
    expect(coordinator.get_by_role("button", name="Ready: ask a specialist")).to_have_count(0)
    album.keep(coordinator, "child-coordinator")
    with coordinator.expect_download() as downloading:
        coordinator.get_by_role("link", name="Open the paper").click()
    assert Path(downloading.value.path()).read_bytes().startswith(b"%PDF-")
    coordinator.get_by_label("On what grounds it is good").fill("The certificate of birth names her as the mother.")
    press(coordinator, "It is good")
    album.keep(coordinator, "child-authority-checked")
    press(coordinator, "Ready: ask a specialist")
    expect(coordinator.get_by_role("heading", name="Offer it to a specialist")).to_be_visible()
    mother.goto(f"{case_url}")
    album.keep(mother, "child-ready")


def test_a_quick_read_of_records_without_images(demo: Server, browser: Browser, album: Album, tmp_path: Path) -> None:
    patient = sign_in(browser, demo, "maria@example.org")
    choose(patient, "Quick read of records")
    patient.get_by_text("MRI", exact=True).click()
    patient.get_by_label("Question 1").fill("Is an operation the right next step?")
    patient.get_by_label("Which diagnosis were you given?").fill("Cavernoma of the left frontal lobe")
    saved(patient)
    album.keep(patient, "records-question")
    press(patient, "Save and go on")
    about(patient, "1967-05-14", "Female")
    press(patient, "Save and go on")
    case_url = patient.url.rsplit("/", 1)[0]
    album.keep(patient, "records-documents")
    send_papers(patient, tmp_path, {"Letter.pdf": papers.pdf("Cavernoma, 2.1 cm")}, album)
    patient.get_by_role("link", name="Go on", exact=True).click()
    pay(patient, album)
    album.keep(patient, "records-sent")

    case_id = UUID(case_url.rsplit("/", 1)[1])
    queue = f"{demo.url}/queue/{case_id}"
    coordinator = sign_in(browser, demo, "coordinator@example.org")
    released(coordinator, queue, album)
    press(coordinator, "Ready: ask a specialist")
    album.keep(coordinator, "records-assign")
    press(coordinator, "Offer")
    specialist = sign_in(browser, demo, "specialist@example.org")
    specialist.goto(f"{demo.url}/offers/{case_id}")
    album.keep(specialist, "records-offer")
    press(specialist, "Accept this case")
    expect(specialist.get_by_role("button", name="Open in viewer")).to_be_visible()
    assert "Keller" not in specialist.locator("main").inner_text()
    album.keep(specialist, "records-reading")
    specialist.goto(f"{demo.url}/reading/{case_id}/report")
    specialist.locator("textarea[name^=answer-]").first.fill("Not now: one more MRI in three months first.")
    specialist.get_by_label("Impression").fill("By the letter: cavernoma of the left frontal lobe, 2.1 cm.")
    specialist.get_by_label("Compared with the first report").select_option("The two can’t be compared")
    for box in specialist.locator("main input[type=checkbox]").all():
        box.check()
    album.keep(specialist, "records-report")
    sign(specialist)
    coordinator.goto(queue)
    album.keep(coordinator, "records-publish")
    press(coordinator, "Publish to the patient")
    patient.goto(case_url)
    album.keep(patient, "records-published")
    patient.get_by_role("link", name="Read my report").click()
    expect(patient.get_by_text("one more MRI in three months").first).to_be_visible()
    # The letter has one page; the file itself, beside it in the archive, is none.
    expect(patient.get_by_text("First report 1, 1 page")).to_be_visible()
    album.keep(patient, "records-read")


def send_papers(patient: Page, folder: Path, files: dict[str, bytes], album: Album) -> None:
    """The step of the documents: each is there with a picture of its first page."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    patient.get_by_label("Files or photos").set_input_files([folder / name for name in files])
    press(patient, "Add them")
    shown = patient.locator(".papers img")
    expect(shown).to_have_count(len(files))
    pictured(patient)
    album.keep(patient, "documents-here")


def pay(patient: Page, album: Album) -> None:
    """Every consent, and the card; then the case."""
    expect(patient.get_by_role("heading", name="Check, agree")).to_be_visible()
    album.keep(patient, "check-and-agree")
    for box in patient.locator("main input[type=checkbox]").all():
        box.check()
    press(patient, "Go on to the payment page")
    card(patient, "4242 4242 4242 4242")
    patient.wait_for_url(re.compile("/cases/"))


def released(coordinator: Page, queue: str, album: Album | None = None) -> None:
    """The case's one study: its pictures approved where they wait for it, then released."""
    release = coordinator.get_by_role("button", name="Release to the specialist")
    approve = coordinator.get_by_role("button", name="Approve all that are shown")
    for _ in range(60):
        coordinator.goto(queue)
        if release.count() + approve.count():
            break
        coordinator.wait_for_timeout(500)
    if approve.count():
        if album is not None:
            pictured(coordinator)
            album.keep(coordinator, "to-review")
        approve.click()
        coordinator.wait_for_load_state()
    release.click()
    coordinator.wait_for_load_state()


def pictured(page: Page) -> None:
    """Every picture of the page is drawn."""
    for picture in page.locator("main img").all():
        picture.scroll_into_view_if_needed()
        expect(picture).not_to_have_js_property("naturalWidth", 0)


def of_a_child(demo: Server, folder: Path) -> Path:
    """Three of the sample images, as if they were of the patient's daughter."""
    folder.mkdir()
    study, series = generate_uid(), generate_uid()
    for number, path in enumerate(sorted((demo.folder / "samples" / "hospital-mr").iterdir())[:3]):
        image = pydicom.dcmread(path)
        image.PatientName, image.PatientBirthDate, image.PatientID = "Keller^Lena", "20170302", "MRN-777001"
        image.AccessionNumber = ""
        image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID = study, series, generate_uid()
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.save_as(folder / f"IM{number}")
    return folder


def choose(patient: Page, opinion: str) -> None:
    """Begin a request for an opinion."""
    patient.get_by_role("link", name="Ask for a second opinion").click()
    patient.get_by_text(opinion, exact=True).click()
    press(patient, "Go on")


def saved(page: Page) -> None:
    """What was typed is kept by the page itself."""
    expect(page.get_by_text(re.compile("^Saved at"))).to_be_visible()


def about(patient: Page, born: str, sex: str) -> None:
    """Who the patient is, and where."""
    patient.get_by_label("date of birth").fill(born)
    patient.get_by_label("Sex").select_option(sex)
    patient.get_by_label("Where is the patient now?").select_option("Massachusetts (USA)")
