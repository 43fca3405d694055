"""Rectangles blanked in the frames of an instance (PS3.15 E.3.1), and stray bits cleared from native pixels.

Frames are written as they are read, one at a time. Bare samples are changed here, compressed frames in the process that
meets strangers' codestreams (`pacs.pixels.blank`): a frame that a codec dies of is refused like any other that is
damaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from struct import pack
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset

from overread.kit.errors import Unprocessable
from overread.kit.language import Phrase, gettext
from pacs.dicom import frames, tags
from pacs.dicom import transfer_syntaxes as ts
from pacs.dicom.elements import Buffer
from pacs.dicom.encode import SEQUENCE_DELIMITER
from pacs.dicom.part10 import Parsed
from pacs.pixels import blank, codecs, codestream, encode, image_pixel, stored, workers
from pacs.pixels.blank import Box
from pacs.pixels.errors import CannotDecode
from pacs.pixels.layout import Layout

__all__ = ["MOST_BOXES", "Box", "Masked", "NotMaskable", "cleared", "described", "masked", "within"]

MOST_BOXES = 64

_PHOTOMETRIC = tags.PhotometricInterpretation
_PLANAR = tags.PlanarConfiguration


class NotMaskable(Unprocessable):
    """Frames in which no rectangle can be blanked."""

    title = Phrase("The picture can't be masked")

    def __init__(self, why: str) -> None:
        super().__init__(why, safe=gettext("This picture can't be masked: %(why)s Withhold it instead.", why=why))


@dataclass(frozen=True, slots=True)
class Masked:
    """Pixel data made anew: its value in pieces, as they stand behind the element's header.

    `length` is None for encapsulated frames, whose pieces end with the delimiter. `changes` are attributes that
    describe the pixels and are other ones now: tag -> (VR, value).
    """

    transfer_syntax: str
    length: int | None
    pieces: Iterable[bytes]
    changes: dict[int, tuple[str, bytes]]


def within(boxes: Iterable[Sequence[int]], rows: int, columns: int) -> list[Box]:
    """Check rectangles against a frame's size and cut them at its edges. Raises Unprocessable."""
    found = [Box(*box) for box in boxes]
    if len(found) > MOST_BOXES:
        raise Unprocessable(
            f"{len(found)} masks",
            safe=gettext("A picture can have %(most)s masks; join some of them.", most=MOST_BOXES),
        )
    cut: list[Box] = []
    for left, top, width, height in found:
        if not (0 <= left < columns and 0 <= top < rows and width > 0 and height > 0):
            raise Unprocessable(
                "a mask outside of the picture",
                safe=gettext(
                    "A mask lies outside of the picture, which has %(columns)s × %(rows)s pixels.",
                    columns=columns,
                    rows=rows,
                ),
            )
        cut.append(Box(left, top, min(width, columns - left), min(height, rows - top)))
    return cut


def described(front: bytes) -> Dataset:
    """Read a header without pixel data for `masked`. Raises NotMaskable."""
    try:
        ds = pydicom.dcmread(BytesIO(front), force=True)
        list(ds)  # every value is converted here, where what pydicom can't read is caught
    except Exception as error:
        raise NotMaskable("its header can't be read.") from error
    return ds


def masked(
    parsed: Parsed,
    header: Dataset,
    syntax: str,
    boxes: Sequence[Box],
    patch: Callable[[int, int], bytes],
    unused: int = 0,
) -> Masked:
    """Blank `boxes` in every frame, and clear the bits `unused` of native cells.

    `header` has the attributes that describe the pixels, `syntax` is what `patch` gives bytes in: (start, length)
    in `parsed.buf` -> bytes with the patches of `codestream` laid over them. Raises NotMaskable, FrameError, and
    Unavailable where the decoding process was ended from outside; so do the pieces.
    """
    if not stored.decodable(syntax):
        raise NotMaskable("it is a video, or compressed by a codec that is not known.")
    try:
        form = image_pixel.read(header)
        places = frames.frame_ranges(parsed)
        boxes = within(boxes, form.rows, form.columns)
        sources = (b"".join(patch(*place) for place in ranges) for ranges in places)
        if syntax in (ts.IMPLICIT_LITTLE_ENDIAN, ts.EXPLICIT_LITTLE_ENDIAN):
            length = sum(length for ranges in places for _, length in ranges)
            made = (blank.bare(frame, form, boxes, unused) for frame in sources)
            return Masked(syntax, length + length % 2, _even(made), {})
        if syntax == ts.ENCAPSULATED_UNCOMPRESSED:
            return Masked(syntax, None, _fragments(blank.bare(frame, form, boxes, unused) for frame in sources), {})
        if syntax == ts.DEFLATED_FRAMES:
            return Masked(syntax, None, _fragments(_deflated(frame, form, boxes, unused) for frame in sources), {})
        if syntax in ts.BARE:
            raise NotMaskable("its frames are in a form that is not masked here.")
        return _coded(parsed, places, form, syntax, boxes, sources)
    except frames.UnalignedFrames as error:
        raise NotMaskable("its frames can't be told apart.") from error
    except CannotDecode as error:
        raise NotMaskable(error.why) from error


