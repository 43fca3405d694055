"""Pictures of instances: which there are, and making them once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from typing import Literal

from pydicom import Dataset
from pydicom.filereader import read_dataset

from dicomweb.context import Context
from overread.kit import log
from overread.kit.errors import BadInput, NotFound, OverreadError
from overread.kit.language import Phrase, gettext
from pacs.dicom import frames, part10
from pacs.dicom.elements import Element, Unreadable
from pacs.dicom.sop_classes import DOCUMENTS, TABLE, Kind
from pacs.dicom.transfer_syntaxes import VIDEO
from pacs.pixels import image_pixel, presentation, render
from pacs.pixels.cache import Cache
from pacs.pixels.errors import CannotDecode, refuse
from pacs.pixels.render import Rendition
from pacs.serve import retrieve, transcoded
from pacs.serve.retrieve import Located, Opened

Category = Literal["image", "state", "video", "text", "document", "other"]

_log = log.get(__name__)

#: Pictures that were made a moment ago: in memory, so that they are gone with the process and never out of date.
MADE: Cache[bytes] = Cache(16 << 20)

#: Images of which one may stand for all, while they can't be decoded.
_TRIES = 5
# A state that is not drawn has no picture; films in a syntax of pictures are images.
_CATEGORIES: dict[Kind, Category] = {
    Kind.IMAGE: "image",
    Kind.VIDEO: "image",
    Kind.STATE: "other",
    Kind.TEXT: "text",
    Kind.DOCUMENT: "document",
    Kind.OTHER: "other",
}


def category(one: Located) -> Category:
    """What an instance is, by its SOP class and transfer syntax (PS3.18 8.7.2)."""
    if one.transfer_syntax in VIDEO:
        return "video"
    if one.sop_class in presentation.SOP_CLASSES:
        return "state"
    row = TABLE.get(one.sop_class)
    if row is None:
        return "document" if one.sop_class.startswith(DOCUMENTS) else "image"
    return _CATEGORIES[row.kind]


def standing_for(found: list[Located]) -> list[Located]:
    """Which instances may stand for several, best first: the images of the first series that has any, from its middle.

    Where there is no image it is the first instance.
    """
    images = [one for one in found if category(one) == "image"] or found[:1]
    first = [one for one in images if one.series_uid == images[0].series_uid]
    middle = len(first) // 2
    nearest = sorted(range(len(first)), key=lambda place: abs(place - middle))
    return [first[place] for place in nearest[:_TRIES]]


def first(found: list[Located], draw: Callable[[Located], bytes]) -> bytes:
    """The picture that stands for several instances. Raises what the best one's drawing raises where none can be."""
    refused: OverreadError | None = None
    for one in standing_for(found):
        try:
            return draw(one)
        except (CannotDecode, Unreadable) as error:
            _log.error("picture_not_drawn", instance=one.sop_uid, blob=one.blob, reason=str(error))
            refused = refused or error
    assert refused is not None, "of nothing no picture is asked for"
    raise refused


def picture(context: Context, one: Located, index: int | None, wanted: Rendition, *, kept: bool = False) -> bytes:
    """A frame of an instance, counted from 0, as it is wanted; the middle one where none is named.

    `kept`: on disk, too, for other processes and for later.
    Raises BadInput where there is no picture, NotFound for a frame behind the last, CannotDecode, Unavailable.
    """
    chosen = (one.frames - 1) // 2 if index is None else index

    def make() -> bytes:
        with retrieve.opened(context.archive, one) as instance:
            pixels_of(instance)
            ds = header(instance)
            with drawing(instance, ds, chosen):
                frame = frame_bytes(instance, chosen)
                return render.render(ds, frame, instance.transfer_syntax, chosen, wanted)

    key = (*name(one), chosen, wanted)
    shelf = context.archive.thumbnails if kept else None
    return MADE.get(key, make if shelf is None else lambda: shelf.get(one.blob, key, make), len)


def animation(context: Context, one: Located, indices: list[int] | None, wanted: Rendition) -> bytes:
    """Frames of an instance as one GIF, all of them where none are named. Errors as `picture`."""
    if one.frames > render.MAX_ANIMATED_FRAMES and indices is None:
        raise BadInput(
            f"an animation of {one.frames} frames",
            safe=gettext(
                "An animation shows at most %(max_animated_frames)s frames: name the frames to be shown.",
                max_animated_frames=render.MAX_ANIMATED_FRAMES,
            ),
        )
    chosen = indices if indices is not None else list(range(one.frames))

    def make() -> bytes:
        with retrieve.opened(context.archive, one) as instance:
            ds, syntax = header(instance), instance.transfer_syntax
            with drawing(instance, ds, chosen[0] if chosen else 0, len(chosen)):
                return render.animation(ds, chosen, lambda index: frame_bytes(instance, index), syntax, wanted)

    return MADE.get((*name(one), tuple(chosen), wanted), make, len)


def drawing(instance: Opened, ds: Dataset, index: int, count: int = 0) -> AbstractContextManager[None]:
    """The turn of who asks to draw a frame, or `count` frames of an animation (`pacs.pixels.turns`)."""
    if instance.pixels is None:
        return nullcontext()
    return transcoded.turn(instance, ds, index, drawn=True, beside=3 * count)


def header(instance: Opened) -> Dataset:
    """The instance's header, without file meta information: what is odd there does no harm. Raises CannotDecode."""
    start = part10.read_meta(instance.header).dataset_start
    try:
        return read_dataset(BytesIO(instance.header[start:]), not instance.parsed.explicit, is_little_endian=True)
    except Exception as odd:
        # What the archive's own walker reads and pydicom does not: a VR of no standard, for one.
        raise refuse("its header can't be read.") from odd


def pixels_of(instance: Opened) -> Element:
    """The element that holds the pixels. Raises NoPicture."""
    if instance.pixels is None:
        raise NoPicture("nothing to render", safe=gettext("This object holds no picture."))
    return instance.pixels


def frame_bytes(instance: Opened, index: int) -> bytes:
    """A frame's bytes; where frames of single bits begin within bytes, all bytes that hold one of its bits."""
    pixels = pixels_of(instance)
    try:
        return instance.frame(index)
    except frames.UnalignedFrames:
        form, count = image_pixel.read(header(instance)), instance.located.frames
        if not 0 <= index < count:
            raise NotFound(
                f"frame {index + 1}",
                safe=gettext("There is no frame %(number)s: the object has %(count)s.", number=index + 1, count=count),
            ) from None
        bits = form.count * form.bits_allocated
        first, end = index * bits // 8, ((index + 1) * bits + 7) // 8
        return bytes(instance.parsed.buf[pixels.start + first : pixels.start + min(end, pixels.length)])


def first_frames(context: Context, found: list[Located], wanted: Rendition) -> Iterator[bytes]:
    """Pictures of all images among instances, a frame each; those that can't be shown are left out."""
    for one in found:
        if category(one) == "image":
            try:
                yield picture(context, one, None, wanted)
            except (NoPicture, CannotDecode, Unreadable) as refused:
                _log.info("left out of rendered images", reason=str(refused))


class NoPicture(BadInput):
    """The instance has no pixels."""

    title = Phrase("There is no picture")


def name(one: Located) -> tuple[object, ...]:
    """What decides about an instance's pixels and header: its blob, and its view's header."""
    return one.blob, one.transfer_syntax, hashlib.sha256(one.header).digest() if one.header else None, one.ranges
