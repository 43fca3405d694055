"""Display levels as files: the consumer format media types of PS3.18 8.7.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Literal

import imagecodecs
import numpy as np
from PIL import Image

MediaType = Literal["image/jpeg", "image/png", "image/gif", "image/jp2", "image/jxl"]

#: The widest and highest picture that is made, in pixels.
MAX_SIDE = 16384


def encode(picture: Image.Image, media_type: MediaType, quality: int = 90, profile: bytes | None = None) -> bytes:
    """Write a grey or RGB picture in that media type, with an ICC profile where the format takes one."""
    out = BytesIO()
    if media_type == "image/png":
        # The stored levels compress little: more effort costs time and gains next to nothing.
        picture.save(out, "PNG", compress_level=3, icc_profile=profile)
    elif media_type == "image/gif":
        _indexed(picture).save(out, "GIF")
    elif media_type == "image/jp2":
        picture.save(out, "JPEG2000", irreversible=True, quality_mode="dB", quality_layers=[25 + quality * 0.3])
    elif media_type == "image/jxl":
        # The codestream says itself that its colours are sRGB.
        lossless = quality >= 100
        distance = None if lossless else _distance(quality)
        return bytes(imagecodecs.jpegxl_encode(np.asarray(picture), lossless=lossless, distance=distance, numthreads=1))
    else:
        # At high quality colour is kept in full: red text on grey tissue is what users look at.
        subsampling = 0 if quality >= 90 else 2
        quality = min(max(quality, 1), 100)
        picture.save(out, "JPEG", quality=quality, subsampling=subsampling, icc_profile=profile or b"")
    return out.getvalue()


def _distance(quality: int) -> float:
    """JPEG XL's measure of loss for a quality from 1 to 100, by the formula of its reference encoder."""
    return 0.1 + (100 - quality) * 0.09 if quality >= 30 else 53 / 3000 * quality**2 - 23 / 20 * quality + 25


def animate(pictures: Iterable[Image.Image], milliseconds: float) -> bytes:
    """Write pictures of one size as a GIF that shows them one after the other, without end."""
    frames: Iterator[Image.Image] = map(_indexed, pictures)
    out = BytesIO()
    # GIF counts in hundredths of a second, and browsers slow down what is quicker than two of them.
    duration = max(round(milliseconds / 10), 2) * 10
    next(frames).save(out, "GIF", save_all=True, append_images=frames, duration=duration, loop=0)
    return out.getvalue()


def _indexed(picture: Image.Image) -> Image.Image:
    return picture if picture.mode == "L" else picture.quantize(256)
