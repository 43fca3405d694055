"""The hosted viewer in a real browser: images on the screen, and a token that is nowhere but in its header."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from overread.kit import clock
from overread.kit.db import Database
from overread.kit.principals import Principal
from overread.kit.settings import Settings
from tests.viewer_bridge.fake_dicomweb import FakeDicomweb, bundled, ct_series
from viewer_bridge import grants, launch
from viewer_bridge.ohif.build import is_built
from viewer_bridge.site import viewer_app

CHROMIUM = "/usr/bin/chromium"
# WebGL comes from SwiftShader; without these two flags chromium falls back to the same, for now with a warning.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
COMPRESSED = ("MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no chromium at /usr/bin/chromium"),
    pytest.mark.skipif(not is_built(), reason="the hosted viewer is not built: python -m viewer_bridge.ohif"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@dataclass
class Reading:
    """A running viewer, a specialist with a grant, and a page that notes everything it does."""

    db: Database
    fake: FakeDicomweb
    who: Principal
    page: Page
    origin: str
    case: UUID = field(default_factory=uuid4)
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def code(self, *studies: str) -> str:
        with self.db.transaction() as tx:
            grants.grant(tx, self.who.id, self.case, uuid4(), clock.now() + timedelta(hours=1))
            return launch.create(tx, self.who, self.case, list(studies))

    def open(self, *studies: str) -> str:
        """Open the viewer the way the portal does; the code."""
        code = self.code(*studies)
        self.page.goto(f"{self.origin}/open#{code}")
        self.page.wait_for_url("**/viewer?*")
        return code

    def token(self) -> str:
        token = self.page.evaluate("() => JSON.parse(sessionStorage.getItem('overread.viewer')).token")
        assert isinstance(token, str)
        return token

    def screen(self) -> np.ndarray:
        """The first viewport as grey values (rows x columns), once something is drawn in it."""
        canvas = self.page.locator("canvas.cornerstone-canvas").first
        canvas.wait_for(timeout=30_000)
        for _ in range(150):
            grey = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("L"))
            # Beside the annotations in its corners an empty viewport is black.
            inner = grey[100:-100, 150:-150]
            if inner.std() > 5:
                return inner
            self.page.wait_for_timeout(100)
        raise AssertionError(f"nothing was drawn; {self.complaints}")


@pytest.fixture
def reading(db: Database, settings: Settings, specialist: Principal, browser: Browser) -> Iterator[Reading]:
    fake = FakeDicomweb(db, [*ct_series(), *bundled("CT_small.dcm", *COMPRESSED)])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(viewer_app(settings, db, fake.routes()), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    made = Reading(db, fake, specialist, page, f"http://127.0.0.1:{listener.getsockname()[1]}")
    page.on("request", lambda request: made.requests.append(request))
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation',"
        " event => console.error('refused by policy', event.violatedDirective, event.blockedURI, event.sample))"
    )
    page.on("console", lambda line: made.complaints.append(line.text) if "policy" in line.text else None)
    yield made
    context.close()
    server.should_exit = True
    thread.join()
    listener.close()


def test_a_ct_is_on_the_screen_in_its_window(reading: Reading) -> None:
    reading.open(reading.fake.instances[0].StudyInstanceUID)
    grey = reading.screen()
    # Centre 40, width 400: water at 20 HU is a middle grey, fat at -100 HU dark, the core at 300 HU white.
    for expected in (115, 38, 255):
        assert np.mean(np.abs(grey.astype(int) - expected) < 12) > 0.01, f"no grey value near {expected}"
    assert reading.complaints == []


def test_the_token_is_in_a_header_and_nowhere_else(reading: Reading) -> None:
    code = reading.open(reading.fake.instances[0].StudyInstanceUID)
    reading.screen()
    token, page = reading.token(), reading.page
    assert len(reading.fake.authorizations) > 5
    assert set(reading.fake.authorizations) == {f"Bearer {token}"}
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


def test_a_reload_keeps_the_session(reading: Reading) -> None:
    reading.open(reading.fake.instances[0].StudyInstanceUID)
    reading.screen()
    token = reading.token()
    reading.fake.authorizations.clear()
    reading.page.reload()
    reading.screen()
    assert set(reading.fake.authorizations) == {f"Bearer {token}"}
    assert token not in reading.page.url


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_compressed_image_is_decoded_in_the_page(reading: Reading, name: str) -> None:
    ds = reading.fake.instances[-len(COMPRESSED) + COMPRESSED.index(name)]
    assert ds.file_meta.TransferSyntaxUID.is_encapsulated
    reading.open(ds.StudyInstanceUID)
    assert reading.screen().std() > 5
    assert reading.complaints == []


def test_several_studies_open_together(reading: Reading) -> None:
    studies = {ds.StudyInstanceUID for ds in reading.fake.instances[:21]}
    reading.open(*studies)
    reading.screen()
    asked = " ".join(path for path, _ in reading.fake.asked)
    assert all(f"/studies/{uid}/" in asked for uid in studies)


def test_a_used_link_says_what_to_do(reading: Reading) -> None:
    code = reading.open(reading.fake.instances[0].StudyInstanceUID)
    reading.page.goto("about:blank")
    reading.page.goto(f"{reading.origin}/open#{code}")
    expect(reading.page.get_by_role("heading", name="This link can’t be used any more")).to_be_visible()
    expect(reading.page.get_by_text("Go back to the case and open the viewer again.")).to_be_visible()
    expect(reading.page.get_by_role("link")).to_have_attribute("href", "https://portal.example")
    assert code not in reading.page.url


def test_a_link_without_a_code_says_what_to_do(reading: Reading) -> None:
    reading.page.goto(f"{reading.origin}/open")
    expect(reading.page.get_by_role("heading", name="This link can’t be used any more")).to_be_visible()


def test_the_viewer_without_a_session_leads_away(reading: Reading) -> None:
    reading.page.goto(f"{reading.origin}/viewer?StudyInstanceUIDs={reading.fake.instances[0].StudyInstanceUID}")
    reading.page.wait_for_url("**/ended")
    expect(reading.page.get_by_role("heading", name="Your viewer session has ended")).to_be_visible()
    assert reading.fake.asked == []


@pytest.mark.parametrize(
    "ask",
    [
        "root => fetch(`${root}/studies`)",
        "root => { const ask = new XMLHttpRequest(); ask.open('GET', `${root}/studies`); ask.send(); }",
        "() => location.reload()",
    ],
    ids=["fetch", "XMLHttpRequest", "reload"],
)
def test_revoking_the_grant_ends_the_open_viewer(reading: Reading, ask: str) -> None:
    reading.open(reading.fake.instances[20].StudyInstanceUID)
    reading.screen()
    with reading.db.transaction() as tx:
        assert grants.revoke(tx, reading.case) == 1
    # Later, so that the answer is not awaited in a page that is gone by then.
    reading.page.evaluate(f"root => void setTimeout(() => ({ask})(root))", f"/cases/{reading.case}/dicomweb")
    reading.page.wait_for_url("**/ended", timeout=30_000)
    assert reading.page.evaluate("() => sessionStorage.getItem('overread.viewer')") is None


def test_reformatted_planes_are_drawn_too(reading: Reading) -> None:
    study = reading.fake.instances[0].StudyInstanceUID
    reading.open(study)
    reading.page.goto(f"{reading.origin}/viewer?StudyInstanceUIDs={study}&hangingprotocolid=mpr")
    expect(reading.page.locator("canvas.cornerstone-canvas")).to_have_count(3, timeout=30_000)
    assert reading.screen().std() > 5
    assert reading.complaints == []


def test_no_menu_leads_to_another_host(reading: Reading) -> None:
    reading.open(reading.fake.instances[20].StudyInstanceUID)
    reading.screen()
    assert reading.page.evaluate("() => window.open('https://elsewhere.example/') === null")
    assert len(reading.page.context.pages) == 1
    assert reading.page.get_by_text("Skip all").count() == 0  # the tour
    assert reading.page.get_by_text("investigational").count() == 0
