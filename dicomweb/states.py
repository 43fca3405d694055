"""Pictures of presentation states: which of their images are shown, and the frames that it takes (PS3.3 A.33)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomweb import pictures
from dicomweb.context import Context
from overread.kit.errors import BadInput, NotFound
from overread.kit.language import gettext
from pacs.index.scope import Scope
from pacs.pixels import blending, draw, plane, presentation, render, window
from pacs.pixels.errors import refuse
from pacs.pixels.placeholder import placeholder
from pacs.pixels.plane import Plane
from pacs.pixels.presentation import Reference
from pacs.pixels.render import PresentationState, Rendition
from pacs.serve import retrieve
from pacs.serve.retrieve import Located
from pacs.store import damage

#: Images that a state refers to and that are looked for, and frames among which the one beneath is looked for.
_MAX_IMAGES, _MAX_FRAMES = 500, 5_000


def presented(context: Context, scope: Scope, state: Located, wanted: Rendition) -> bytes:
    """The first image that a presentation state refers to and the scope shows, as the state wants it seen.

    Of a multi-frame image without a frame named it is the middle one, of a blending state's images too.
    Raises NotFound where there is none; else as `pictures.picture`.
    """
    with retrieve.opened(context.archive, state) as instance:
        ds = pictures.header(instance)
    if state.sop_class == presentation.BLENDING:
        return _blended(context, scope, state, ds, wanted)
    found = next(_shown(context, scope, state, presentation.references(ds)), None)
    if found is None:
        raise _NoImage(
            "no referenced image", safe=gettext("None of the images that this presentation state is of are here.")
        )
    return _drawn(context, found[0], state, ds, _framed(*found), wanted)


def presented_by(context: Context, one: Located, index: int, state: Located, wanted: Rendition) -> bytes:
    """A frame of an image, counted from 0, as a presentation state wants it seen.

    Raises BadInput where the state is none, blends images, or is not of this image; else as `pictures.picture`.
    """
    if pictures.category(state) != "state" or state.sop_class == presentation.BLENDING:
        raise BadInput(
            "not a state of one image",
            safe=gettext("The object of presentationUID is no presentation state of single images."),
        )
    with retrieve.opened(context.archive, state) as instance:
        ds = pictures.header(instance)
    if not any(reference.sop_uid == one.sop_uid for reference in presentation.references(ds)):
        raise BadInput("a state of other images", safe=gettext("The presentation state is not of this image."))
    return _drawn(context, one, state, ds, Reference(one.series_uid, one.sop_uid, index + 1), wanted)


def _drawn(
    context: Context, one: Located, state: Located, ds: Dataset, reference: Reference, wanted: Rendition
) -> bytes:
    def make() -> bytes:
        with retrieve.opened(context.archive, one) as instance:
            image = pictures.header(instance)
            shown = PresentationState(ds, reference, lambda index: pictures.frame_bytes(instance, index))
            with pictures.drawing(instance, image, (reference.frame or 1) - 1):
                return render.render_state(image, instance.transfer_syntax, wanted, shown)

    key = (*pictures.name(state), *pictures.name(one), reference.frame, wanted)
    return pictures.MADE.get(key, make, len)


def thumbnail(context: Context, scope: Scope, one: Located, index: int | None, wanted: Rendition) -> bytes:
    """A small picture, a placeholder for what has no pixels of its own nor refers to any.

    Errors as `pictures.picture`.
    """
    try:
        kind = pictures.category(one)
        if kind == "image":
            return pictures.picture(context, one, index, wanted, kept=True)
        if kind == "state" and index is None:
            return presented(context, scope, one, wanted)
    except (pictures.NoPicture, _NoImage):
        pass
    if index:
        raise NotFound(
            f"frame {index + 1} of what has none", safe=gettext("There is no frame %(number)s.", number=index + 1)
        )
    assert wanted.viewport is not None
    size = min(wanted.viewport.width, wanted.viewport.height)
    return placeholder(one.modality, size=size, media_type=wanted.media_type)


def _blended(context: Context, scope: Scope, state: Located, ds: Dataset, wanted: Rendition) -> bytes:
    lower, upper = blending.sides(ds)
    under = list(_shown(context, scope, state, presentation.references(lower)))
    over = list(_shown(context, scope, state, presentation.references(upper)))
    if not under or not over:
        raise _NoImage(
            "no image to blend", safe=gettext("Not all of the images that this presentation state blends are here.")
        )
    one, reference = under[len(under) // 2][0], _framed(*under[len(under) // 2])

    def make() -> bytes:
        image, beneath = _levels(context, one, lower, reference)
        index = (reference.frame or 1) - 1
        here = plane.plane(image, index)
        candidates = list(_frames(context, over))
        chosen = blending.nearest(here, [there for *_, there in candidates])
        if chosen is None:
            raise refuse("its state blends images that do not lie upon one another.")
        image_above, reference_above, there = candidates[chosen]
        _, above = _levels(context, image_above, upper, reference_above)
        assert here is not None
        assert there is not None
        levels = blending.blend(ds, beneath, above, here.onto(there))
        return render.finish(image, levels, wanted, PresentationState(ds, reference, lambda _: b""))

    key = (*pictures.name(state), *pictures.name(one), reference.frame, tuple(found.tag for found, _ in over), wanted)
    return pictures.MADE.get(key, make, len)


def _levels(context: Context, one: Located, side: Dataset, reference: Reference) -> tuple[Dataset, NDArray[np.uint8]]:
    """An image's header and, by an item of Blending Sequence, its levels in grey."""
    with retrieve.opened(context.archive, one) as instance:
        image, index = pictures.header(instance), (reference.frame or 1) - 1
        with pictures.drawing(instance, image, index):
            frame = pictures.frame_bytes(instance, index)
            stored = draw.decoded(image, frame, instance.transfer_syntax, index)
    if stored.ndim != 2:
        raise refuse("its state blends images of colour.")
    # N.2.4.2: palettes of the images are not used.
    return image, window.grey(presentation.applied(side, image, reference), stored)


def _frames(
    context: Context, found: list[tuple[Located, Reference]]
) -> Iterator[tuple[Located, Reference, Plane | None]]:
    """The frames of images and where they lie: those that are named, else all."""
    left = _MAX_FRAMES
    for one, reference in found:
        with retrieve.opened(context.archive, one) as instance:
            image = pictures.header(instance)
        for number in [reference.frame] if reference.frame else range(1, one.frames + 1):
            if left <= 0:
                return
            left -= 1
            yield one, replace(reference, frame=number), plane.plane(image, number - 1)


def _shown(
    context: Context, scope: Scope, state: Located, references: list[Reference]
) -> Iterator[tuple[Located, Reference]]:
    """The images that are referred to and that the scope shows, each series looked up once."""
    series: dict[str, dict[str, Located]] = {}
    for reference in references[:_MAX_IMAGES]:
        if reference.series_uid not in series:
            with context.archive.db.transaction() as tx:
                try:
                    # Within its own study: what lies elsewhere was not asked for, and is not in the audit trail.
                    found = retrieve.locate(tx, scope, state.study_uid, reference.series_uid)
                except NotFound:
                    found = []
            series[reference.series_uid] = {one.sop_uid: one for one in found if damage.is_here(context.archive, one)}
        one = series[reference.series_uid].get(reference.sop_uid)
        if one is not None:
            yield one, reference


def _framed(one: Located, reference: Reference) -> Reference:
    """The reference with a frame: the middle one where none is named."""
    return replace(reference, frame=reference.frame or (one.frames - 1) // 2 + 1)


class _NoImage(NotFound):
    """What a presentation state refers to is not in the scope."""
