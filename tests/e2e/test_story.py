"""The whole story on the running demo: a patient, a hospital, a coordinator and a specialist, in a real browser."""

from __future__ import annotations

import io
import re
import subprocess
import time
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from overread.demo.people import PASSWORD
from tests.e2e.browser import DESK, PHONE, Album, press, sign_in
from tests.live.server import Server

pytestmark = pytest.mark.browser

IDENTIFIERS = ("keller", "maria", "mrn-448120", "19670514", "st. brendan", "lindqvist")


def test_a_case_from_the_first_question_to_the_report(
    demo: Server, browser: Browser, album: Album, tmp_path: Path
) -> None:
    visitor = browser.new_page(viewport=DESK)  # type: ignore[arg-type]
    visitor.goto(demo.url)
    album.keep(visitor, "home")
    visitor.goto(f"{demo.url}/sign-in")
    album.keep(visitor, "sign-in")
    visitor.close()

    patient = sign_in(browser, demo, "maria@example.org")
    case_url, reference = ask(patient, demo, album)
    pay(patient, album)
    case_id = UUID(case_url.rstrip("/").rsplit("/", 1)[1])
    send_as_hospital(demo, reference)

    coordinator = sign_in(browser, demo, "coordinator@example.org")
    release(coordinator, demo, case_id, album)

    specialist = sign_in(browser, demo, "specialist@example.org")
    token = read_images(specialist, demo, case_id, album)
    programs_see_no_identity(demo, case_id, token)
    write_report(specialist, demo, case_id, album)

    coordinator.goto(f"{demo.url}/queue/{case_id}")
    album.keep(coordinator, "coordinator-publish")
    press(coordinator, "Publish to the patient")

    patient.goto(case_url)
    album.keep(patient, "patient-timeline-published")
    patient.get_by_role("link", name=re.compile("report", re.IGNORECASE)).first.click()
    expect(patient.get_by_text("It is not a tumour.")).to_be_visible()
    album.keep(patient, "patient-report")
    with patient.expect_download() as downloading:
        patient.get_by_role("link", name=re.compile("PDF", re.IGNORECASE)).first.click()
    report = Path(downloading.value.path())
    assert report.read_bytes().startswith(b"%PDF-")


def ask(patient: Page, demo: Server, album: Album) -> tuple[str, str]:
    """Question and images; the case's address and its reference number."""
    album.keep(patient, "patient-cases-empty")
    patient.get_by_role("link", name="Ask for a second opinion").click()
    patient.get_by_text("Written report").click()
    album.keep(patient, "patient-opinion")
    press(patient, "Go on")
    patient.get_by_text("CT", exact=True).click()
    patient.get_by_label("Question 1").fill("Is the bright spot in the left half of my brain a tumour?")
    patient.get_by_label("Question 2").fill("Do I need an operation?")
    patient.get_by_label("What are your symptoms?").fill("Headaches since August, worse in the morning.")
    expect(patient.get_by_text(re.compile("^Saved at"))).to_be_visible()
    album.keep(patient, "patient-question")
    press(patient, "Save and go on")
    patient.get_by_label("date of birth").fill("1967-05-14")
    patient.get_by_label("Sex").select_option("Female")
    patient.get_by_label("Where is the patient now?").select_option("Massachusetts (USA)")
    album.keep(patient, "patient-details")
    press(patient, "Save and go on")

    reference = patient.get_by_text(re.compile(r"^OV-\w{4}-\w{4}$")).first.inner_text()
    album.keep(patient, "patient-images")
    patient.locator("input[webkitdirectory]").set_input_files(demo.folder / "samples" / "maria-upload")
    expect(patient.get_by_text("Found 37 images in 2 examinations")).to_be_visible()
    album.keep(patient, "patient-images-found")
    press(patient, "Send 37 images")
    expect(patient.get_by_text(re.compile("37 images are safely stored"))).to_be_visible()
    album.keep(patient, "patient-images-stored")
    case_url = patient.url.rsplit("/", 1)[0]
    press(patient, "Go on")
    album.keep(patient, "patient-documents")
    patient.get_by_role("link", name="Go on without documents").click()
    return case_url, reference


