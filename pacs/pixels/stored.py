"""One frame's bytes to stored values (PS3.5 8 and annex A.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs.dicom.transfer_syntaxes import (
    BARE,
    CODECS,
    DEFLATED_FRAMES,
    EXPLICIT_BIG_ENDIAN,
    JPEG_XL_RECOMPRESSION,
    LOSSLESS_JPEG,
    STREAMED,
    TABLE,
    VIDEO,
)
from pacs.pixels import codecs, colour
from pacs.pixels.errors import refuse
from pacs.pixels.layout import Layout

Array = NDArray[Any]

#: Colours that only a codestream can hold (PS3.3 C.7.6.3.1.2).
ONLY_COMPRESSED = ("YBR_PARTIAL_420", "XYB")


def decodable(transfer_syntax: str) -> bool:
    """Tell whether frames of this transfer syntax can be decoded at all."""
    return transfer_syntax in BARE or transfer_syntax in CODECS


def values(form: Layout, frame: bytes, transfer_syntax: str, *, bit_offset: int = 0, convert: bool = True) -> Array:
    """Decode one frame; see `pacs.pixels.decode.decode_frame` for what goes in and comes out.

    Without `convert`, YBR_FULL samples that no lossy process has turned to RGB stay as they are; see `stays_ybr`.
    Compressed frames meet a native codec here: `pacs.pixels.decode` does that in a process of its own.
    Raises CannotDecode, nothing else.
    """
    keep = not convert and stays_ybr(form, transfer_syntax)
    if transfer_syntax in BARE:
        return _native(form, frame, transfer_syntax, bit_offset, keep=keep)
    codec = CODECS.get(transfer_syntax)
    if codec is None:
        if transfer_syntax in VIDEO or transfer_syntax in STREAMED:
            raise refuse("it is a video, which has no single pictures here.")
        raise refuse("its transfer syntax is not one that this server knows.")
    if form.floating or form.bits_allocated == 64:
        raise refuse("compressed pixel data can't hold samples of that kind.")
    found = codecs.run(codec, frame, form)
    if codec == "jpeg":
        ybr = form.photometric.startswith("YBR") and codecs.leaves_ybr(frame)
        if keep and not ybr:
            raise refuse("its pixel data is of another JPEG process than its transfer syntax says.")
    else:
        # JPEG 2000 undoes YBR_ICT and YBR_RCT itself, JPEG XL XYB; the other names mean that nothing was done.
        ybr = form.photometric.startswith(("YBR_FULL", "YBR_PARTIAL")) and transfer_syntax != JPEG_XL_RECOMPRESSION
    # A codestream's precision is its own; RLE packs the whole sample, unused bits and all (PS3.5 G.2).
    return _coloured(_clean(found, form) if codec == "rle" else found, form, ybr and not keep)


def stays_ybr(form: Layout, transfer_syntax: str) -> bool:
    """Tell whether `values` without `convert` gives YBR_FULL samples of such frames, not RGB."""
    if not form.photometric.startswith("YBR_FULL") or transfer_syntax == JPEG_XL_RECOMPRESSION:
        return False
    return CODECS.get(transfer_syntax) != "jpeg" or transfer_syntax in LOSSLESS_JPEG


def _native(form: Layout, frame: bytes, transfer_syntax: str, bit_offset: int, *, keep: bool) -> Array:
    halved = form.photometric.endswith("_422") and form.bits_allocated == 8 and form.columns % 2 == 0
    if form.photometric in ONLY_COMPRESSED:
        raise refuse("uncompressed pixel data can't be in that colour space.")
    size = (form.count * form.bits_allocated + 7) // 8
    if transfer_syntax == DEFLATED_FRAMES:
        frame = codecs.inflate(frame, size)
    if form.bits_allocated == 1:
        # A frame in a fragment of its own begins with a byte of its own (PS3.5 A.4).
        apart = TABLE[transfer_syntax].encapsulated
        return _coloured(_bits(form, frame, 0 if apart else bit_offset), form, convert=False)
    if halved and len(frame) < size:
        # PS3.3 C.7.6.3.1.2; some writers name 4:2:2 and store every sample: then there is enough for both.
        size = form.rows * form.columns * 2
    if len(frame) < size:
        raise refuse("its pixel data is cut off.")
    # PS3.5 7.3: only Explicit VR Big Endian turns words around.
    order = form.dtype.newbyteorder(">") if transfer_syntax == EXPLICIT_BIG_ENDIAN else form.dtype
    flat = np.frombuffer(frame, order, size // form.dtype.itemsize).astype(form.dtype, copy=False)
    if flat.size < form.count:
        out = colour.widen_422(flat, form.rows, form.columns)
    elif form.planar:
        out = np.ascontiguousarray(flat.reshape(form.samples, form.rows, form.columns).transpose(1, 2, 0))
    else:
        out = flat.reshape(form.shape)
    ybr = form.photometric.startswith(("YBR_FULL", "YBR_PARTIAL"))
    return _coloured(_clean(out, form), form, ybr and not keep)


def _bits(form: Layout, frame: bytes, bit_offset: int) -> Array:
    # PS3.5 8.1.1, figure 8.1.1: the first pixel is the least significant bit.
    if not 0 <= bit_offset < 8 or len(frame) * 8 < bit_offset + form.count:
        raise refuse("its pixel data is cut off.")
    flat = np.unpackbits(np.frombuffer(frame, np.uint8), count=bit_offset + form.count, bitorder="little")[bit_offset:]
    if form.planar:
        return np.ascontiguousarray(flat.reshape(form.samples, form.rows, form.columns).transpose(1, 2, 0))
    return flat.reshape(form.shape)


def _clean(found: Array, form: Layout) -> Array:
    """Drop the bits that are no part of a sample, old overlay planes for one, and extend the sign (PS3.5 8.1.1)."""
    width = 8 * found.dtype.itemsize
    if form.floating or form.bits_stored >= form.bits_allocated or width != form.bits_allocated:
        return found
    above = form.bits_allocated - 1 - form.high_bit
    return np.right_shift(np.left_shift(found, above), form.bits_allocated - form.bits_stored)


def _coloured(found: Array, form: Layout, convert: bool) -> Array:
    if form.samples == 1 or not convert:
        return found
    if found.dtype.kind != "u" or found.dtype.itemsize > 2:
        raise refuse("its colour samples are of a kind that this server does not know.")
    bits = form.bits_stored
    return colour.to_rgb(found, bits, partial=form.photometric.startswith("YBR_PARTIAL"))
