"""Compressed frames of every codec, files around them, and what a reader gets of a result."""

from __future__ import annotations

import zlib
from io import BytesIO
from struct import pack
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.rle import _rle_decode_frame

from pacs.deid.result import Deidentified
from tests.pacs.deid.planted import El, part10, skeleton
from tests.pacs.pixels.samples import ramp, rle

JPEG, PROGRESSIVE, LOSSLESS = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 55, 70))
JPEG_LS, J2K, HTJ2K, JPEG_XL = (f"1.2.840.10008.1.2.4.{number}" for number in (80, 90, 201, 110))
RLE, DEFLATED, UNCOMPRESSED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.1.98"

SIDE = 48
IMAGE = ramp(SIDE, SIDE, "u1")

Array = NDArray[Any]


def _pillow(image: Array, **options: Any) -> bytes:
    out = BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


#: A frame of each transfer syntax.
FRAMES: dict[str, bytes] = {
    JPEG: _pillow(IMAGE),
    PROGRESSIVE: _pillow(IMAGE, progressive=True),
    LOSSLESS: bytes(imagecodecs.ljpeg_encode(IMAGE)),
    JPEG_LS: bytes(imagecodecs.jpegls_encode(IMAGE)),
    J2K: bytes(imagecodecs.jpeg2k_encode(IMAGE, level=0, codecformat="j2k")),
    HTJ2K: bytes(imagecodecs.htj2k_encode(IMAGE)),
    JPEG_XL: bytes(imagecodecs.jpegxl_encode(IMAGE, lossless=True, usecontainer=False)),
    RLE: rle(IMAGE),
    DEFLATED: deflated(IMAGE.tobytes()),
    UNCOMPRESSED: IMAGE.tobytes(),
}


def decoded(frame: bytes, syntax: str) -> Array:
    """The samples of a frame, as a decoder that knows nothing of de-identification reads them."""
    if syntax in (JPEG, PROGRESSIVE):
        return np.asarray(imagecodecs.jpeg8_decode(frame))
    if syntax == RLE:
        return np.frombuffer(_rle_decode_frame(frame, SIDE, SIDE, 1, 8), "u1").reshape(SIDE, SIDE)
    if syntax in (DEFLATED, UNCOMPRESSED):
        plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame) if syntax == DEFLATED else frame
        return np.frombuffer(plain[: IMAGE.size], "u1").reshape(SIDE, SIDE)
    codec = {
        LOSSLESS: imagecodecs.ljpeg_decode,
        JPEG_LS: imagecodecs.jpegls_decode,
        J2K: imagecodecs.jpeg2k_decode,
        HTJ2K: imagecodecs.jpeg2k_decode,
        JPEG_XL: imagecodecs.jpegxl_decode,
    }[syntax]
    return np.squeeze(codec(frame))


def item(data: bytes) -> bytes:
    data += b"\0" * (len(data) % 2)
    return pack("<HHI", 0xFFFE, 0xE000, len(data)) + data


def file(syntax: str, *fragments: bytes, table: bytes = b"", count: int = 1, extra: tuple[El, ...] = ()) -> bytes:
    """A file of `count` frames in these fragments."""
    own = {0x00280010: pack("<H", SIDE), 0x00280011: pack("<H", SIDE), 0x00280100: b"\x08\0", 0x00280101: b"\x08\0"}
    own |= {0x00280102: b"\x07\0"}
    elements = [El(e.tag, e.vr, own.get(e.tag, e.value)) for e in skeleton() if e.tag != 0x7FE00010]
    if count > 1:
        elements.append(El(0x00280008, "IS", str(count).encode()))
    head = pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    value = item(table) + b"".join(map(item, fragments))
    return part10([*elements, *extra], syntax, tail=head + value + pack("<HHI", 0xFFFE, 0xE0DD, 0))


def given(result: Deidentified, source: bytes) -> bytes:
    """The whole result, its patches laid over the pixels."""
    pixels = bytearray(source if result.pixel_bytes is None else result.pixel_bytes)
    for offset, value in result.patches:
        pixels[offset : offset + len(value)] = value
    ranges = result.pixels if result.pixel_bytes is None else ((0, len(pixels)),)
    body = b"".join(pixels[start : start + length] for start, length in ranges)
    return result.header + result.table + body + result.trailer


def frames_of(whole: bytes) -> list[bytes]:
    """The frames as pydicom finds them."""
    ds = pydicom.dcmread(BytesIO(whole))
    tables = (ds.get("ExtendedOffsetTable"), ds.get("ExtendedOffsetTableLengths"))
    count = int(ds.get("NumberOfFrames") or 1)
    return list(generate_frames(ds.PixelData, number_of_frames=count, extended_offsets=tables if all(tables) else None))
