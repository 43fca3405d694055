"""The DICOM JSON model straight from the bytes (PS3.18 annex F).

No object is made of an element on the way: the walker's places are sliced, decoded and put into dicts that
orjson or the json module can write. Group lengths and trailing padding, which say something about bytes only,
are left out.
"""

from __future__ import annotations

import mmap
from base64 import b64encode
from collections.abc import Callable, Sequence
from math import isfinite
from struct import Struct
from typing import Any, TypeAlias

from pacs.dicom.charset import DEFAULT, codecs_of, decode
from pacs.dicom.dictionary import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, PIXEL_DATA
from pacs.dicom.elements import Buffer, Element

JsonDataset: TypeAlias = dict[str, dict[str, Any]]
#: Gives the URI of a bulk value by its path: ("7FE00010",), or ("00081140", "0", "00081150") in an item.
BulkUri: TypeAlias = Callable[[tuple[str, ...]], str]

#: Bytes of a text or of numbers above which they are given by reference, too. PS3.18 10.4.1.1.2 names the VRs of
#: which this may be said; a value of another VR is then a broken one, and shown as the UN that it is.
MAX_INLINE = 1 << 20
_MAY_BE_BULK = frozenset(("DS", "FL", "FD", "IS", "LT", "SL", "SS", "ST", "SV", "UC", "UL", "US", "UT", "UV"))

#: Where a data set is nested: the surrounding path, the sequence's key and the item's index. It is linked,
#: because it is made for every item and spelled out for the few bulk values only.
_Path: TypeAlias = "tuple[_Path, str, int] | None"

CHARACTER_SET = 0x00080005
_PIXELS = frozenset((PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA))
_TRAILING_PADDING = 0xFFFCFFFC
#: LUT descriptors, whose first value is unsigned whatever the VR says (PS3.3 C.11.1.1, C.7.6.3.1.5).
_LUT_DESCRIPTORS = frozenset((0x00281101, 0x00281102, 0x00281103, 0x00283002))
_PAD = " \0"
#: The keys of the tags that came by, which are the same few hundred in every instance.
_KEYS: dict[int, str] = {}
_MAX_KEYS = 16_384
_MAX_CHARACTER_SET = 512  # bytes of the names of all character sets together
_MAX_NUMBER = 64  # characters of a decimal string that are worth reading as a number; 16 are allowed


def to_json(
    buf: Buffer,
    elements: Sequence[Element],
    *,
    bulk_uri: BulkUri | None = None,
    bulk_threshold: int = 1024,
    codecs: tuple[str, ...] = DEFAULT,
) -> JsonDataset:
    """Turn walked elements into the DICOM JSON model.

    Binary values longer than `bulk_threshold` bytes, all values longer than MAX_INLINE, and pixel data of any
    size become a BulkDataURI that `bulk_uri` makes; without `bulk_uri` they are inline. `codecs` is the character
    set of the surrounding data set, if any. The result is always valid JSON: broken text is replaced, a number
    that is none stays a string (DS and IS may, F.2.3.1), NaN and infinity are the strings "NaN", "inf" and
    "-inf", and a binary number of the wrong length is shown as UN.
    """
    source = _View(buf) if isinstance(buf, memoryview) else buf
    return _dataset(source, elements, bulk_uri, bulk_threshold, codecs, None)


class _View:
    """A memoryview whose slices are bytes, as those of bytes and of a mapped file are."""

    __slots__ = ("view",)

    def __init__(self, view: memoryview) -> None:
        self.view = view

    def __getitem__(self, place: slice) -> bytes:
        return bytes(self.view[place])


