"""Overlay planes, groups 6000 to 601E: graphics that lie over an image (PS3.3 C.9.2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs.pixels import attributes

GROUPS = range(0x6000, 0x6020, 2)

#: The most pixels of one overlay that are looked at.
_MAX_PIXELS = 128 << 20

#: Gives a frame's samples with their unused bits, where old overlays lie (retired); None where there are none.
Words = Callable[[], NDArray[np.uint16] | None]


def burn(
    levels: NDArray[np.uint8],
    ds: Dataset,
    frame_index: int = 0,
    words: Words | None = None,
) -> NDArray[np.uint8]:
    """Give levels, (rows, columns) or (rows, columns, 3), with the frame's graphic overlays in white upon them.

    Regions of interest (Overlay Type R) are no graphics and stay out. Damaged planes are passed over.
    """
    out = levels
    for group in GROUPS:
        where = placed(ds, group, frame_index, levels.shape[:2], words) if (group, 0x0010) in ds else None
        if where is None:
            continue
        if out is levels:
            out = levels.copy()
        out[where] = 255
    return out


def placed(
    ds: Dataset, group: int, frame_index: int, size: tuple[int, ...], words: Words | None = None
) -> NDArray[np.bool_] | None:
    """Tell which pixels of an image of that size (rows, columns) a graphic overlay sets; None where it is none.

    Arguments are as in `burn`.
    """
    plane = _plane(ds, group, frame_index, words)
    if plane is None:
        return None
    out = np.zeros(size, bool)
    top, left = origin(ds, group)
    seen = plane[max(-top, 0) : max(size[0] - top, 0), max(-left, 0) : max(size[1] - left, 0)]
    top, left = max(top, 0), max(left, 0)
    out[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
    return out


def _plane(ds: Dataset, group: int, frame_index: int, words: Words | None) -> NDArray[np.bool_] | None:
    if _text(ds, group, 0x0040) == "R":
        return None
    rows, columns = _number(ds, group, 0x0010), _number(ds, group, 0x0011)
    if rows is None or columns is None or min(rows, columns) < 1 or rows * columns > _MAX_PIXELS:
        return None
    position = _number(ds, group, 0x0102) or 0
    data = attributes.at(ds, group, 0x3000)
    if not isinstance(data, bytes):
        # C.9.2.1.1: then the overlay is one bit of each sample.
        samples = words() if words is not None and 0 < position < 16 else None
        return None if samples is None or samples.shape != (rows, columns) else (samples >> position & 1).astype(bool)
    # C.9.2.1.4: a multi-frame overlay begins at Image Frame Origin.
    frames = _number(ds, group, 0x0015) or 1
    index = 0 if frames == 1 else frame_index - ((_number(ds, group, 0x0051) or 1) - 1)
    if not 0 <= index < frames:
        return None
    first, size = index * rows * columns, rows * columns
    if len(data) * 8 < first + size:
        return None
    packed = np.frombuffer(data, np.uint8)[first // 8 : (first + size + 7) // 8]
    bits = np.unpackbits(packed, bitorder="little")[first % 8 : first % 8 + size]
    return bits.reshape(rows, columns).astype(bool)


def origin(ds: Dataset, group: int) -> tuple[int, int]:
    """Give the row and column of the image, from 0 and maybe outside of it, where the overlay's first pixel lies."""
    found = attributes.all_numbers(attributes.at(ds, group, 0x0050))
    return (int(found[0]) - 1, int(found[1]) - 1) if len(found) == 2 else (0, 0)


def _number(ds: Dataset, group: int, element: int) -> int | None:
    found = attributes.all_numbers(attributes.at(ds, group, element))
    return int(found[0]) if found else None


def _text(ds: Dataset, group: int, element: int) -> str:
    return str(attributes.at(ds, group, element) or "").strip().upper()
