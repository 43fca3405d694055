"""Lines of text that a model finds in a picture, where the extra `overread[text]` is installed; none where it is not.

The model runs in a process of its own with limits, like the codecs: what it makes of a picture is data, and what goes
wrong with it costs suggestions and nothing else.
"""

from __future__ import annotations

import importlib.util
import json
from functools import cache

import numpy as np
from numpy.typing import NDArray

from overread.kit import log
from overread.kit.errors import OverreadError, Unprocessable
from pacs.deid.masks import MOST_BOXES, Box, within
from pacs.pixels import workers
from pacs.pixels.layout import Layout

_logger = log.get(__name__)
_MOST_ANSWER = 1 << 20
_POOL = workers.Pool(module="pacs.deid.text_worker")


@cache
def installed() -> bool:
    """Tell whether the extra is there."""
    return importlib.util.find_spec("rapidocr") is not None


def lines(low: NDArray[np.uint8], high: NDArray[np.uint8]) -> tuple[Box, ...]:
    """Give rectangles around lines of text in the frames' minimum or maximum, (rows, columns) or (rows, columns, 3)."""
    if not installed():
        return ()
    found: list[Box] = []
    for levels in (low,) if np.array_equal(low, high) else (low, high):
        found += _found(levels)
    return tuple(dict.fromkeys(found))[:MOST_BOXES]


def _found(levels: NDArray[np.uint8]) -> list[Box]:
    samples = 3 if levels.ndim == 3 else 1
    rows, columns = levels.shape[:2]
    colours = "RGB" if samples == 3 else "MONOCHROME2"
    form = Layout(rows, columns, samples, 8, 8, 7, False, False, False, colours)
    try:
        said = json.loads(_POOL.call({"op": "lines"}, form, levels.tobytes(), limit=_MOST_ANSWER))
    except (OverreadError, ValueError) as failed:
        _logger.warning("text_not_looked_for", reason=type(failed).__name__)
        return []
    return [box for one in said if (box := _box(one, rows, columns))] if isinstance(said, list) else []


def _box(said: object, rows: int, columns: int) -> Box | None:
    """A rectangle within the picture, None where it is none: the process may have been taken over."""
    if not isinstance(said, list) or len(said) != 4 or any(type(number) is not int for number in said):
        return None
    try:
        return within([said], rows, columns)[0]
    except Unprocessable:
        return None
