"""One object of each kind, opened in the hosted viewer; what is drawn is compared with a picture that was looked at.

A new release of the viewer, a narrower policy or another form of an answer may blind it for one kind alone, without an
error anywhere. Where a kept picture is no longer right, take the new one from the folder that the failure names, once
you have looked at it.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from pydicom.dataset import Dataset

from dicomweb.context import Context, Upload
from dicomweb.routes import routes
from overread.kit.db import Database
from overread.kit.hosts import Origin
from overread.kit.local_blobs import LocalBlobStore
from overread.kit.principals import Role
from overread.kit.sealed import Sealer
from overread.kit.settings import Settings
from pacs.index.scope import ORIGINAL, Scope
from pacs.store.archive import Archive
from tests.conftest import new_database
from tests.viewer_bridge import kinds, reader
from tests.viewer_bridge.conftest import person
from tests.viewer_bridge.reader import Reading
from tests.viewer_bridge.test_viewer_over_dicomweb import store

pytestmark = reader.NEEDED

KEPT = Path(__file__).parent / "pictures"
#: Columns and rows of a kept picture.
SIZE = (320, 250)
#: Columns and rows of the blocks that pictures are compared in.
BLOCKS = (64, 40)


@dataclass(frozen=True)
class Kind:
    """What is stored, the picture that it must be like, and what of it is opened by hand."""

    made: Callable[[], list[Dataset]]
    picture: str
    thumbnail: str = ""


KINDS = {
    "ct": Kind(kinds.ct, "ct"),
    "overlays": Kind(kinds.overlays, "overlays"),
    "jpeg-xl": Kind(kinds.jpeg_xl, "ct"),
    "deflated-frames": Kind(kinds.deflated_frames, "ct"),
    "jpeg-extended": Kind(kinds.jpeg_extended, "jpeg-extended"),
    "ultrasound": Kind(kinds.ultrasound, "ultrasound"),
    "segmentation": Kind(kinds.segmentation, "segmentation", "Segments"),
    "structures": Kind(kinds.structures, "structures", "Structures"),
    "dose": Kind(kinds.dose, "dose"),
    "report": Kind(kinds.report, "report"),
    "document": Kind(kinds.document, "document"),
    "slide": Kind(kinds.slide, "slide"),
    "video": Kind(kinds.video, "video"),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with reader.chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def studies() -> dict[str, list[Dataset]]:
    return {name: kind.made() for name, kind in KINDS.items()}


@pytest.fixture(scope="module")
def reading(
    postgres: str,
    template: str,
    browser: Browser,
    studies: dict[str, list[Dataset]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Reading]:
    """One server with all of it, and one page."""
    folder = tmp_path_factory.mktemp("kinds")
    with new_database(postgres, template) as url:
        db = Database(url)
        db.ended = folder / "keys"
        archive = Archive(db, LocalBlobStore(folder / "blobs"), Sealer(bytes(32), "pacs.view", folder / "keys"))
        settings = Settings.model_validate({"data_dir": folder, "public_url": "https://portal.example"})
        with db.transaction() as tx:
            specialist = person(tx, Role.SPECIALIST)
        for made in studies.values():
            store(archive, specialist, made)
        context = Context(
            archive, lambda *_: Scope(ORIGINAL, unreleased=True), lambda *_: Upload(), Origin("http://localhost")
        )
        with reader.reading(db, settings, specialist, browser, routes(context)) as opened:
            yield opened
        db.close()


def seen(page: Page) -> Image.Image:
    """What is on the screen between the lists at its sides, as small as the kept pictures."""
    shot = page.locator("[data-cy='viewport-grid']").first.screenshot()
    return Image.open(io.BytesIO(shot)).convert("RGB").resize(SIZE, Image.Resampling.BOX)


def blocks(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.resize(BLOCKS, Image.Resampling.BOX)).astype(int)


def alike(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pictures show the same: nearly every block has nearly the same colour."""
    apart = np.abs(blocks(one) - blocks(other)).max(axis=2)
    return bool(apart.mean() < 3 and np.mean(apart > 12) < 0.01)


def picture(name: str) -> Image.Image:
    """A kept picture; where there is none yet, one that nothing is like."""
    path = KEPT / f"{name}.png"
    return Image.open(path).convert("RGB") if path.exists() else Image.new("RGB", (1, 1), "magenta")


def awaited(reading: Reading, name: str, fallback: Path) -> None:
    """Wait until what is on the screen is like a kept picture; else keep what is there."""
    page, kept = reading.page, picture(name)
    page.locator("[data-cy='viewport-grid']").first.wait_for(timeout=90_000)
    for _ in range(300):
        shown = seen(page)
        if alike(shown, kept):
            return
        page.wait_for_timeout(200)
    folder = Path(os.environ.get("OVERREAD_ARTIFACTS") or fallback) / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    shown.save(folder / f"{name}.png", optimize=True)
    page.screenshot(path=folder / f"{name}-page.png")
    raise AssertionError(f"what is drawn is not like {name}.png, see {folder}; {reading.complaints}")


def test_what_is_compared_tells_every_kind_from_the_others_and_from_an_empty_viewport() -> None:
    kept = {name: picture(name) for name in {kind.picture for kind in KINDS.values()}}
    for one, other in itertools.combinations(kept, 2):
        assert not alike(kept[one], kept[other]), (one, other)
    for name, shown in kept.items():
        assert not alike(shown, Image.new("RGB", shown.size)), name


@pytest.mark.parametrize("name", KINDS)
def test_it_is_drawn(reading: Reading, studies: dict[str, list[Dataset]], name: str, tmp_path: Path) -> None:
    kind, page = KINDS[name], reading.page
    reading.complaints.clear()
    reading.open(studies[name][0].StudyInstanceUID)
    if kind.thumbnail:
        # Upon its images, once they are there.
        awaited(reading, "ct", tmp_path / name)
        thumbnail = page.locator("[data-cy^='study-browser-thumbnail']").filter(has_text=kind.thumbnail)
        thumbnail.dblclick(timeout=90_000)
    awaited(reading, kind.picture, tmp_path / name)
    assert reading.complaints == []
