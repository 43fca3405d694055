"""Elements and items as bytes, in little endian (PS3.5 7.1, 7.5)."""

from __future__ import annotations

from struct import Struct

from pacs.dicom.dictionary import LONG_VRS
from pacs.dicom.elements import UNDEFINED, Item

_tag = Struct("<HH").pack
_short = Struct("<HH2sH").pack
_long = Struct("<HH2sHI").pack
_implicit = Struct("<HHI").pack
_LONG = frozenset(LONG_VRS)

#: What closes encapsulated pixel data (PS3.5 A.4).
SEQUENCE_DELIMITER = _tag(0xFFFE, 0xE0DD) + bytes(4)


def put(tag: int, vr: str, value: bytes, explicit: bool) -> bytes:
    """Write an element; an odd value is padded. What is too long for its VR's 16 bits becomes UN (PS3.5 6.2.2)."""
    if len(value) & 1:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    group, number, length = tag >> 16, tag & 0xFFFF, len(value)
    if not explicit:
        return _implicit(group, number, length) + value
    if vr in _LONG:
        return _long(group, number, vr.encode(), 0, length) + value
    if length > 0xFFFE:
        return _long(group, number, b"UN", 0, length) + value
    return _short(group, number, vr.encode(), length) + value


def item(body: bytes) -> bytes:
    """Wrap a data set as an item of defined length."""
    return _implicit(0xFFFE, 0xE000, len(body)) + body


def code_item(code: str, scheme: str, meaning: str, explicit: bool) -> bytes:
    """Write an item of a code sequence (PS3.3 8.8)."""
    return item(
        put(0x00080100, "SH", code.encode(), explicit)
        + put(0x00080102, "SH", scheme.encode(), explicit)
        + put(0x00080104, "LO", meaning.encode(), explicit)
    )


def pixel_header(tag: int, vr: str, length: int | None, explicit: bool) -> bytes:
    """Write the header of a pixel data element; `length` is None for encapsulated frames."""
    group, number = tag >> 16, tag & 0xFFFF
    if not explicit:
        return _implicit(group, number, UNDEFINED if length is None else length)
    if length is None:
        return _long(group, number, b"OB", 0, UNDEFINED)
    return _long(group, number, vr.encode() if vr in _LONG else b"OW", 0, length)


def written_items(buf: bytes, items: tuple[Item, ...], explicit: bool) -> bytes:
    """Write items, of whatever encoding, in little endian with defined lengths."""
    return b"".join(
        item(
            b"".join(
                put(e.tag, e.vr, buf[e.start : e.start + e.length], explicit)
                if e.items is None
                else put(e.tag, "SQ", written_items(buf, e.items, explicit), explicit)
                for e in one.elements
                if e.fragments is None
            )
        )
        for one in items
    )
