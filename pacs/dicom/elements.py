"""A walker over the bytes of a data set in explicit or implicit little endian (PS3.5 clauses 6, 7 and A.4).

It finds where every element starts and ends and copies no value: big values and pixel data are jumped over,
so a file of gigabytes that is mapped into memory costs only the pages of its header. Indexing, DICOM JSON,
de-identification and frame offsets all read from this one list.

What real files do wrong is tolerated where pydicom tolerates it: odd lengths, group lengths, retired and
unknown tags, elements out of order, items in the other encoding, implicit headers in the midst of explicit
ones. What would hide bytes or run away is refused by name, with a tag and an offset:

    Unreadable (422)
      Truncated   a length reaches behind the end, or a delimiter never comes
      Malformed   something else stands where an item, a delimiter or an element should
      TooDeep     sequences are nested deeper than MAX_DEPTH
      TooMany     more elements, items and fragments than MAX_NODES, or a flood of empty items
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import NamedTuple, TypeAlias

from overread.kit.errors import Unprocessable
from overread.kit.language import Phrase
from pacs.dicom.dictionary import LONG_VRS, PIXEL_DATA, SHORT_VRS, private_vr, public_vr, tag_text

Buffer: TypeAlias = bytes | memoryview | mmap.mmap

MAX_DEPTH = 64
MAX_NODES = 1_000_000
#: Bytes of a value that `text`, `texts` and `ints` look at: what the 16-bit length of their VRs allows (PS3.5
#: 7.1.2). In implicit VR a length may lie up to 4 GB.
MAX_VALUE = 65_536
MAX_EMPTY_ITEMS = 10_000  # in one sequence; an enhanced object has an item a frame, but never an empty one

UNDEFINED = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD

_SHORT = {vr.encode(): vr for vr in SHORT_VRS}
_LONG = {vr.encode(): vr for vr in LONG_VRS}
_explicit_header = Struct("<HH2sH").unpack_from
_implicit_header = Struct("<HHI").unpack_from
_long_length = Struct("<I").unpack_from


class Unreadable(Unprocessable):
    """The bytes are not a readable data set; `reason` is a short word for statistics and tests."""

    title = Phrase("The DICOM data can't be read")
    reason = "unreadable"

    def __init__(self, text: str) -> None:
        # The sentence names a tag and an offset and no value, so a client may read it too.
        super().__init__(text, safe=text)


class Truncated(Unreadable):
    """A length reaches behind the end of the data, or a delimiter is missing."""

    reason = "truncated"


class Malformed(Unreadable):
    """Something else stands where an item, a delimiter or an element should."""

    reason = "malformed"


class TooDeep(Unreadable):
    """Sequences are nested deeper than MAX_DEPTH."""

    reason = "too_deep"


class TooMany(Unreadable):
    """There are more elements, items and fragments than any sound object has."""

    reason = "too_many"


class Element(NamedTuple):
    """One data element, as places in the buffer that was walked.

    `vr` is the effective value representation: the one in the bytes, or the dictionary's where the encoding
    is implicit or the bytes say UN (PS3.5 6.2.2). A UN that stays UN is opaque. The bytes' own header is
    `buf[offset:start]`.
    """

    tag: int
    vr: str
    #: Of the tag.
    offset: int
    #: Of the first value byte.
    start: int
    #: Bytes of the value, without a closing delimiter.
    length: int
    #: First byte behind the element, delimiter included.
    end: int
    #: The items of a sequence, else None.
    items: tuple[Item, ...] | None
    #: (start, length) of every item of encapsulated pixel data, the offset table's first (A.4), else None.
    fragments: tuple[tuple[int, int], ...] | None


class Item(NamedTuple):
    """One item of a sequence: `offset` of its tag, `start` of its first element, `end` behind its delimiter."""

    offset: int
    start: int
    end: int
    elements: tuple[Element, ...]
    #: Whether its elements are in explicit VR: an item may differ from what surrounds it (PS3.5 6.2.2 note).
    explicit: bool


def walk(
    buf: Buffer, start: int, end: int, *, explicit: bool, max_nodes: int = MAX_NODES, max_depth: int = MAX_DEPTH
) -> list[Element]:
    """List the elements of the little endian data set in `buf[start:end]`, in the order of the bytes.

    Fewer than 8 bytes behind the last element, or any number of zeros, are taken for padding.
    Raises Truncated, Malformed, TooDeep or TooMany.
    """
    return _Walk(buf, max_nodes, max_depth).dataset(start, end, explicit, 0, None, False)[0]


def items_of(
    buf: Buffer, element: Element, *, explicit: bool, max_nodes: int, max_depth: int
) -> tuple[tuple[Item, ...] | None, int]:
    """The items of an opaque value (UN, PS3.5 6.2.2) that is a sequence, else None; and how many nodes are left.

    `explicit` is what surrounds it. Raises TooDeep, TooMany.
    """
    walking = _Walk(buf, max_nodes, max_depth)
    start, end = element.start, element.start + element.length
    try:
        return walking.sequence(element.tag, start, end, explicit, 1, None, False)[0], walking.left
    except (Truncated, Malformed):
        return None, max(0, max_nodes - 1 - element.length // 8)


def find(elements: Iterable[Element], tag: int) -> Element | None:
    """Give the first element with `tag` at this level, or None."""
    for element in elements:
        if element[0] == tag:
            return element
    return None


def raw(buf: Buffer, element: Element) -> bytes:
    """Copy the value's bytes."""
    start = element.start
    return bytes(buf[start : start + element.length])


