"""The one door to the native codecs.

Whatever crosses it is picklable on both sides (a name, bytes, a Layout; an array), so that a process of its
own can stand behind it. The codestream's own size is compared with the header's before a codec sees it:
no codec ever allocates by a number that was not checked.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import pairwise
from struct import Struct
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from pacs.pixels import codestream
from pacs.pixels.errors import CannotDecode, refuse
from pacs.pixels.layout import Layout

Array = NDArray[Any]

_read_offsets = Struct("<16I").unpack_from


def run(codec: str, frame: bytes, layout: Layout) -> Array:
    """Decode one frame with the codec of that name (a key of `CODECS`).

    Gives integers of the layout's shape, as the codestream holds them but in the layout's signedness; YBR
    is turned into RGB only where the codec does it on the way ("jpeg", "jpeg2000").
    Raises CannotDecode, whatever the bytes are.
    """
    try:
        found = CODECS[codec](frame, layout)
    except CannotDecode:
        raise
    except Exception as damaged:
        # Each codec has exceptions of its own; of a stranger's bytes, all of them mean the same.
        raise CannotDecode(f"{codec}: {type(damaged).__name__}: {damaged}") from damaged
    if found.shape != layout.shape:
        raise refuse("its pixel data has another size than its header says.")
    return found


def _jpeg(frame: bytes, layout: Layout) -> Array:
    head = codestream.jpeg(frame)
    _agree(head, layout)
    # Lossless processes and 12 bit samples aren't converted by libjpeg: the caller's conversion follows.
    if layout.samples == 3 and not _stays_ybr(head):
        told = head.rgb if head.rgb is not None else layout.photometric == "RGB"
        found = imagecodecs.jpeg8_decode(frame, colorspace="RGB" if told else "YCBCR", outcolorspace="RGB")
    elif layout.samples == 3:
        found = imagecodecs.jpeg8_decode(frame, colorspace="RGB", outcolorspace="RGB")
    else:
        found = imagecodecs.jpeg8_decode(frame)
    return _typed(found, layout, head.precision)


def leaves_ybr(frame: bytes) -> bool:
    """Tell whether the "jpeg" codec gives this codestream's samples as they are, unconverted."""
    return _stays_ybr(codestream.jpeg(frame))


def _stays_ybr(head: codestream.Header) -> bool:
    return head.lossless or head.precision != 8


def _jpegls(frame: bytes, layout: Layout) -> Array:
    head = codestream.jpeg(frame)
    _agree(head, layout)
    # CharLS searches for seconds behind the end of a stream that was cut off: so there is always an end.
    return _typed(imagecodecs.jpegls_decode(frame + b"\xff\xd9"), layout, head.precision)


def _jpeg2000(frame: bytes, layout: Layout) -> Array:
    # OpenJPEG decodes HTJ2K too; imagecodecs' own HTJ2K codec (OpenJPH) is faster and crashes on damaged data.
    head = codestream.jpeg2000(frame)
    _agree(head, layout)
    return _typed(imagecodecs.jpeg2k_decode(frame, numthreads=1), layout, head.precision, head.signed)


def check_jpeg(frame: bytes, layout: Layout) -> None:
    """Raises CannotDecode for a JPEG that is not of the header's size."""
    _agree(codestream.jpeg(frame), layout)


def check_jpeg_xl(frame: bytes, layout: Layout) -> None:
    """Raises CannotDecode for a JPEG XL that is not of the header's size."""
    if codestream.jpeg_xl(frame) != (layout.rows, layout.columns):
        raise refuse("its pixel data has another size than its header says.")


def _jpegxl(frame: bytes, layout: Layout) -> Array:
    check_jpeg_xl(frame, layout)
    return _typed(imagecodecs.jpegxl_decode(frame, index=0, numthreads=1), layout, layout.bits_stored)


