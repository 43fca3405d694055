"""From the DICOM JSON model (PS3.18 annex F) to an explicit VR little endian data set (PS3.5 7.1).

Values that are bulk data at top level are not looked at: they are streamed from where they lie.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Sequence
from struct import Struct, error
from typing import Any

from pydicom.valuerep import format_number_as_ds

from pacs.dicom import tags
from pacs.dicom.dictionary import LONG_VRS, PIXEL_DATA, SHORT_VRS, public_vr, tag_text
from pacs.dicom.elements import MAX_DEPTH
from pacs.dicom.encode import SEQUENCE_DELIMITER, item, pixel_header, put

#: The views of a bulk value, one a part of the body; a frame each where they are compressed.
Bulk = Callable[[str], Sequence[memoryview]]

CHARACTER_SET = tags.SpecificCharacterSet.key
#: What the elements of a store request may say that is not the object's own: the file meta information, and the
#: transfer syntaxes that a server offers (PS3.18 8.7.3.5.2).
_NOT_STORED = frozenset((tags.AvailableTransferSyntaxUID.key,))
#: Bytes of bulk data within sequences, which are kept in memory.
_MAX_NESTED = 64 << 20
#: The VRs that are in the data set's character set; a name is too (PS3.5 6.1.2.3).
_TEXTS = frozenset(("LO", "LT", "SH", "ST", "UC", "UT"))
_BINARY = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
_NUMBERS = {
    vr: Struct(f"<{letter}").pack
    for vr, letter in (
        ("US", "H"), ("SS", "h"), ("UL", "I"), ("SL", "i"), ("UV", "Q"), ("SV", "q"), ("FL", "f"), ("FD", "d"),
    )
}  # fmt: skip
_VRS = frozenset((*LONG_VRS, *SHORT_VRS))
_item_header = Struct("<HHI").pack


class BadDataset(Exception):
    """The metadata is no data set of the DICOM JSON model; the text is for the sender."""


def encode(dataset: dict[str, Any], bulk: Bulk, *, compressed: bool) -> Iterator[bytes | memoryview]:
    """The data set, in explicit VR little endian, in pieces; texts are in UTF-8 whatever it says of itself.

    `compressed`: the bulk parts of Pixel Data are frames to encapsulate (PS3.5 A.4). Raises BadDataset.
    """
    encoder = _Encoder(bulk)
    for tag, vr, attribute in _attributes({**dataset, CHARACTER_SET: {"vr": "CS", "Value": ["ISO_IR 192"]}}):
        uri = attribute.get("BulkDataURI")
        if uri is None:
            yield encoder.element(tag, vr, attribute, 0)
        elif compressed and tag == PIXEL_DATA:
            yield from _encapsulated(bulk(_uri(tag, uri)))
        else:
            yield from _streamed(tag, vr, bulk(_uri(tag, uri)))


def value_text(dataset: dict[str, Any], key: str) -> str:
    """An attribute's first value as text; empty where it has none."""
    attribute = dataset.get(key)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return str(values[0]) if isinstance(values, list) and values and isinstance(values[0], str | int) else ""


