"""A picture with burned-in text, in a real browser: boxes by mouse and by keyboard, preview, approve, release."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, Page, expect
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid

from tests.e2e.browser import DESK, PHONE, Album, press, sign_in
from tests.live.server import Server

pytestmark = pytest.mark.browser

#: A real ultrasound loop with names in it, where the corpus is at hand.
CORPUS_FILE = "synth-gaps/A/phi/us_burned_YES_multiframe.dcm"
COLUMNS, ROWS = 320, 240


def burned_in(reference: str) -> list[pydicom.Dataset]:
    """Two loops of one series: the corpus's where it is at hand, else one that is drawn here."""
    named = os.environ.get("OVERREAD_CORPUS")
    path = Path(named, CORPUS_FILE) if named else None
    ds = pydicom.dcmread(path) if path and path.is_file() else _drawn()
    assert (ds.Columns, ds.Rows) == (COLUMNS, ROWS)
    ds.PatientName, ds.PatientBirthDate, ds.PatientID = "Keller^Maria", "19670514", "MRN-448120"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.AccessionNumber, ds.SeriesNumber = reference, 1
    made: list[pydicom.Dataset] = []
    for number in (1, 2):
        copy = pydicom.dcmread(io.BytesIO(_written(ds)))
        copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        copy.InstanceNumber = number
        made.append(copy)
    return made


def _drawn() -> pydicom.Dataset:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    frames = []
    for number in range(3):
        echo = (90 + 70 * np.sin(x / 23 + number) * np.cos(y / 19)).astype(np.uint8)
        image = Image.fromarray(np.stack([echo] * 3, axis=2))
        ImageDraw.Draw(image).text((20, 12), "KELLER MARIA  14.05.1967", fill=(255, 255, 255))
        ImageDraw.Draw(image).text((200, 220), "ST BRENDAN", fill=(255, 255, 0))
        frames.append(np.asarray(image))
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.Modality, ds.BurnedInAnnotation = "US", "YES"
    ds.Rows, ds.Columns, ds.NumberOfFrames, ds.FrameTime = ROWS, COLUMNS, 3, 40
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = np.stack(frames).tobytes()
    return ds


def _written(ds: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def test_boxes_by_mouse_and_keyboard_end_up_in_what_the_specialist_sees(
    demo: Server, browser: Browser, album: Album
) -> None:
    case_id, reference = case_of_maria(browser, demo)
    instances = burned_in(reference)
    token = demo.token("hospital")
    body = b"".join(b"--x\r\nContent-Type: application/dicom\r\n\r\n" + _written(ds) + b"\r\n" for ds in instances)
    sent = httpx.post(
        f"{demo.url}/dicomweb/studies",
        content=body + b"--x--",
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=x',
        },
    )
    assert sent.status_code == 200, sent.text

    page = sign_in(browser, demo, "coordinator@example.org")
    look = page.get_by_role("link", name="Look at them one by one")
    for _ in range(120):
        page.goto(f"{demo.url}/queue/{case_id}")
        if look.count():
            break
        page.wait_for_timeout(1000)
    look.first.click()
    page.wait_for_url(re.compile("/pixels/"))
    first = page.url
    boxes = page.locator("svg .mask:not(.hinted)")
    expect(page.locator("svg[role=application]")).to_be_visible()
    expect(boxes).to_have_count(0)
    album.keep(page, "review-begin")

    drag_by_finger(browser, page, first)
    by_mouse, by_keyboard = draw_by_mouse(page, boxes), draw_by_keyboard(page, boxes)
    page.get_by_role("button", name="Darkest").click()
    expect(page.locator("[data-which=minimum] >> visible=true").first).to_be_visible()
    page.get_by_role("button", name="Brightest").click()
    album.keep(page, "review-boxes")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("svg[role=application]")).to_have_class("preview")
    album.keep(page, "review-preview")

    # Nothing is approved before it is blanked.
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert")).to_contain_text("not blanked yet")
    expect(boxes).to_have_count(2)
    page.get_by_text("Also in 1 other picture").click()
    page.get_by_role("button", name="Blank these boxes").click()
    expect(page.get_by_role("status").first).to_contain_text("The boxes are blanked")
    assert page.url.startswith(first)
    expect(boxes).to_have_count(2)
    album.keep(page, "review-result")
    look_at_the_series(page, boxes, album)
    page.goto(first)
    approve(page)
    page.wait_for_url(lambda url: "/pixels/" in url and not url.startswith(first))
    expect(boxes).to_have_count(2)
    approve(page)
    page.wait_for_url(re.compile(rf"/queue/{case_id}\?"))
    page.get_by_role("button", name="Release to the specialist").first.click()
    page.wait_for_load_state()
    page.get_by_role("button", name="Ready: ask a specialist").click()
    page.get_by_role("button", name="Offer").first.click()
    page.wait_for_load_state()

    specialist = sign_in(browser, demo, "specialist@example.org")
    specialist.goto(f"{demo.url}/offers/{case_id}")
    specialist.get_by_role("button", name="Accept this case").click()
    specialist.wait_for_load_state()
    seen_is_blank_there_and_as_it_was_elsewhere(
        specialist, f"{demo.url}/cases/{case_id}/dicomweb", instances[0].pixel_array[0], [by_mouse, by_keyboard]
    )


