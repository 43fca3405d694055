"""Stored values to grey levels: modality LUT, VOI LUT, presentation (PS3.3 C.11.1, C.11.2, C.11.6; PS3.4 N.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from overread.kit.errors import BadInput
from overread.kit.language import gettext
from pacs.pixels import attributes, default_window, tables
from pacs.pixels.tables import Table

Floats = NDArray[np.float64]
Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

#: Above this many distinct values a table costs more than the pixels themselves.
_MAX_TABLE = 1 << 20

#: Without any VOI transformation: the share of pixels left darker, and lighter, than the shown range.
_TAIL = 0.002


@dataclass(frozen=True, slots=True)
class Window:
    """A window in units of the modality LUT's output (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: Function = "LINEAR"

    def __post_init__(self) -> None:
        """Refuse a window that has no meaning: LINEAR needs a width of 1, the others more than 0."""
        finite = np.isfinite(self.center) and np.isfinite(self.width)
        if not finite or self.width <= 0 or (self.function == "LINEAR" and self.width < 1):
            raise BadInput(
                "a window without width",
                safe=gettext(
                    "The window's width has to be at least 1, or more than 0 where its function is not LINEAR."
                ),
            )

    def apply(self, values: Floats) -> Floats:
        """Give grey levels from 0 to 1 (PS3.3 C.11.2.1.2.1, C.11.2.1.3)."""
        if self.function == "SIGMOID":
            # Beyond 500 the exponential is 0 or infinite for any display.
            return 1 / (1 + np.exp(np.clip(-4 * (values - self.center) / self.width, -500, 500)))
        center, width = self.center, self.width
        if self.function == "LINEAR":
            center, width = center - 0.5, width - 1
        if width == 0:
            return (values > center).astype(np.float64)
        return np.clip((values - center) / width + 0.5, 0, 1)


@dataclass(frozen=True, slots=True)
class Span:
    """The automatic window: from the darkest value shown to the lightest. A frame of one value is black or grey."""

    low: float
    high: float

    def apply(self, values: Floats) -> Floats:
        """Give grey levels from 0 to 1."""
        if self.high <= self.low:
            return np.where(values > 0, 0.5, 0.0)
        return np.clip((values - self.low) / (self.high - self.low), 0, 1)


@dataclass(frozen=True, slots=True)
class _Lut:
    table: Table

    def apply(self, values: Floats) -> Floats:
        return self.table.apply(values) / float((1 << self.table.bits) - 1)


def modality(ds: Dataset, values: NDArray[Any], frame_index: int = 0) -> Floats:
    """Turn stored values of any shape into the modality's units, Hounsfield's for one (PS3.3 C.11.1).

    A Modality LUT Sequence, else the frame's Pixel Value Transformation, else Rescale Slope and Intercept.
    """
    for item in attributes.items(ds, "ModalityLUTSequence")[:1]:
        table = tables.lut(item, signed=attributes.integer(ds, "PixelRepresentation") == 1)
        if table is not None:
            return table.apply(values).astype(np.float64)
    slope, intercept = _rescale(ds, frame_index)
    out = values.astype(np.float64)
    # A slope of 0 would make every pixel equal: it is a writer's slip, never meant.
    return out * (slope or 1.0) + (intercept or 0.0) if slope or intercept else out


def _rescale(ds: Dataset, frame_index: int) -> tuple[float | None, float | None]:
    source = attributes.group(ds, frame_index, "PixelValueTransformationSequence") or ds
    return attributes.number(source, "RescaleSlope"), attributes.number(source, "RescaleIntercept")


def _is_fractional(ds: Dataset, frame_index: int) -> bool:
    """Tell whether modality values of integers lie closer together than 1."""
    slope, _ = _rescale(ds, frame_index)
    return slope is not None and 0 < abs(slope) < 1 and not attributes.items(ds, "ModalityLUTSequence")