def _dataset(
    buf: bytes | mmap.mmap | _View,
    elements: Sequence[Element],
    bulk_uri: BulkUri | None,
    threshold: int,
    codecs: tuple[str, ...],
    path: _Path,
) -> JsonDataset:
    out: JsonDataset = {}
    converters, known_keys = _CONVERTERS, _KEYS
    for element in elements:
        if element[0] >= CHARACTER_SET:
            if element[0] == CHARACTER_SET and 0 < element[4] <= _MAX_CHARACTER_SET:
                codecs = codecs_of(buf[element[3] : element[3] + element[4]])
            break
    for tag, vr, _, start, length, _, items, fragments in elements:
        key = known_keys.get(tag)
        if key is None:
            if not tag & 0xFFFF or tag == _TRAILING_PADDING:
                continue
            key = tag_key(tag)
            if len(known_keys) < _MAX_KEYS:
                known_keys[tag] = key
        if items is not None:
            if items:
                values = [
                    _dataset(buf, item[3], bulk_uri, threshold, codecs, (path, key, index))
                    for index, item in enumerate(items)
                ]
                out[key] = {"vr": "SQ", "Value": values}
            else:
                out[key] = {"vr": "SQ"}
            continue
        if not length:
            out[key] = {"vr": vr}
            continue
        convert = converters.get(vr)
        if convert is None:
            if bulk_uri is not None and (length > threshold or tag in _PIXELS or fragments is not None):
                out[key] = {"vr": vr, "BulkDataURI": bulk_uri(_whole_path(path, key))}
            else:
                out[key] = _inline(vr, buf[start : start + length])
            continue
        if length > MAX_INLINE and bulk_uri is not None:
            shown = vr if vr in _MAY_BE_BULK else "UN"
            out[key] = {"vr": shown, "BulkDataURI": bulk_uri(_whole_path(path, key))}
            continue
        raw = buf[start : start + length]
        try:
            value = convert(raw, codecs)
        except _WrongLength:
            out[key] = _inline("UN", raw)
            continue
        if value is None:
            out[key] = {"vr": vr}
            continue
        if tag in _LUT_DESCRIPTORS and type(value[0]) is int and value[0] < 0:
            value[0] += 65536
        out[key] = {"vr": vr, "Value": value}
    return out


def _whole_path(path: _Path, key: str) -> tuple[str, ...]:
    steps = [key]
    while path is not None:
        path, parent, index = path
        steps += (str(index), parent)
    return tuple(reversed(steps))


def element_at(elements: Sequence[Element], path: Sequence[str]) -> Element | None:
    """Find the element that a bulk data path names (see `BulkUri`), or None if there is no such."""
    level = elements
    for place in range(0, len(path), 2):
        wanted = path[place].upper()
        found = next((element for element in level if tag_key(element.tag) == wanted), None)
        if found is None or place + 1 == len(path):
            return found
        index = path[place + 1]
        if not (index.isascii() and index.isdigit() and len(index) < 10):
            return None
        if found.items is None or int(index) >= len(found.items):
            return None
        level = found.items[int(index)].elements
    return None


def tag_key(tag: int) -> str:
    """Write a tag as JSON's attribute names do: 00100020 (F.2.2)."""
    return f"{tag:08X}"


class _WrongLength(Exception):
    """A binary number's value is not a whole number of words."""


def _inline(vr: str, raw: bytes) -> dict[str, Any]:
    return {"vr": vr, "InlineBinary": b64encode(raw).decode("ascii")}


def _plain(raw: bytes, _: tuple[str, ...]) -> list[Any] | None:
    """Values of the default repertoire: CS, UI, DA and their like."""
    joined = raw.decode("latin-1").rstrip(_PAD)
    if not joined:
        return None
    if "\\" in joined:
        return [part.rstrip(_PAD) or None for part in joined.split("\\")]
    return [joined]


def _titles(raw: bytes, _: tuple[str, ...]) -> list[Any] | None:
    """AE: spaces on either side mean nothing (PS3.5 6.2)."""
    joined = raw.decode("latin-1").strip(_PAD)
    return [part.strip(_PAD) or None for part in joined.split("\\")] if joined else None


def _texts(raw: bytes, codecs: tuple[str, ...]) -> list[Any] | None:
    """LO, SH, UC: several values in the data set's character set."""
    joined = decode(raw, codecs).rstrip(_PAD)
    if not joined:
        return None
    if "\\" in joined:
        return [part.rstrip(_PAD) or None for part in joined.split("\\")]
    return [joined]


def _prose(raw: bytes, codecs: tuple[str, ...]) -> list[Any] | None:
    """LT, ST, UT: one value, in which a backslash is a backslash."""
    whole = decode(raw, codecs).rstrip(_PAD)
    return [whole] if whole else None


def _address(raw: bytes, _: tuple[str, ...]) -> list[Any] | None:
    """UR: one value; URIs are ASCII."""
    whole = raw.decode("latin-1").rstrip(_PAD)
    return [whole] if whole else None


