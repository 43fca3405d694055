"""Softcopy presentation states: how someone wanted an image to be seen (PS3.3 A.33, C.11; PS3.4 N.2).

A state's transformations replace the image's: modality, mask, VOI, presentation LUT or palette; then come its
shutters, the area that it displays, its rotation and flip, and its layers of overlays, graphics and texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from pacs.dicom import sop_classes
from pacs.pixels import area, attributes, draw, graphics, layers, mask, overlay, shutter, tables, window
from pacs.pixels.area import Fit
from pacs.pixels.layers import Layer
from pacs.pixels.viewport import pixel_aspect

GRAYSCALE, COLOR, PSEUDO_COLOR, BLENDING = (
    sop_classes.uid(f"{kind}SoftcopyPresentationStateStorage")
    for kind in ("Grayscale", "Color", "PseudoColor", "Blending")
)
#: The kinds of states that are drawn.
SOP_CLASSES = frozenset((GRAYSCALE, COLOR, PSEUDO_COLOR, BLENDING))

_VOI = ("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction")
_MODALITY = ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "RescaleType")
_PRESENTATION = ("PresentationLUTSequence", "PresentationLUTShape")
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")

#: Overlays without a colour of their own are white, as in images without a state.
_WHITE = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Reference:
    """An image that a state is of, and which frame of it is shown, counted from 1; None where no frame is named."""

    series_uid: str
    sop_uid: str
    frame: int | None


def references(state: Dataset) -> list[Reference]:
    """Give the images that a state, or an item of its Blending Sequence, refers to, in order (PS3.3 C.11.11)."""
    found: list[Reference] = []
    for series in attributes.items(state, "ReferencedSeriesSequence"):
        for image in attributes.items(series, "ReferencedImageSequence"):
            frames = attributes.numbers(image, "ReferencedFrameNumber")
            uids = (
                attributes.phrase(series, "SeriesInstanceUID"),
                attributes.phrase(image, "ReferencedSOPInstanceUID"),
            )
            if all(uids):
                found.append(Reference(*uids, frame=int(frames[0]) if frames and frames[0] >= 1 else None))
    return found


def applied(state: Dataset, image: Dataset, reference: Reference) -> Dataset:
    """Give the image's header with the state's transformations in place of its own, for `draw.levels` (PS3.4 N.2).

    What the state does not have is the identity, and the image's is not used either (N.2.1.1, N.2.1.3). Neither is
    Photometric Interpretation's turn of black and white (N.2.1.4).
    """
    out = Dataset({tag: image.get_item(tag) for tag in image.keys()})  # noqa: SIM118 - a data set iterates over elements
    if attributes.integer(image, "SamplesPerPixel") == 3 or attributes.text(state, "SOPClassUID") == COLOR:
        return out
    softcopy = attributes.items(state, "SoftcopyVOILUTSequence")
    voi = next((item for item in softcopy if concerns(item, reference)), Dataset())
    _replace(out, voi, _VOI)
    _replace(out, state, _MODALITY)
    _replace(out, state, _PRESENTATION)
    # The frames' own transformations lie there, and nothing else that levels are made by.
    _replace(out, Dataset(), _GROUPS)
    if attributes.text(out, "PhotometricInterpretation") == "MONOCHROME1":
        out.PhotometricInterpretation = "MONOCHROME2"
    if window.voi(out) is None and attributes.integer(out, "BitsStored") is not None:
        low, high = window.full_range(out)
        if attributes.items(state, "MaskSubtractionSequence"):
            # N.2.1.2: a difference is signed and has a bit more.
            low, high = low - high, high - low
        out.WindowCenter, out.WindowWidth, out.VOILUTFunction = (low + high) / 2, high - low, "LINEAR_EXACT"
    return out


def levels(
    state: Dataset, image: Dataset, reference: Reference, values: Callable[[int], NDArray[np.generic]]
) -> NDArray[np.uint8]:
    """Give a frame's levels as the state makes them, in grey or RGB, without shutters and annotations.

    `values` gives the stored values of the image's frames, counted from 0. Raises what it raises, and CannotDecode.
    """
    index = (reference.frame or 1) - 1
    shown = applied(state, image, reference)
    count = attributes.integer(image, "NumberOfFrames", 1) or 1
    stored = values(index)
    plan = mask.plan(state, index, count) if stored.ndim == 2 else None
    if plan is not None:
        # N.2.1.2: the modality transformation leads into the space in which is subtracted, and comes first.
        stored = mask.subtracted(plan, lambda number: window.modality(shown, values(number)))
        _replace(shown, Dataset(), (*_MODALITY, "PixelPaddingValue", "PixelPaddingRangeLimit"))
    palettes = tables.palette(state) if stored.ndim == 2 else None
    if palettes is None:
        return draw.levels(shown, stored, index)
    # A supplemental palette of the image's counts as nothing under a pseudo-colour state.
    return tables.spread(palettes, window.grey(shown, stored, index))


def present(
    shown: NDArray[np.uint8],
    state: Dataset,
    image: Dataset,
    reference: Reference,
    words: overlay.Words | None = None,
) -> Image.Image:
    """Give levels as the state wants them seen: shuttered, cut, scaled, turned, with its overlays and graphics."""
    index = (reference.frame or 1) - 1
    picture = Image.fromarray(shutter.closed(shown, state, index))
    selected = attributes.items(state, "DisplayedAreaSelectionSequence")
    displayed = next((item for item in selected if concerns(item, reference)), None)
    fit = area.fit(state, displayed, picture.size, pixel_aspect(image, index))
    annotations = [item for item in attributes.items(state, "GraphicAnnotationSequence") if concerns(item, reference)]
    planes = {
        group: name for group in overlay.GROUPS if (name := str(attributes.at(state, group, 0x1001) or "").strip())
    }
    picture = fit.picture(picture)
    if not annotations and not planes:
        return picture
    out = picture.convert("RGB")
    pen = graphics.Pen(out, fit)
    named = layers.ordered(state)
    for layer in [*named, *_unlisted(named, [*planes.values(), *(_layer(item) for item in annotations)])]:
        for group, name in planes.items():
            if name.upper() == layer.name:
                holder = state if (group, 0x3000) in state else image
                plane = overlay.placed(holder, group, index, shown.shape[:2], words)
                _lay(out, plane, fit, layer)
        pen.annotations([item for item in annotations if _layer(item) == layer.name], layer)
    return out


def concerns(item: Dataset, reference: Reference) -> bool:
    """Tell whether an item is for that image and frame; one without references is for all (PS3.3 C.11.8)."""
    images = attributes.items(item, "ReferencedImageSequence")
    for image in images:
        frames = attributes.numbers(image, "ReferencedFrameNumber")
        if attributes.phrase(image, "ReferencedSOPInstanceUID") == reference.sop_uid and (
            not frames or (reference.frame or 1) in frames
        ):
            return True
    return not images


def _replace(target: Dataset, source: Dataset, keywords: Sequence[str]) -> None:
    """Take those elements from the source; what it has not got is taken away."""
    for keyword in keywords:
        if keyword in target:
            delattr(target, keyword)
        if keyword in source:
            target[keyword] = source[keyword]


def _layer(item: Dataset) -> str:
    return attributes.text(item, "GraphicLayer")


def _unlisted(named: list[Layer], used: list[str]) -> list[Layer]:
    """The layers that are used and were not described."""
    known = {layer.name for layer in named}
    return [Layer(name) for name in dict.fromkeys(name.upper() for name in used) if name not in known]


def _lay(picture: Image.Image, plane: NDArray[np.bool_] | None, fit: Fit, layer: Layer) -> None:
    if plane is not None:
        seen = fit.picture(Image.fromarray(plane.astype(np.uint8) * 255))
        picture.paste(layer.colour or _WHITE, (0, 0), seen)