def voi(ds: Dataset, frame_index: int = 0, *, signed: bool = True) -> Window | _Lut | None:
    """Give the frame's first VOI transformation: its functional group's, a VOI LUT, or a window (PS3.3 C.11.2).

    None where there is none, or none that is valid. `signed` tells whether modality values may be negative.
    """
    source = attributes.group(ds, frame_index, "FrameVOILUTSequence") or ds
    for item in attributes.items(source, "VOILUTSequence")[:1]:
        table = tables.lut(item, signed=signed)
        if table is not None:
            return _Lut(table)
    center = attributes.number(source, "WindowCenter")
    width = attributes.number(source, "WindowWidth")
    if center is None or width is None:
        return None
    name = attributes.text(source, "VOILUTFunction")
    floating = attributes.integer(ds, "BitsStored") is None
    if name in ("", "LINEAR") and (floating or (width < 1 and _is_fractional(ds, frame_index))):
        # Values that are no integers have no step of 1, which LINEAR takes off: floats' width of 1 would be a
        # threshold, and a narrower window, as diffusion maps in mm2/s have, none at all (PS3.3 C.11.2.1.2.1).
        name = "LINEAR_EXACT"
    function: Function = "SIGMOID" if name == "SIGMOID" else "LINEAR_EXACT" if name == "LINEAR_EXACT" else "LINEAR"
    try:
        return Window(center, width, function)
    except BadInput:
        return None


def full_range(ds: Dataset) -> tuple[float, float]:
    """Give the lowest and highest value that the modality transformation can give: what an identity VOI shows."""
    for item in attributes.items(ds, "ModalityLUTSequence")[:1]:
        table = tables.lut(item, signed=False)
        if table is not None:
            return 0.0, float((1 << table.bits) - 1)
    bits = min(max(attributes.integer(ds, "BitsStored") or 8, 1), 32)
    low = -(1 << bits - 1) if attributes.integer(ds, "PixelRepresentation") == 1 else 0
    ends = modality(ds, np.array([low, low + (1 << bits) - 1]))
    return float(ends.min()), max(float(ends.max()), float(ends.min()) + 1e-9)