def cleared(buf: Buffer, start: int, length: int, bits: int, allocated: int) -> Iterator[bytes]:
    """Give native pixel data in pieces, with `bits` of every cell of `allocated` bits set to 0."""
    kind = np.dtype(f"<u{allocated // 8}")
    keep = kind.type(~bits & ((1 << allocated) - 1))
    chunk = 1 << 20
    for at in range(start, start + length, chunk):
        piece = bytes(buf[at : min(at + chunk, start + length)])
        whole = len(piece) - len(piece) % kind.itemsize
        yield (np.frombuffer(piece[:whole], kind) & keep).tobytes() + piece[whole:]


def _coded(
    parsed: Parsed, places: frames.Frames, form: Layout, syntax: str, boxes: Sequence[Box], sources: Iterator[bytes]
) -> Masked:
    """Compressed frames; all of one instance are written alike, so all are looked at before the first is."""
    is_jpeg = ts.CODECS.get(syntax) == "jpeg"
    heads = [codestream.jpeg(_joined(parsed, ranges)) for ranges in places] if is_jpeg else []
    wanted = blank.target(form, syntax, heads)
    colours = blank.colours(form, syntax, heads, wanted)
    changes: dict[int, tuple[str, bytes]] = {}
    if colours != form.photometric:
        changes[_PHOTOMETRIC] = ("CS", colours.encode())
    if form.samples > 1 and not (wanted == syntax and any(head.sequential for head in heads)):
        changes[_PLANAR] = ("US", pack("<H", 0))
    head: dict[str, Any] = {
        "op": "blank",
        "syntax": syntax,
        "target": wanted,
        "photometric": colours,
        "boxes": list(boxes),
    }
    made = (_apart(head, form, frame) for frame in sources)
    if wanted != ts.EXPLICIT_LITTLE_ENDIAN:
        return Masked(wanted, None, _fragments(made), changes)
    if form.count * form.bits_allocated % 8 and len(places) > 1:
        raise NotMaskable("its frames would not begin at whole bytes.")
    size = (form.count * form.bits_allocated + 7) // 8 * len(places)
    return Masked(wanted, size + size % 2, _even(made), changes)


def _joined(parsed: Parsed, ranges: Sequence[tuple[int, int]]) -> bytes:
    return b"".join(bytes(parsed.buf[start : start + length]) for start, length in ranges)


def _apart(head: dict[str, Any], form: Layout, frame: bytes) -> bytes:
    # No codec here makes more of a frame than twice its samples, and blanked blocks are no longer than others.
    limit = 2 * (form.count * form.dtype.itemsize + len(frame)) + 65536
    try:
        return bytes(workers.POOL.call(head, form, frame, limit=limit))
    except CannotDecode as error:
        raise NotMaskable(error.why) from error


def _deflated(frame: bytes, form: Layout, boxes: Sequence[Box], unused: int) -> bytes:
    try:
        plain = codecs.inflate(frame, (form.count * form.bits_allocated + 7) // 8)
        return encode.deflate(blank.bare(plain, form, boxes, unused))
    except (CannotDecode, ValueError) as error:
        raise NotMaskable("its compressed pixel data is damaged.") from error


def _even(pieces: Iterator[bytes]) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        yield piece
    if total % 2:
        yield b"\0"


def _fragments(made: Iterator[bytes]) -> Iterator[bytes]:
    """An empty offset table, then a fragment a frame (PS3.5 A.4)."""
    yield pack("<HHI", 0xFFFE, 0xE000, 0)
    for frame in made:
        even = frame + b"\0" * (len(frame) % 2)
        yield pack("<HHI", 0xFFFE, 0xE000, len(even)) + even
    yield SEQUENCE_DELIMITER
