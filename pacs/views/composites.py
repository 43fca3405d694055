"""What a person looks at to decide on pictures: all their frames laid over each other, and where something is written.

All ask for a coordinator. Frames are decoded where they can do no harm (`pacs.pixels.workers`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from sqlalchemy import select

from overread.kit import audit
from overread.kit.errors import NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.lru import Lru
from overread.kit.principals import Principal
from pacs.deid import suggest_text
from pacs.deid.masks import Box
from pacs.deid.suggest import Levels, outside_regions, text_like
from pacs.dicom import sop_classes, tags
from pacs.index.models import DeviceMask, Instance, Study
from pacs.index.scope import reviewed
from pacs.pixels import attributes, draw, overlay
from pacs.serve import metadata, retrieve, transcoded
from pacs.serve.retrieve import Located
from pacs.store.archive import Archive

#: So many pixels are decoded for a composite; of more, frames at even distances are taken.
MOST_PIXELS = 512 << 20
#: Manufacturer, Manufacturer's Model Name, Rows, Columns.
_DEVICE = (tags.Manufacturer.key, tags.ManufacturerModelName.key, tags.Rows.key, tags.Columns.key)
#: Both composites of the last pictures, by the name of their bytes: a page asks for them one after the other.
_extremes_of: Lru[str, _Extremes] = Lru(64 << 20)
#: The lines that were found in the last pictures: to look for them takes a second.
_lines_of: Lru[str, tuple[Box, ...]] = Lru(1000)


@dataclass(frozen=True, slots=True)
class Composite:
    """The lowest and the highest level that each pixel has in any of `frames` frames, as PNG pictures.

    Of more than 8 bits levels are ranks, so that no window hides what is written there.
    """

    minimum: bytes
    maximum: bytes
    rows: int
    columns: int
    frames: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Rectangles that may have to be masked, and why: "device", "regions", "lines" or "text"."""

    source: str
    boxes: tuple[Box, ...]


def composite(archive: Archive, who: Principal, view_id: UUID, sop_uids: Sequence[str]) -> Composite:
    """All frames of instances of one series and size. Raises Forbidden, NotFound, Unprocessable, Unavailable."""
    located = _locate(archive, who, view_id, sop_uids, "pixels.composite")
    found = _extremes(archive, located)
    low, high = found.whole or (found.low, found.high)
    return Composite(_png(low), _png(high), low.shape[0], low.shape[1], found.frames)


def suggest(archive: Archive, who: Principal, view_id: UUID, sop_uid: str, *, look: bool = True) -> list[Suggestion]:
    """Rectangles to mask, best founded first; without `look`, by the header alone.

    Raises Forbidden, NotFound, Unprocessable, Unavailable.
    """
    located = _locate(archive, who, view_id, [sop_uid], "pixels.suggest")
    if is_page(located[0].sop_class, located[0].modality):
        return []
    found: list[Suggestion] = []
    with archive.db.transaction() as tx:
        device = tx.get(DeviceMask, device_of(metadata.of_instance(tx, located[0]), located[0].sop_class))
        if device is not None:
            numbers = device.boxes
            found.append(Suggestion("device", tuple(Box(*numbers[at : at + 4]) for at in range(0, len(numbers), 4))))
    with retrieve.opened(archive, located[0]) as instance:
        regions = outside_regions(instance.dataset())
    if regions:
        found.append(Suggestion("regions", regions))
    if not look:
        return found
    extremes = _extremes(archive, located)
    low, high = extremes.low, extremes.high
    name = located[0].tag
    lines = _lines_of.get(name)
    if lines is None:
        lines = suggest_text.lines(low, high)
        _lines_of.put(name, lines, 1)
    text = text_like(low, high)
    return [*found, *(Suggestion(*one) for one in (("lines", lines), ("text", text)) if one[1])]


def is_page(sop_class: str, modality: str) -> bool:
    """Whether a picture is a page of a document (PS3.3 C.7.3.1.1.1).

    It is letters all over, and no other one is written in the same places: there is nothing to suggest, or to remember.
    """
    return sop_class == sop_classes.SECONDARY_CAPTURE and modality == "DOC"


def device_of(header: bytes, sop_class: str) -> tuple[str, str, str, int, int]:
    """What a mask is remembered by, from DICOM JSON: the kind of device, and the size of its pictures."""
    found = orjson.loads(header)
    maker, model, high, wide = ((found.get(tag, {}).get("Value") or [""])[0] for tag in _DEVICE)
    return str(maker)[:64], str(model)[:64], sop_class, int(high or 0), int(wide or 0)