_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def _names(raw: bytes, codecs: tuple[str, ...]) -> list[Any] | None:
    """PN: an object per name with its component groups, the empty ones left out (F.2.2)."""
    joined = decode(raw, codecs).rstrip(_PAD)
    if not joined:
        return None
    names: list[Any] = []
    for name in joined.split("\\"):
        groups = name.rstrip(_PAD).split("=", 2)
        names.append({key: part for key, part in zip(_GROUPS, groups, strict=False) if part} or None)
    return names


def _decimals(raw: bytes, _: tuple[str, ...]) -> list[Any] | None:
    joined = raw.decode("latin-1").strip(_PAD)
    if not joined:
        return None
    if "_" in joined:  # Python's own digit separator is no DICOM
        return [part.strip(_PAD) or None for part in joined.split("\\")]
    try:
        if "\\" not in joined and len(joined) <= _MAX_NUMBER:
            number = float(joined)
            return [number if isfinite(number) else joined]
    except ValueError:
        return [joined]
    return [_decimal(part) for part in joined.split("\\")]


def _decimal(part: str) -> float | str | None:
    part = part.strip(_PAD)
    if not part:
        return None
    try:
        number = float(part) if len(part) <= _MAX_NUMBER else None
    except ValueError:
        return part
    return number if number is not None and isfinite(number) else part


def _integers(raw: bytes, _: tuple[str, ...]) -> list[Any] | None:
    joined = raw.decode("latin-1").strip(_PAD)
    if not joined:
        return None
    return [_integer(part) for part in joined.split("\\")]


def _integer(part: str) -> int | float | str | None:
    """Read an integer string; one that some writer put as "5.0" or "1.5" stays the number that it is."""
    part = part.strip(_PAD)
    if not part:
        return None
    if len(part) > _MAX_NUMBER or "_" in part:
        return part
    try:
        return int(part)
    except ValueError:
        number = _decimal(part)
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _tags(raw: bytes, _: tuple[str, ...]) -> list[Any] | None:
    if len(raw) % 4:
        raise _WrongLength
    halves = Struct(f"<{len(raw) // 2}H").unpack(raw)
    return [f"{group:04X}{number:04X}" for group, number in zip(halves[::2], halves[1::2], strict=True)]


def _binary(letter: str, width: int) -> Callable[[bytes, tuple[str, ...]], list[Any] | None]:
    one = Struct("<" + letter)

    def numbers(raw: bytes, _: tuple[str, ...]) -> list[Any] | None:
        if len(raw) == width:
            return [*one.unpack(raw)]
        if len(raw) % width:
            raise _WrongLength
        return [*Struct(f"<{len(raw) // width}{letter}").unpack(raw)]

    return numbers


def _floats(letter: str, width: int) -> Callable[[bytes, tuple[str, ...]], list[Any] | None]:
    numbers = _binary(letter, width)

    def checked(raw: bytes, codecs: tuple[str, ...]) -> list[Any] | None:
        values = numbers(raw, codecs) or []
        return [value if isfinite(value) else _not_finite(value) for value in values]

    return checked


def _not_finite(value: float) -> str:
    """JSON has no such numbers; PS3.18 F.2.3 writes them as strings."""
    if value != value:
        return "NaN"
    return "inf" if value > 0 else "-inf"


#: How to read each VR; those that are missing are binary (F.2.7).
_CONVERTERS: dict[str, Callable[[bytes, tuple[str, ...]], list[Any] | None]] = {
    **dict.fromkeys(("AS", "CS", "DA", "DT", "TM", "UI"), _plain),
    **dict.fromkeys(("LO", "SH", "UC"), _texts),
    **dict.fromkeys(("LT", "ST", "UT"), _prose),
    "AE": _titles,
    "AT": _tags,
    "DS": _decimals,
    "FD": _floats("d", 8),
    "FL": _floats("f", 4),
    "IS": _integers,
    "PN": _names,
    "SL": _binary("i", 4),
    "SS": _binary("h", 2),
    "SV": _binary("q", 8),
    "UL": _binary("I", 4),
    "UR": _address,
    "US": _binary("H", 2),
    "UV": _binary("Q", 8),
}
