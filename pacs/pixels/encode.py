"""Stored values to a frame in a transfer syntax (PS3.5 8.2, annex A.4): what `pacs.pixels.stored` undoes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from pacs.dicom.transfer_syntaxes import (
    BASELINE,
    DEFLATED_FRAMES,
    EXTENDED,
    HTJ2K,
    IN_MEMORY,
    JPEG_2000,
    JPEG_2000_LOSSY,
    JPEG_LS,
    JPEG_LS_NEAR,
    JPEG_XL,
    JPEG_XL_LOSSY,
    LOSSLESS_JPEG,
    RLE,
)
from pacs.pixels.errors import CannotDecode, refuse
from pacs.pixels.layout import Layout

Array = NDArray[Any]

#: What a lossy process is called in Lossy Image Compression Method (PS3.3 C.7.6.1.1.5).
METHODS = {
    BASELINE: "ISO_10918_1",
    EXTENDED: "ISO_10918_1",
    JPEG_LS_NEAR: "ISO_14495_1",
    JPEG_2000_LOSSY: "ISO_15444_1",
    JPEG_XL_LOSSY: "ISO_18181_1",
}

#: How much a lossy process may take away: JPEG's quality, JPEG-LS' largest error, JPEG 2000's signal to noise in dB,
#: JPEG XL's distance (of which 1 is said to be the first that can be seen).
_QUALITY, _NEAR, _DECIBELS, _DISTANCE = 95, 2, 60, 0.05
#: What JPEG XL spends on a frame: above this it takes several times as long for a few hundredths of the size.
_EFFORT = 3
#: Bytes that a codestream may have besides its samples.
_ROOM = 65536

_put_offsets = Struct("<16I").pack


@dataclass(frozen=True, slots=True)
class Job:
    """What an encoder gets: stored values, their layout, whether colours are YBR, and the target."""

    values: Array
    form: Layout
    ybr: bool
    target: str

    @property
    def colour(self) -> bool:
        """Whether there are three samples a pixel."""
        return self.form.samples == 3

    @property
    def bits(self) -> int:
        """Bits Stored; more where a header says too little and a codestream's samples had more."""
        low, high = int(self.values.min()), int(self.values.max())
        needed = max(high, -low - 1).bit_length() + 1 if self.form.signed else high.bit_length()
        return max(self.form.bits_stored, needed)

    @property
    def unsigned(self) -> Array:
        """The values' bits, read without a sign: for codecs that know none."""
        return self.values.view(self.values.dtype.str.replace("i", "u"))


def frame(values: Array, form: Layout, target: str, *, ybr: bool = False) -> bytes:
    """Encode one frame of the layout's shape in a transfer syntax; `ybr` says that colours are YBR_FULL.

    Raises CannotDecode where it can't be; `can` tells before.
    """
    if not can(form, target):
        raise refuse("it can't be had in that transfer syntax.")
    job = Job(np.ascontiguousarray(values), form, ybr, target)
    try:
        return bytes(_ENCODERS[target](job))
    except CannotDecode:
        raise
    except Exception as failed:
        raise CannotDecode(f"{target}: {type(failed).__name__}: {failed}") from failed


