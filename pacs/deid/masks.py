"""Rectangles blanked in the frames of an instance (PS3.15 E.3.1), and stray bits cleared from native pixels.

Native frames are written as they are read, one at a time. Frames of a lossless codec are decoded, masked and encoded
again without loss; JPEG of the sequential process is masked in its coefficients. What comes out is read again and
compared: where a pixel outside of the rectangles differs, nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from struct import pack
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset

from overread.kit.errors import Unprocessable
from pacs import frames, part10
from pacs.deid import jpeg_blocks
from pacs.deid.encode import SEQUENCE_DELIMITER
from pacs.deid.jpeg_blocks import NotMaskable
from pacs.elements import Buffer
from pacs.part10 import Parsed
from pacs.pixels import codecs, codestream, image_pixel
from pacs.pixels.errors import CannotDecode
from pacs.pixels.layout import Layout
from pacs.pixels.stored import COMPRESSED, NATIVE, RECOMPRESSED, decodable

Array = NDArray[Any]

MOST_BOXES = 64

_PHOTOMETRIC = 0x00280004
_PLANAR = 0x00280006
_BITS = 0x00280100


class Box(NamedTuple):
    """A rectangle of a frame, in pixels from its upper left corner."""

    left: int
    top: int
    width: int
    height: int


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
        raise Unprocessable(f"{len(found)} masks", safe=f"A picture can have {MOST_BOXES} masks; join some of them.")
    cut: list[Box] = []
    for left, top, width, height in found:
        if not (0 <= left < columns and 0 <= top < rows and width > 0 and height > 0):
            raise Unprocessable(
                "a mask outside of the picture",
                safe=f"A mask lies outside of the picture, which has {columns} × {rows} pixels.",
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
    parsed: Parsed, header: Dataset, syntax: str, boxes: Sequence[Box], patch: Callable[[int, int], bytes]
) -> Masked:
    """Blank `boxes` in every frame.

    `header` has the attributes that describe the pixels, `syntax` is what `patch` gives bytes in: (start, length)
    in `parsed.buf` -> bytes with the patches of `codestream` laid over them. Raises NotMaskable, FrameError.
    """
    try:
        form = image_pixel.read(header)
        places = frames.frame_ranges(parsed)
    except (CannotDecode, frames.UnalignedFrames) as error:
        raise NotMaskable(error.safe if hasattr(error, "safe") else "its frames can't be told apart.") from error
    boxes = within(boxes, form.rows, form.columns)
    sources = (b"".join(patch(*place) for place in ranges) for ranges in places)
    if not decodable(syntax):
        raise NotMaskable("it is a video, or compressed by a codec that is not known.")
    if syntax in (part10.IMPLICIT_LITTLE_ENDIAN, part10.EXPLICIT_LITTLE_ENDIAN):
        length = sum(length for ranges in places for _, length in ranges)
        return Masked(syntax, length + length % 2, _even(_native(frame, form, boxes) for frame in sources), {})
    if syntax in NATIVE:
        raise NotMaskable("its frames are in a form that is not masked here.")
    codec = COMPRESSED[syntax]
    if codec == "jpeg" and not _is_lossless(parsed, places):
        bright = form.photometric == "MONOCHROME1"
        blanked = (jpeg_blocks.blank(frame, boxes, brightest=bright) for frame in sources)
        return Masked(syntax, None, _fragments(blanked), {})
    writer = _WRITERS.get(syntax)
    changes: dict[int, tuple[str, bytes]] = {}
    if form.photometric == "YBR_ICT":
        changes[_PHOTOMETRIC] = ("CS", b"YBR_RCT")
    if form.samples == 3 and (syntax == RECOMPRESSED or form.photometric == "XYB"):
        # The codec turns these to RGB.
        form = replace(form, photometric="RGB")
        changes[_PHOTOMETRIC] = ("CS", b"RGB")
    if form.samples > 1:
        changes[_PLANAR] = ("US", pack("<H", 0))
    arrays = (_decoded(codec, frame, form, boxes) for frame in sources)
    if writer is not None:
        return Masked(syntax, None, _fragments(_written(codec, writer, one, form) for one in arrays), changes)
    if form.photometric in ("YBR_RCT", "YBR_ICT"):
        changes[_PHOTOMETRIC] = ("CS", b"RGB")
    size = form.count * form.dtype.itemsize * len(places)
    plain = (one.astype(form.dtype, copy=False).tobytes() for one in arrays)
    return Masked(part10.EXPLICIT_LITTLE_ENDIAN, size + size % 2, _even(plain), changes)


def cleared(buf: Buffer, start: int, length: int, bits: int, allocated: int) -> Iterator[bytes]:
    """Give native pixel data in pieces, with `bits` of every cell of `allocated` bits set to 0."""
    kind = np.dtype(f"<u{allocated // 8}")
    keep = kind.type(~bits & ((1 << allocated) - 1))
    chunk = 1 << 20
    for at in range(start, start + length, chunk):
        piece = bytes(buf[at : min(at + chunk, start + length)])
        whole = len(piece) - len(piece) % kind.itemsize
        yield (np.frombuffer(piece[:whole], kind) & keep).tobytes() + piece[whole:]


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


def _is_lossless(parsed: Parsed, places: frames.Frames) -> bool:
    start, length = places[0][0]
    return codestream.jpeg(bytes(parsed.buf[start : start + length])).lossless


def _blank(form: Layout) -> tuple[int, ...]:
    """What stands in a masked pixel, for each sample: black, as the colour space has it."""
    if form.photometric == "MONOCHROME1" and not form.floating:
        return ((1 << (form.bits_stored - form.signed)) - 1 << (form.high_bit - form.bits_stored + 1),)
    if form.photometric.startswith(("YBR_FULL", "YBR_PARTIAL")) and form.samples == 3:
        middle = 1 << (form.bits_stored - 1)
        return (0, middle, middle)
    return (0,) * form.samples


def _draw(pixels: Array, form: Layout, boxes: Sequence[Box]) -> Array:
    """Fill the boxes of an array whose first two axes are rows and columns."""
    shade = _blank(form) if form.samples > 1 else _blank(form)[0]
    for left, top, width, height in boxes:
        pixels[top : top + height, left : left + width] = shade
    return pixels


def _native(frame: bytes, form: Layout, boxes: Sequence[Box]) -> bytes:
    if form.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")
        _draw(bits[: form.count].reshape(form.shape), form, boxes)
        return np.packbits(bits, bitorder="little").tobytes()
    if form.photometric.endswith("_422") and len(frame) < form.count * form.dtype.itemsize:
        return _halved(frame, form, boxes)
    flat = np.frombuffer(frame, form.dtype, form.count).copy()
    if form.planar:
        for plane, shade in zip(flat.reshape(form.samples, form.rows, form.columns), _blank(form), strict=True):
            for left, top, width, height in boxes:
                plane[top : top + height, left : left + width] = shade
    else:
        _draw(flat.reshape(form.shape), form, boxes)
    return flat.tobytes() + frame[flat.nbytes :]


def _halved(frame: bytes, form: Layout, boxes: Sequence[Box]) -> bytes:
    """Two pixels share their colour (PS3.3 C.7.6.3.1.2): the boxes grow to whole pairs."""
    pairs = np.frombuffer(frame, np.uint8, form.rows * form.columns * 2).copy().reshape(form.rows, -1, 4)
    for left, top, width, height in boxes:
        pairs[top : top + height, left // 2 : -(-(left + width) // 2)] = (0, 0, 128, 128)
    return pairs.tobytes() + frame[pairs.nbytes :]


def _decoded(codec: str, frame: bytes, form: Layout, boxes: Sequence[Box]) -> Array:
    try:
        found = codecs.run(codec, frame, form)
    except CannotDecode as error:
        raise NotMaskable("a frame can't be decoded.") from error
    return _draw(np.array(found), form, boxes)


def _written(codec: str, writer: Callable[[Array, Layout], bytes], wanted: Array, form: Layout) -> bytes:
    """Encode a frame, and read it again: nothing but an equal one is taken."""
    try:
        coded = writer(wanted, form)
        equal = np.array_equal(codecs.run(codec, coded, form), wanted)
    except (CannotDecode, ValueError, RuntimeError) as error:
        raise NotMaskable("its frames can't be written again.") from error
    if not equal:
        raise NotMaskable("its frames can't be written again without loss.")
    return coded


def _precision(form: Layout) -> int:
    if form.high_bit != form.bits_stored - 1:
        return form.bits_allocated
    return max(min(8, form.bits_allocated), form.bits_stored)


def _unsigned(pixels: Array, form: Layout) -> Array:
    """The samples' bits as numbers without a sign, cut to the precision that is written."""
    precision = _precision(form)
    bits: Array = pixels.view(f"u{pixels.dtype.itemsize}")
    bits = bits & bits.dtype.type((1 << precision) - 1)
    return bits.astype(np.uint8) if precision == 8 else bits


