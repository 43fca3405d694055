"""Debian's chromium for the browser tests, what people do in it, and where the screenshots go."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from overread.demo.people import PASSWORD
from tests.live.server import Server

# No connection but to the server under test; software WebGL, so that the viewer draws without a graphics card.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; the test is skipped, and says so, where chromium is not installed."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed: `make test` installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def sign_in(browser: Browser, demo: Server, email: str) -> Page:
    """A fresh browser profile, signed in; a script error, or one of the content security policy, fails the test."""
    page = browser.new_context(viewport=DESK).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(90_000)
    page.on("pageerror", lambda error: pytest.fail(f"script error on {page.url}: {error}"))
    page.on(
        "console", lambda said: pytest.fail(f"{page.url}: {said.text}") if "Content Security" in said.text else None
    )
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{demo.url}/sign-in")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)
    return page


def press(page: Page, name: str) -> None:
    """Press the first button of this name, and wait for what it does."""
    page.get_by_role("button", name=name).first.click()
    page.wait_for_load_state()


class Album:
    """Screenshots of a story, numbered, at phone and desk size."""

    def __init__(self, fallback: Path) -> None:
        named = os.environ.get("OVERREAD_ARTIFACTS")
        self.folder = (Path(named) if named else fallback) / "screenshots"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._number = 0

    def keep(self, page: Page, name: str, *, sizes: tuple[dict[str, int], ...] = (PHONE, DESK)) -> None:
        """Keep a page as a person would see it, top to bottom; no page may scroll sideways."""
        self._number += 1
        before = page.viewport_size
        for size in sizes:
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.wait_for_timeout(120)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= size["width"] + 1, f"{name} scrolls sideways at {size['width']}: {wide}"
            page.screenshot(path=self.folder / f"{self._number:02}-{name}-{size['width']}.png", full_page=True)
        if before is not None:
            page.set_viewport_size(before)