def can(form: Layout, target: str) -> bool:
    """Tell whether frames of that layout can be encoded in a transfer syntax."""
    if target in IN_MEMORY or target == DEFLATED_FRAMES:
        return True
    if form.floating or form.bits_allocated > 32 or target not in _ENCODERS:
        return False
    if target == RLE:
        return form.samples * max(form.bits_allocated // 8, 1) <= 15  # PS3.5 G.5: 15 segments
    if form.bits_allocated not in (8, 16):
        return False
    if target in (JPEG_XL, JPEG_XL_LOSSY) and form.signed:
        # The codec has no signed samples, and the standard says no way to put them into unsigned ones.
        return False
    if target not in METHODS:
        return True
    # A palette's indices mean nothing when they are nearly right.
    if form.photometric == "PALETTE COLOR" or form.signed:
        return target == JPEG_2000_LOSSY and form.photometric != "PALETTE COLOR"
    if target == BASELINE:
        return form.bits_allocated == 8
    return target != EXTENDED or (form.samples == 1 and 8 < form.bits_stored <= 12)


def _native(job: Job) -> bytes:
    if job.form.bits_allocated == 1:
        return np.packbits(job.values.reshape(-1), bitorder="little").tobytes()
    return job.values.astype(job.form.dtype, copy=False).tobytes()


def deflate(samples: bytes) -> bytes:
    """Compress a frame's bare samples (PS3.5 A.4.13)."""
    deflater = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    out = deflater.compress(samples) + deflater.flush()
    return out + bytes(len(out) % 2)


def _deflated(job: Job) -> bytes:
    return deflate(_native(job))


def _rle(job: Job) -> bytes:
    """PS3.5 G: a PackBits segment for each byte of each sample, the most significant byte first."""
    values = job.values if job.colour else job.values[..., None]
    segments: list[bytes] = []
    for sample in range(values.shape[2]):
        plane = np.ascontiguousarray(values[..., sample])
        if job.form.bits_allocated == 1:
            packed = np.packbits(plane.reshape(-1), bitorder="little")
            segments.append(bytes(imagecodecs.packbits_encode(packed.tobytes())))
            continue
        width = plane.dtype.itemsize
        samples = plane.tobytes()
        for byte in reversed(range(width)):
            # PS3.5 G.3.1: each row is encoded by itself; packbits does so along the last axis of an array.
            rows = np.frombuffer(samples[byte::width], np.uint8).reshape(plane.shape)
            segments.append(bytes(imagecodecs.packbits_encode(rows)))
    segments = [segment + bytes(len(segment) % 2) for segment in segments]
    offsets, place = [], 64
    for segment in segments:
        offsets.append(place)
        place += len(segment)
    return _put_offsets(len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


def _jpeg(job: Job) -> Any:
    if not job.colour:
        return imagecodecs.jpeg8_encode(
            job.values, level=_QUALITY, bitspersample=12 if job.target == EXTENDED else None
        )
    space = "YCBCR" if job.ybr else "RGB"
    return imagecodecs.jpeg8_encode(
        job.values, level=_QUALITY, colorspace=space, outcolorspace="YCBCR", subsampling="422"
    )


def _lossless_jpeg(job: Job) -> Any:
    # Without an outcolorspace of its own the samples would be turned to YBR, with losses.
    space = "RGB" if job.colour else None
    # libjpeg takes 9 bits and more in words, up to 8 in bytes.
    bits = max(job.bits, 9 if job.form.bits_allocated > 8 else 2)
    samples = job.unsigned & job.unsigned.dtype.type((1 << bits) - 1)
    return imagecodecs.jpeg8_encode(
        samples, lossless=True, predictor=1, bitspersample=bits, colorspace=space, outcolorspace=space
    )


def _jpegls(job: Job) -> Any:
    # The codec gives the codestream all bits allocated for its precision: the sign goes with them.
    # Noise grows by some percent, for which the codec's own guess has no room.
    room = 2 * job.unsigned.nbytes + _ROOM
    return imagecodecs.jpegls_encode(job.unsigned, level=_NEAR if job.target == JPEG_LS_NEAR else 0, out=room)


def _jpeg2000(job: Job) -> Any:
    lossy = job.target == JPEG_2000_LOSSY
    return imagecodecs.jpeg2k_encode(
        job.values,
        level=_DECIBELS if lossy else 0,
        codecformat="j2k",
        reversible=not lossy,
        bitspersample=job.bits,
        mct=job.colour and not job.ybr,
        numthreads=1,
    )


def _htj2k(job: Job) -> Any:
    # PS3.5 10.18: RPCL, which is OpenJPH's own order, tile length markers, and a smallest resolution of at most 64.
    halvings = max(5, (max(job.form.rows, job.form.columns) - 1).bit_length() - 6)
    return imagecodecs.htj2k_encode(
        job.values, reversible=True, tlm=True, resolutions=halvings, rgb=job.colour and not job.ybr
    )


def _jpegxl(job: Job) -> Any:
    lossless = job.target == JPEG_XL
    # The codec takes 9 bits and more in words, up to 8 in bytes.
    bits = max(job.bits, 9) if job.form.bits_allocated > 8 else job.bits
    return imagecodecs.jpegxl_encode(
        job.values,
        lossless=lossless,
        distance=None if lossless else _DISTANCE,
        effort=_EFFORT,
        bitspersample=bits,
        usecontainer=False,
        numthreads=1,
    )


_ENCODERS: dict[str, Callable[[Job], Any]] = {
    **dict.fromkeys(IN_MEMORY, _native),
    DEFLATED_FRAMES: _deflated,
    RLE: _rle,
    BASELINE: _jpeg,
    EXTENDED: _jpeg,
    **dict.fromkeys(LOSSLESS_JPEG, _lossless_jpeg),
    **dict.fromkeys((JPEG_LS, JPEG_LS_NEAR), _jpegls),
    **dict.fromkeys((JPEG_2000, JPEG_2000_LOSSY), _jpeg2000),
    **dict.fromkeys(HTJ2K, _htj2k),
    **dict.fromkeys((JPEG_XL, JPEG_XL_LOSSY), _jpegxl),
}
#: Every transfer syntax that frames may be encoded in.
TARGETS = frozenset(_ENCODERS)
