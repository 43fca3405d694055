"""A frame from one transfer syntax into another (PS3.5 8 and annex A)."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom import Dataset

from pacs.part10 import EXPLICIT_LITTLE_ENDIAN
from pacs.pixels import layout
from pacs.pixels.decode import decodable, decode_frame
from pacs.pixels.errors import CannotDecode, refuse


def targets(source_syntax: str, attributes: Dataset) -> frozenset[str]:
    """The transfer syntaxes that frames of a header can be had in, besides their own; none where they can't be read."""
    if not decodable(source_syntax):
        return frozenset()
    try:
        layout.read(attributes)
    except CannotDecode:
        return frozenset()
    return frozenset((EXPLICIT_LITTLE_ENDIAN,))


def changes(attributes: Dataset, source_syntax: str, target_syntax: str) -> dict[str, Any]:
    """What the header has to say of transcoded frames, by keyword (PS3.5 8.2). Raises CannotDecode."""
    if source_syntax == target_syntax or layout.read(attributes).samples == 1:
        return {}
    return {"PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}


def transcode(frame: bytes, attributes: Dataset, source_syntax: str, target_syntax: str) -> bytes:
    """One frame in another transfer syntax; colour as RGB, interleaved. Raises CannotDecode where it can't be had.

    `frame` and `attributes` are what `pacs.pixels.decode.decode_frame` takes. Single bits are packed as PS3.5 8.1.1
    has them, each frame beginning with a byte of its own.
    """
    if target_syntax != EXPLICIT_LITTLE_ENDIAN:
        raise refuse("this server does not write its pixels in that transfer syntax.")
    pixels = decode_frame(attributes, frame, source_syntax)
    if layout.read(attributes).bits_allocated == 1:
        return np.packbits(pixels, bitorder="little").tobytes()
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
