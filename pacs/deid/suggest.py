"""Where a picture may be written on: rectangles suggested to the person who decides. None of this is proof."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs.deid.masks import Box
from pacs.pixels import attributes

Levels = NDArray[np.uint8]

#: Side of the squares in which letters are looked for, in pixels, and what makes a square look written on.
_TILE = 8
_CONTRAST = 45
_FEWEST_EDGES = 10
_MOST_SUGGESTED = 32


def outside_regions(ds: Dataset) -> tuple[Box, ...]:
    """Give the strips above, below, left and right of all ultrasound regions (PS3.3 C.8.5.5), which hold no echo."""
    rows, columns = attributes.integer(ds, "Rows") or 0, attributes.integer(ds, "Columns") or 0
    edges: list[tuple[int, int, int, int]] = []
    for region in attributes.value(ds, "SequenceOfUltrasoundRegions") or ():
        corners = [attributes.integer(region, f"RegionLocation{name}") for name in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
        if None not in corners:
            left, top, right, bottom = (int(corner or 0) for corner in corners)
            if 0 <= left <= right < columns and 0 <= top <= bottom < rows:
                edges.append((left, top, right, bottom))
    if not edges:
        return ()
    left, top = min(edge[0] for edge in edges), min(edge[1] for edge in edges)
    right, bottom = max(edge[2] for edge in edges) + 1, max(edge[3] for edge in edges) + 1
    strips = (
        Box(0, 0, columns, top),
        Box(0, bottom, columns, rows - bottom),
        Box(0, top, left, bottom - top),
        Box(right, top, columns - right, bottom - top),
    )
    return tuple(strip for strip in strips if strip.width and strip.height)


def text_like(low: Levels, high: Levels) -> tuple[Box, ...]:
    """Give rectangles whose squares have many sharp edges that stand still from frame to frame, as letters do.

    `low` and `high` are the frames' minimum and maximum, (rows, columns) or (rows, columns, 3). What moves has another
    minimum than maximum and is left out; a picture of one frame has nothing that moves, and gives more.
    """
    grey, top = (levels.max(axis=2) if levels.ndim == 3 else levels for levels in (low, high))
    steps = np.abs(np.diff(grey.astype(np.int16), axis=1)) >= _CONTRAST
    still = (top[:, 1:].astype(np.int16) - grey[:, 1:]) < _CONTRAST // 2
    down, across = -(-grey.shape[0] // _TILE), -(-grey.shape[1] // _TILE)
    edges = np.zeros((down * _TILE, across * _TILE), np.uint16)
    edges[: grey.shape[0], 1 : grey.shape[1]] = steps & still
    counts = edges.reshape(down, _TILE, across, _TILE).sum(axis=(1, 3))
    written = counts >= _FEWEST_EDGES
    rows, columns = grey.shape
    boxes = [
        Box(left, top, min(width, columns - left), min(height, rows - top))
        for left, top, width, height in ((_TILE * number for number in joined) for joined in _joined(written))
    ]
    return tuple(sorted(boxes, key=lambda box: box.width * box.height, reverse=True)[:_MOST_SUGGESTED])


def _joined(written: NDArray[Any]) -> list[tuple[int, int, int, int]]:
    """Join squares that touch, a gap of one between words allowed, into rectangles (left, top, width, height)."""
    left_to_do = {(int(x), int(y)) for y, x in zip(*np.nonzero(written), strict=True)}
    found: list[tuple[int, int, int, int]] = []
    while left_to_do:
        group = [left_to_do.pop()]
        for x, y in group:  # grows while it is walked
            near = {(x + dx, y + dy) for dx in (-2, -1, 0, 1, 2) for dy in (-1, 0, 1)} & left_to_do
            left_to_do -= near
            group += near
        if len(group) > 1:
            xs, ys = [x for x, _ in group], [y for _, y in group]
            # Half a letter may stand in the next square: one more all around.
            left, top = max(0, min(xs) - 1), max(0, min(ys) - 1)
            right, bottom = min(written.shape[1], max(xs) + 2), min(written.shape[0], max(ys) + 2)
            found.append((left, top, right - left, bottom - top))
    return found