def approve(page: Page) -> None:
    """Approve a picture, also where something else in it still looks like letters: that is asked first."""
    page.get_by_role("button", name="Approve").click()
    page.wait_for_load_state()
    again = page.get_by_role("button", name="Approve all the same")
    if again.count():
        again.click()
        page.wait_for_load_state()


def look_at_the_series(page: Page, boxes: Locator, album: Album) -> None:
    """All pictures by series, and one series laid over each other, with the boxes that all of them have."""
    page.get_by_role("link", name="All pictures by series").click()
    expect(page.get_by_role("heading", name="Series 1")).to_be_visible()
    expect(page.get_by_text("2 objects of 320 × 240, 6 frames, 2 to review")).to_be_visible()
    page.wait_for_load_state("networkidle")
    album.keep(page, "series")
    page.get_by_role("link", name="All laid over each other").first.click()
    expect(boxes).to_have_count(2)
    expect(page.get_by_role("button", name="Approve all 2 that wait")).to_be_visible()
    expect(page.get_by_role("button", name="Blank these boxes in all 2")).to_be_visible()
    page.wait_for_load_state("networkidle")
    album.keep(page, "stack")


def draw_by_mouse(page: Page, boxes: Locator) -> tuple[int, ...]:
    """A box over the first line of text, drawn from corner to corner, then moved a little."""
    shown = page.locator("svg[role=application]").bounding_box()
    assert shown
    scale = shown["width"] / COLUMNS

    def go(x: float, y: float) -> None:
        page.mouse.move(shown["x"] + x * scale, shown["y"] + y * scale, steps=4)

    go(12, 6)
    page.mouse.down()
    go(200, 30)
    page.mouse.up()
    expect(boxes).to_have_count(1)
    go(100, 18)
    page.mouse.down()
    go(105, 20)
    page.mouse.up()
    found = numbers(page, 1)
    assert np.allclose(found, (17, 8, 188, 24), atol=2), found
    return found


def draw_by_keyboard(page: Page, boxes: Locator) -> tuple[int, ...]:
    """A box that is added, moved and resized by keys alone; another one is removed."""
    page.get_by_role("button", name="Add a box").focus()
    page.keyboard.press("Enter")
    expect(boxes).to_have_count(2)
    expect(boxes.nth(1)).to_be_focused()
    left, top, width, height = numbers(page, 2)
    step = 3  # a 128th of the longer side
    for key, times in (("ArrowRight", 30), ("ArrowDown", 30), ("Shift+ArrowRight", 8), ("Shift+ArrowDown", 3)):
        for _ in range(times):
            page.keyboard.press(key)
    page.keyboard.press("Control+ArrowUp")
    moved = numbers(page, 2)
    assert moved[:2] == (left + 30 * step, top + 30 * step - 1)
    assert moved[2:] == (width + 8 * step, height + 3 * step)
    expect(boxes.nth(1)).to_have_attribute("aria-label", re.compile(rf"Box 2: left {moved[0]}, top {moved[1]}"))
    # Tab goes from box to box, and Delete takes away the one that has the focus.
    page.get_by_role("button", name="Add a box").click()
    expect(boxes).to_have_count(3)
    page.keyboard.press("Shift+Tab")
    expect(boxes.nth(1)).to_be_focused()
    page.keyboard.press("Tab")
    expect(boxes.nth(2)).to_be_focused()
    page.keyboard.press("Delete")
    expect(boxes).to_have_count(2)
    expect(boxes.nth(1)).to_be_focused()
    # The numbers say the same, and can be typed.
    page.get_by_label("Box 2, width").fill(str(moved[2] + 4))
    page.keyboard.press("Tab")
    assert numbers(page, 2) == (*moved[:2], moved[2] + 4, moved[3])
    return numbers(page, 2)