def pay(patient: Page, album: Album) -> None:
    """Consent, a card that is refused, then one that is not."""
    album.keep(patient, "patient-consent")
    for box in patient.locator("main input[type=checkbox]").all():
        box.check()
    press(patient, "Go on to the payment page")
    album.keep(patient, "payment-page")
    card(patient, "4000 0000 0000 0002")
    expect(patient.get_by_text(re.compile("declined", re.IGNORECASE)).first).to_be_visible()
    album.keep(patient, "payment-declined")
    card(patient, "4242 4242 4242 4242")
    patient.wait_for_url(re.compile("/cases/"))
    # The provider's word, not the redirect, makes the case go on; the page looks again by itself.
    expect(patient.get_by_text(re.compile("held|Submitted|being checked", re.IGNORECASE)).first).to_be_visible()
    album.keep(patient, "payment-returned")


def card(page: Page, number: str) -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry date").fill("12 / 40")
    page.get_by_label("Security code").fill("123")
    page.get_by_role("button", name=re.compile("Authorise|Save this card")).click()
    page.wait_for_load_state()


def send_as_hospital(demo: Server, reference: str) -> None:
    """DCMTK's storescu sends the MR, calling the case's reference number."""
    files = sorted((demo.folder / "samples" / "hospital-mr").iterdir())
    command = ["storescu", "-aet", "STBRENDAN", "-aec", reference, "127.0.0.1", str(demo.dicom_port)]
    sent = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False, timeout=120)
    assert sent.returncode == 0, sent.stderr


def release(coordinator: Page, demo: Server, case_id: UUID, album: Album) -> None:
    """Both ways in have led to the case; look at the held pixels, release, offer."""
    coordinator.goto(f"{demo.url}/queue")
    album.keep(coordinator, "coordinator-queue")
    coordinator.goto(f"{demo.url}/inbox")
    album.keep(coordinator, "coordinator-inbox")
    address = f"{demo.url}/queue/{case_id}"
    releases = coordinator.get_by_role("button", name="Release to the specialist")
    approvals = coordinator.get_by_role("button", name="Approve all that are shown")
    for _ in range(120):
        coordinator.goto(address)
        if releases.count() + approvals.count() >= 3:
            break
        coordinator.wait_for_timeout(1000)
    album.keep(coordinator, "coordinator-case")
    assert approvals.count() == 1, "the ultrasound waits for a person"
    expect(coordinator.locator("main img").first).to_be_visible()
    approvals.first.click()
    coordinator.wait_for_load_state()
    # What its text recognition suggests to blank was not blanked: it is asked before anything is approved so.
    expect(coordinator.get_by_role("heading", name=re.compile("not blanked"))).to_be_visible()
    album.keep(coordinator, "coordinator-approve-asked")
    press(coordinator, "Approve all the same")
    for _ in range(3):
        releases.first.click()
        coordinator.wait_for_load_state()
    album.keep(coordinator, "coordinator-case-released")
    press(coordinator, "Ready: ask a specialist")
    album.keep(coordinator, "coordinator-assign")
    press(coordinator, "Offer")
    album.keep(coordinator, "coordinator-offered")


