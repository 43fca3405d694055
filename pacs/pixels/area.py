"""The area that a presentation state displays, and how it is turned (PS3.3 C.10.4, C.10.6)."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image
from pydicom import Dataset

from pacs.pixels import attributes
from pacs.pixels.picture import MAX_SIDE

Point = tuple[float, float]

#: The longest side to which a picture is enlarged, by magnification or by a rim of nothing around it.
_ENLARGED = 4096

_ROTATIONS = (Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90)


@dataclass(frozen=True, slots=True)
class Fit:
    """The way from an image to a picture: `box`, in pixels of the image, is scaled to `size`, turned, then flipped."""

    box: tuple[int, int, int, int]
    size: tuple[int, int]
    #: Quarters, clockwise.
    turns: int = 0
    flip: bool = False

    def picture(self, image: Image.Image) -> Image.Image:
        """Give the picture; what lies outside of the image is black."""
        left, top, right, bottom = self.box
        wide, high = self.size[0] / (right - left), self.size[1] / (bottom - top)
        inner = (max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height))
        # Only what is there is scaled: a rim of nothing may be large.
        size = (max(round((inner[2] - inner[0]) * wide), 1), max(round((inner[3] - inner[1]) * high), 1))
        if inner[2] <= inner[0] or inner[3] <= inner[1]:
            part = Image.new(image.mode, (1, 1))
        else:
            part = image if inner == (0, 0, *image.size) else image.crop(inner)
            part = part if part.size == size else part.resize(size, Image.Resampling.BICUBIC)
        if inner != self.box:
            canvas = Image.new(image.mode, self.size)
            canvas.paste(part, (round((inner[0] - left) * wide), round((inner[1] - top) * high)))
            part = canvas
        # C.10.6: the rotation is clockwise, and the flip comes after it.
        if self.turns:
            part = part.transpose(_ROTATIONS[self.turns - 1])
        return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.flip else part

    def point(self, x: float, y: float) -> Point:
        """Give where a point of the image lies in the picture; both count from their top left corner."""
        left, top, right, bottom = self.box
        wide, high = self.size
        x, y = (x - left) * wide / (right - left), (y - top) * high / (bottom - top)
        for _ in range(self.turns):
            x, y, wide, high = high - y, x, high, wide
        return (wide - x if self.flip else x), y


def fit(state: Dataset, area: Dataset | None, whole: tuple[int, int], aspect: float) -> Fit:
    """Give how an image of that size (width, height) and pixel aspect is shown.

    `area` is the item of Displayed Area Selection Sequence that is for it. SCALE TO FIT and TRUE SIZE are one to one:
    a picture knows no display; MAGNIFY enlarges.
    """
    area = area if area is not None else Dataset()
    box, enlarge = _box(area, whole), 1.0
    spacing = attributes.numbers(area, "PresentationPixelSpacing") or attributes.numbers(
        area, "PresentationPixelAspectRatio"
    )
    if len(spacing) == 2 and min(spacing) > 0 and 1 / 8 <= spacing[0] / spacing[1] <= 8:
        aspect = spacing[0] / spacing[1]
    if attributes.text(area, "PresentationSizeMode") == "MAGNIFY":
        ratio = attributes.number(area, "PresentationPixelMagnificationRatio") or 1.0
        enlarge = ratio if 0 < ratio < 1000 else 1.0
    wide, high = (box[2] - box[0]) * max(1 / aspect, 1), (box[3] - box[1]) * max(aspect, 1)
    scale = min(enlarge, min(max(_ENLARGED, *whole), MAX_SIDE) / max(wide, high))
    return Fit(
        box,
        (max(round(wide * scale), 1), max(round(high * scale), 1)),
        turns=round((attributes.number(state, "ImageRotation") or 0) / 90) % 4,
        flip=attributes.text(state, "ImageHorizontalFlip") == "Y",
    )


def _box(area: Dataset, whole: tuple[int, int]) -> tuple[int, int, int, int]:
    first = attributes.numbers(area, "DisplayedAreaTopLeftHandCorner")
    last = attributes.numbers(area, "DisplayedAreaBottomRightHandCorner")
    if len(first) != 2 or len(last) != 2:
        return (0, 0, *whole)
    # The corners are named as they are seen, after rotation and flip: of the image they may be any two opposite.
    (left, right), (top, bottom) = (sorted((int(a), int(b))) for a, b in zip(first, last, strict=True))
    # A canvas far larger than the image would be nothing but black.
    if max(abs(left), abs(right)) > 4 * whole[0] + 1 or max(abs(top), abs(bottom)) > 4 * whole[1] + 1:
        return (0, 0, *whole)
    return left - 1, top - 1, right, bottom
