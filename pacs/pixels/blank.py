"""Rectangles of one frame blanked, and the frame written again so that no other pixel changes.

JPEG of the sequential process is changed in its coefficients (`pacs.pixels.jpeg_blocks`). All else is decoded, drawn
on and encoded without loss. Either way the result is read again: where it differs outside, it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pacs.dicom import transfer_syntaxes as ts
from pacs.pixels import codecs, codestream, encode, jpeg_blocks
from pacs.pixels.errors import refuse
from pacs.pixels.layout import Layout

Array = NDArray[Any]

#: What is written in transfer syntaxes whose process may lose something and need not (PS3.5 A.4.3, A.4.4).
_WITHOUT_LOSS = {
    ts.JPEG_LS_NEAR: ts.JPEG_LS,
    ts.JPEG_2000_LOSSY: ts.JPEG_2000,
    ts.JPEG_XL_LOSSY: ts.JPEG_XL,
}
_RGB = ("RGB", "YBR_RCT", "YBR_ICT")
_JPEG_2000 = frozenset((ts.JPEG_2000, ts.JPEG_2000_LOSSY)) | ts.HTJ2K
#: Where colour is subsampled, decoders smooth it this far over the edge of a block, in pixels.
_SMOOTHED = 2


class Box(NamedTuple):
    """A rectangle of a frame, in pixels from its upper left corner."""

    left: int
    top: int
    width: int
    height: int


def target(form: Layout, syntax: str, heads: Sequence[codestream.Header]) -> str:
    """Give the transfer syntax that blanked frames are written in: their own, if it can hold them without loss.

    `heads` are what all frames of a JPEG syntax say of themselves. Else it is lossless JPEG 2000, and where that can't
    hold the samples either, Explicit VR Little Endian.
    """
    if syntax in ts.BARE:
        return syntax
    own = syntax
    if ts.CODECS[syntax] == "jpeg":
        if all(head.sequential for head in heads):
            return syntax
        if syntax not in ts.LOSSLESS_JPEG or not all(head.lossless for head in heads):
            own = ts.JPEG_2000
    elif syntax not in encode.TARGETS or syntax == ts.JPEG_XL_RECOMPRESSION:
        own = ts.JPEG_2000
    plain = replace(form, planar=False)
    fits = encode.can(plain, _WITHOUT_LOSS.get(own, own))
    return own if fits else ts.JPEG_2000 if encode.can(plain, ts.JPEG_2000) else ts.EXPLICIT_LITTLE_ENDIAN


def colours(form: Layout, syntax: str, heads: Sequence[codestream.Header], wanted: str) -> str:
    """Give the Photometric Interpretation of frames that were blanked and written in `wanted`, of `target`."""
    if form.samples == 1 or syntax in ts.BARE or (wanted == syntax and any(head.sequential for head in heads)):
        return form.photometric
    codec = ts.CODECS[syntax]
    # libjpeg turns 8 bits of a lossy process to RGB, JPEG XL its own colours, OpenJPEG what JPEG 2000 itself made YBR
    # (`codecs.run`).
    turned = codec == "jpeg" and any(not head.lossless and head.precision == 8 for head in heads)
    turned |= syntax == ts.JPEG_XL_RECOMPRESSION or form.photometric == "XYB"
    if not turned and form.photometric not in _RGB:
        return form.photometric.replace("YBR_FULL_422", "YBR_FULL")
    return "YBR_RCT" if wanted in _JPEG_2000 else "RGB"


def coded(frame: bytes, form: Layout, syntax: str, wanted: str, photometric: str, boxes: Sequence[Box]) -> bytes:
    """Blank a compressed frame; `wanted` and `photometric` are of `target` and `colours`. Raises CannotDecode."""
    if wanted == syntax and ts.CODECS[syntax] == "jpeg" and codestream.jpeg(frame).sequential:
        return _in_coefficients(frame, form, boxes)
    plain = replace(form, planar=False, photometric=photometric)
    pixels = np.array(codecs.run(ts.CODECS[syntax], frame, form))
    if syntax == ts.RLE and not form.signed and form.bits_allocated > 1:
        # PS3.5 G.2: whole cells are packed, with whatever stands in unused bits. Nobody has seen that.
        pixels &= pixels.dtype.type(((1 << form.bits_stored) - 1) << (form.high_bit - form.bits_stored + 1))
    _draw(pixels, plain, boxes)
    made = encode.frame(pixels, plain, _WITHOUT_LOSS.get(wanted, wanted), ybr=photometric not in _RGB)
    if wanted != ts.EXPLICIT_LITTLE_ENDIAN:
        again = codecs.run(ts.CODECS[wanted], made, plain)
        if not np.array_equal(again, pixels):
            raise refuse("it can't be written again without loss.")
    return made


def bare(frame: bytes, form: Layout, boxes: Sequence[Box], unused: int = 0) -> bytes:
    """Blank a frame of bare samples in little endian, and clear the bits `unused` of every cell."""
    if form.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")
        _draw(bits[: form.count].reshape(form.shape), form, boxes)
        return np.packbits(bits, bitorder="little").tobytes()
    if form.photometric.endswith("_422") and len(frame) < form.count * form.dtype.itemsize:
        return _halved(frame, form, boxes)
    flat = np.frombuffer(frame, form.dtype, form.count).copy()
    if unused:
        flat &= flat.dtype.type(~unused & ((1 << form.bits_allocated) - 1))
    if form.planar:
        for plane, shade in zip(flat.reshape(form.samples, form.rows, form.columns), _shade(form), strict=True):
            for left, top, width, height in boxes:
                plane[top : top + height, left : left + width] = shade
    else:
        _draw(flat.reshape(form.shape), form, boxes)
    return flat.tobytes() + frame[flat.nbytes :]


def _in_coefficients(frame: bytes, form: Layout, boxes: Sequence[Box]) -> bytes:
    made = jpeg_blocks.blank(frame, boxes, brightest=form.photometric == "MONOCHROME1")
    head = codestream.jpeg(frame)
    changed = codecs.run("jpeg", frame, form) != codecs.run("jpeg", made, form)
    wide, high = (8 * most for most in head.sampling)
    more = _SMOOTHED if max(head.sampling) > 1 else 0
    for left, top, width, height in boxes:
        right, bottom = -(-(left + width) // wide) * wide + more, -(-(top + height) // high) * high + more
        changed[max(0, top // high * high - more) : bottom, max(0, left // wide * wide - more) : right] = False
    if changed.any():
        raise refuse("it can't be blanked without changing pixels elsewhere.")
    return made


def _shade(form: Layout) -> tuple[int, ...]:
    """What stands in a blanked pixel, for each sample: black, as the colour space has it."""
    if form.photometric == "MONOCHROME1" and not form.floating:
        return ((1 << (form.bits_stored - form.signed)) - 1 << (form.high_bit - form.bits_stored + 1),)
    if form.photometric.startswith(("YBR_FULL", "YBR_PARTIAL")) and form.samples == 3:
        middle = 1 << (form.bits_stored - 1)
        return (0, middle, middle)
    return (0,) * form.samples


def _draw(pixels: Array, form: Layout, boxes: Sequence[Box]) -> None:
    """Fill the boxes of an array whose first two axes are rows and columns."""
    shade = _shade(form) if form.samples > 1 else _shade(form)[0]
    for left, top, width, height in boxes:
        pixels[top : top + height, left : left + width] = shade


def _halved(frame: bytes, form: Layout, boxes: Sequence[Box]) -> bytes:
    """Two pixels share their colour (PS3.3 C.7.6.3.1.2): the boxes grow to whole pairs."""
    pairs = np.frombuffer(frame, np.uint8, form.rows * form.columns * 2).copy().reshape(form.rows, -1, 4)
    for left, top, width, height in boxes:
        pairs[top : top + height, left // 2 : -(-(left + width) // 2)] = (0, 0, 128, 128)
    return pairs.tobytes() + frame[pairs.nbytes :]
