"""Softcopy presentation states: how someone wanted an image to be seen (PS3.3 A.33, C.11.8; PS3.4 N.2).

A state's modality and VOI transformations replace the image's; then come its shutters, its graphics, its rotation
and flip, and the area that it displays.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom import Dataset

from pacs.pixels import attributes, graphics, overlay
from pacs.pixels.picture import MAX_SIDE
from pacs.pixels.viewport import pixel_aspect

#: Grayscale, Color and Pseudo-Color Softcopy Presentation State Storage.
SOP_CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.11.{number}" for number in (1, 2, 3))

_VOI = ("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction")
_MODALITY = ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "RescaleType")
_PALETTE = tuple(
    f"{colour}PaletteColorLookupTable{part}" for colour in ("Red", "Green", "Blue") for part in ("Descriptor", "Data")
)

_ROTATIONS = (Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90)


@dataclass(frozen=True, slots=True)
class Reference:
    """An image that a state is of, and which frame of it is shown, counted from 1."""

    series_uid: str
    sop_uid: str
    frame: int


def references(state: Dataset) -> list[Reference]:
    """Give the images that a state refers to, in order (PS3.3 C.11.11)."""
    found: list[Reference] = []
    for series in attributes.items(state, "ReferencedSeriesSequence"):
        for image in attributes.items(series, "ReferencedImageSequence"):
            frames = attributes.numbers(image, "ReferencedFrameNumber")
            uids = (
                attributes.phrase(series, "SeriesInstanceUID"),
                attributes.phrase(image, "ReferencedSOPInstanceUID"),
            )
            if all(uids):
                found.append(Reference(*uids, frame=int(frames[0]) if frames and frames[0] >= 1 else 1))
    return found


def applied(state: Dataset, image: Dataset, reference: Reference) -> Dataset:
    """Give the image's header with the state's transformations in place of its own (PS3.4 N.2.1)."""
    out = deepcopy(image)
    softcopy = attributes.items(state, "SoftcopyVOILUTSequence")
    voi = next((item for item in softcopy if _concerns(item, reference)), Dataset())
    # Where the state has no VOI transformation, none is applied: the image's own is not used either.
    _replace(out, voi, _VOI)
    modality = any(attributes.value(state, keyword) is not None for keyword in _MODALITY)
    if modality:
        _replace(out, state, _MODALITY)
    if attributes.value(state, _PALETTE[0]) is not None:
        _replace(out, state, _PALETTE)
        out.PhotometricInterpretation = "PALETTE COLOR"
    if shape := attributes.text(state, "PresentationLUTShape"):
        # The state tells what its P-values are made of: the image's own inversion is not asked any more.
        out.PresentationLUTShape = shape
        if attributes.text(out, "PhotometricInterpretation") == "MONOCHROME1":
            out.PhotometricInterpretation = "MONOCHROME2"
    superseded = ("FrameVOILUTSequence", "PixelValueTransformationSequence")[: 2 if modality else 1]
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for item in attributes.items(out, groups):
            _replace(item, Dataset(), superseded)
    for group in overlay.GROUPS:
        if (group, 0x3000) in state:
            out.update({tag: element for tag, element in state.items() if tag.group == group})
    return out


def _replace(target: Dataset, source: Dataset, keywords: Sequence[str]) -> None:
    """Take those elements from the source; what it has not got is taken away."""
    for keyword in keywords:
        if keyword in target:
            delattr(target, keyword)
        if keyword in source:
            target[keyword] = source[keyword]


def _concerns(item: Dataset, reference: Reference) -> bool:
    """Tell whether an item is for that image and frame; one without references is for all (PS3.3 C.11.8)."""
    images = attributes.items(item, "ReferencedImageSequence")
    for image in images:
        frames = attributes.numbers(image, "ReferencedFrameNumber")
        if attributes.phrase(image, "ReferencedSOPInstanceUID") == reference.sop_uid and (
            not frames or reference.frame in frames
        ):
            return True
    return not images


def shown_overlays(state: Dataset) -> list[int]:
    """Give the overlay groups that the state activates (PS3.3 C.11.7)."""
    return [group for group in overlay.GROUPS if attributes.at(state, group, 0x1001)]


def present(levels: NDArray[np.uint8], state: Dataset, image: Dataset, reference: Reference) -> Image.Image:
    """Give levels as the state wants them seen: shuttered, cut, scaled, turned, with its graphics."""
    picture = Image.fromarray(_shuttered(levels, state))
    box, size = _area(state, reference, picture.size, pixel_aspect(image, reference.frame - 1))
    picture = picture.crop(box)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    turns = round((attributes.number(state, "ImageRotation") or 0) / 90) % 4
    flip = attributes.text(state, "ImageHorizontalFlip") == "Y"
    # PS3.3 C.10.6: the rotation is clockwise, and the flip comes after it.
    if turns:
        picture = picture.transpose(_ROTATIONS[turns - 1])
    if flip:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    left, top, right, bottom = box

    def place(x: float, y: float) -> tuple[float, float]:
        # An image's first pixel has its middle at (1, 1) (PS3.3 C.10.5.1.2).
        wide, high = size
        x, y = (x - 0.5 - left) * wide / (right - left), (y - 0.5 - top) * high / (bottom - top)
        for _ in range(turns):
            x, y, wide, high = high - y, x, high, wide
        return (wide - x if flip else x), y

    layers = [item for item in attributes.items(state, "GraphicAnnotationSequence") if _concerns(item, reference)]
    return graphics.draw(picture, layers, place)


def _area(
    state: Dataset, reference: Reference, whole: tuple[int, int], aspect: float
) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """Give the displayed area (PS3.3 C.10.4) as edges (left, top, right, bottom), and its size in the picture."""
    box = (0, 0, *whole)
    for item in attributes.items(state, "DisplayedAreaSelectionSequence"):
        first = attributes.numbers(item, "DisplayedAreaTopLeftHandCorner")
        last = attributes.numbers(item, "DisplayedAreaBottomRightHandCorner")
        if not _concerns(item, reference) or len(first) != 2 or len(last) != 2:
            continue
        # The corners are named as they are seen, after rotation and flip: of the image they may be any two opposite.
        (left, right), (top, bottom) = (sorted((int(a), int(b))) for a, b in zip(first, last, strict=True))
        # A canvas far larger than the image would be nothing but black.
        if max(abs(left), abs(right)) <= 4 * whole[0] + 1 and max(abs(top), abs(bottom)) <= 4 * whole[1] + 1:
            box = (left - 1, top - 1, right, bottom)
        spacing = attributes.numbers(item, "PresentationPixelSpacing") or attributes.numbers(
            item, "PresentationPixelAspectRatio"
        )
        if len(spacing) == 2 and min(spacing) > 0 and 1 / 8 <= spacing[0] / spacing[1] <= 8:
            aspect = spacing[0] / spacing[1]
        break
    width, height = box[2] - box[0], box[3] - box[1]
    wide, high = round(width * max(1 / aspect, 1)), round(height * max(aspect, 1))
    scale = min(1.0, MAX_SIDE / max(wide, high))
    return box, (max(round(wide * scale), 1), max(round(high * scale), 1))


def _shuttered(levels: NDArray[np.uint8], state: Dataset) -> NDArray[np.uint8]:
    """Cover what lies outside of the shutters (PS3.3 C.7.6.11)."""
    shapes = attributes.value(state, "ShutterShape")
    names = [shapes] if isinstance(shapes, str) else list(shapes or ())
    rows, columns = levels.shape[:2]
    covered = Image.new("1", (columns, rows))
    pen = ImageDraw.Draw(covered)
    for name in names:
        opening = Image.new("1", (columns, rows), 1)
        if not _open(ImageDraw.Draw(opening), str(name).strip(), state):
            continue
        pen.bitmap((0, 0), opening, fill=1)
    if not names:
        return levels
    out = levels.copy()
    # C.7.6.11.1: P-values of 16 bits; black where none is given.
    value = int(attributes.number(state, "ShutterPresentationValue") or 0) % 65536 >> 8
    out[np.asarray(covered)] = value
    return out


def _open(pen: ImageDraw.ImageDraw, shape: str, state: Dataset) -> bool:
    """Clear the shutter's opening in a mask that covers everything; False where it is damaged or of another kind."""
    if shape == "RECTANGULAR":
        edges = [
            attributes.number(state, f"Shutter{side}Edge")
            for side in ("LeftVertical", "UpperHorizontal", "RightVertical", "LowerHorizontal")
        ]
        # The edges themselves are no part of the opening.
        left, top, right, bottom = (edge if edge is not None else 0.0 for edge in edges)
        if None in edges or right - left < 2 or bottom - top < 2:
            return False
        pen.rectangle((left, top, right - 2, bottom - 2), fill=0)
        return True
    if shape == "CIRCULAR":
        middle = attributes.numbers(state, "CenterOfCircularShutter")
        radius = attributes.number(state, "RadiusOfCircularShutter")
        if len(middle) != 2 or radius is None or not 0 < radius < 65536:
            return False
        # The row comes first, as in all shutters.
        y, x = middle[0] - 1, middle[1] - 1
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
        return True
    if shape == "POLYGONAL":
        flat = attributes.numbers(state, "VerticesOfThePolygonalShutter")
        corners = [(x - 1, y - 1) for y, x in zip(flat[::2], flat[1::2], strict=False)]
        if not 3 <= len(corners) <= 10_000:
            return False
        pen.polygon(corners, fill=0)
        return True
    return False
