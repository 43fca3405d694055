"""Explicit VR big endian (retired, PS3.5-2016b A.3) turned into explicit VR little endian, in memory.

Only old archives still hold such files. Everything behind this module knows little endian alone, so the
element headers and every value that consists of words are turned around here, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from pacs.dicom.dictionary import LONG_VRS, PIXEL_DATA, SHORT_VRS, tag_text
from pacs.dicom.elements import (
    ITEM,
    ITEM_END,
    MAX_DEPTH,
    MAX_NODES,
    SEQUENCE_END,
    UNDEFINED,
    Malformed,
    TooDeep,
    TooMany,
    Truncated,
)

#: Bytes of one word of a value (PS3.5 7.3); what is not here is a string of bytes.
_WORDS = dict.fromkeys(("AT", "OW", "SS", "US"), 2) | dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4)
_WORDS |= dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8)

_BITS_ALLOCATED = 0x00280100

_SHORT = {vr.encode(): vr for vr in SHORT_VRS}
_LONG = {vr.encode(): vr for vr in LONG_VRS}
_read_header = Struct(">HH2sH").unpack_from
_read_item = Struct(">HHI").unpack_from
_read_length = Struct(">I").unpack_from
_write_short = Struct("<HH2sH").pack
_write_long = Struct("<HH2sHI").pack
_write_item = Struct("<HHI").pack


def to_little_endian(data: bytes) -> bytes:
    """Rewrite a data set from explicit big endian to explicit little endian; sequences get defined lengths.

    Raises Truncated, Malformed, TooDeep or TooMany, as the walker does.
    """
    return _Turn(data).dataset(0, len(data), 0, False)[0]


class _Turn:
    """One conversion and what it may still find."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = MAX_NODES

    def count(self, pos: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise TooMany(f"The data set has too many elements; the limit was reached at byte {pos}.")

    def dataset(self, pos: int, end: int, depth: int, open_ended: bool) -> tuple[bytes, int]:
        """Give a data set in little endian, and where it ended."""
        data = self.data
        out: list[bytes] = []
        bits = 0
        while pos + 8 <= end:
            self.count(pos)
            group, number, code, length = _read_header(data, pos)
            tag, start = group << 16 | number, pos + 8
            if tag == ITEM_END and open_ended:
                return b"".join(out), start
            vr = _SHORT.get(code)
            if vr is None:
                vr = _LONG.get(code)
                if vr is None:
                    raise Malformed(f"{tag_text(tag)} at byte {pos} has no known value representation.")
                if start + 4 > end:
                    raise Truncated(f"The element header at byte {pos} is cut off.")
                (length,) = _read_length(data, start)
                start += 4
            if length == UNDEFINED and vr != "SQ":
                raise Malformed(f"{tag_text(tag)} at byte {pos} has an undefined length, which big endian forbids.")
            if length != UNDEFINED and start + length > end:
                raise Truncated(f"The value of {tag_text(tag)} at byte {pos} reaches behind the end of the data.")
            if vr == "SQ":
                closes = length == UNDEFINED
                value, pos = self.sequence(start, end if closes else start + length, depth + 1, closes)
            else:
                pos = start + length
                value = _swap(data[start:pos], _WORDS.get(vr, 1) if tag != PIXEL_DATA else _pixel_word(vr, bits))
                if tag == _BITS_ALLOCATED:
                    bits = int.from_bytes(value[:2], "little")
            if code in _LONG:
                out.append(_write_long(group, number, code, 0, len(value)))
            else:
                out.append(_write_short(group, number, code, len(value)))
            out.append(value)
        if open_ended:
            raise Truncated(f"An item of undefined length is not closed before byte {end}.")
        return b"".join(out), end

    def sequence(self, pos: int, end: int, depth: int, open_ended: bool) -> tuple[bytes, int]:
        """Give a sequence's items in little endian, and where the sequence ended."""
        if depth > MAX_DEPTH:
            raise TooDeep(f"The sequence at byte {pos} is nested deeper than {MAX_DEPTH}.")
        out: list[bytes] = []
        while pos + 8 <= end:
            self.count(pos)
            group, number, length = _read_item(self.data, pos)
            tag, start = group << 16 | number, pos + 8
            if tag == SEQUENCE_END and open_ended:
                return b"".join(out), start
            if tag != ITEM:
                raise Malformed(f"{tag_text(tag)} stands at byte {pos} where an item should.")
            closes = length == UNDEFINED
            if not closes and start + length > end:
                raise Truncated(f"The item at byte {pos} reaches behind the end of its sequence.")
            value, pos = self.dataset(start, end if closes else start + length, depth, closes)
            out += (_write_item(0xFFFE, 0xE000, len(value)), value)
        if open_ended or pos != end:
            raise Truncated(f"A sequence is not closed before byte {end}.")
        return b"".join(out), end


def _pixel_word(vr: str, bits: int) -> int:
    """Samples of more than 16 bits are turned around whole: so writers write them, whatever OW says of words."""
    return bits // 8 if vr == "OW" and bits in (32, 64) else _WORDS.get(vr, 1)


def _swap(value: bytes, width: int) -> bytes:
    """Turn every word of `width` bytes around; what is left over of a cut-off value stays as it is."""
    if width == 1:
        return value
    whole = len(value) // width * width
    turned = bytearray(value)
    for low, high in _pairs(width):
        turned[low:whole:width] = value[high:whole:width]
    return bytes(turned)


def _pairs(width: int) -> Iterator[tuple[int, int]]:
    return zip(range(width), range(width - 1, -1, -1), strict=True)
