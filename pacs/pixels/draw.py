"""One frame's display levels: decode, window, colour, overlays (PS3.4 N.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs.dicom.transfer_syntaxes import IN_MEMORY
from pacs.pixels import attributes, overlay, tables
from pacs.pixels import window as windows
from pacs.pixels.decode import decode_frame
from pacs.pixels.errors import refuse
from pacs.pixels.window import Span, Window


def draw(
    ds: Dataset,
    frame_bytes: bytes,
    transfer_syntax: str,
    frame_index: int = 0,
    *,
    window: Window | Span | None = None,
) -> NDArray[np.uint8]:
    """Give a frame's display levels: (rows, columns) for grey, (rows, columns, 3) in RGB for colour.

    `ds` and `frame_bytes` are as in `decode_frame`; `frame_index` counts from 0 and chooses functional groups.
    Where Bits Allocated is 1 and the syntax is native, `frame_bytes` are all bytes that hold one of its bits.
    `window` overrides the header's (grey images only). Not to be written to. Raises CannotDecode, Unavailable.
    """
    found = decoded(ds, frame_bytes, transfer_syntax, frame_index)
    shown = levels(ds, found, frame_index, window)
    return overlay.burn(shown, ds, frame_index, lambda: unused_bits(ds, frame_bytes, transfer_syntax))


def decoded(ds: Dataset, frame_bytes: bytes, transfer_syntax: str, frame_index: int = 0) -> NDArray[Any]:
    """Give a frame's stored values; arguments as in `draw`. Raises CannotDecode, Unavailable."""
    bit_offset = 0
    if attributes.integer(ds, "BitsAllocated") == 1:
        rows, columns = (attributes.integer(ds, keyword) or 0 for keyword in ("Rows", "Columns"))
        samples = attributes.integer(ds, "SamplesPerPixel") or 1
        bit_offset = frame_index * rows * columns * samples % 8
    return decode_frame(ds, frame_bytes, transfer_syntax, bit_offset=bit_offset)


def unused_bits(ds: Dataset, frame_bytes: bytes, transfer_syntax: str) -> NDArray[np.uint16] | None:
    """Give the frame's samples with their unused bits, where old overlays lie; None where there are no such bits."""
    rows, columns = (attributes.integer(ds, keyword) or 0 for keyword in ("Rows", "Columns"))
    samples = attributes.integer(ds, "SamplesPerPixel") or 1
    if attributes.integer(ds, "BitsAllocated") != 16 or samples != 1 or transfer_syntax not in IN_MEMORY:
        return None
    return np.frombuffer(frame_bytes, "<u2", rows * columns).reshape(rows, columns)


def levels(
    ds: Dataset, found: NDArray[Any], frame_index: int = 0, window: Window | Span | None = None
) -> NDArray[np.uint8]:
    """Turn stored values, as `decoded` gives them, into display levels without overlays."""
    if found.ndim == 3:
        return _bytes(found, attributes.integer(ds, "BitsStored") or 8 * found.dtype.itemsize)
    palettes = tables.palette(ds)
    if attributes.text(ds, "PhotometricInterpretation").startswith("PALETTE"):
        if palettes is None:
            raise refuse("it has no usable colour palette.")
        return tables.colours(palettes, found)
    grey = windows.grey(ds, found, frame_index, window)
    if palettes is None or attributes.text(ds, "PixelPresentation") not in ("COLOR", "MIXED"):
        return grey
    # PS3.3 C.8.16.2.1.1.1: from the palette's first entry on, values are colours, below it grey.
    coloured = (found >= palettes[0].first)[..., None]
    mixed: NDArray[np.uint8] = np.where(coloured, tables.colours(palettes, found), grey[..., None])
    return mixed


def _bytes(colour: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    if colour.dtype == np.uint8 and bits == 8:
        return colour
    # Float samples have no number of bits: they count from 0 to 1.
    top = 1 if colour.dtype.kind == "f" else (1 << bits) - 1
    share = np.clip(np.nan_to_num(colour) / top, 0, 1)
    scaled: NDArray[np.uint8] = np.rint(share * 255).astype(np.uint8)
    return scaled
