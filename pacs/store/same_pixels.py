"""Whether the pixel data of two data sets, whose other attributes are equal, is the same picture (PS3.5 8.2, A.4).

Frames with the same bytes need no decoding. Where they differ, both are decoded, one after the other, and the stored
values are compared: before any colour conversion, unless a codec makes it itself. A frame at a time, and no more of all
frames together than `MAX_DECODED`, in a decoding worker that no viewer waits for.
"""

from __future__ import annotations

import atexit
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from threading import BoundedSemaphore

from pydicom import Dataset

from overread.kit.errors import Unavailable
from overread.kit.language import gettext
from pacs.dicom import frames, tags
from pacs.dicom import transfer_syntaxes as ts
from pacs.dicom.elements import Element, find, ints, text
from pacs.dicom.frames import UnalignedFrames
from pacs.dicom.part10 import Parsed
from pacs.dicom.transfer_syntaxes import EXPLICIT_LITTLE_ENDIAN
from pacs.pixels import image_pixel, recompress, stored, workers
from pacs.pixels.errors import refuse
from pacs.pixels.layout import Layout
from pacs.store.same_value import same_bytes

#: Bytes of stored values that are made of one object's frames to compare them, and the least that one frame counts.
MAX_DECODED = 1 << 30
_LEAST = 64 << 10
#: Bytes of one compressed frame.
_MAX_FRAME = 256 << 20
#: Seconds that a comparison may take, and seconds that it may wait for another one's end.
PATIENCE = 60.0
_WAIT = 20.0

#: Attributes of the Image Pixel module (PS3.3 C.7.6.3) that say how samples lie.
_NUMBERS = {
    "SamplesPerPixel": tags.SamplesPerPixel,
    "PlanarConfiguration": tags.PlanarConfiguration,
    "Rows": tags.Rows,
    "Columns": tags.Columns,
    "BitsAllocated": tags.BitsAllocated,
    "BitsStored": tags.BitsStored,
    "HighBit": tags.HighBit,
    "PixelRepresentation": tags.PixelRepresentation,
}
_PHOTOMETRIC = tags.PhotometricInterpretation

_pool = workers.Pool()
atexit.register(_pool.close)
_turn = BoundedSemaphore(1)


@dataclass(frozen=True)
class Level:
    """A data set, or an item, that has pixel data: `file` with the elements of that level."""

    file: Parsed

    @cached_property
    def element(self) -> Element:
        """The pixel data."""
        found = frames.pixel_element(self.file)
        assert found is not None
        return found

    @property
    def syntax(self) -> str:
        """By which frames are read. What is not encapsulated is bare, little endian after parsing (PS3.5 A.4)."""
        return EXPLICIT_LITTLE_ENDIAN if self.element.fragments is None else self.file.meta.transfer_syntax

    @property
    def decodable(self) -> bool:
        """Whether the frames' bytes are what the transfer syntax can hold."""
        encapsulated = stored.decodable(self.syntax) and self.syntax not in ts.NATIVE
        return self.element.fragments is None or encapsulated

    @cached_property
    def form(self) -> Layout:
        """How samples lie. Raises CannotDecode."""
        ds = Dataset()
        for keyword, tag in _NUMBERS.items():
            if found := ints(self.file.buf, find(self.file.elements, tag)):
                setattr(ds, keyword, found[0])
        ds.PhotometricInterpretation = text(self.file.buf, find(self.file.elements, _PHOTOMETRIC))
        form = image_pixel.read(ds)
        if self._overlays_inside():
            # PS3.5 8.1.1 (retired): then the bits that are no sample are an overlay, and count.
            form = replace(form, bits_stored=form.bits_allocated, high_bit=form.bits_allocated - 1)
        return form

    def _overlays_inside(self) -> bool:
        tags = {element.tag for element in self.file.elements if element.tag >> 24 == 0x60}
        return any(tag & 0xFFFF == 0x0102 and tag & ~0xFFFF | 0x3000 not in tags for tag in tags)

    @cached_property
    def places(self) -> frames.Frames | None:
        """Where each frame lies; None where frames begin within a byte. Raises PixelMismatch."""
        try:
            return frames.frame_ranges(self.file)
        except UnalignedFrames:
            return None

    @property
    def count(self) -> int:
        """How many frames there are."""
        return frames.frame_count(self.file) if self.places is None else len(self.places)

    def frame(self, index: int) -> bytes:
        """The bytes of one frame, counted from 0."""
        if self.places is None:
            return frames.unaligned(self.file, index)
        if sum(length for _, length in self.places[index]) > _MAX_FRAME:
            raise refuse("its pixel data is larger than what is compared.")
        return b"".join(bytes(self.file.buf[start : start + length]) for start, length in self.places[index])


