"""An instance in another transfer syntax: its header written anew, its frames one at a time (PS3.5 8, 10 and annex A).

Memory holds the header and one frame, whatever the instance's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from math import prod
from struct import Struct
from typing import Any

from pydicom import Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword

from pacs.dicom import tags
from pacs.dicom.dictionary import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, PIXEL_DATA
from pacs.dicom.elements import Unreadable
from pacs.dicom.encode import SEQUENCE_DELIMITER, pixel_header
from pacs.dicom.frames import UnalignedFrames, unaligned
from pacs.dicom.part10 import write_meta
from pacs.dicom.plain import written
from pacs.dicom.transfer_syntaxes import (
    DEFLATED,
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    LOSSY,
)
from pacs.pixels import attributes, image_pixel, transcode, turns
from pacs.pixels.cache import Cache
from pacs.pixels.errors import CannotDecode
from pacs.pixels.turns import TURNS
from pacs.serve import retrieve
from pacs.serve.retrieve import Located, Opened
from pacs.store.archive import Archive

_PLAIN = (EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN)
_CHUNK = 1 << 20
#: Bytes of an animation's pictures (`pacs.pixels.render.MAX_ANIMATED`).
_MOST_BESIDE = 300_000_000
#: A length of 32 bits, even, and not the undefined one (PS3.5 7.1).
_LONGEST = 0xFFFFFFFE
_UNWANTED = frozenset((IMPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN, *DEFLATED))
_item = Struct("<HHI").pack
#: Frames that are made just now, so that nobody makes them a second time; nothing is kept here.
_MAKING: Cache[bytes] = Cache(0)
#: Offset tables tell of fragments that are no more (PS3.3 C.7.6.3.1.8).
_OFFSET_TABLES = (tags.ExtendedOffsetTable, tags.ExtendedOffsetTableLengths, tags.EncapsulatedPixelDataValueTotalLength)


def targets(archive: Archive, located: Located) -> frozenset[str]:
    """The transfer syntaxes that an instance can be had in, besides its own."""
    try:
        with retrieve.opened(archive, located) as instance:
            return _targets(instance)
    except Unreadable:
        return frozenset()


def sendable(archive: Archive, located: Located) -> frozenset[str]:
    """The transfer syntaxes that an instance can be sent in over DIMSE, besides its own, without a loss."""
    found = targets(archive, located) - LOSSY
    plain = EXPLICIT_LITTLE_ENDIAN in (*found, located.transfer_syntax)
    return found | {IMPLICIT_LITTLE_ENDIAN} if plain else found


def _targets(instance: Opened) -> frozenset[str]:
    pixels = instance.pixels
    if pixels is None:
        return frozenset((EXPLICIT_LITTLE_ENDIAN,))
    found = frozenset[str]()
    try:
        if pixels.tag == PIXEL_DATA and instance.places:
            found = _made(instance)
    except Unreadable:
        pass  # no frames that could be written anew
    if pixels.fragments is None:
        return found | {EXPLICIT_LITTLE_ENDIAN}
    if EXPLICIT_LITTLE_ENDIAN in found and not _fits(instance):
        found -= {EXPLICIT_LITTLE_ENDIAN}
    return found


def _fits(instance: Opened) -> bool:
    """Whether the decoded frames stand one behind the other in one value."""
    ds = instance.dataset()
    bits = _samples(ds) * (attributes.integer(ds, "BitsAllocated", 1) or 1)
    return len(instance.places) * bits // 8 <= _LONGEST


def frame_targets(archive: Archive, located: Located) -> frozenset[str]:
    """The transfer syntaxes that the frames of an instance can be had in, besides their own."""
    with retrieve.opened(archive, located) as instance:
        pixels = instance.pixels
        if pixels is None or pixels.tag != PIXEL_DATA:
            return frozenset()
        return _made(instance)


def _made(instance: Opened) -> frozenset[str]:
    # PS3.18 8.7.3 wants no other bare syntax on the web than Explicit VR Little Endian.
    return transcode.targets(instance.transfer_syntax, instance.dataset()) - _UNWANTED


def turn(
    instance: Opened, ds: Dataset, index: int, who: str | None = None, *, drawn: bool = False, beside: int = 0
) -> AbstractContextManager[None]:
    """The turn of who asks to read and make a frame, counted from 0, and keeps `beside` bytes a pixel beside it.

    What is wrong with the frame is told where it is made.
    """
    try:
        form = image_pixel.read(ds)
    except CannotDecode:
        return nullcontext()
    try:
        coded = sum(length for _, length in instance.places[index : index + 1][0])
    except (IndexError, Unreadable):
        coded = form.count * form.bits_allocated // 8
    kept = min(beside * form.rows * form.columns, _MOST_BESIDE)
    return TURNS.turn(turns.to_make(form, coded, drawn=drawn) + kept, who)


def frame(archive: Archive, located: Located, index: int, target: str, who: str) -> Iterator[bytes]:
    """One frame, counted from 0, in another transfer syntax, for `who`; made once for all who ask for it at once.

    Raises NotFound, Unreadable, CannotDecode, Unavailable.
    """

    def make() -> bytes:
        with retrieve.opened(archive, located) as instance:
            return _frame(instance, instance.dataset(), index, target, who)

    yield from TURNS.sent(_MAKING.get((located.tag, index, target), make, len), who)


def _frame(instance: Opened, ds: Dataset, index: int, target: str, who: str) -> bytes:
    with turn(instance, ds, index, who):
        try:
            found = instance.frame(index)
        except UnalignedFrames:
            found = unaligned(instance.parsed, index)
        return transcode.transcode(found, ds, instance.transfer_syntax, target)


def decoded(archive: Archive, located: Located, count: int, who: str) -> Iterator[bytes]:
    """The samples of the first `count` frames, one behind the other. Errors as `frame`."""
    with retrieve.opened(archive, located) as instance:
        ds = instance.dataset()
        for piece in _in_a_row((_frame(instance, ds, n, EXPLICIT_LITTLE_ENDIAN, who) for n in range(count)), ds):
            yield from TURNS.sent(piece, who)


def stream(archive: Archive, located: Located, target: str, who: str | None = None) -> Iterator[bytes]:
    """The bytes of an instance as a Part 10 file in `target`, one of `targets` or of `sendable`.

    It is made in the turns of `who`, or of who asks just now. Raises Unreadable, CannotDecode or Unavailable at the
    frame that can't be read.
    """
    return _stream(archive, located, target, turns.asker() if who is None else who)


def _stream(archive: Archive, located: Located, target: str, who: str) -> Iterator[bytes]:
    with retrieve.opened(archive, located) as instance:
        meta = write_meta(located.sop_class, located.sop_uid, target, source_ae=instance.parsed.meta.source_ae)
        explicit = target != IMPLICIT_LITTLE_ENDIAN
        pixels = instance.pixels
        changes: dict[int, tuple[str, bytes] | None] = dict.fromkeys(_OFFSET_TABLES)
        if pixels is None:
            yield meta + written(instance.header, instance.walked, changes, explicit=explicit)
            return
        if pixels.fragments is None and target in _PLAIN:
            vr = {FLOAT_PIXEL_DATA: "OF", DOUBLE_FLOAT_PIXEL_DATA: "OD"}.get(pixels.tag, pixels.vr)
            length = pixels.length + pixels.length % 2
            yield meta + written(instance.header, instance.walked, changes, explicit=explicit)
            yield pixel_header(pixels.tag, vr, length, explicit)
            end = pixels.start + pixels.length
            for start in range(pixels.start, end, _CHUNK):
                yield bytes(instance.parsed.buf[start : min(end, start + _CHUNK)])
            yield bytes(pixels.length % 2)
        else:
            yield from _frames(instance, target, meta, changes, who)
        yield _behind(instance, explicit)


def _frames(
    instance: Opened, target: str, meta: bytes, changes: dict[int, tuple[str, bytes] | None], who: str
) -> Iterator[bytes]:
    ds, source = instance.dataset(), instance.transfer_syntax
    native, explicit = target in _PLAIN, target != IMPLICIT_LITTLE_ENDIAN
    # Bare frames are the same in both.
    form = EXPLICIT_LITTLE_ENDIAN if native else target
    count = len(instance.places)
    first = _frame(instance, ds, 0, form, who)
    changes |= {_tag(keyword): _written(keyword, new) for keyword, new in transcode.changes(ds, source, form).items()}
    yield meta + written(instance.header, instance.walked, changes, explicit=explicit)
    if native:
        length = (_bits(ds, len(first)) * count + 7) // 8
        yield pixel_header(PIXEL_DATA, _native_vr(ds), length + length % 2, explicit)
    else:
        # An offset table may be empty (PS3.5 A.4): the frames' lengths are not known yet, and each has one fragment.
        yield pixel_header(PIXEL_DATA, "OB", None, True) + _item(0xFFFE, 0xE000, 0)
    made = (first if index == 0 else _frame(instance, ds, index, form, who) for index in range(count))
    if native:
        for piece in _in_a_row(made, ds):
            yield from TURNS.sent(piece, who)
        yield bytes(length % 2)
        return
    for piece in made:
        yield _item(0xFFFE, 0xE000, len(piece) + len(piece) % 2)
        yield from TURNS.sent(piece, who)
        yield bytes(len(piece) % 2)
    yield SEQUENCE_DELIMITER


def _bits(ds: Dataset, length: int) -> int:
    """Bits of a bare frame that has so many bytes alone."""
    return _samples(ds) if attributes.integer(ds, "BitsAllocated") == 1 else length * 8


def _samples(ds: Dataset) -> int:
    return prod(attributes.integer(ds, keyword, 1) or 1 for keyword in ("Rows", "Columns", "SamplesPerPixel"))


def _in_a_row(frames: Iterable[bytes], ds: Dataset) -> Iterator[bytes]:
    """Bare frames as one value has them: of single bits one frame follows the other within a byte (PS3.5 8.1.1)."""
    left = filled = 0
    for frame in frames:
        bits = _bits(ds, len(frame))
        if bits % 8 == filled == 0:
            yield frame
            continue
        left |= (int.from_bytes(frame, "little") & (1 << bits) - 1) << filled
        filled += bits
        whole = filled // 8
        yield (left & (1 << whole * 8) - 1).to_bytes(whole, "little")
        left, filled = left >> whole * 8, filled % 8
    if filled:
        yield left.to_bytes(1, "little")


def _tag(keyword: str) -> int:
    found = tag_for_keyword(keyword)
    assert found is not None, keyword
    return int(found)


def _written(keyword: str, new: Any) -> tuple[str, bytes]:
    """An attribute of the Image Pixel module as VR and value."""
    vr = dictionary_VR(_tag(keyword))
    if vr == "US":
        return vr, int(new).to_bytes(2, "little")
    return vr, "\\".join(str(one) for one in (new if isinstance(new, list) else [new])).encode()


def _native_vr(ds: Dataset) -> str:
    return "OW" if (attributes.integer(ds, "BitsAllocated") or 0) > 8 else "OB"  # PS3.5 A.2


def _behind(instance: Opened, explicit: bool) -> bytes:
    """What follows the pixels of an original; signatures are left out, because they no longer hold (PS3.15 C)."""
    pixels = instance.pixels
    if pixels is None or instance.located.header is not None:
        return b""
    later = [e for e in instance.parsed.elements if e.tag > pixels.tag and e.tag >> 16 not in (0x7FE0, 0xFFFA)]
    return written(instance.parsed.buf, later, explicit=explicit)
