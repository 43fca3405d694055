"""Whether two DICOM files hold the same object: the same data set, whatever it travels in.

An instance is its data set (PS3.5 7); the file meta information is the container that a file puts around it (PS3.10
7.1). A transfer syntax is a way to write the data set, not a part of it (PS3.5 10), and so are the lengths of sequences
and items (7.5), group lengths (7.2), padding (6.2), the repertoire that a text was written in, and the process that
frames were compressed by, as long as every pixel comes out equal (8.2, A.4). Everything else is content: one attribute
or one pixel that differs makes another object, and so does a word of it that can't be read.

Asked only when other bytes came under a known SOP Instance UID. Headers are compared first, pixels only where all else
is equal, and decoded only where their bytes differ. What can't be decided is not the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from overread.kit import log
from overread.kit.blobs import BlobStore
from overread.kit.errors import NotFound
from pacs.dicom import part10, tags
from pacs.dicom import transfer_syntaxes as ts
from pacs.dicom.dictionary import LONG_VRS, SHORT_VRS
from pacs.dicom.elements import MAX_DEPTH, MAX_NODES, Buffer, Element, Item, Unreadable, find, ints, items_of
from pacs.dicom.frames import PIXEL_TAGS
from pacs.dicom.part10 import Parsed
from pacs.pixels import stored
from pacs.pixels.errors import CannotDecode
from pacs.store.same_pixels import Budget, Level, same_pixels
from pacs.store.same_value import DEFAULT, Charset, same_bytes, same_value

_logger = log.get(__name__)

_CHARACTER_SET = tags.SpecificCharacterSet
_SAMPLES = tags.SamplesPerPixel
_PHOTOMETRIC = tags.PhotometricInterpretation
_PLANAR = tags.PlanarConfiguration
#: Says how long the data set's bytes are (retired), or fills them up (PS3.10 7.2).
_LENGTH_TO_END = tags.LengthToEnd
_TRAILING_PADDING = tags.DataSetTrailingPadding
#: Where the fragments of encapsulated frames lie (PS3.3 C.7.6.3.1.8).
_OFFSET_TABLES = frozenset(
    (tags.ExtendedOffsetTable, tags.ExtendedOffsetTableLengths, tags.EncapsulatedPixelDataValueTotalLength)
)
#: What the words of a value are called that are the same bytes in little endian (PS3.5 A.2: "OB or OW", "US or OW").
_WORDS = frozenset(("OB", "OW", "US", "SS"))


def same_object(blobs: BlobStore, stored_digest: str, sent_digest: str) -> bool:
    """Whether two blobs, Part 10 files both, hold the same object. Raises Unavailable where it can't be found out now.

    A blob that is missing or can't be read is the same as none.
    """
    if stored_digest == sent_digest:
        return True
    try:
        with blobs.mapped(stored_digest) as one, blobs.mapped(sent_digest) as other:
            return same_content(one, other)
    except NotFound as error:
        _logger.error("blob_not_compared", reason=str(error))
        return False


def same_content(one: Buffer, other: Buffer, *, decode: bool = True) -> bool:
    """Whether two Part 10 files hold the same object; without `decode`, no frame is decoded for it.

    Symmetric. Raises Unavailable where decoding is not possible just now.
    """
    try:
        if _same_bytes_of_the_data_set(one, other):
            return True
        files = part10.parse(one), part10.parse(other)
        if not _comparable(*files):
            return False
        comparison = _Comparison(*files)
        if not comparison.levels(files[0].elements, files[1].elements, _Around.of(files[0]), _Around.of(files[1])):
            return False
        budget = Budget() if decode else None
        return all(same_pixels(mine, theirs, alike, budget) for mine, theirs, alike in comparison.pixels)
    except (Unreadable, CannotDecode) as error:
        _logger.info("objects_not_compared", reason=str(error))
        return False


def _same_bytes_of_the_data_set(one: Buffer, other: Buffer) -> bool:
    """Whether nothing but the file meta information differs."""
    first, second = part10.read_meta(one), part10.read_meta(other)
    start, begin = first.dataset_start, second.dataset_start
    return first.transfer_syntax == second.transfer_syntax and same_bytes(
        one, start, len(one) - start, other, begin, len(other) - begin
    )


def _comparable(one: Parsed, other: Parsed) -> bool:
    """Whether it is known of both transfer syntaxes what their values mean.

    In a private one pixels may lie in another order (GE's 1.2.840.113619.5.2), and data that is not in the order of
    bytes which its transfer syntax names may have been meant either way.
    """
    if one.meta.transfer_syntax == other.meta.transfer_syntax and one.is_original_bytes == other.is_original_bytes:
        return True
    return all(
        stored.decodable(file.meta.transfer_syntax)
        and not (file.meta.transfer_syntax == ts.EXPLICIT_BIG_ENDIAN and file.is_original_bytes)
        for file in (one, other)
    )


class _Around(NamedTuple):
    """What elements take from the data set that they stand in."""

    explicit: bool
    charset: Charset
    depth: int = 0

    @classmethod
    def of(cls, file: Parsed) -> _Around:
        return cls(file.explicit, DEFAULT)


@dataclass
class _Side:
    """One file, and the elements of it that no one called a sequence and that are looked into all the same."""

    file: Parsed
    left: int = MAX_NODES

    def items(self, element: Element, around: _Around) -> tuple[Item, ...] | None:
        """The items of an element; None where it is no sequence."""
        if element.items is not None:
            return element.items
        if not element.length:
            return ()
        if element.vr != "UN":
            return None
        found, self.left = items_of(
            self.file.buf, element, explicit=around.explicit, max_nodes=self.left, max_depth=MAX_DEPTH - around.depth
        )
        return found


class _Comparison:
    """Two files. `pixels` gathers what is left to compare once the headers are equal."""

    def __init__(self, one: Parsed, other: Parsed) -> None:
        self._one, self._other = _Side(one), _Side(other)
        self.pixels: list[tuple[Level, Level, bool]] = []

    def levels(self, ours: Sequence[Element], theirs: Sequence[Element], mine: _Around, its: _Around) -> bool:
        """Whether the elements of two data sets, or of two items, are equal but for their pixels."""
        if mine.depth > MAX_DEPTH:
            return False
        one, other = self._one.file, self._other.file
        charsets = mine.charset.within(one.buf, ours), its.charset.within(other.buf, theirs)
        if not Charset.comparable(*charsets):
            return False
        mine, its = mine._replace(charset=charsets[0]), its._replace(charset=charsets[1])
        first, second = whole = _content(ours), _content(theirs)
        if pictures := _has_pixels(first) and _has_pixels(second):
            colours = _samples(one.buf, first) == _samples(other.buf, second) == 3
            unlike = _OFFSET_TABLES | ({_PHOTOMETRIC, _PLANAR} if colours else frozenset())
            told = [[e for e in found if e.tag in (_PHOTOMETRIC, _PLANAR)] for found in (first, second)]
            first, second = ([e for e in found if e.tag not in unlike] for found in (first, second))
        if [e.tag for e in first] != [e.tag for e in second]:
            return False
        # The first of several is the picture (`pacs.dicom.frames.pixel_element`).
        picture = next((e.tag for e in first if e.tag in PIXEL_TAGS), None) if pictures else None
        for x, y in zip(first, second, strict=True):
            if x.tag == picture:
                picture = None
                continue
            if not self._elements(x, y, mine, its):
                return False
        if pictures:
            alike = len(told[0]) == len(told[1]) and all(
                x.tag == y.tag and self._elements(x, y, mine, its) for x, y in zip(*told, strict=True)
            )
            levels = Level(one._replace(elements=whole[0])), Level(other._replace(elements=whole[1]))
            self.pixels.append((*levels, alike))
        return True

    def _elements(self, x: Element, y: Element, mine: _Around, its: _Around) -> bool:
        one, other = self._one.file.buf, self._other.file.buf
        vr = _common_vr(_told(one, x, mine.explicit), _told(other, y, its.explicit), x.vr, y.vr)
        if vr is None:
            return False
        if x.fragments is not None or y.fragments is not None:
            return _same_fragments(one, x, other, y, mine.charset, its.charset)
        if x.items is None and y.items is None:
            if same_value(vr, one, x, other, y, mine.charset, its.charset):
                return True
            if vr != "UN":
                return False
        ours, theirs = self._one.items(x, mine), self._other.items(y, its)
        if ours is None or theirs is None or len(ours) != len(theirs):
            return False
        return all(
            self.levels(
                a.elements,
                b.elements,
                _Around(a.explicit, mine.charset, mine.depth + 1),
                _Around(b.explicit, its.charset, its.depth + 1),
            )
            for a, b in zip(ours, theirs, strict=True)
        )


def _content(elements: Sequence[Element]) -> list[Element]:
    """The elements that say something, in the order of their tags (PS3.5 7.1), those of one tag as they stand."""
    found = [e for e in elements if e.tag & 0xFFFF and e.tag not in (_LENGTH_TO_END, _TRAILING_PADDING, _CHARACTER_SET)]
    return sorted(found, key=lambda element: element.tag)


def _has_pixels(elements: Sequence[Element]) -> bool:
    return any(element.tag in PIXEL_TAGS for element in elements)


def _samples(buf: Buffer, elements: Sequence[Element]) -> int:
    found = ints(buf, find(elements, _SAMPLES))
    return found[0] if found else 1


def _told(buf: Buffer, element: Element, explicit: bool) -> str:
    """The VR that the bytes name; "" where they name none, or UN, and the dictionary has to say it (PS3.5 6.2.2).

    Two letters that are no VR are told, too: what can't be read is not the same as what can.
    """
    if not explicit:
        return ""
    letters = str(buf[element.offset + 4 : element.offset + 6], "latin-1")
    if letters.isalpha() and letters.isupper() and letters not in _VRS:
        return letters
    return element.vr if letters == element.vr != "UN" else ""


_VRS = frozenset((*SHORT_VRS, *LONG_VRS))


def _common_vr(told: str, also: str, vr: str, other: str) -> str | None:
    """The VR by which two values are read; None where they are called by two that differ."""
    if told and also and told != also:
        return "OB" if {told, also} <= _WORDS and "OW" in (told, also) else None
    if told or also:
        # Letters that are no VR say nothing of a value that the dictionary reads.
        return (told or also) if told == also or (told or also) in _VRS else None
    if vr == other:
        return vr
    return vr if other == "UN" else other if vr == "UN" else "OB"


def _same_fragments(one: Buffer, x: Element, other: Buffer, y: Element, mine: Charset, its: Charset) -> bool:
    """Encapsulated values that are no picture of their level: the same fragments, or other content."""
    if x.fragments is None or y.fragments is None or len(x.fragments) != len(y.fragments):
        return False
    return all(
        same_value(
            "OB", one, x._replace(start=a[0], length=a[1]), other, y._replace(start=b[0], length=b[1]), mine, its
        )
        for a, b in zip(x.fragments, y.fragments, strict=True)
    )