class Budget:
    """What may still be decoded to compare two objects, all of their pictures together."""

    def __init__(self) -> None:
        self._left = MAX_DECODED
        self._until: float | None = None

    def start(self) -> None:
        """The time runs from the first frame, not while the comparison waits for its turn."""
        self._until = self._until or time.monotonic() + PATIENCE

    def spend(self, size: int) -> None:
        """A frame of so many bytes is decoded. Raises CannotDecode where it is one too many."""
        self._left -= max(_LEAST, size)
        if self._left < 0 or self._until is None or time.monotonic() > self._until:
            raise refuse("comparing it takes too long.")


def same_pixels(one: Level, other: Level, alike: bool, budget: Budget | None) -> bool:
    """Whether two levels show the same picture; without a budget, nothing is decoded for it.

    `alike`: whether Photometric Interpretation and Planar Configuration are equal; where they are not, equal bytes say
    nothing. Raises Unreadable, CannotDecode; Unavailable where decoding is not possible just now.
    """
    x, y = one.element, other.element
    if alike and _same_stored(one, other):
        return True
    if budget is None or (alike and x.fragments is None and y.fragments is None):
        return False
    if not (one.decodable and other.decodable):
        return False
    if one.count != other.count or one.form.shape != other.form.shape:
        return False
    if stored.stays_ybr(one.form, one.syntax) != stored.stays_ybr(other.form, other.syntax):
        return False  # from YBR to RGB something is rounded: not every pixel is equal
    with _in_turn():
        budget.start()
        for index in range(one.count):
            ours, theirs = one.frame(index), other.frame(index)
            if alike and one.syntax == other.syntax and _stripped(ours) == _stripped(theirs):
                continue
            budget.spend(one.form.count * one.form.dtype.itemsize)
            if not _same_frame(one, ours, other, theirs, alike):
                return False
    return True


def _same_stored(one: Level, other: Level) -> bool:
    """Whether the frames are the same bytes, without a look at what they mean."""
    x, y = one.element, other.element
    if x.fragments is None and y.fragments is None:
        return same_bytes(one.file.buf, x.start, x.length, other.file.buf, y.start, y.length, filled=True)
    if x.fragments is None or y.fragments is None or one.syntax != other.syntax:
        return False
    # The first item is the offset table (PS3.5 A.4), which tells of places alone.
    return len(x.fragments) == len(y.fragments) and all(
        same_bytes(one.file.buf, *a, other.file.buf, *b, filled=True)
        for a, b in zip(x.fragments[1:], y.fragments[1:], strict=True)
    )


def _same_frame(one: Level, ours: bytes, other: Level, theirs: bytes, alike: bool) -> bool:
    if alike and one.syntax != other.syntax and recompress.can(one.form, one.syntax, other.syntax):
        # The same JPEG in another form is the same to the bit (PS3.5 8.2.15), which two decoders need not be.
        return _jpeg(one, ours) == _jpeg(other, theirs)
    # One after the other, so that never two are in memory.
    return _values(one, ours) == _values(other, theirs)


def _jpeg(level: Level, frame: bytes) -> bytes:
    if level.syntax != ts.JPEG_XL_RECOMPRESSION:
        return _stripped(frame)
    head = {"op": "transcode", "syntax": level.syntax, "target": ts.BASELINE, "bit_offset": 0}
    return _stripped(bytes(_pool.call(head, level.form, frame, limit=_MAX_FRAME)))


def _values(level: Level, frame: bytes) -> bytes:
    """A digest of a frame's stored values."""
    form, syntax = level.form, level.syntax
    if syntax not in ts.CODECS:
        return hashlib.sha256(stored.values(form, frame, syntax, convert=False).tobytes()).digest()
    head = {"op": "decode", "syntax": syntax, "convert": False}
    return hashlib.sha256(_pool.call(head, form, frame, exactly=form.count * form.dtype.itemsize)).digest()


def _stripped(frame: bytes) -> bytes:
    """A frame without the byte that makes its fragment even (PS3.5 A.4)."""
    return frame.removesuffix(b"\0")


@contextmanager
def _in_turn() -> Iterator[None]:
    """One comparison at a time decodes: what all of them take is bounded by what one may."""
    if not _turn.acquire(timeout=_WAIT):
        raise Unavailable(
            "objects are compared already", safe=gettext("The server is busy: send the object again in a minute.")
        )
    try:
        yield
    finally:
        _turn.release()