def _jpeg_lossless(pixels: Array, form: Layout) -> bytes:
    colour = "RGB" if form.samples == 3 else None
    return bytes(
        imagecodecs.jpeg8_encode(
            _unsigned(pixels, form),
            lossless=True,
            predictor=1,
            bitspersample=_precision(form),
            colorspace=colour,
            outcolorspace=colour,
        )
    )


def _jpegls(pixels: Array, _form: Layout) -> bytes:
    return bytes(imagecodecs.jpegls_encode(pixels.view(f"u{pixels.dtype.itemsize}")))


def _jpeg_2000(pixels: Array, form: Layout) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            pixels,
            level=0,
            reversible=True,
            codecformat="j2k",
            bitspersample=_precision(form),
            mct=form.photometric in ("YBR_RCT", "YBR_ICT"),
        )
    )


def _rle(pixels: Array, form: Layout) -> bytes:
    """PS3.5 G: a segment for each byte of each sample, the most significant first, each row packed by itself."""
    planes = pixels.reshape(form.rows, form.columns, form.samples)
    width = form.dtype.itemsize
    segments: list[bytes] = []
    for sample in range(form.samples):
        cells = np.ascontiguousarray(planes[:, :, sample]).view(np.uint8).reshape(form.rows, form.columns, width)
        for byte in reversed(range(width)):
            packed = b"".join(bytes(imagecodecs.packbits_encode(row.tobytes())) for row in cells[:, :, byte])
            segments.append(packed + b"\0" * (len(packed) % 2))
    starts = [64 + sum(map(len, segments[:number])) for number in range(len(segments))]
    return pack("<16I", len(segments), *starts, *[0] * (15 - len(segments))) + b"".join(segments)


#: Transfer syntaxes whose frames are encoded again in the same; others become native.
_WRITERS: dict[str, Callable[[Array, Layout], bytes]] = {
    "1.2.840.10008.1.2.4.57": _jpeg_lossless,
    "1.2.840.10008.1.2.4.70": _jpeg_lossless,
    "1.2.840.10008.1.2.4.80": _jpegls,
    "1.2.840.10008.1.2.4.81": _jpegls,
    "1.2.840.10008.1.2.4.90": _jpeg_2000,
    "1.2.840.10008.1.2.4.91": _jpeg_2000,
    "1.2.840.10008.1.2.5": _rle,
}