def read_images(specialist: Page, demo: Server, case_id: UUID, album: Album) -> str:
    """Accept, open OHIF, see an image; then a token for a viewer of one's own."""
    specialist.goto(f"{demo.url}/offers")
    album.keep(specialist, "specialist-offers")
    specialist.goto(f"{demo.url}/offers/{case_id}")
    album.keep(specialist, "specialist-offer")
    press(specialist, "Accept this case")
    expect(specialist.get_by_role("button", name="Open in viewer")).to_be_visible()
    album.keep(specialist, "specialist-case")
    text = specialist.locator("body").inner_text().lower()
    assert not [word for word in IDENTIFIERS if word in text]

    with specialist.expect_popup() as opened:
        press(specialist, "Open in viewer")
    # The page of the case stays beside it.
    viewer = opened.value
    viewer.wait_for_url(re.compile(re.escape(demo.viewer) + "/viewer"))
    canvas = viewer.locator("canvas.cornerstone-canvas").first
    canvas.wait_for(timeout=90_000)
    shown = 0.0
    for _ in range(120):
        picture = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("L"), float)
        shown = float(picture.std())
        if shown > 20:
            break
        viewer.wait_for_timeout(1000)
    assert shown > 20, "no image on the viewer's canvas"
    viewer.wait_for_timeout(1500)
    viewer.screenshot(path=album.folder / "viewer-1280.png")
    assert "token" not in viewer.url
    text = viewer.locator("body").inner_text().lower()
    assert not [word for word in IDENTIFIERS if word in text]
    viewer.close()

    specialist.goto(f"{demo.url}/reading/{case_id}")
    press(specialist, "Make a token")
    token = specialist.get_by_text(re.compile(r"^[\w-]{43}$")).first.inner_text()
    album.keep(specialist, "specialist-token")
    return token


def programs_see_no_identity(demo: Server, case_id: UUID, token: str) -> None:
    """PyPI's dicomweb-client finds, retrieves and decodes; nothing that it gets holds a name or an original UID."""
    originals = set()
    for path in (demo.folder / "samples").rglob("IM*"):
        sent = pydicom.dcmread(path, stop_before_pixels=True)
        originals |= {str(sent.StudyInstanceUID), str(sent.SeriesInstanceUID), str(sent.SOPInstanceUID)}
    secrets = {word.encode() for word in IDENTIFIERS} | {uid.encode() for uid in originals}

    def clean(data: bytes) -> None:
        lower = data.lower()
        assert not [secret for secret in secrets if secret in lower]

    root = f"{demo.url}/cases/{case_id}/dicomweb"
    client = DICOMwebClient(root, headers={"Authorization": f"Bearer {token}"})
    studies = client.search_for_studies()
    assert len(studies) == 3
    decoded = 0
    for study in studies:
        uid = study["0020000D"]["Value"][0]
        for ds in client.retrieve_study(uid):
            out = io.BytesIO()
            ds.save_as(out)
            clean(out.getvalue())
            assert ds.PatientIdentityRemoved == "YES"
            assert ds.pixel_array.size
            decoded += 1
        clean(repr(client.retrieve_study_metadata(uid)).encode())
        clean(repr(client.search_for_series(uid)).encode())
        clean(repr(client.search_for_instances(uid)).encode())
    assert decoded == 36 + 1 + 20

    bearer = {"Authorization": f"Bearer {token}", "Accept": "*/*"}
    uid = studies[0]["0020000D"]["Value"][0]
    for url in (
        root + "/studies",
        f"{root}/studies/{uid}",
        f"{root}/studies/{uid}/metadata",
        f"{root}/studies/{uid}/x",
    ):
        clean(httpx.get(url, headers=bearer, timeout=60).content)
    assert httpx.get(f"{demo.url}/dicomweb/studies", headers=bearer).status_code == 403
    stranger = UUID(int=case_id.int ^ 1)
    assert httpx.get(f"{demo.url}/cases/{stranger}/dicomweb/studies", headers=bearer).status_code == 404


def write_report(specialist: Page, demo: Server, case_id: UUID, album: Album) -> None:
    specialist.goto(f"{demo.url}/reading/{case_id}/report")
    answers = specialist.locator("textarea[name^=answer-]")
    answers.nth(0).fill("It is not a tumour. It is a cavernoma, a knot of small vessels that has bled before.")
    answers.nth(1).fill("Not now. I suggest one more MRI in three months.")
    specialist.get_by_label("Impression").fill("Cavernoma of the left frontal lobe, 2.1 cm, Zabramski type II.")
    for box in specialist.locator("main input[type=checkbox]").all():
        box.check()
    album.keep(specialist, "specialist-report")
    press(specialist, "Check and sign")
    specialist.get_by_label("Your password").wait_for()
    album.keep(specialist, "specialist-sign")
    for box in specialist.locator("main input[type=checkbox]").all():
        box.check()
    specialist.get_by_label("Your password").fill(PASSWORD)
    press(specialist, "Sign the report")
    specialist.goto(f"{demo.url}/reading/{case_id}")
    album.keep(specialist, "specialist-signed")