def _attributes(dataset: dict[str, Any]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Tag, VR and attribute, in the order of their tags; group lengths and group 0002 are left out."""
    for key in sorted(dataset, key=str.upper):
        attribute = dataset[key]
        try:
            tag = int(key, 16) if len(key) == 8 else -1
        except ValueError:
            tag = -1
        if tag < 0 or not isinstance(attribute, dict):
            raise BadDataset("The metadata has a key that is not a tag of 8 hexadecimal digits with an object.")
        vr = _settled(attribute.get("vr") or public_vr(tag), attribute)
        if vr not in _VRS:
            raise BadDataset(f"The attribute {tag_text(tag)} of the metadata has no value representation.")
        if tag & 0xFFFF and tag >> 16 > 0x0003 and key not in _NOT_STORED:
            yield tag, vr, attribute


def _settled(vr: Any, attribute: dict[str, Any]) -> Any:
    """The VR of an attribute; some writers give the dictionary's choice of several (`US or SS`, `OB or OW`)."""
    if not isinstance(vr, str) or " or " not in vr:
        return vr
    values = attribute.get("Value")
    if not isinstance(values, list):
        return "OW" if "OW" in vr else "US"
    return "SS" if any(isinstance(value, int) and value < 0 for value in values) else "US"


class _Encoder:
    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._nested = 0

    def element(self, tag: int, vr: str, attribute: dict[str, Any], depth: int) -> bytes:
        uri, inline = attribute.get("BulkDataURI"), attribute.get("InlineBinary")
        if uri is not None:
            return put(tag, vr, self._small(self._bulk(_uri(tag, uri))), True)
        if inline is not None:
            try:
                return put(tag, vr, base64.b64decode(inline, validate=True), True)
            except (binascii.Error, TypeError, ValueError) as broken:
                raise BadDataset(f"The InlineBinary of {tag_text(tag)} is not base64.") from broken
        values = attribute.get("Value", [])
        if not isinstance(values, list):
            raise BadDataset(f"The Value of {tag_text(tag)} is not an array.")
        if vr == "SQ":
            return put(tag, vr, b"".join(self._item(one, depth + 1) for one in values), True)
        if vr in _BINARY and values:
            raise BadDataset(f"The attribute {tag_text(tag)} is binary: it needs InlineBinary or BulkDataURI.")
        return put(tag, vr, _value(tag, vr, values), True)

    def _item(self, dataset: Any, depth: int) -> bytes:
        if depth > MAX_DEPTH:
            raise BadDataset(f"The metadata has sequences more than {MAX_DEPTH} deep.")
        if dataset is not None and not isinstance(dataset, dict):
            raise BadDataset("An item of a sequence in the metadata is not an object.")
        return item(
            b"".join(
                self.element(tag, vr, attribute, depth)
                for tag, vr, attribute in _attributes(dataset or {})
                if tag != int(CHARACTER_SET, 16)
            )
        )

    def _small(self, parts: Sequence[memoryview]) -> bytes:
        self._nested += sum(map(len, parts))
        if self._nested > _MAX_NESTED:
            raise BadDataset(f"The bulk data within sequences has more than {_MAX_NESTED} bytes.")
        return b"".join(parts)


def _uri(tag: int, uri: Any) -> str:
    if not isinstance(uri, str):
        raise BadDataset(f"The BulkDataURI of {tag_text(tag)} is not a string.")
    return uri


def _value(tag: int, vr: str, values: Sequence[Any]) -> bytes:
    """The bytes of an element's values (PS3.18 Table F.2.3-1; an empty one is null)."""
    try:
        if vr == "AT":
            return _tags(values)
        if vr in _NUMBERS:
            read = float if vr in ("FL", "FD") else int
            return b"".join(_NUMBERS[vr](read(one)) for one in values if one is not None)
        if vr == "PN":
            return "\\".join(map(_name, values)).encode()
        text = _decimal if vr == "DS" else _string
        joined = "\\".join("" if one is None else text(one) for one in values)
        return joined.encode("utf-8" if vr in _TEXTS else "latin-1")
    except (ValueError, TypeError, OverflowError, error) as broken:
        raise BadDataset(f"A value of {tag_text(tag)} in the metadata is none that its VR {vr} may have.") from broken


def _tags(values: Iterable[Any]) -> bytes:
    tags = [int(one, 16) for one in values if one is not None]
    return b"".join((tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") for tag in tags)


def _name(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, dict):
        raise TypeError("not a name")
    return "=".join(_string(value.get(key) or "") for key in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("=")


def _string(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("neither a text nor a number")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _decimal(value: Any) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2)."""
    text = _string(value)
    return text if len(text) <= 16 or isinstance(value, str) else format_number_as_ds(float(value))


def _streamed(tag: int, vr: str, parts: Sequence[memoryview]) -> Iterator[bytes | memoryview]:
    """An element with a value that is not copied; frames of several parts follow each other."""
    size = sum(map(len, parts))
    if vr not in LONG_VRS and size > 0xFFFE:
        vr = "UN"  # PS3.5 6.2.2: what is too long for its VR's 16 bits
    if size > 0xFFFFFFFE:
        raise BadDataset(f"The bulk data of {tag_text(tag)} is longer than an element can be.")
    if vr not in LONG_VRS:
        yield put(tag, vr, b"".join(parts), True)
        return
    yield (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
    yield vr.encode() + bytes(2) + (size + size % 2).to_bytes(4, "little")
    yield from parts
    yield (b"\0" if vr in ("OB", "UN") else b" ") * (size % 2)


def _encapsulated(frames: Sequence[memoryview]) -> Iterator[bytes | memoryview]:
    """Compressed Pixel Data, a fragment a frame, with a Basic Offset Table as far as its 32 bits reach."""
    sizes = [len(frame) + len(frame) % 2 for frame in frames]
    if max(sizes, default=0) > 0xFFFFFFFE:
        raise BadDataset("A frame of the Pixel Data is longer than a fragment can be.")
    offsets, position = [], 0
    for size in sizes:
        offsets.append(position)
        position += 8 + size
    table = b"".join(offset.to_bytes(4, "little") for offset in offsets) if position <= 0xFFFFFFFF else b""
    yield pixel_header(PIXEL_DATA, "OB", None, True) + item(table if len(frames) > 1 else b"")
    for frame, size in zip(frames, sizes, strict=True):
        yield _item_header(0xFFFE, 0xE000, size)
        yield frame
        yield bytes(size - len(frame))
    yield SEQUENCE_DELIMITER
