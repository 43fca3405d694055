"""DICOM files: preamble, file meta information and the way to the data set (PS3.10 clause 7, PS3.5 annex A).

`parse` is the one entry to stored bytes. It gives the elements of the data set and the buffer that their
offsets refer to, which is the file itself except for deflated and big endian data sets.
"""

from __future__ import annotations

import re
import zlib
from array import array
from struct import Struct
from typing import NamedTuple

from overread.kit.language import Phrase
from pacs.dicom.bigendian import to_little_endian
from pacs.dicom.dictionary import PIXEL_DATA
from pacs.dicom.elements import (
    Buffer,
    Element,
    Malformed,
    Truncated,
    Unreadable,
    find,
    ints,
    looks_explicit,
    text,
    walk,
)
from pacs.dicom.transfer_syntaxes import (
    DEFLATED,
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    GE_BIG_ENDIAN_PIXELS,
    IMPLICIT_LITTLE_ENDIAN,
)

#: Who wrote a file, in (0002,0012) and (0002,0013): a UID of our own, made from a random UUID (PS3.5 B.2).
IMPLEMENTATION_CLASS_UID = "2.25.213863402029591945710640950022226716984"
IMPLEMENTATION_VERSION_NAME = "OVERREAD_01"

MAX_INFLATED = 256 << 20

_uid_shape = re.compile(r"[0-9]+(\.[0-9]+)+").fullmatch
_group = Struct("<H").unpack_from
_short_header = Struct("<4x2sH").unpack_from
_length32 = Struct("<I").unpack_from


class NotDicom(Unreadable):
    """The bytes are not a DICOM file at all."""

    title = Phrase("Not a DICOM file")
    reason = "not_dicom"


class Bomb(Unreadable):
    """A deflated or big endian data set is larger than what is unpacked in memory."""

    title = Phrase("The DICOM data set is too large when unpacked")
    reason = "bomb"


class FileMeta(NamedTuple):
    """What the file meta information says (PS3.10 7.1); texts are empty where it says nothing."""

    transfer_syntax: str
    sop_class_uid: str
    sop_instance_uid: str
    #: Byte of the file at which the data set begins.
    dataset_start: int
    has_preamble: bool
    source_ae: str
    #: The elements of group 0002, with offsets into the file.
    elements: tuple[Element, ...]

    @property
    def names_transfer_syntax(self) -> bool:
        """Whether the transfer syntax was read, not found out."""
        return any(element.tag == 0x00020010 and element.length for element in self.elements)


class Parsed(NamedTuple):
    """A file's data set: `buf[start:end]` holds it, and the offsets of `elements` refer to `buf`."""

    meta: FileMeta
    buf: Buffer
    start: int
    end: int
    #: Whether the elements at top level are in explicit VR, whatever the transfer syntax says.
    explicit: bool
    elements: list[Element]
    #: False when `buf` is a copy that was inflated or turned into little endian.
    is_original_bytes: bool

    @property
    def plain_syntax(self) -> str:
        """The transfer syntax of the elements in `buf`, the frames of compressed pixel data apart."""
        return EXPLICIT_LITTLE_ENDIAN if self.explicit else IMPLICIT_LITTLE_ENDIAN


def valid_uid(uid: str) -> bool:
    """Tell whether `uid` may name something: 64 characters at most, digits in groups parted by points.

    A leading zero in a group breaks PS3.5 9.1, but real files have it and it does no harm.
    """
    return len(uid) <= 64 and _uid_shape(uid) is not None


def read_meta(buf: Buffer) -> FileMeta:
    """Read preamble and file meta information.

    A file without the preamble is read if it begins with group 0002, or with group 0008 as a plain data set
    whose encoding its first element betrays. Raises NotDicom, Truncated or Malformed.
    """
    size = len(buf)
    has_preamble = size >= 132 and bytes(buf[128:132]) == b"DICM"
    if has_preamble and bytes(buf[132:134]) != b"\x02\x00" and _may_begin_here(buf, size):
        has_preamble = False  # a plain data set that says DICM by chance
    start = 132 if has_preamble else 0
    if not has_preamble and not _may_begin_here(buf, size):
        raise NotDicom(_describe(buf, size))
    explicit = looks_explicit(buf, start, size, True)
    end = _meta_end(buf, start, size, explicit)
    elements = tuple(walk(buf, start, end, explicit=explicit))
    syntax = text(buf, find(elements, 0x00020010))
    if not syntax:
        if _group_is_swapped(buf, end, size):
            syntax = EXPLICIT_BIG_ENDIAN
        else:
            syntax = EXPLICIT_LITTLE_ENDIAN if looks_explicit(buf, end, size, True) else IMPLICIT_LITTLE_ENDIAN
    return FileMeta(
        syntax,
        text(buf, find(elements, 0x00020002)),
        text(buf, find(elements, 0x00020003)),
        end,
        has_preamble,
        text(buf, find(elements, 0x00020016)),
        elements,
    )


