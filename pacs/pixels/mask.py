"""Mask subtraction: what a frame shows more, or less, than other frames of its image (PS3.3 C.7.6.10, C.11.13)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs.pixels import attributes
from pacs.pixels.errors import refuse

Floats = NDArray[np.float64]

#: Frames that are averaged at most.
MAX_FRAMES = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """Frames, counted from 0: the mean of `mask`, shifted (rows down, columns right), is taken off `contrast`'s."""

    contrast: tuple[int, ...]
    mask: tuple[int, ...]
    shift: tuple[float, float] = (0.0, 0.0)


def plan(ds: Dataset, index: int, count: int) -> Plan | None:
    """Tell what is subtracted from a frame of an image of `count` frames; None where nothing is.

    The first item of Mask Subtraction Sequence counts whose range holds the frame. Raises CannotDecode for a mask
    that is made of too many frames.
    """
    if attributes.text(ds, "RecommendedViewingMode") == "NAT":
        return None
    for item in attributes.items(ds, "MaskSubtractionSequence"):
        if found := _plan(item, index, count):
            return found
    return None


def subtracted(chosen: Plan, values: Callable[[int], Floats]) -> Floats:
    """Give the difference; `values` gives a frame in a space that is logarithmic to intensity (PS3.4 N.2.1.2)."""
    return _mean(chosen.contrast, values) - _shifted(_mean(chosen.mask, values), *chosen.shift)


def _plan(item: Dataset, index: int, count: int) -> Plan | None:
    operation = attributes.text(item, "MaskOperation")
    averaged = max(attributes.integer(item, "ContrastFrameAveraging", 1) or 1, 1)
    bounds = [int(number) - 1 for number in attributes.numbers(item, "ApplicableFrameRange")]
    ranges = list(zip(bounds[::2], bounds[1::2], strict=False)) or [(0, count - averaged)]
    start = next((first for first, last in ranges if first <= index <= last), None)
    if start is None:
        return None
    offset = attributes.integer(item, "TIDOffset", 1) or 0
    if operation == "AVG_SUB":
        masks = [int(number) - 1 for number in attributes.numbers(item, "MaskFrameNumbers")]
    elif operation == "TID":
        masks, averaged = [index - offset], 1
    elif operation == "REV_TID":
        # C.7.6.10.1: while the contrast frames go on, the mask's go back.
        before = sum(last - first + 1 for first, last in ranges if last < start)
        masks, averaged = [ranges[0][0] - offset - (before + index - start)], 1
    else:
        return None
    masks = [number for number in masks if 0 <= number < count]
    if not masks:
        return None
    if len(masks) > MAX_FRAMES or averaged > MAX_FRAMES:
        raise refuse(f"its mask is made of more than {MAX_FRAMES} frames.")
    shift = attributes.numbers(item, "MaskSubPixelShift")
    contrast = tuple(range(index, min(index + averaged, count)))
    return Plan(contrast, tuple(masks), (shift[0], shift[1]) if len(shift) == 2 else (0.0, 0.0))


def _mean(frames: tuple[int, ...], values: Callable[[int], Floats]) -> Floats:
    total = values(frames[0]).astype(np.float64)
    for number in frames[1:]:
        total += values(number)
    return total / len(frames)


def _shifted(image: Floats, down: float, right: float) -> Floats:
    """Move an image by fractions of pixels, between them linear; its edges are repeated."""
    for axis, by in ((0, down), (1, right)):
        whole = math.floor(by)
        here = np.clip(np.arange(image.shape[axis]) - whole, 0, image.shape[axis] - 1)
        near = np.take(image, here, axis)
        if by != whole:
            near += (by - whole) * (np.take(image, np.maximum(here - 1, 0), axis) - near)
        image = near
    return image