def text(buf: Buffer, element: Element | None) -> str:
    """Read a value of the default repertoire as one string, without padding; empty when absent.

    For UI, CS, DA and their like, of which MAX_VALUE bytes are read. Text in other repertoires is
    `pacs.dicom.charset`'s subject.
    """
    if element is None:
        return ""
    return str(buf[element.start : element.start + min(element.length, MAX_VALUE)], "latin-1").strip(" \0")


def texts(buf: Buffer, element: Element | None) -> list[str]:
    """Read a multi-valued string of the default repertoire; an empty or absent one has no values."""
    joined = text(buf, element)
    return [part.strip(" \0") for part in joined.split("\\")] if joined else []


_INTEGERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q"}
_WIDTHS = {"H": 2, "h": 2, "I": 4, "i": 4, "Q": 8, "q": 8}


def ints(buf: Buffer, element: Element | None) -> list[int]:
    """Read the integers of a binary integer, AT or IS element; what can't be read as a number is left out.

    MAX_VALUE bytes are read at most.
    """
    if element is None:
        return []
    letter = _INTEGERS.get(element.vr)
    length = min(element.length, MAX_VALUE)
    if letter is None:
        if element.vr == "AT":
            halves = Struct(f"<{length // 4 * 2}H").unpack_from(buf, element.start)
            return [high << 16 | low for high, low in zip(halves[::2], halves[1::2], strict=True)]
        numbers = []
        for part in texts(buf, element):
            # int() on thousands of digits is quadratic, and no IS has more than 12 characters (PS3.5 6.2)
            if len(part) <= 20 and part.lstrip("+-").isdecimal() and part.isascii():
                try:
                    numbers.append(int(part))
                except ValueError:
                    continue
        return numbers
    return list(Struct(f"<{length // _WIDTHS[letter]}{letter}").unpack_from(buf, element.start))


def _too_long(tag: int, pos: int, length: int, end: int) -> Truncated:
    return Truncated(
        f"The value of {tag_text(tag)} at byte {pos} is {length} bytes long and reaches behind the end of the "
        f"data at byte {end}."
    )


def looks_explicit(buf: Buffer, start: int, end: int, assumed: bool) -> bool:
    """Tell by its first element whether a data set is in explicit VR.

    Two capital letters behind the tag are taken for a VR: as an implicit length they would mean a first
    value of more than 16 KiB.
    """
    if start + 8 > end:
        return assumed
    return 0x40 < buf[start + 4] < 0x5B and 0x40 < buf[start + 5] < 0x5B


