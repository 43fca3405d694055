"""A frame, or all of them, as a picture with the parameters of PS3.18 8.3.5.1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from overread.kit.errors import BadInput
from overread.kit.language import gettext
from pacs.pixels import annotate, attributes, icc, overlay, presentation
from pacs.pixels import window as windows
from pacs.pixels.annotate import Keyword
from pacs.pixels.draw import decoded, draw, unused_bits
from pacs.pixels.picture import MediaType, animate, encode
from pacs.pixels.presentation import Reference
from pacs.pixels.viewport import Viewport, pixel_aspect, scaled
from pacs.pixels.window import Span, Window

#: The most pixels of an animation, all its frames together.
MAX_ANIMATED = 100_000_000
MAX_ANIMATED_FRAMES = 1_000

_DEFAULT_DURATION = 100.0


@dataclass(frozen=True, slots=True)
class Rendition:
    """How a picture is wanted: what PS3.18 8.3.5.1 has parameters for. Hashable."""

    media_type: MediaType = "image/jpeg"
    #: Overrides the header's; grey images only.
    window: Window | None = None
    #: JPEG's, 1 to 100.
    quality: int = 90
    viewport: Viewport | None = None
    annotations: frozenset[Keyword] = frozenset()
    profile: icc.Choice = "no"
    #: Whether small images are made larger to fit their viewport.
    enlarge: bool = True


@dataclass(frozen=True, slots=True)
class PresentationState:
    """A presentation state, and which of its images is to be shown by it; `frame` gives any frame of that image."""

    ds: Dataset
    reference: Reference
    frame: Callable[[int], bytes]


def render(
    ds: Dataset, frame: bytes, transfer_syntax: str, frame_index: int = 0, wanted: Rendition | None = None
) -> bytes:
    """Draw one frame.

    `ds`, `frame` and `frame_index` are as in `pacs.pixels.draw.draw`. Pixels that are not square are stretched
    until they are. Raises CannotDecode; BadInput for a viewport outside of the image; Unavailable.
    """
    wanted = wanted or Rendition()
    return _written(_picture(ds, frame, transfer_syntax, frame_index, wanted), ds, wanted)


def render_state(ds: Dataset, transfer_syntax: str, wanted: Rendition, state: PresentationState) -> bytes:
    """Draw the frame that a presentation state is to be seen of, as it wants it. Errors as render."""
    index = (state.reference.frame or 1) - 1
    levels = presentation.levels(
        state.ds, ds, state.reference, lambda number: decoded(ds, state.frame(number), transfer_syntax, number)
    )
    return finish(ds, levels, wanted, state, lambda: unused_bits(ds, state.frame(index), transfer_syntax))


def finish(
    ds: Dataset,
    levels: NDArray[np.uint8],
    wanted: Rendition,
    state: PresentationState,
    words: overlay.Words | None = None,
) -> bytes:
    """Lay a state's shutters, area and annotations on levels of its image, whose header is `ds`. Errors as render."""
    picture = presentation.present(levels, state.ds, ds, state.reference, words)
    picture = scaled(picture, 1.0, wanted.viewport, enlarge=wanted.enlarge)
    if wanted.annotations:
        picture = annotate.burn(picture, ds, wanted.annotations, (state.reference.frame or 1) - 1)
    # PS3.4 N.2.2.1: the state's profile goes before the image's.
    return _written(picture, state.ds if "ICCProfile" in state.ds else ds, wanted)


def _written(picture: Image.Image, ds: Dataset, wanted: Rendition) -> bytes:
    if wanted.profile == "no":
        return encode(picture, wanted.media_type, wanted.quality)
    picture, profile = icc.convert(picture, ds, wanted.profile)
    return encode(picture, wanted.media_type, wanted.quality, profile)


def animation(
    ds: Dataset, indices: Sequence[int], frame: Callable[[int], bytes], transfer_syntax: str, wanted: Rendition
) -> bytes:
    """Draw the frames of these indices, given by `frame`, as one GIF in the rhythm that the header gives.

    Errors as render.
    """
    left = MAX_ANIMATED
    window = wanted.window or _common(ds, indices, frame, transfer_syntax)

    def pictures() -> Iterable[Image.Image]:
        nonlocal left
        for index in indices:
            picture = _picture(ds, frame(index), transfer_syntax, index, wanted, window)
            left -= picture.width * picture.height
            if left < 0:
                raise BadInput(
                    "a giant animation", safe=gettext("The animation would be too large: ask for a smaller viewport.")
                )
            yield picture if wanted.profile == "no" else icc.convert(picture, ds, wanted.profile)[0]

    return animate(pictures(), frame_duration(ds))


def thumbnail(
    ds: Dataset, frame: bytes, transfer_syntax: str, frame_index: int = 0, wanted: Rendition | None = None
) -> bytes:
    """Draw one frame to fit into its viewport, never enlarged (PS3.18 10.4.1.1.4). Errors as render."""
    return render(ds, frame, transfer_syntax, frame_index, replace(wanted or THUMBNAIL, enlarge=False))


#: What a thumbnail is where nobody says how large.
THUMBNAIL = Rendition(viewport=Viewport(256, 256), quality=80)


def frame_duration(ds: Dataset) -> float:
    """Give how many milliseconds a frame is to be seen (PS3.3 C.7.6.5); a tenth of a second where nothing tells."""
    for keyword in ("FrameTime", "RecommendedDisplayFrameRate", "CineRate"):
        found = attributes.number(ds, keyword)
        if found is not None and found > 0:
            duration = found if keyword == "FrameTime" else 1000 / found
            return min(max(duration, 20.0), 10_000.0)
    return _DEFAULT_DURATION


def _common(ds: Dataset, indices: Sequence[int], frame: Callable[[int], bytes], transfer_syntax: str) -> Span | None:
    """The range of grey frames without a window, from the first, the middle and the last: else they would flicker."""
    if not attributes.text(ds, "PhotometricInterpretation").startswith("MONOCHROME") or windows.voi(ds, indices[0]):
        return None
    chosen = {indices[0], indices[len(indices) // 2], indices[-1]}
    return windows.automatic(ds, np.stack([decoded(ds, frame(index), transfer_syntax, index) for index in chosen]))


def _picture(
    ds: Dataset,
    frame: bytes,
    transfer_syntax: str,
    frame_index: int,
    wanted: Rendition,
    window: Window | Span | None = None,
) -> Image.Image:
    levels = draw(ds, frame, transfer_syntax, frame_index, window=window or wanted.window)
    picture = scaled(Image.fromarray(levels), pixel_aspect(ds, frame_index), wanted.viewport, enlarge=wanted.enlarge)
    # PS3.18 8.3.5.1.1: annotations come last, so that their letters are not scaled.
    return annotate.burn(picture, ds, wanted.annotations, frame_index) if wanted.annotations else picture
