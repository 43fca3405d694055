"""Text inside of compressed frames: JPEG APPn and COM segments (ITU-T T.81 B.2.4), JPEG 2000 COM (T.800 A.9.2).

Segments that are not known to be harmless are overwritten in place, so that lengths and offsets stay and no pixel
changes. What can't be patched that simply is a reason to withhold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from mmap import mmap

from pacs.elements import Buffer, Element
from pacs.part10 import Parsed
from pacs.transfer_syntaxes import CODECS, DEFLATED_FRAMES, RETIRED_JPEG, RLE, VIDEO

#: JPEG and JPEG-LS, its retired processes too.
_JPEG = frozenset(uid for uid, codec in CODECS.items() if codec in ("jpeg", "jpegls")) | RETIRED_JPEG
_JPEG_2000 = frozenset(uid for uid, codec in CODECS.items() if codec == "jpeg2000")
_JPEG_XL = frozenset(uid for uid, codec in CODECS.items() if codec == "jpegxl")
#: Frames without any place for text: RLE, deflated frames. Video is withheld as a whole, by `pixels.risk`. Fragments of
#: Encapsulated Uncompressed are none of them: what stands behind a frame there would be handed on.
_PLAIN = frozenset((RLE, DEFLATED_FRAMES)) | VIDEO

#: Comments of encoders about themselves.
_harmless_comment = re.compile(
    rb"(?:Kakadu-v?[\w.]+|Kdu-Layer-Info: [\w\s,.:(){}/+\-=]*|Created by OpenJPEG version [\d.]+"
    rb"|Creator: JasPer Version [\d.]+|LEAD Technologies Inc\. V[\d.]+|OpenJPH Ver [\d.]+[\d. ]*|HM )[\0\s]*"
).fullmatch

#: A patch: where in the buffer, and which bytes stand there instead.
Patch = tuple[int, bytes]


def patches(parsed: Parsed, pixel: Element | None) -> tuple[list[Patch], list[str]]:
    """Find text inside of the frames of encapsulated pixel data.

    Gives patches, whose offsets refer to `parsed.buf`, and reasons to withhold where a patch would not do.
    """
    if pixel is None or not pixel.fragments:
        return [], []
    syntax = parsed.meta.transfer_syntax
    if syntax in _PLAIN:
        return [], []
    found: list[Patch] = []
    reasons: set[str] = set()
    buf = parsed.buf
    for number, (start, length) in enumerate(pixel.fragments):
        if number == 0:
            continue  # the Basic Offset Table
        begin = bytes(buf[start : start + 4])
        if syntax in _JPEG:
            first = begin[:2] == b"\xff\xd8" or number == 1
            scan = _jpeg(buf, start, start + length) if first else _continued(buf, start, start + length)
        elif syntax in _JPEG_2000:
            if begin[:2] != b"\xff\x4f" and number > 1:
                continue  # a later fragment of a frame: packets, or tile-parts that the main header announced
            scan = _jpeg_2000(buf, start, start + length)
        elif syntax in _JPEG_XL:
            if begin == b"\0\0\0\x0c":
                reasons.add("A JPEG XL frame is in a container, which may hold text.")
            continue
        else:
            reasons.add("The frames are compressed by a codec that is not known.")
            break
        for patch in scan:
            if isinstance(patch, str):
                reasons.add(patch)
            else:
                found.append(patch)
    return found, sorted(reasons)


def dirty_codestream(parsed: Parsed, pixel: Element | None) -> bool:
    """Tell whether any frame holds text that is not known to be harmless."""
    found, reasons = patches(parsed, pixel)
    return bool(found or reasons)


def _jpeg(buf: Buffer, start: int, end: int) -> Iterator[Patch | str]:
    """Walk the marker segments of one JPEG or JPEG-LS frame up to its first scan."""
    if bytes(buf[start : start + 2]) != b"\xff\xd8":
        yield "A frame does not begin as JPEG."
        return
    pos = start + 2
    while pos + 4 <= end:
        if buf[pos] != 0xFF:
            yield "A JPEG frame can't be read."
            return
        marker = buf[pos + 1]
        if marker == 0xFF:
            pos += 1
            continue
        length = buf[pos + 2] << 8 | buf[pos + 3]
        after = pos + 2 + length
        if length < 2 or after > end:
            yield "A JPEG frame can't be read."
            return
        if marker == 0xDA:
            yield from _continued(buf, after, end)
            return
        payload = bytes(buf[pos + 4 : after])
        if marker == 0xFE:
            if payload.strip(b"\0 ") and not _harmless_comment(payload):
                yield pos + 4, b" " * len(payload)
        elif 0xE0 <= marker <= 0xEF and not _harmless_segment(marker, payload):
            yield pos + 4, bytes(len(payload))
        pos = after
    yield "A JPEG frame can't be read."


def _harmless_segment(marker: int, payload: bytes) -> bool:
    if not payload.strip(b"\0"):
        return True
    if marker == 0xE0:
        return payload[:5] == b"JFIF\0" and len(payload) == 14  # longer ones hold a thumbnail
    if marker == 0xE2:
        return payload[:12] == b"ICC_PROFILE\0"
    if marker == 0xE8:
        return payload[:4] == b"mrfx" and len(payload) <= 8  # the colour transform of HP's JPEG-LS
    return marker == 0xEE and payload[:5] == b"Adobe" and len(payload) == 12


def _continued(buf: Buffer, start: int, end: int) -> Iterator[Patch | str]:
    """Look at entropy-coded data, where 0xFF is never followed by a comment's or an application's code."""
    data: bytes | mmap = buf if isinstance(buf, (bytes, mmap)) else bytes(buf)
    if data.find(b"\xff\xfe", start, end) >= 0 or data.find(b"\xff\xe1", start, end) >= 0:
        yield "A JPEG frame has a comment between its scans."
    closing = data.rfind(b"\xff\xd9", start, end)
    if closing >= 0 and data[closing + 2 : end].strip(b"\0\xff"):
        yield closing + 2, bytes(end - closing - 2)


def _jpeg_2000(buf: Buffer, start: int, end: int) -> Iterator[Patch | str]:
    """Walk the main header and the tile-part headers of one JPEG 2000 or HTJ2K frame."""
    if bytes(buf[start : start + 2]) != b"\xff\x4f":
        yield "A JPEG 2000 frame is in a container, which may hold text."
        return
    pos = start + 2
    tile_end = 0
    while pos + 4 <= end:
        if buf[pos] != 0xFF:
            yield "A JPEG 2000 frame can't be read."
            return
        marker = buf[pos + 1]
        if marker == 0xD9:
            return
        if marker == 0x93:  # SOD: packets up to the end of the tile-part
            if tile_end == 0:
                return
            pos = tile_end
            continue
        after = pos + 2 + (buf[pos + 2] << 8 | buf[pos + 3])
        if after > end:
            yield "A JPEG 2000 frame can't be read."
            return
        if marker == 0x90:  # SOT: its Psot counts from the marker; 0 reaches to the end (T.800 A.4.2)
            size = int.from_bytes(bytes(buf[pos + 6 : pos + 10]), "big")
            tile_end = pos + size if size else 0
            if size and (size < 14 or tile_end > end + 1):
                return  # the tile-part goes on in the next fragment
        elif marker == 0x64:
            payload = bytes(buf[pos + 6 : after])
            if payload.strip(b"\0 ") and not _harmless_comment(payload):
                yield pos + 6, b" " * len(payload)
        pos = after