class _Walk:
    """One walk: the buffer, and how many elements, items and fragments it may still find."""

    __slots__ = ("buf", "left", "max_depth", "zeros_from")

    def __init__(self, buf: Buffer, max_nodes: int, max_depth: int) -> None:
        self.buf = buf
        self.left = max_nodes
        self.max_depth = max_depth
        self.zeros_from: int | None = None

    def dataset(
        self, pos: int, end: int, explicit: bool, depth: int, signed: bool | None, open_ended: bool
    ) -> tuple[list[Element], int]:
        """Walk one data set up to `end`, or to its item delimiter if `open_ended`; also give where it ended.

        `signed` is the Pixel Representation of the surrounding data sets, which decides "US or SS".
        """
        buf, header, short_vrs, long_vrs = self.buf, _explicit_header, _SHORT, _LONG
        found: list[Element] = []
        append = found.append
        new = tuple.__new__  # four times faster than the class's own constructor
        creators: dict[int, str] | None = None
        limit = self.left
        while pos + 8 <= end:
            limit -= 1
            if limit < 0:
                raise TooMany(f"The data set has too many elements; the limit was reached at byte {pos}.")
            if explicit:
                group, number, code, length = header(buf, pos)
                encoded = short_vrs.get(code)
                if encoded is not None and group != 0xFFFE:
                    # Nine elements of ten: nothing to look up, no sequence, no undefined length.
                    start = pos + 8
                    after = start + length
                    if after > end:
                        raise _too_long(group << 16 | number, pos, length, end)
                    append(new(Element, (group << 16 | number, encoded, pos, start, length, after, None, None)))
                    if group & 1:
                        if 0x0F < number < 0x100 and length <= 64:
                            creators = creators or {}
                            creators[group << 8 | number] = str(buf[start:after], "latin-1").strip(" \0")
                    elif number == 0x0103 and group == 0x0028 and length:  # Pixel Representation
                        signed = bool(buf[start] & 1)
                    pos = after
                    continue
                encoded = long_vrs.get(code)
                if encoded is not None:
                    start = pos + 12
                    if start > end:
                        raise Truncated(f"The element header at byte {pos} is cut off.")
                    (length,) = _long_length(buf, pos + 8)
                else:
                    start = pos + 8
                    if b"AA" <= code <= b"ZZ" and code not in short_vrs:
                        encoded = "UN"  # a VR of no known edition, read with a 16-bit length as pydicom does
                    else:
                        (length,) = _long_length(buf, pos + 4)  # an implicit header amid explicit ones
            else:
                group, number, length = _implicit_header(buf, pos)
                start, encoded = pos + 8, None
            tag = group << 16 | number
            if group == 0xFFFE:
                if tag == ITEM_END and open_ended:
                    self.left = limit
                    return found, pos + 8
                raise Malformed(f"An unexpected item or delimiter {tag_text(tag)} stands at byte {pos}.")
            if not tag and not depth and self._is_padding(pos, end):
                return found, pos

            vr = encoded
            if vr is None or vr == "UN":
                vr = _effective_vr(tag, vr, length, creators)
                if " " in vr:
                    vr = self._disambiguate(tag, vr, found, signed, length)
            items: tuple[Item, ...] | None = None
            fragments: tuple[tuple[int, int], ...] | None = None
            if length == UNDEFINED:
                if tag != PIXEL_DATA and (
                    vr == "SQ" or encoded == "UN" or (encoded is None and self._is_sequence(vr, start, end))
                ):
                    vr = "SQ"
                    self.left = limit
                    items, after = self.sequence(tag, start, end, explicit, depth + 1, signed, True)
                    limit = self.left
                else:
                    if vr not in ("OB", "OW"):
                        vr = "OB" if tag == PIXEL_DATA else "UN"
                    self.left = limit
                    fragments, after = self.fragments(tag, start, end)
                    limit = self.left
                length = after - 8 - start
            else:
                after = start + length
                if after > end:
                    raise _too_long(tag, pos, length, end)
                if vr == "SQ":
                    self.left = limit
                    try:
                        items, _ = self.sequence(tag, start, after, explicit, depth + 1, signed, False)
                    except (Truncated, Malformed):
                        # Bytes that nobody called a sequence but a dictionary: they stay opaque.
                        if encoded == "SQ" or (encoded is None and not group & 1):
                            raise
                        vr = "UN"
                    limit = self.left
            append(new(Element, (tag, vr, pos, start, length, after, items, fragments)))
            if group & 1:
                if 0x0F < number < 0x100 and length <= 64:
                    creators = creators or {}
                    creators[group << 8 | number] = str(buf[start:after], "latin-1").strip(" \0")
            elif tag == 0x00280103 and length:
                signed = bool(buf[start] & 1)
            pos = after
        self.left = limit
        if open_ended:
            raise Truncated(f"An item of undefined length is not closed before byte {end}.")
        if pos < end and depth:
            raise Truncated(f"An element header at byte {pos} reaches behind the end of its item.")
        return found, end

    def sequence(
        self, tag: int, pos: int, end: int, explicit: bool, depth: int, signed: bool | None, open_ended: bool
    ) -> tuple[tuple[Item, ...], int]:
        """Walk the items from `pos` to `end`, or to the sequence delimiter; also give where it ended."""
        if depth > self.max_depth:
            raise TooDeep(f"{tag_text(tag)} at byte {pos} is nested deeper than {self.max_depth} sequences.")
        buf = self.buf
        items: list[Item] = []
        append = items.append
        new = tuple.__new__
        empty = 0
        while pos + 8 <= end:
            group, number, length = _implicit_header(buf, pos)
            found = group << 16 | number
            start = pos + 8
            if found != ITEM:
                if found == SEQUENCE_END:
                    if open_ended:
                        return tuple(items), start
                    if start == end:  # a delimiter that the length covers is needless, and harmless
                        return tuple(items), end
                raise Malformed(f"{tag_text(found)} stands at byte {pos} where {tag_text(tag)} needs an item.")
            self.left -= 1
            if self.left < 0:
                raise TooMany(f"The data set has too many items; the limit was reached at byte {pos}.")
            closes = length == UNDEFINED
            item_end = end if closes else start + length
            if item_end > end:
                raise Truncated(f"The item of {tag_text(tag)} at byte {pos} reaches behind the end of its sequence.")
            inner = explicit
            if (
                explicit
                and start + 8 <= item_end
                and not (0x40 < buf[start + 4] < 0x5B and 0x40 < buf[start + 5] < 0x5B)
            ):
                # As in looks_explicit: implicit elements, unless the item just ends here.
                inner = bytes(buf[start : start + 4]) == b"\xfe\xff\x0d\xe0"
            elements, after = self.dataset(start, item_end, inner, depth, signed, closes)
            if not elements:
                empty += 1
                if empty > MAX_EMPTY_ITEMS:
                    raise TooMany(f"{tag_text(tag)} has more than {MAX_EMPTY_ITEMS} empty items.")
            append(new(Item, (pos, start, after, tuple(elements), inner)))
            pos = after
        if open_ended or pos != end:
            raise Truncated(f"The sequence {tag_text(tag)} is not closed before byte {end}.")
        return tuple(items), end

    def fragments(self, tag: int, pos: int, end: int) -> tuple[tuple[tuple[int, int], ...], int]:
        """List the items of an encapsulated value up to its delimiter (PS3.5 A.4); also give where it ended."""
        buf = self.buf
        places: list[tuple[int, int]] = []
        while pos + 8 <= end:
            group, number, length = _implicit_header(buf, pos)
            found = group << 16 | number
            pos += 8
            if found == SEQUENCE_END:
                return tuple(places), pos
            if found != ITEM:
                raise Malformed(f"{tag_text(found)} stands at byte {pos - 8} where {tag_text(tag)} needs a fragment.")
            if length > end - pos:
                raise Truncated(f"The fragment of {tag_text(tag)} at byte {pos - 8} reaches behind the end.")
            self.left -= 1
            if self.left < 0:
                raise TooMany(f"{tag_text(tag)} has too many fragments.")
            places.append((pos, length))
            pos += length
        raise Truncated(f"The encapsulated value of {tag_text(tag)} is not closed before byte {end}.")

    def _is_sequence(self, vr: str, start: int, end: int) -> bool:
        """Tell whether an undefined length without a VR in the bytes stands for a sequence."""
        return vr == "UN" and start + 4 <= end and bytes(self.buf[start : start + 4]) == b"\xfe\xff\x00\xe0"

    def _is_padding(self, pos: int, end: int) -> bool:
        """Tell whether nothing but zeros follows, as after files that were rounded up to whole blocks."""
        if self.zeros_from is None:  # looked up once, or a run of empty elements would cost its square
            at = end
            while at > pos:
                block = bytes(self.buf[max(pos, at - 65_536) : at]).rstrip(b"\0")
                at = max(pos, at - 65_536)
                if block:
                    at += len(block)
                    break
            self.zeros_from = at
        return pos >= self.zeros_from

    def _disambiguate(self, tag: int, vr: str, found: Sequence[Element], signed: bool | None, length: int) -> str:
        """Decide a dictionary VR such as "US or SS" in implicit VR (PS3.5 A.1, PS3.3 C.7.6.3, C.11)."""
        if vr == "US or SS":
            return "SS" if signed else "US"
        if vr == "US or OW" and tag == 0x00283006:  # LUT Data: one entry is a number, a table is words
            descriptor = find(found, 0x00283002)
            entries = ints(self.buf, descriptor)
            return "US" if entries and entries[0] == 1 and length == 2 else "OW"
        return "OB" if tag == PIXEL_DATA and length == UNDEFINED else "OW"


def _effective_vr(tag: int, encoded: str | None, length: int, creators: dict[int, str] | None) -> str:
    """Give the dictionary's VR where the bytes have none, or only UN (PS3.5 6.2.2)."""
    group, number = tag >> 16, tag & 0xFFFF
    if group & 1:
        if 0x0F < number < 0x100:
            return "LO"  # a private creator (PS3.5 7.8.1)
        creator = creators.get(group << 8 | number >> 8) if creators else None
        return (private_vr(tag, creator) if creator else None) or "UN"
    if encoded is not None and length >= 0xFFFF:
        return "UN"  # it may be UN because its length did not fit into the 16 bits of its own VR
    return public_vr(tag) or "UN"
