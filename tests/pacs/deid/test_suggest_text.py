"""Lines of text by the extra's model: what its process says is data; its absence or death costs suggestions only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pacs.deid import suggest_text
from pacs.deid.masks import Box
from pacs.deid.suggest_text import lines
from pacs.pixels.workers import Pool


@pytest.fixture
def lying(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    pool = Pool(module="tests.pacs.deid.lying_text_worker", patience=30)
    monkeypatch.setattr(suggest_text, "_POOL", pool)
    monkeypatch.setattr(suggest_text, "installed", lambda: True)
    yield
    pool.close()


def asking(number: int) -> np.ndarray:
    return np.full((30, 40), number, np.uint8)


def test_without_the_extra_nothing_is_found_and_nothing_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggest_text, "installed", lambda: False)
    monkeypatch.setattr(suggest_text, "_POOL", None)
    assert lines(asking(1), asking(1)) == ()


@pytest.mark.usefixtures("lying")
def test_rectangles_are_cut_at_the_edges_and_taken_once() -> None:
    assert lines(asking(1), asking(1)) == (Box(1, 2, 3, 4), Box(10, 10, 30, 20))
    assert lines(asking(1), asking(2)) == (Box(1, 2, 3, 4), Box(10, 10, 30, 20))
    assert lines(np.dstack([asking(1)] * 3), np.dstack([asking(1)] * 3)) == (Box(1, 2, 3, 4), Box(10, 10, 30, 20))


@pytest.mark.usefixtures("lying")
@pytest.mark.parametrize("answer", [2, 3, 4, 9])
def test_nonsense_and_death_are_no_suggestions(answer: int) -> None:
    assert lines(asking(answer), asking(answer)) == ()
    assert lines(asking(1), asking(1)) != ()


@pytest.mark.skipif(not suggest_text.installed(), reason="the extra overread[text] is not installed")
def test_the_model_finds_lines() -> None:
    picture = Image.new("L", (640, 480), 20)
    ImageDraw.Draw(picture).text((60, 40), "OKONKWO ADAEZE 04.07.1951", fill=230, font_size=20)
    levels = np.asarray(picture)
    (box,) = lines(levels, levels)
    written = np.argwhere(levels > 100)
    assert box.top <= written[:, 0].min()
    assert box.left <= written[:, 1].min()
    assert box.left + box.width > written[:, 1].max()
    assert box.width * box.height < levels.size / 10