def test_a_new_patient_confirms_the_address_on_the_phone(demo: Server, browser: Browser, album: Album) -> None:
    desk = browser.new_context(viewport=DESK).new_page()  # type: ignore[arg-type]
    desk.set_default_timeout(30_000)
    desk.goto(f"{demo.url}/sign-up")
    album.keep(desk, "sign-up")
    desk.get_by_label("Your full name").fill("Maria Keller")
    desk.get_by_label("E-mail address").fill("maria.keller@example.org")
    desk.get_by_label("Password").fill(PASSWORD)
    press(desk, "Make my account")
    desk.get_by_text("Written report").click()
    press(desk, "Go on")
    desk.get_by_text("CT", exact=True).click()
    desk.get_by_label("Question 1").fill("Is it a tumour?")
    press(desk, "Save and go on")
    desk.get_by_label("date of birth").fill("1967-05-14")
    desk.get_by_label("Sex").select_option("Female")
    desk.get_by_label("Where is the patient now?").select_option("Massachusetts (USA)")
    press(desk, "Save and go on")
    expect(desk.get_by_text("First confirm your e-mail address")).to_be_visible()
    album.keep(desk, "patient-confirm-first")
    images = desk.url
    desk.get_by_role("link", name="No mail has come").click()
    album.keep(desk, "patient-address")
    press(desk, "Send the mail again")
    album.keep(desk, "patient-address-mailed")

    phone = browser.new_context(viewport=PHONE).new_page()  # type: ignore[arg-type]
    phone.set_default_timeout(30_000)
    phone.goto(mailed_link(demo, "maria.keller@example.org"))
    album.keep(phone, "confirm-on-the-phone")
    phone.get_by_label("Password").fill("not my password")
    press(phone, "Confirm this address")
    album.keep(phone, "confirm-wrong-password")
    phone.get_by_label("Password").fill(PASSWORD)
    press(phone, "Confirm this address")
    expect(phone.get_by_text("Your e-mail address is confirmed")).to_be_visible()
    album.keep(phone, "confirmed-on-the-phone")

    desk.goto(images)
    desk.locator("input[webkitdirectory]").set_input_files(demo.folder / "samples" / "maria-upload")
    press(desk, "Send 37 images")
    expect(desk.get_by_text(re.compile("37 images are safely stored"))).to_be_visible()
    desk.goto(mailed_link(demo, "maria.keller@example.org"))
    expect(desk.get_by_text("You can go on with your request")).to_be_visible()
    album.keep(desk, "confirmed-already")


def mailed_link(demo: Server, address: str) -> str:
    """The newest link of the mails to an address, which the demo writes into a folder."""
    for _ in range(150):
        mails = [path.read_text() for path in (demo.folder / "mail").glob("*.eml")]
        theirs = [mail for mail in mails if f"To: {address}" in mail]
        links = [found for mail in theirs for found in re.findall(r"http://\S+/confirm/[\w-]{43}", mail)]
        if links:
            return str(links[-1])
        time.sleep(0.2)
    raise AssertionError(f"no link was mailed to {address}")


@pytest.mark.parametrize(
    ("email", "paths"),
    [
        ("hospital@example.org", ["/sent"]),
        ("admin@example.org", ["/people", "/peers", "/prices"]),
        ("auditor@example.org", ["/audit"]),
    ],
)
def test_the_staff_pages(demo: Server, browser: Browser, album: Album, email: str, paths: list[str]) -> None:
    page = sign_in(browser, demo, email)
    for path in paths:
        answer = page.goto(demo.url + path)
        assert answer is not None
        assert answer.status == 200, path
        album.keep(page, "staff" + path.replace("/", "-"), sizes=(PHONE, DESK))
