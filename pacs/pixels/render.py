"""A frame as a picture: the consumer format media types of PS3.18 8.7.4, with its parameters (8.3.5.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from overread.kit.errors import BadInput
from pacs.pixels import attributes, tables
from pacs.pixels import window as windows
from pacs.pixels.decode import decode_frame
from pacs.pixels.errors import refuse
from pacs.pixels.window import Window

MediaType = Literal["image/jpeg", "image/png", "image/gif"]

#: The widest and highest picture that is made, in pixels.
MAX_SIDE = 16384

#: Beyond this, pixel spacings are taken for a slip; up to 1 % they are taken for equal.
_MAX_ASPECT, _SQUARE = 8.0, 0.01


@dataclass(frozen=True, slots=True)
class Viewport:
    """PS3.18 8.3.5.1.3: the picture's size, and the part of the image (in its pixels) that is scaled to fit it.

    A negative source width or height turns the picture over, left to right or top to bottom; None reaches to
    the image's edge. Raises BadInput for sizes that no picture can have.
    """

    width: int
    height: int
    x: float = 0.0
    y: float = 0.0
    source_width: float | None = None
    source_height: float | None = None

    def __post_init__(self) -> None:
        """Refuse a picture without size, one too large, and a source that is no number."""
        if not (0 < self.width <= MAX_SIDE and 0 < self.height <= MAX_SIDE):
            raise BadInput("viewport size", safe=f"The viewport's width and height have to be 1 to {MAX_SIDE}.")
        source = (self.x, self.y, self.source_width or 1.0, self.source_height or 1.0)
        if not all(math.isfinite(number) for number in source) or 0 in (self.source_width, self.source_height):
            raise BadInput("viewport source", safe="The viewport's source has to be a part of the image.")


def render(
    ds: Dataset,
    frame_bytes: bytes,
    transfer_syntax: str,
    frame_index: int = 0,
    *,
    media_type: MediaType = "image/jpeg",
    window: Window | None = None,
    quality: int = 90,
    viewport: Viewport | None = None,
) -> bytes:
    """Draw one frame.

    `ds` and `frame_bytes` are as in `decode_frame`; `frame_index` counts from 0 and chooses functional groups.
    Where Bits Allocated is 1 and the syntax is native, `frame_bytes` are all bytes that hold one of its bits.
    `window` overrides the header's (grey images only), `quality` is JPEG's, 1 to 100. Pixels that are not
    square are stretched until they are. Raises CannotDecode; BadInput for a viewport outside of the image.
    """
    picture = draw(ds, frame_bytes, transfer_syntax, frame_index, window=window)
    aspect = pixel_aspect(ds, frame_index)
    return encode(_scaled(picture, aspect, viewport, enlarge=True), media_type, quality)


def thumbnail(
    ds: Dataset,
    frame_bytes: bytes,
    transfer_syntax: str,
    frame_index: int = 0,
    *,
    size: int = 256,
    media_type: MediaType = "image/jpeg",
) -> bytes:
    """Draw one frame to fit into a square of `size` pixels, never enlarged (PS3.18 10.4.1.1.5). Errors as render."""
    picture = draw(ds, frame_bytes, transfer_syntax, frame_index)
    return encode(
        _scaled(picture, pixel_aspect(ds, frame_index), Viewport(size, size), enlarge=False), media_type, quality=80
    )


def draw(
    ds: Dataset, frame_bytes: bytes, transfer_syntax: str, frame_index: int = 0, *, window: Window | None = None
) -> NDArray[np.uint8]:
    """Give a frame's display levels: (rows, columns) for grey, (rows, columns, 3) in RGB for colour."""
    rows, columns = (attributes.integer(ds, keyword) or 0 for keyword in ("Rows", "Columns"))
    samples = attributes.integer(ds, "SamplesPerPixel") or 1
    bit_offset = frame_index * rows * columns * samples % 8 if attributes.integer(ds, "BitsAllocated") == 1 else 0
    stored = decode_frame(ds, frame_bytes, transfer_syntax, bit_offset=bit_offset)
    if stored.ndim == 3:
        return _bytes(stored, attributes.integer(ds, "BitsStored") or 8 * stored.dtype.itemsize)
    palettes = tables.palette(ds)
    if attributes.text(ds, "PhotometricInterpretation").startswith("PALETTE"):
        if palettes is None:
            raise refuse("it has no usable colour palette.")
        return tables.colours(palettes, stored)
    levels = windows.grey(ds, stored, frame_index, window)
    if palettes is None or attributes.text(ds, "PixelPresentation") not in ("COLOR", "MIXED"):
        return levels
    # PS3.3 C.8.16.2.1.1.1: from the palette's first entry on, values are colours, below it grey.
    coloured = (stored >= palettes[0].first)[..., None]
    mixed: NDArray[np.uint8] = np.where(coloured, tables.colours(palettes, stored), levels[..., None])
    return mixed


