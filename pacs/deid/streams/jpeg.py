"""JPEG (ITU-T T.81 Annex B) and JPEG-LS (T.87 Annex C): marker segments up to the end of the image, scans between.

Application segments and comments are blanked in place, wherever they stand: in front of the first scan or between two,
and so is what follows the end of the image. What a decoder takes its colours from stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pacs.deid.streams import WORDS_BEHIND, Data, Found, blanked, icc, words_before
from pacs.deid.streams.comments import harmless

_SOI, _EOI, _SOS, _COM, _LSE = 0xD8, 0xD9, 0xDA, 0xFE, 0xF8
_APPLICATIONS = range(0xE0, 0xF0)
_HUFFMAN, _QUANTISATION, _ARITHMETIC = 0xC4, 0xDB, 0xCC
#: Frame headers (T.81 B.2.2, T.87 C.2.2), and DHP, which is written like one (B.3.2).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7, 0xDE}
#: DNL, DRI (whose interval has up to four bytes in JPEG-LS), EXP: how long they may be.
_SHORT = {0xDC: (2,), 0xDD: (2, 3, 4), 0xDF: (1,)}

_fill = re.compile(rb"\xff+").match
#: Bytes that are looked through at once for the next marker; four times as many after each that has none.
_CHUNK = 1 << 15

_UNREADABLE = "A JPEG frame can't be read."


def scan(data: Data, start: int, end: int) -> Iterator[Found]:
    """Walk one frame."""
    if data[start : start + 2] != b"\xff\xd8":
        yield "A frame does not begin as JPEG."
        return
    profile: list[tuple[int, int]] = []
    pos, is_ls, scanned = start + 2, False, False
    while True:
        fill = _fill(data, pos, end)
        pos = fill.end() if fill else pos
        if not fill or pos >= end:
            yield "A JPEG frame has no end." if scanned and pos >= end else _UNREADABLE
            return
        marker = data[pos]
        pos += 1
        if marker == _EOI:
            yield from icc.patched(data, profile)
            yield from blanked(data, pos, end)
            return
        length = int.from_bytes(data[pos : pos + 2], "big")
        body, after = pos + 2, pos + length
        if length < 2 or pos + 2 > end or after > end:
            yield _UNREADABLE
            return
        if marker == 0xE2 and data[body : body + len(icc.MARK)] == icc.MARK:
            profile.append((body, after))
        elif marker in _APPLICATIONS:
            yield from blanked(data, body + _needed(marker, data[body : min(after, body + 30)]), after)
        elif marker == _COM:
            comment = data[body:after]
            if not harmless(comment):
                yield body, b" " * len(comment)
        elif not _is_sound(marker, data[body:after]):
            yield _UNREADABLE
            return
        pos = after
        is_ls = is_ls or marker == 0xF7
        if marker == _SOS:
            scanned = True
            pos = _next_marker(data, pos, end, _MARKERS_LS if is_ls else _MARKERS)
            if words_before(data, pos):
                yield WORDS_BEHIND


def _markers(first: int) -> NDArray[np.bool_]:
    """By the byte behind 0xFF, whether that is a marker: restarts, fill bytes and less than `first` are none."""
    found = np.arange(256) >= first
    found[0xD0:0xD8] = found[0xFF] = False
    return found


#: 0xFF in entropy-coded data is stuffed with a byte of 0 (T.81 B.1.1.5), in JPEG-LS with a bit of 0 (T.87 A.1).
_MARKERS, _MARKERS_LS = _markers(0x01), _markers(0x80)


def _next_marker(data: Data, pos: int, end: int, markers: NDArray[np.bool_]) -> int:
    """Where the first marker in entropy-coded data stands, or the end."""
    chunk = _CHUNK
    while pos + 1 < end:
        piece = np.frombuffer(data, np.uint8, min(chunk, end - pos), pos)
        places = np.flatnonzero(piece[:-1] == 0xFF)
        places = places[markers[piece[places + 1]]]
        if len(places):
            return pos + int(places[0])
        pos += len(piece) - 1
        chunk *= 4
    return end


def _needed(marker: int, head: bytes) -> int:
    """So many bytes of an application segment tell a decoder of its colours, or that it is what it is."""
    if marker == 0xE0 and head[:6] == b"JFIF\0\1" and len(head) >= 14 and head[7] < 3:
        return 12  # its version and density; a thumbnail goes (T.871 10.1)
    if marker == 0xE8 and head[:4] == b"mrfx":
        return 5  # the colour transform of HP's JPEG-LS
    if marker == 0xE8 and head[:6] == b"SPIFF\0" and len(head) == 30 and head[22:24] == head[26:28] == b"\0\0":
        return 30  # numbers alone, the colour space among them (T.84 Annex F)
    if marker == 0xE8 and head[:6] == b"\0\0\0\1\xff\xd8":
        return 6  # the end of SPIFF's directory
    if marker == 0xEE and head[:5] == b"Adobe" and len(head) >= 12:
        return 12  # the colour transform (T.872 6.5.3)
    return 0


def _is_sound(marker: int, body: bytes) -> bool:
    """Tell whether a segment of parameters has the length that its own numbers give it (T.81 B.2): no byte is over."""
    if marker in _FRAMES:
        return len(body) >= 6 and len(body) == 6 + 3 * body[5]
    if marker == _SOS:
        return len(body) >= 1 and len(body) == 4 + 2 * body[0]
    if marker in _SHORT:
        return len(body) in _SHORT[marker]
    if marker == _ARITHMETIC:
        return len(body) % 2 == 0
    if marker == _LSE:
        return len(body) == 11 and body[0] == 1  # preset coding parameters; mapping tables are of any content
    if marker not in (_HUFFMAN, _QUANTISATION):
        return False
    pos = 0
    while pos < len(body):
        if marker == _HUFFMAN:
            pos += 17 + sum(body[pos + 1 : pos + 17])
        else:
            pos += 129 if body[pos] >> 4 else 65
    return pos == len(body)