def padding(ds: Dataset, values: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Tell which stored values are padding (PS3.3 C.7.5.1.1.2); None where the header names none."""
    first = attributes.number(ds, "PixelPaddingValue")
    if first is None:
        first = attributes.number(ds, "FloatPixelPaddingValue")
    if first is None:
        return None
    limit = attributes.number(ds, "PixelPaddingRangeLimit")
    low, high = sorted((first, first if limit is None else limit))
    if attributes.integer(ds, "PixelRepresentation") == 1:
        # A signed image's padding is often written as US.
        low, high = (bound - 65536 if bound > 32767 else bound for bound in (low, high))
    return (values >= min(low, high)) & (values <= max(low, high))


def automatic(ds: Dataset, stored: NDArray[Any]) -> Span:
    """Give the range for stored values of any shape that `grey` takes where nobody names one."""
    values = modality(ds, stored)
    hidden = padding(ds, stored)
    unreal = ~np.isfinite(values)
    return _spread(ds, np.where(unreal, 0.0, values), None, unreal if hidden is None else hidden | unreal)


def grey(
    ds: Dataset, stored: NDArray[Any], frame_index: int = 0, window: Window | Span | None = None
) -> NDArray[np.uint8]:
    """Turn one frame's stored values (rows, columns) into display levels of the same shape, 0 black, 255 white.

    `window` overrides the header's VOI transformation (PS3.18 8.3.5.1.2). Without either it is the usual
    range (`pacs.pixels.default_window`), else the image's own values are spread over the display, padding and outliers
    left out. Padding is shown black.
    """
    if stored.dtype.kind == "f":
        return _levels(ds, stored, None, frame_index, window)
    low, high = int(stored.min()), int(stored.max())
    if high - low >= min(stored.size, _MAX_TABLE):
        return _levels(ds, stored, None, frame_index, window)
    # A frame has far fewer distinct values than pixels: transform each value once, then look pixels up.
    values = np.arange(low, high + 1, dtype=np.int64)
    if stored.dtype.itemsize <= 2:
        # Signed values, read as unsigned, find their place behind the positive ones: no second array of pixels.
        bits = 8 * stored.dtype.itemsize
        index = stored.view(f"<u{stored.dtype.itemsize}")
        places, size = values & ((1 << bits) - 1), 1 << bits
    else:
        index, places, size = np.subtract(stored, low, dtype=np.int64), values - low, values.size
    counts = None
    if window is None and voi(ds, frame_index) is None:
        counts = np.bincount(index.ravel(), minlength=size)[places]
    table = np.zeros(size, np.uint8)
    table[places] = _levels(ds, values, counts, frame_index, window)
    shown: NDArray[np.uint8] = table[index]
    return shown


def _levels(
    ds: Dataset, stored: NDArray[Any], counts: NDArray[Any] | None, frame_index: int, window: Window | Span | None
) -> NDArray[np.uint8]:
    # Absurd slopes and widths overflow: what comes out is black, and no reason for a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        return _shown(ds, stored, counts, frame_index, window)


def _shown(
    ds: Dataset, stored: NDArray[Any], counts: NDArray[Any] | None, frame_index: int, window: Window | Span | None
) -> NDArray[np.uint8]:
    values = modality(ds, stored, frame_index)
    hidden = padding(ds, stored)
    unreal = ~np.isfinite(values)
    if unreal.any():
        values = np.where(unreal, 0.0, values)
        hidden = unreal if hidden is None else hidden | unreal
    chosen = window or voi(ds, frame_index, signed=bool(values.min() < 0)) or _spread(ds, values, counts, hidden)
    levels = chosen.apply(values)
    if presentation := attributes.items(ds, "PresentationLUTSequence"):
        levels = _presented(presentation[0], levels)
    elif attributes.text(ds, "PhotometricInterpretation") == "MONOCHROME1" or (
        attributes.text(ds, "PresentationLUTShape") == "INVERSE"
    ):
        # For images INVERSE goes with MONOCHROME1 (PS3.3 C.11.6.1.2): the two never cancel out.
        levels = 1 - levels
    if hidden is not None:
        levels[hidden] = 0
    return np.rint(levels * 255).astype(np.uint8)


def _presented(item: Dataset, levels: Floats) -> Floats:
    """Look P-values up: the table's entries are spread over all levels (PS3.3 C.11.4.1, C.11.6)."""
    table = tables.lut(item, signed=False)
    if table is None:
        return levels
    return table.entries[np.rint(levels * (table.entries.size - 1)).astype(np.intp)] / float((1 << table.bits) - 1)


def _spread(ds: Dataset, values: Floats, counts: NDArray[Any] | None, hidden: NDArray[np.bool_] | None) -> Span:
    """Give a range for an image that comes without one."""
    if counts is None:
        shown = values.ravel() if hidden is None else values[~hidden]
        if shown.size == 0:
            return Span(0, 0)
        low, high = (float(bound) for bound in np.quantile(shown, (_TAIL, 1 - _TAIL), method="nearest"))
        least, most = float(shown.min()), float(shown.max())
        usually = default_window.span(ds, shown, None, high)
    else:
        weights = counts if hidden is None else np.where(hidden, 0, counts)
        # A modality transformation may turn the order around.
        order = np.argsort(values, kind="stable")
        total = np.cumsum(weights[order])
        if total[-1] == 0:
            return Span(0, 0)
        low, high, least, most = (
            float(values[order[np.searchsorted(total, share * (total[-1] - 1), side="right")]])
            for share in (_TAIL, 1 - _TAIL, 0, 1)
        )
        usually = default_window.span(ds, values[weights > 0], weights[weights > 0], high)
    if usually is not None:
        return Span(*usually)
    # 8 bit images that use their range were made to be shown as they are: screenshots, ultrasound.
    if attributes.integer(ds, "BitsStored") == 8 and least >= 0 and 128 <= most <= 255:
        return Span(0, 255)
    # A nearly empty frame, a segmentation for one: its few pixels are what it is about.
    return Span(low, high) if high > low else Span(least, most)