def _locate(archive: Archive, who: Principal, view_id: UUID, sop_uids: Sequence[str], action: str) -> list[Located]:
    scope, wanted = reviewed(who, view_id), frozenset(sop_uids)
    with archive.db.transaction() as tx:
        studies = tx.scalars(
            select(Study.study_uid)
            .join(Instance, Instance.study_pk == Study.pk)
            .where(Study.view_id == view_id, Instance.view_id == view_id, Instance.sop_uid.in_(wanted))
            .distinct()
        ).all()
        if len(studies) != 1:
            raise NotFound(f"{len(wanted)} instances in view {view_id}")
        alone = sop_uids[0] if len(wanted) == 1 else None
        found = [one for one in retrieve.locate(tx, scope, studies[0], sop_uid=alone) if one.sop_uid in wanted]
        if len(found) != len(wanted):
            raise NotFound(f"{len(wanted) - len(found)} instances of {len(wanted)} in view {view_id}")
        audit.record(tx, who, action, "instance", sop_uids[0], pictures=len(found))
    return found


@dataclass(frozen=True, slots=True)
class _Extremes:
    """The lowest and highest display levels of `frames` frames.

    `whole`: of values that a window shows but a part of, levels that show every difference.
    """

    low: Levels
    high: Levels
    whole: tuple[Levels, Levels] | None
    frames: int


def _extremes(archive: Archive, located: Sequence[Located]) -> _Extremes:
    """What to look at. Raises CannotDecode, FrameError, Unprocessable."""
    name = hashlib.sha256("".join(one.tag for one in located).encode()).hexdigest()
    remembered = _extremes_of.get(name)
    if remembered is not None:
        return remembered
    low: Levels | None = None
    high: Levels | None = None
    least: NDArray[Any] | None = None
    most: NDArray[Any] | None = None
    marks: NDArray[np.bool_] | None = None  # of overlays, which lie over the picture whatever its values
    at = looked_at = 0
    step = 1
    for one in located:
        with retrieve.opened(archive, one) as instance:
            ds = instance.dataset()
            if low is None:
                pixels = (attributes.integer(ds, "Rows") or 0) * (attributes.integer(ds, "Columns") or 0)
                step = max(1, -(-sum(other.frames for other in located) * pixels // MOST_PIXELS))
            for number in range(one.frames):
                at += 1
                if (at - 1) % step:
                    continue
                with transcoded.turn(instance, ds, number, drawn=True):
                    stored = draw.decoded(ds, instance.frame(number), instance.transfer_syntax, number)
                    bare = draw.levels(ds, stored, number)
                levels = overlay.burn(bare, ds, number)
                if levels is not bare:
                    over = (levels != bare).reshape(*bare.shape[:2], -1).any(axis=2)
                    marks = over if marks is None else marks | over
                looked_at += 1
                if low is None or high is None:
                    low, high = levels.copy(), levels.copy()
                    if _is_deep(ds, stored):
                        least, most = stored.copy(), stored.copy()
                    continue
                if levels.shape != low.shape:
                    raise Unprocessable(
                        "pictures of several kinds",
                        safe=gettext("These pictures differ in size or colour: look at them one by one."),
                    )
                np.minimum(low, levels, out=low)
                np.maximum(high, levels, out=high)
                if least is not None and most is not None and _is_deep(ds, stored):
                    least, most = np.minimum(least, stored), np.maximum(most, stored)
                else:
                    least = most = None
    if low is None or high is None:
        raise NotFound("no frames to look at")
    whole = None if least is None or most is None else _evened(least, most)
    if whole is not None and marks is not None:
        whole[1][marks] = 255
    found = _Extremes(low, high, whole, looked_at)
    _extremes_of.put(name, found, (low.nbytes + high.nbytes) * (2 if whole else 1))
    return found


def _is_deep(ds: Dataset, stored: NDArray[Any]) -> bool:
    """Whether a frame has more shades than can be shown at once: what is written in some of them would not be seen."""
    return stored.ndim == 2 and stored.dtype.kind in "iu" and (attributes.integer(ds, "BitsStored") or 8) > 8


def _evened(least: NDArray[Any], most: NDArray[Any]) -> tuple[Levels, Levels]:
    """Levels by the rank of a value among all: every difference shows, whatever window hides it in a viewer."""
    values, counts = np.unique(np.concatenate((least, most)), return_counts=True)
    below = np.cumsum(counts) - counts
    shades = (255 * below / max(1, int(below[-1]))).astype(np.uint8)
    low, high = (shades[np.searchsorted(values, one)] for one in (least, most))
    return low, high


def _png(levels: Levels) -> bytes:
    out = BytesIO()
    Image.fromarray(levels).save(out, "PNG", compress_level=3)
    return out.getvalue()