def pixel_aspect(ds: Dataset, frame_index: int = 0) -> float:
    """Give a pixel's height divided by its width: by its spacing, else Pixel Aspect Ratio, else 1.

    PS3.3 10.7.1.3, C.7.6.16.2.1 and C.7.6.3.1.7: both name the vertical size first.
    """
    measures = attributes.group(ds, frame_index, "PixelMeasuresSequence")
    pairs = [attributes.numbers(measures, "PixelSpacing")] if measures is not None else []
    pairs += [
        attributes.numbers(ds, keyword)
        for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")
    ]
    for pair in pairs:
        if len(pair) == 2 and pair[0] > 0 and pair[1] > 0:
            aspect = pair[0] / pair[1]
            usable = 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT and abs(aspect - 1) > _SQUARE
            return aspect if usable else 1.0
    return 1.0


def encode(picture: Image.Image, media_type: MediaType, quality: int = 90) -> bytes:
    """Write a grey or RGB picture in that media type."""
    out = BytesIO()
    if media_type == "image/png":
        # The stored levels compress little: more effort costs time and gains next to nothing.
        picture.save(out, "PNG", compress_level=3)
    elif media_type == "image/gif":
        (picture if picture.mode == "L" else picture.quantize(256)).save(out, "GIF")
    else:
        # At high quality colour is kept in full: red text on grey tissue is what users look at.
        subsampling = 0 if quality >= 90 else 2
        picture.save(out, "JPEG", quality=min(max(quality, 1), 100), subsampling=subsampling)
    return out.getvalue()


def _bytes(colour: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    if colour.dtype == np.uint8 and bits == 8:
        return colour
    # Float samples have no number of bits: they count from 0 to 1.
    top = 1 if colour.dtype.kind == "f" else (1 << bits) - 1
    share = np.clip(np.nan_to_num(colour) / top, 0, 1)
    scaled: NDArray[np.uint8] = np.rint(share * 255).astype(np.uint8)
    return scaled


def _scaled(levels: NDArray[np.uint8], aspect: float, viewport: Viewport | None, *, enlarge: bool) -> Image.Image:
    picture = Image.fromarray(levels)
    columns, rows = picture.size
    # The shorter side of a pixel is the unit, so that stretching loses nothing.
    wide, high = max(1 / aspect, 1.0), max(aspect, 1.0)
    if viewport is None:
        size = (round(columns * wide), round(rows * high))
        if max(size) > MAX_SIDE:
            size = (columns, rows)
        return picture if size == (columns, rows) else picture.resize(size, Image.Resampling.BICUBIC)
    source_width = columns - viewport.x if viewport.source_width is None else viewport.source_width
    source_height = rows - viewport.y if viewport.source_height is None else viewport.source_height
    left, top = max(viewport.x, 0.0), max(viewport.y, 0.0)
    right = min(viewport.x + abs(source_width), float(columns))
    bottom = min(viewport.y + abs(source_height), float(rows))
    if right - left < 1e-6 or bottom - top < 1e-6:
        raise BadInput("viewport outside", safe="The viewport's source lies outside of the image.")
    scale = min(viewport.width / ((right - left) * wide), viewport.height / ((bottom - top) * high))
    scale = scale if enlarge else min(scale, 1.0)
    size = (max(round((right - left) * wide * scale), 1), max(round((bottom - top) * high * scale), 1))
    method = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    if size != (columns, rows) or (left, top, right, bottom) != (0, 0, columns, rows):
        picture = picture.resize(size, method, box=(left, top, right, bottom), reducing_gap=3.0)
    if source_width < 0:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if source_height < 0:
        picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return picture
