"""Blending: one set of grey images in colours upon another (PS3.3 A.33.4, C.11.14; PS3.4 N.2.4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from pacs.pixels import attributes, tables
from pacs.pixels.errors import refuse
from pacs.pixels.plane import Plane

#: A millimetre or two beside a slice is the slice, where nothing says how thick it is.
_THICKNESS = 5.0


def sides(state: Dataset) -> tuple[Dataset, Dataset]:
    """Give the items of Blending Sequence, the underlying one first. Raises CannotDecode where they are not two."""
    found = {attributes.text(item, "BlendingPosition"): item for item in attributes.items(state, "BlendingSequence")}
    if not {"UNDERLYING", "SUPERIMPOSED"} <= found.keys():
        raise refuse("its state does not say which images are superimposed on which.")
    return found["UNDERLYING"], found["SUPERIMPOSED"]


def nearest(under: Plane | None, over: Sequence[Plane | None]) -> int | None:
    """Tell which of the superimposed planes lies upon the underlying one; None where none does.

    Raises CannotDecode where the sets lie in different spaces or at an angle: no registration is applied here.
    """
    if under is None or not any(over):
        raise refuse("its state blends images whose positions are not known.")
    known = [(place, one) for place, one in enumerate(over) if one is not None]
    if any(one.frame_of_reference != under.frame_of_reference for _, one in known):
        raise refuse("its state blends images of different frames of reference, which would need a registration.")
    if not all(under.parallel(one) for _, one in known):
        raise refuse("its state blends images that do not lie in parallel planes.")
    place, best = min(known, key=lambda pair: under.distance(pair[1]))
    reach = (under.thickness or _THICKNESS) + (best.thickness or _THICKNESS)
    return place if under.distance(best) <= reach / 2 else None


def blend(
    state: Dataset,
    under: NDArray[np.uint8],
    over: NDArray[np.uint8],
    way: tuple[float, float, float, float, float, float],
) -> NDArray[np.uint8]:
    """Give the underlying levels in RGB with the superimposed ones upon them, both (rows, columns) of grey.

    `way` is `Plane.onto`'s, from the underlying plane to the superimposed one. What lies outside of the superimposed
    image stays as it is. Raises CannotDecode where the state has no palette.
    """
    palettes = tables.palette(state)
    if palettes is None:
        raise refuse("its state has no usable colour palette.")
    size = (under.shape[1], under.shape[0])
    moved = Image.fromarray(over).transform(size, Image.Transform.AFFINE, way, Image.Resampling.BILINEAR)
    there = Image.new("1", (over.shape[1], over.shape[0]), 1).transform(size, Image.Transform.AFFINE, way)
    opacity = attributes.number(state, "RelativeOpacity")
    opacity = 0.5 if opacity is None else min(max(opacity, 0.0), 1.0)
    share = np.where(np.asarray(there), opacity, 0.0)[..., None]
    colours = tables.spread(palettes, np.asarray(moved))
    blended: NDArray[np.uint8] = np.rint(colours * share + under[..., None] * (1 - share)).astype(np.uint8)
    return blended
