"""What a compressed frame says of itself: its size, before a codec allocates by it, and its colours.

JPEG and JPEG-LS: ISO/IEC 10918-1 B.2.2, 14495-1 C.2.2; JPEG 2000 and HTJ2K: 15444-1 A.5.1; JPEG XL: 18181-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, error

from pacs.pixels.errors import refuse

_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
#: Baseline and extended sequential processes with Huffman codes.
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})

_read_frame = Struct(">BHHB").unpack_from
_read_siz = Struct(">HIIIIIIIIH").unpack_from
_read_short = Struct(">H").unpack_from
_read_box = Struct(">I4s").unpack_from


@dataclass(frozen=True, slots=True)
class Header:
    """A codestream's own description. `rgb` is None where it does not tell its colour space.

    `sampling` is how many blocks of 8 x 8 a minimum coded unit of JPEG has at most, across and down.
    """

    rows: int
    columns: int
    samples: int
    precision: int
    signed: bool = False
    lossless: bool = False
    rgb: bool | None = None
    sequential: bool = False
    sampling: tuple[int, int] = (1, 1)


def jpeg(frame: bytes) -> Header:
    """Read a JPEG's or JPEG-LS's markers up to its frame header; CannotDecode where there is none."""
    if frame[:2] != b"\xff\xd8":
        raise refuse("its pixel data is not the JPEG that its header announces.")
    pos, adobe, jfif = 2, None, False
    try:
        while True:
            if frame[pos] != 0xFF:
                raise refuse("its JPEG data is damaged.")
            marker = frame[pos + 1]
            if marker == 0xFF:  # fill bytes may precede any marker
                pos += 1
                continue
            pos += 2
            if marker in _STANDALONE:
                continue
            (length,) = _read_short(frame, pos)
            if length < 2 or marker in (0xD9, 0xDA):
                raise refuse("its JPEG data is damaged.")
            body = frame[pos + 2 : pos + length]
            if marker in _FRAMES:
                precision, rows, columns, samples = _read_frame(body)
                ids = bytes(body[6 + 3 * index] for index in range(samples))
                rgb = None
                if ids in (b"RGB", b"rgb"):
                    rgb = True
                elif adobe is not None:
                    rgb = adobe == 0
                elif jfif:
                    rgb = False
                factors = [body[7 + 3 * index] for index in range(samples)]
                return Header(
                    rows,
                    columns,
                    samples,
                    precision,
                    lossless=marker in _LOSSLESS,
                    rgb=rgb,
                    sequential=marker in _SEQUENTIAL,
                    sampling=(max((f >> 4 for f in factors), default=1), max((f & 15 for f in factors), default=1)),
                )
            if marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
                adobe = body[11]
            if marker == 0xE0 and body[:4] == b"JFIF":
                jfif = True
            pos += length
    except (IndexError, error) as cut:
        raise refuse("its JPEG data is cut off.") from cut


def jpeg2000(frame: bytes) -> Header:
    """Read the SIZ marker of a JPEG 2000 codestream, bare or (against PS3.5 A.4.4) in a JP2 file."""
    start = 0 if frame[:4] == b"\xff\x4f\xff\x51" else frame.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0:
        raise refuse("its pixel data is not the JPEG 2000 that its header announces.")
    try:
        _, width, height, left, top, *_, samples = _read_siz(frame, start + 6)
        depth = frame[start + 42]
    except (IndexError, error) as cut:
        raise refuse("its JPEG 2000 data is cut off.") from cut
    return Header(height - top, width - left, samples, (depth & 0x7F) + 1, signed=depth > 0x7F)


def jpeg_xl(frame: bytes) -> tuple[int, int]:
    """Read (rows, columns) of a JPEG XL codestream, bare or in its container of boxes."""
    pos = 0
    try:
        if frame[:2] != b"\xff\x0a":
            if frame[4:8] != b"JXL ":
                raise refuse("its pixel data is not the JPEG XL that its header announces.")
            while True:
                length, kind = _read_box(frame, pos)
                if kind in (b"jxlc", b"jxlp"):
                    pos += 8 if kind == b"jxlc" else 12
                    break
                if length < 8:
                    raise refuse("its JPEG XL data is damaged.")
                pos += length
        if frame[pos : pos + 2] != b"\xff\x0a":
            raise refuse("its JPEG XL data is damaged.")
    except error as cut:
        raise refuse("its JPEG XL data is cut off.") from cut
    bits = _Bits(int.from_bytes(frame[pos + 2 : pos + 14], "little"))
    small = bits.take(1)
    rows = bits.side(small)
    ratio = bits.take(3)
    if ratio == 0:
        return rows, bits.side(small)
    above, below = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
    return rows, rows * above // below


class _Bits:
    """JPEG XL's bit reader: the least significant bit first."""

    def __init__(self, word: int) -> None:
        self.word = word

    def take(self, count: int) -> int:
        value = self.word & ((1 << count) - 1)
        self.word >>= count
        return value

    def side(self, small: int) -> int:
        if small:
            return 8 * (1 + self.take(5))
        return 1 + self.take((9, 13, 18, 30)[self.take(2)])
