"""The hosted viewer in a real browser: images on the screen, and a token that is nowhere but in its header."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from overread.kit.db import Database
from overread.kit.principals import Principal
from overread.kit.settings import Settings
from tests.viewer_bridge import reader
from tests.viewer_bridge.fake_dicomweb import FakeDicomweb, bundled, ct_series
from tests.viewer_bridge.reader import Reading
from viewer_bridge import grants

COMPRESSED = ("MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm")

pytestmark = reader.NEEDED


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with reader.chromium() as opened:
        yield opened


@pytest.fixture
def fake(db: Database) -> FakeDicomweb:
    return FakeDicomweb(db, [*ct_series(), *bundled("CT_small.dcm", *COMPRESSED)])


@pytest.fixture
def reading(
    db: Database, settings: Settings, specialist: Principal, browser: Browser, fake: FakeDicomweb
) -> Iterator[Reading]:
    with reader.reading(db, settings, specialist, browser, fake.routes()) as opened:
        yield opened


def test_a_ct_is_on_the_screen_in_its_window(reading: Reading, fake: FakeDicomweb) -> None:
    reading.open(fake.instances[0].StudyInstanceUID)
    grey = reading.screen()
    # Centre 40, width 400: water at 20 HU is a middle grey, fat at -100 HU dark, the core at 300 HU white.
    for expected in (115, 38, 255):
        assert np.mean(np.abs(grey.astype(int) - expected) < 12) > 0.01, f"no grey value near {expected}"
    assert reading.complaints == []


def test_the_token_is_in_a_header_and_nowhere_else(reading: Reading, fake: FakeDicomweb) -> None:
    code = reading.open(fake.instances[0].StudyInstanceUID)
    reading.screen()
    token, page = reading.token(), reading.page
    assert len(fake.authorizations) > 5
    assert set(fake.authorizations) == {f"Bearer {token}"}
    for request in reading.requests:
        assert request.url.startswith((reading.origin + "/", "blob:" + reading.origin, "data:"))
        assert token not in request.url
        assert code not in request.url.partition("#")[0]
        assert not request.headers.get("referer")
        if not request.url.startswith(f"{reading.origin}/cases/"):
            assert "authorization" not in request.headers
    assert token not in page.url
    assert code not in page.url
    kept = page.evaluate("() => JSON.stringify({ ...localStorage }) + document.cookie + JSON.stringify(history.state)")
    assert token not in kept
    # One entry before the viewer: the launch page replaced itself.
    assert page.evaluate("() => history.length") <= 2


def test_a_reload_keeps_the_session(reading: Reading, fake: FakeDicomweb) -> None:
    reading.open(fake.instances[0].StudyInstanceUID)
    reading.screen()
    token = reading.token()
    fake.authorizations.clear()
    reading.page.reload()
    reading.screen()
    assert set(fake.authorizations) == {f"Bearer {token}"}
    assert token not in reading.page.url


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_compressed_image_is_decoded_in_the_page(reading: Reading, fake: FakeDicomweb, name: str) -> None:
    ds = fake.instances[-len(COMPRESSED) + COMPRESSED.index(name)]
    assert ds.file_meta.TransferSyntaxUID.is_encapsulated
    reading.open(ds.StudyInstanceUID)
    assert reading.screen().std() > 5
    assert reading.complaints == []


def test_several_studies_open_together(reading: Reading, fake: FakeDicomweb) -> None:
    studies = {ds.StudyInstanceUID for ds in fake.instances[:21]}
    reading.open(*studies)
    reading.screen()
    asked = " ".join(path for path, _ in fake.asked)
    assert all(f"/studies/{uid}/" in asked for uid in studies)


def test_a_used_link_says_what_to_do(reading: Reading, fake: FakeDicomweb) -> None:
    code = reading.open(fake.instances[0].StudyInstanceUID)
    reading.page.goto("about:blank")
    reading.page.goto(f"{reading.origin}/open#{code}")
    expect(reading.page.get_by_role("heading", name="This link can’t be used any more")).to_be_visible()
    expect(reading.page.get_by_text("Go back to the case and open the viewer again.")).to_be_visible()
    expect(reading.page.get_by_role("link")).to_have_attribute("href", "https://portal.example")
    assert code not in reading.page.url


def test_a_link_without_a_code_says_what_to_do(reading: Reading) -> None:
    reading.page.goto(f"{reading.origin}/open")
    expect(reading.page.get_by_role("heading", name="This link can’t be used any more")).to_be_visible()


def test_the_viewer_without_a_session_leads_away(reading: Reading, fake: FakeDicomweb) -> None:
    reading.page.goto(f"{reading.origin}/viewer?StudyInstanceUIDs={fake.instances[0].StudyInstanceUID}")
    reading.page.wait_for_url("**/ended")
    expect(reading.page.get_by_role("heading", name="Your viewer session has ended")).to_be_visible()
    assert fake.asked == []


@pytest.mark.parametrize(
    "ask",
    [
        "root => fetch(`${root}/studies`)",
        "root => { const ask = new XMLHttpRequest(); ask.open('GET', `${root}/studies`); ask.send(); }",
        "() => location.reload()",
    ],
    ids=["fetch", "XMLHttpRequest", "reload"],
)
def test_revoking_the_grant_ends_the_open_viewer(reading: Reading, fake: FakeDicomweb, ask: str) -> None:
    reading.open(fake.instances[20].StudyInstanceUID)
    reading.screen()
    with reading.db.transaction() as tx:
        assert grants.revoke(tx, reading.case) == 1
    # Later, so that the answer is not awaited in a page that is gone by then.
    reading.page.evaluate(f"root => void setTimeout(() => ({ask})(root))", f"/cases/{reading.case}/dicomweb")
    reading.page.wait_for_url("**/ended", timeout=90_000)
    assert reading.page.evaluate("() => sessionStorage.getItem('overread.viewer')") is None


def test_a_study_that_was_taken_back_is_no_longer_shown(reading: Reading, fake: FakeDicomweb) -> None:
    reading.open(fake.instances[20].StudyInstanceUID)
    reading.screen()
    # What the study never had ends nothing.
    asked = len(fake.asked)
    reading.page.evaluate("root => fetch(`${root}/nothing`)", f"/cases/{reading.case}/dicomweb")
    while not any(path.endswith("/studies") for path, _ in fake.asked[asked:]):
        reading.page.wait_for_timeout(50)
    reading.page.wait_for_timeout(5500)
    assert "/viewer?" in reading.page.url
    fake.instances.clear()
    reading.page.evaluate("root => void fetch(`${root}/nothing`)", f"/cases/{reading.case}/dicomweb")
    reading.page.wait_for_url("**/ended")
    expect(reading.page.get_by_text("the access to these images was ended")).to_be_visible()
    expect(reading.page.get_by_text("Your measurements were kept")).to_be_hidden()


def test_measurements_are_kept_when_the_session_ends(reading: Reading, fake: FakeDicomweb) -> None:
    ds = fake.instances[20]
    reading.open(ds.StudyInstanceUID)
    reading.screen()
    page = reading.page
    page.locator("[data-cy='MeasurementTools-split-button-primary']").click()
    box = page.locator("canvas.cornerstone-canvas").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 10, steps=4)
    page.mouse.up()
    page.locator("[data-cy='trackedMeasurements-btn']").click()
    expect(page.get_by_role("button", name="CSV")).to_be_visible()
    # Nothing is saved from the viewer, so nothing offers to.
    assert page.get_by_text("Create SR").count() == 0
    with reading.db.transaction() as tx:
        grants.revoke(tx, reading.case)
    page.evaluate("root => void fetch(`${root}/studies`)", f"/cases/{reading.case}/dicomweb")
    page.wait_for_url("**/ended")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save them now").click()
    assert download.value.suggested_filename == "measurements.csv"
    head, row = download.value.path().read_text().splitlines()
    assert head.startswith('"StudyInstanceUID","SeriesInstanceUID","SOPInstanceUID"')
    assert row.startswith(f'"{ds.StudyInstanceUID}","{ds.SeriesInstanceUID}","{ds.SOPInstanceUID}"')
    assert "mm" in row
    # They belong to that session alone.
    reading.open(ds.StudyInstanceUID)
    assert page.evaluate("() => sessionStorage.getItem('overread.measurements')") is None


def test_the_end_of_the_session_is_told_before(reading: Reading, fake: FakeDicomweb) -> None:
    reading.open(fake.instances[20].StudyInstanceUID)
    reading.screen()
    reading.page.evaluate("""() => {
        const session = JSON.parse(sessionStorage.getItem('overread.viewer'));
        session.expiresAt = new Date(Date.now() + 240_000).toISOString();
        sessionStorage.setItem('overread.viewer', JSON.stringify(session));
    }""")
    reading.page.reload()
    expect(reading.page.get_by_text("This viewer session ends soon")).to_be_visible()
    expect(reading.page.get_by_text("Save your measurements before")).to_be_visible()


def test_reformatted_planes_are_drawn_too(reading: Reading, fake: FakeDicomweb) -> None:
    study = fake.instances[0].StudyInstanceUID
    reading.open(study)
    reading.page.goto(f"{reading.origin}/viewer?StudyInstanceUIDs={study}&hangingprotocolid=mpr")
    expect(reading.page.locator("canvas.cornerstone-canvas")).to_have_count(3, timeout=90_000)
    assert reading.screen().std() > 5
    assert reading.complaints == []


def test_no_menu_leads_to_another_host(reading: Reading, fake: FakeDicomweb) -> None:
    reading.open(fake.instances[20].StudyInstanceUID)
    reading.screen()
    assert reading.page.evaluate("() => window.open('https://elsewhere.example/') === null")
    assert len(reading.page.context.pages) == 1
    assert reading.page.get_by_text("Skip all").count() == 0  # the tour
    assert reading.page.get_by_text("investigational").count() == 0
