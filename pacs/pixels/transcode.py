"""One frame from a transfer syntax to another, and what its header has to say then (PS3.5 8.2; PS3.3 C.7.6.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from pydicom import Dataset

from pacs.dicom import transfer_syntaxes as ts
from pacs.pixels import codecs, encode, image_pixel, recompress, stored, workers
from pacs.pixels.attributes import integer, value
from pacs.pixels.decode import FRAMES
from pacs.pixels.errors import CannotDecode, refuse
from pacs.pixels.layout import Layout

#: The header's words for the colours within codestreams (PS3.3 C.7.6.3.1.2).
_COLOURS = {
    ts.JPEG_2000: "YBR_RCT",
    ts.JPEG_2000_LOSSY: "YBR_ICT",
    **dict.fromkeys(ts.HTJ2K, "YBR_RCT"),
    ts.JPEG_XL_LOSSY: "XYB",
}


def transcode(
    frame: bytes, attributes: Dataset, source_syntax: str, target_syntax: str, *, bit_offset: int = 0
) -> bytes:
    """Give one frame in another transfer syntax; without a loss unless the target is a lossy process.

    `frame`, `attributes` (the header) and `bit_offset` are as `pacs.pixels.decode.decode_frame` takes them. What
    `changes` gives has to be put into the header. Raises CannotDecode where it can't be; Unavailable.
    """
    if source_syntax == target_syntax:
        return frame
    form = image_pixel.read(attributes)
    if target_syntax not in _targets(form, source_syntax, attributes):
        raise refuse("it can't be had in that transfer syntax.")
    if _bare(source_syntax) and _bare(target_syntax):
        return _between_bare(form, frame, source_syntax, target_syntax, bit_offset)
    head = {"op": "transcode", "syntax": source_syntax, "target": target_syntax, "bit_offset": bit_offset}
    # No codec here makes more of a frame than twice its samples.
    limit = 2 * form.count * form.dtype.itemsize + 65536
    made: bytes = FRAMES.get(
        (workers.digest(frame), form, source_syntax, target_syntax, bit_offset),
        lambda: bytes(workers.POOL.call(head, form, frame, limit=limit)),
        len,
    )
    return made


def targets(source_syntax: str, attributes: Dataset) -> frozenset[str]:
    """Give the transfer syntaxes that frames of that header can be had in, their own included.

    Only its own where the header is not one of pixels that can be decoded.
    """
    own = frozenset((source_syntax,))
    try:
        form = image_pixel.read(attributes)
    except CannotDecode:
        return own
    return own | _targets(form, source_syntax, attributes)


def changes(attributes: Dataset, source_syntax: str, target_syntax: str) -> dict[str, Any]:
    """Give the attributes, by keyword, that the header needs when its frames are transcoded.

    For a lossy target they say so (PS3.3 C.7.6.1.1.5); a new SOP Instance UID is the caller's to give where the
    object is kept. Raises CannotDecode as `transcode` does.
    """
    if source_syntax == target_syntax or (_bare(source_syntax) and _bare(target_syntax)):
        return {}
    form = image_pixel.read(attributes)
    if target_syntax not in _targets(form, source_syntax, attributes):
        raise refuse("it can't be had in that transfer syntax.")
    if recompress.can(form, source_syntax, target_syntax):
        return {}  # the same JPEG, coefficient by coefficient
    out: dict[str, Any] = {}
    if form.samples == 3:
        colours = _colours(form, source_syntax, target_syntax)
        if colours != form.photometric:
            out["PhotometricInterpretation"] = colours
        if form.planar:
            out["PlanarConfiguration"] = 0
    if target_syntax in encode.METHODS:
        out["LossyImageCompression"] = "01"
        before = _texts(attributes, "LossyImageCompressionMethod")
        out["LossyImageCompressionMethod"] = [*before, encode.METHODS[target_syntax]]
    return out


def _colours(form: Layout, source: str, target: str) -> str:
    ybr = stored.stays_ybr(form, source)
    if target == ts.BASELINE:
        return "YBR_FULL_422"
    if ybr:
        return "YBR_FULL"
    return _COLOURS.get(target, "RGB")


def _targets(form: Layout, source: str, header: Dataset) -> frozenset[str]:
    if not stored.decodable(source):
        return frozenset()
    if form.photometric in stored.ONLY_COMPRESSED and source in ts.BARE:
        return frozenset()
    # What is decoded has colours by pixel, whatever subsampling it had before.
    plain = replace(form, planar=False)
    found = frozenset(target for target in encode.TARGETS if encode.can(plain, target))
    if stored.stays_ybr(form, source):
        # JPEG XL's codestream says itself what its colours are, and knows RGB and its own only (PS3.5 8.2.15).
        found -= {ts.JPEG_XL, ts.JPEG_XL_LOSSY}
    if recompress.can(form, source, ts.JPEG_XL_RECOMPRESSION):
        found |= {ts.JPEG_XL_RECOMPRESSION}
    # Overlays in the samples' unused bits (retired) would be lost: such frames stay bare.
    return frozenset(filter(_bare, found)) if _bits_beside(header) else found


def _bare(syntax: str) -> bool:
    """Tell whether frames are samples and nothing else, deflated or not."""
    return syntax in ts.BARE


def _between_bare(form: Layout, frame: bytes, source: str, target: str, bit_offset: int) -> bytes:
    """Keep every bit, also those that are no part of a sample; no more than the frame itself."""
    if bit_offset:
        return encode.frame(stored.values(form, frame, source, bit_offset=bit_offset), form, target)
    if source == ts.DEFLATED_FRAMES:
        frame = codecs.inflate(frame, (form.count * form.bits_allocated + 7) // 8)
    elif source == ts.EXPLICIT_BIG_ENDIAN and form.bits_allocated > 8:
        frame = np.frombuffer(frame, form.dtype.newbyteorder(">")).astype(form.dtype).tobytes()
    return encode.deflate(frame) if target == ts.DEFLATED_FRAMES else frame


def _bits_beside(header: Dataset) -> bool:
    return any(
        integer(header, "BitsAllocated") == 16 and (group, 0x0102) in header and (group, 0x3000) not in header
        for group in range(0x6000, 0x6020, 2)
    )


def _texts(header: Dataset, keyword: str) -> list[str]:
    found = value(header, keyword)
    return [found] if isinstance(found, str) else [str(one) for one in found or ()]