def _rle(frame: bytes, layout: Layout) -> Array:
    """PS3.5 G: up to 15 PackBits segments, one for each byte of each sample, the most significant byte first."""
    if layout.bits_allocated == 1:
        # Single bits are packed, eight to a byte, before they are compressed (PS3.5 8.1.1, A.4.2).
        packed = _segments(frame, layout.samples, (layout.rows * layout.columns + 7) // 8)
        flat = np.unpackbits(packed, axis=1, count=layout.rows * layout.columns, bitorder="little")
    else:
        width = layout.bits_allocated // 8
        planes = _segments(frame, layout.samples * width, layout.rows * layout.columns)
        flat = np.ascontiguousarray(planes.reshape(layout.samples, width, -1)[:, ::-1].transpose(0, 2, 1))
        flat = flat.view(layout.dtype)
    if layout.samples == 1:
        return flat.reshape(layout.shape)
    return np.ascontiguousarray(flat.reshape(layout.samples, layout.rows, layout.columns).transpose(1, 2, 0))


def _segments(frame: bytes, count: int, size: int) -> NDArray[np.uint8]:
    """Decode the frame's `count` segments of `size` bytes each, as rows of an array."""
    # PS3.5 G.5: the number of segments, then 15 offsets of which the rest is 0.
    if len(frame) < 64:
        raise refuse("its pixel data is cut off.")
    told, *offsets = _read_offsets(frame)
    bounds = [*offsets[:count], len(frame)]
    if told != count or bounds[0] < 64 or bounds != sorted(bounds):
        raise refuse("its run-length encoded pixel data is damaged.")
    out = np.empty((count, size), np.uint8)
    for row, (start, end) in enumerate(pairwise(bounds)):
        # A last run may reach behind the segment's end: some writers pad with one.
        decoded = imagecodecs.packbits_decode(frame[start:end], out=size + 128)
        if len(decoded) < size:
            raise refuse("its pixel data is cut off.")
        out[row] = np.frombuffer(decoded, np.uint8, size)
    return out


def runs_make(segment: bytes, size: int) -> bool:
    """Tell whether run-length encoded bytes make `size` bytes and end there, up to one of padding (PS3.5 G.3.2).

    Nothing is kept of what they make. It runs in the caller's process: the codec is one loop that compares each step
    with both ends, and sending the frame elsewhere would take longer.
    """
    try:
        return bool(segment) and len(imagecodecs.packbits_decode(segment, out=size + 128)) == size
    except imagecodecs.PackbitsError:
        return False  # more than fits, or a run that is cut off


def inflate(frame: bytes, limit: int) -> bytes:
    """Inflate a frame of Deflated Image Frame Compression (PS3.5 A.4.13), to at most `limit` bytes."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame, limit)
    except zlib.error as damaged:
        raise refuse("its compressed pixel data is damaged.") from damaged


#: The codecs by name.
CODECS: dict[str, Callable[[bytes, Layout], Array]] = {
    "jpeg": _jpeg,
    "jpegls": _jpegls,
    "jpeg2000": _jpeg2000,
    "jpegxl": _jpegxl,
    "rle": _rle,
}


def _agree(head: codestream.Header, layout: Layout) -> None:
    """PS3.5 8.2: the header describes the codestream; where it does not, neither can be believed."""
    if (head.rows, head.columns, head.samples) != (layout.rows, layout.columns, layout.samples):
        raise refuse("its pixel data has another size than its header says.")
    if not 0 < head.precision <= layout.bits_allocated:
        raise refuse("its pixel data has more bits than its header says.")


def _typed(found: Array, layout: Layout, precision: int, signed: bool = False) -> Array:
    """Bring a codec's integers to the layout's type.

    JPEG and JPEG-LS can't tell signed from unsigned, and writers of JPEG 2000 often get the flag wrong: the
    header's Pixel Representation counts, and the bits are read again by it.
    """
    out = found.astype(layout.dtype, copy=False)
    spare = 8 * layout.dtype.itemsize - precision
    if spare and layout.signed != signed:
        out = np.right_shift(np.left_shift(out, spare), spare)
    return out
