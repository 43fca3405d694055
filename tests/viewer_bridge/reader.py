"""A specialist at a running viewer, in Debian's chromium: what the browser tests of this room share."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, Request, sync_playwright
from starlette.routing import BaseRoute

from overread.kit import clock
from overread.kit.db import Database
from overread.kit.principals import Principal
from overread.kit.settings import Settings
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

NEEDED = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no chromium at /usr/bin/chromium"),
    pytest.mark.skipif(not is_built(), reason="the hosted viewer is not built: python -m viewer_bridge.ohif"),
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@dataclass
class Reading:
    """A running viewer, a specialist with a grant, and a page that notes everything it does."""

    db: Database
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

    def open(self, *studies: str, fused: bool = False) -> str:
        """Open the viewer the way the portal does; the code."""
        code = self.code(*studies)
        self.page.goto(f"{self.origin}/open#{code}{'.fused' if fused else ''}")
        self.page.wait_for_url("**/tmtv?*" if fused else "**/viewer?*")
        return code

    def token(self) -> str:
        token = self.page.evaluate("() => JSON.parse(sessionStorage.getItem('overread.viewer')).token")
        assert isinstance(token, str)
        return token

    def screen(self) -> np.ndarray:
        """The first viewport as grey values (rows x columns), once something is drawn in it."""
        canvas = self.page.locator("canvas.cornerstone-canvas").first
        canvas.wait_for(timeout=90_000)
        for _ in range(600):
            grey = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("L"))
            # Beside the annotations in its corners an empty viewport is black.
            inner = grey[100:-100, 150:-150]
            if inner.std() > 5:
                return inner
            self.page.wait_for_timeout(100)
        raise AssertionError(f"nothing was drawn; {self.complaints}")


@contextmanager
def reading(
    db: Database, settings: Settings, who: Principal, browser: Browser, routes: Sequence[BaseRoute]
) -> Iterator[Reading]:
    """The viewer's site over these DICOMweb routes on a port of its own, and a fresh page."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(viewer_app(settings, db, routes), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    made = Reading(db, who, page, f"http://127.0.0.1:{listener.getsockname()[1]}")
    page.on("request", lambda request: made.requests.append(request))
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation',"
        " event => console.error('refused by policy', event.violatedDirective, event.blockedURI, event.sample))"
    )
    page.on("console", lambda line: made.complaints.append(line.text) if "policy" in line.text else None)
    try:
        yield made
    finally:
        context.close()
        server.should_exit = True
        thread.join(10)
        listener.close()