def parse(buf: Buffer, *, max_unpacked: int = MAX_INFLATED) -> Parsed:
    """Read a whole file's structure: meta information and data set.

    Raises NotDicom, Bomb, or what `pacs.dicom.elements.walk` raises; all are Unreadable.
    """
    meta = read_meta(buf)
    syntax, start, end = meta.transfer_syntax, meta.dataset_start, len(buf)
    data = buf
    if syntax in DEFLATED:
        data = inflate(buf, start, max_unpacked)
        start, end = 0, len(data)
    elif syntax == EXPLICIT_BIG_ENDIAN and _group_is_swapped(buf, start, end):
        if end - start > max_unpacked:
            raise Bomb(f"The big endian data set has {end - start} bytes; at most {max_unpacked} are converted.")
        data = to_little_endian(bytes(buf[start:end]))
        start, end = 0, len(data)
    explicit = looks_explicit(data, start, end, syntax != IMPLICIT_LITTLE_ENDIAN)
    elements = walk(data, start, end, explicit=explicit)
    if not elements:
        raise Malformed(f"The file has no data set: nothing follows its meta information at byte {start}.")
    if syntax == GE_BIG_ENDIAN_PIXELS and (pixel := _swapped(data, elements)):
        if end > max_unpacked:
            raise Bomb(f"The file with big endian pixels has {end} bytes; at most {max_unpacked} are converted.")
        words = array("H", bytes(data[pixel.start : pixel.end]))
        words.byteswap()
        data = b"".join((bytes(data[: pixel.start]), words.tobytes(), bytes(data[pixel.end : end])))
    return Parsed(meta, data, start, end, explicit, elements, data is buf)


def _swapped(buf: Buffer, elements: list[Element]) -> Element | None:
    """The pixel data whose words of two bytes are in big endian, as far as it is known to be such."""
    pixel, bits = find(elements, PIXEL_DATA), ints(buf, find(elements, 0x00280100))
    whole = pixel is not None and pixel.fragments is None and pixel.length % 2 == 0 and bits == [16]
    return pixel if whole else None


def inflate(buf: Buffer, start: int, limit: int = MAX_INFLATED) -> bytes:
    """Inflate the data set of a deflated transfer syntax (PS3.5 A.5), never more than `limit` bytes.

    Raises Bomb above the limit, Malformed if it isn't a deflated stream, Truncated if the stream has no end.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # One byte more than allowed tells a stream at the limit from one above it.
        data = stream.decompress(memoryview(buf)[start:], limit + 1)
    except zlib.error as error:
        raise Malformed(f"The data set at byte {start} is not a deflated stream: {error}.") from error
    if len(data) > limit:
        raise Bomb(f"The deflated data set unpacks to more than {limit} bytes.")
    if not stream.eof:
        raise Truncated("The deflated data set ends in the middle of its stream.")
    return data


def write_meta(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax: str, *, source_ae: str | None = None
) -> bytes:
    """Make preamble, prefix and file meta information (PS3.10 7.1) for a data set to follow.

    The preamble is zeroed: it might hold a program (PS3.10 7.5). `source_ae` is the sender's AE title. The UIDs
    are written as they stand; `valid_uid` is the caller's to ask.
    """
    body = b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01"
    body += _string(0x0002, b"UI", sop_class_uid) + _string(0x0003, b"UI", sop_instance_uid)
    body += _string(0x0010, b"UI", transfer_syntax) + _string(0x0012, b"UI", IMPLEMENTATION_CLASS_UID)
    body += _string(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME)
    if source_ae:
        body += _string(0x0016, b"AE", source_ae[:16])
    return bytes(128) + b"DICM\x02\x00\x00\x00UL\x04\x00" + len(body).to_bytes(4, "little") + body


def _string(number: int, vr: bytes, value: str) -> bytes:
    encoded = value.encode("ascii", "replace")
    if len(encoded) % 2:
        encoded += b"\0" if vr == b"UI" else b" "
    return b"\x02\x00" + number.to_bytes(2, "little") + vr + len(encoded).to_bytes(2, "little") + encoded


def _may_begin_here(buf: Buffer, size: int) -> bool:
    """Tell whether bytes without a preamble begin as file meta information or as a plain data set do."""
    if size < 8:
        return False
    if bytes(buf[:3]) == b"\x00\x08\x00" and looks_explicit(buf, 0, size, False):
        return True  # big endian
    group: int = _group(buf, 0)[0]
    number: int = _group(buf, 2)[0]
    if looks_explicit(buf, 0, size, False):
        return (group == 0x0002 and number <= 0x0102) or (group == 0x0008 and number <= 0x0018)
    # An implicit first element of group 0008: group length, character set, image type or SOP class, all short.
    return group in (0x0002, 0x0008) and number <= 0x0018 and bool(_length32(buf, 4)[0] <= 256)


def _meta_end(buf: Buffer, pos: int, size: int, explicit: bool) -> int:
    """Find the first element behind group 0002. The group's own length is not trusted; writers get it wrong."""
    while pos + 8 <= size and _group(buf, pos)[0] == 0x0002:
        code, length = _short_header(buf, pos)
        header = 8
        if not explicit:
            length = _length32(buf, pos + 4)[0]
        elif code in (b"OB", b"OW", b"UN", b"UT", b"UC", b"UR", b"SQ"):
            if pos + 12 > size:
                raise Truncated(f"The file meta information is cut off at byte {pos}.")
            header, length = 12, _length32(buf, pos + 8)[0]
        if pos + header + length > size:
            raise Truncated(f"The file meta information at byte {pos} reaches behind the end of the file.")
        pos += header + length
    return pos


def _group_is_swapped(buf: Buffer, start: int, size: int) -> bool:
    """Tell whether the data set's first group number reads as a sensible one only in big endian."""
    if start + 2 > size:
        return False
    little: int = _group(buf, start)[0]
    return little & 0xFF == 0 and 0 < little < 0x8000


def _describe(buf: Buffer, size: int) -> str:
    """Say what the bytes are instead, as far as their beginning shows."""
    head = bytes(buf[:8])
    for magic, name in _OTHER_KINDS:
        if head.startswith(magic):
            return f"This is not a DICOM file: it begins like {name}."
    if size < 132:
        return f"This is not a DICOM file: it has only {size} bytes."
    return 'This is not a DICOM file: the prefix "DICM" is missing at byte 128.'


_OTHER_KINDS = (
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"GIF8", "a GIF picture"),
    (b"<", "an XML or HTML document"),
    (b"{", "a JSON document"),
)
