"""JPEG 2000 and HTJ2K codestreams (ITU-T T.800 Annex A, T.814): main header, tile-part headers, and what follows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pacs.deid.streams import WORDS_BEHIND, Data, Found, blanked, words_before
from pacs.deid.streams.comments import harmless

_SOC, _SOT, _SOD, _EOC, _COM = 0x4F, 0x90, 0x93, 0xD9, 0x64
#: Segments that decoders know: of T.800 and T.801 Table A.2 and of T.814 A.3 (CPF). A decoder goes past any
#: other, so that it may say anything.
_KNOWN = frozenset(
    (0x50, 0x51, 0x52, 0x53, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x63, *range(0x70, 0x7A))
)

_end_of_image = re.compile(rb"\xff\xd9").search
_BOXED = "A JPEG 2000 frame is in a container, which may hold text."
_UNREADABLE = "A JPEG 2000 frame can't be read."


def scan(data: Data, start: int, end: int) -> Iterator[Found]:
    """Walk one frame."""
    if data[start : start + 2] != b"\xff\x4f":
        boxed = data[start + 4 : start + 8] == b"jP  "
        yield _BOXED if boxed else "A frame does not begin as JPEG 2000."
        return
    pos, tile_end = start + 2, 0
    while pos + 2 <= end:
        marker = data[pos + 1]
        if data[pos] != 0xFF:
            yield _UNREADABLE
            return
        if marker == _EOC:
            yield from blanked(data, pos + 2, end)
            return
        if marker == _SOD and tile_end:  # packets up to the end of the tile-part
            if tile_end > end:
                yield "A JPEG 2000 frame is cut off."
                return
            pos = tile_end
            if words_before(data, pos):
                yield WORDS_BEHIND
            continue
        length = int.from_bytes(data[pos + 2 : pos + 4], "big")
        after = pos + 2 + length
        if length < 2 or after > end:
            yield _UNREADABLE
            return
        if marker == _SOT:
            # Psot counts from the marker; 0 reaches to the end of the image (A.4.2), which no packet holds (B.10.1).
            size = int.from_bytes(data[pos + 6 : pos + 10], "big")
            closing = None if size else _end_of_image(data, after, end)
            tile_end = pos + size if size else closing.start() if closing else end
            if tile_end < after:
                yield _UNREADABLE
                return
        elif marker == _COM:
            if not harmless(data[pos + 6 : after]):
                yield pos + 6, b" " * (after - pos - 6)
        elif marker not in _KNOWN:
            yield _UNREADABLE
            return
        pos = after
