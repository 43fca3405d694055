"""Display shutters: what of an image is covered (PS3.3 C.7.6.11, C.7.6.15)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom import Dataset

from pacs.pixels import attributes, lab, overlay


def closed(levels: NDArray[np.uint8], state: Dataset, frame_index: int = 0) -> NDArray[np.uint8]:
    """Give levels with what lies under the state's shutters covered; damaged shutters are passed over."""
    covered = np.zeros(levels.shape[:2], bool)
    for name in attributes.phrase(state, "ShutterShape").split(chr(92)):
        found = _covered(name.strip(), state, covered.shape, frame_index)
        if found is not None:
            covered |= found
    if not covered.any():
        return levels
    # C.7.6.11.1: a P-value of 16 bits; black where none is given. A colour is for colour displays.
    value = lab.grey(attributes.number(state, "ShutterPresentationValue") or 0)
    colour = lab.colour(state, "ShutterPresentationColorCIELabValue") or value
    if len(set(colour)) > 1 and levels.ndim == 2:
        levels = np.repeat(levels[..., None], 3, axis=2)
    out = levels.copy()
    out[covered] = colour if out.ndim == 3 else colour[0]
    return out


def _covered(shape: str, state: Dataset, size: tuple[int, ...], frame_index: int) -> NDArray[np.bool_] | None:
    """Tell which pixels a shutter covers; None where it is damaged or of another kind."""
    rows, columns = size
    if shape == "BITMAP":
        group = attributes.integer(state, "ShutterOverlayGroup")
        return None if group is None or group not in overlay.GROUPS else overlay.placed(state, group, frame_index, size)
    opening = Image.new("1", (columns, rows), 1)
    return np.asarray(opening) if _open(ImageDraw.Draw(opening), shape, state) else None


def _open(pen: ImageDraw.ImageDraw, shape: str, state: Dataset) -> bool:
    """Clear the shutter's opening in a mask that covers everything; False where it is damaged or of another kind."""
    if shape == "RECTANGULAR":
        edges = [
            attributes.number(state, f"Shutter{side}Edge")
            for side in ("LeftVertical", "UpperHorizontal", "RightVertical", "LowerHorizontal")
        ]
        # The edges themselves are no part of the opening.
        left, top, right, bottom = (edge if edge is not None else 0.0 for edge in edges)
        if None in edges or right - left < 2 or bottom - top < 2:
            return False
        pen.rectangle((left, top, right - 2, bottom - 2), fill=0)
        return True
    if shape == "CIRCULAR":
        middle = attributes.numbers(state, "CenterOfCircularShutter")
        radius = attributes.number(state, "RadiusOfCircularShutter")
        if len(middle) != 2 or radius is None or not 0 < radius < 65536:
            return False
        # The row comes first, as in all shutters.
        y, x = middle[0] - 1, middle[1] - 1
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
        return True
    if shape == "POLYGONAL":
        flat = attributes.numbers(state, "VerticesOfThePolygonalShutter")
        corners = [(x - 1, y - 1) for y, x in zip(flat[::2], flat[1::2], strict=False)]
        if not 3 <= len(corners) <= 10_000:
            return False
        pen.polygon(corners, fill=0)
        return True
    return False