def drag_by_finger(browser: Browser, page: Page, address: str) -> None:
    """On a telephone a box is added by its button, dragged by a finger, and made larger; another is drawn."""
    context = browser.new_context(viewport=PHONE, has_touch=True, storage_state=page.context.storage_state())  # type: ignore[arg-type]
    phone = context.new_page()
    phone.goto(address)
    phone.get_by_role("button", name="Add a box").tap()
    left, top, width, height = numbers(phone, 1)
    phone.locator("svg[role=application]").scroll_into_view_if_needed()
    shown = phone.locator("svg[role=application]").bounding_box()
    assert shown
    scale = shown["width"] / COLUMNS
    touch = context.new_cdp_session(phone)

    def swipe(x: float, y: float, dx: float, dy: float) -> None:
        for kind, part in (("touchStart", 0.0), ("touchMove", 0.3), ("touchMove", 0.7), ("touchMove", 1.0)):
            point = {"x": shown["x"] + (x + dx * part) * scale, "y": shown["y"] + (y + dy * part) * scale}
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    swipe(left + width / 2, top + height / 2, -30, 40)
    moved = numbers(phone, 1)
    assert np.allclose(moved, (left - 30, top + 40, width, height), atol=2), moved
    swipe(moved[0] + width, moved[1] + height, 25, 20)  # at its corner
    assert np.allclose(numbers(phone, 1), (*moved[:2], width + 25, height + 20), atol=2), numbers(phone, 1)
    swipe(20, 20, 90, 18)
    assert np.allclose(numbers(phone, 2), (20, 20, 90, 18), atol=2), numbers(phone, 2)
    context.close()


def numbers(page: Page, box: int) -> tuple[int, ...]:
    """A box as the form has it."""
    return tuple(
        int(page.get_by_label(f"Box {box}, {side}").input_value()) for side in ("left", "top", "width", "height")
    )


def seen_is_blank_there_and_as_it_was_elsewhere(
    page: Page, root: str, original: np.ndarray, boxes: list[tuple[int, ...]]
) -> None:
    """Both loops as the specialist's own session gets them rendered (PNG), beside the original's pixels."""
    cookies = {one["name"]: one["value"] for one in page.context.cookies()}
    outside = np.ones((ROWS, COLUMNS), bool)
    for left, top, width, height in boxes:
        outside[top : top + height, left : left + width] = False
    with httpx.Client(cookies=cookies, timeout=60) as client:
        checked = 0
        for found in client.get(f"{root}/instances", headers={"Accept": "application/dicom+json"}).json():
            study, series, uid = (found[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
            if found["00280010"]["Value"] != [ROWS]:
                continue
            url = f"{root}/studies/{study}/series/{series}/instances/{uid}/frames/1/rendered"
            answer = client.get(url, headers={"Accept": "image/png"})
            assert answer.status_code == 200, answer.text
            picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))
            assert not picture[~outside].any()
            assert np.array_equal(picture[outside], original[outside])
            checked += 1
    assert checked == 2


def case_of_maria(browser: Browser, demo: Server) -> tuple[UUID, str]:
    """A submitted and paid case that waits for the hospital's images."""
    patient = sign_in(browser, demo, "maria@example.org")
    patient.goto(f"{demo.url}/cases")
    patient.get_by_role("link", name="Ask for a second opinion").click()
    patient.get_by_text("Written report").click()
    patient.get_by_role("button", name="Go on").click()
    patient.get_by_text("CT", exact=True).click()
    patient.get_by_label("Question 1").fill("What is the dark spot?")
    patient.get_by_label("What are your symptoms?").fill("None.")
    patient.get_by_role("button", name="Save and go on").click()
    patient.get_by_label("date of birth").fill("1967-05-14")
    patient.get_by_label("Sex").select_option("Female")
    patient.get_by_label("Where is the patient now?").select_option("Massachusetts (USA)")
    patient.get_by_role("button", name="Save and go on").click()
    reference = patient.get_by_text(re.compile(r"^OV-\w{4}-\w{4}$")).first.inner_text()
    case_id = UUID(patient.url.rsplit("/", 2)[1])
    press(patient, "My hospital will send them")
    patient.get_by_role("link", name="Go on without documents").click()
    for box in patient.locator("main input[type=checkbox]").all():
        box.check()
    press(patient, "Go on to the payment page")
    for label, typed in (("Card number", "4242 4242 4242 4242"), ("Expiry date", "12 / 40"), ("Security code", "123")):
        patient.get_by_label(label).fill(typed)
    press(patient, "Save this card")
    patient.wait_for_url(re.compile("/cases/"))
    patient.context.close()
    return case_id, reference


def test_the_profiles_at_both_sizes(demo: Server, browser: Browser, album: Album) -> None:
    page = sign_in(browser, demo, "admin@example.org")
    page.goto(f"{demo.url}/profiles")
    album.keep(page, "profiles", sizes=(PHONE, DESK))
    page.get_by_role("link", name="Change").first.click()
    expect(page.get_by_label("Move the dates")).to_be_checked()
    album.keep(page, "profile", sizes=(PHONE, DESK))
    page.get_by_text("Keep which device it was").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("from now on")
    expect(page.get_by_label("Keep which device it was")).to_be_checked()
