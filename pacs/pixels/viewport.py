"""The part of an image that is shown, and the size of the picture that shows it (PS3.18 8.3.5.1.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image
from pydicom import Dataset

from overread.kit.errors import BadInput
from overread.kit.language import gettext
from pacs.pixels import attributes
from pacs.pixels.picture import MAX_SIDE

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
            raise BadInput(
                "viewport size",
                safe=gettext("The viewport's width and height have to be 1 to %(max_side)s.", max_side=MAX_SIDE),
            )
        source = (self.x, self.y, self.source_width or 1.0, self.source_height or 1.0)
        if not all(math.isfinite(number) for number in source) or 0 in (self.source_width, self.source_height):
            raise BadInput("viewport source", safe=gettext("The viewport's source has to be a part of the image."))


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


def scaled(picture: Image.Image, aspect: float, viewport: Viewport | None, *, enlarge: bool = True) -> Image.Image:
    """Cut, turn over and scale a picture whose pixels have that aspect; without `enlarge` it is never made larger.

    Without a viewport its pixels are made square, and nothing else. Raises BadInput for a source outside.
    """
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
        raise BadInput("viewport outside", safe=gettext("The viewport's source lies outside of the image."))
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
