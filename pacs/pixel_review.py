"""What a person decides of a view's pictures and documents: look at them, blank rectangles, release or redact.

All ask for a coordinator, whose pictures these are: they come from the view's de-identified instances, never from an
original header.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from uuid import UUID

import numpy as np
import orjson
from PIL import Image
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from overread.kit import audit
from overread.kit.errors import NotFound, Unprocessable
from overread.kit.principals import Principal, Role
from overread.kit.remembered import Remembered
from pacs import metadata, retrieve, rows, views
from pacs.archive import Archive
from pacs.deid.known import KnownStrings
from pacs.deid.masks import Box, within
from pacs.deid.suggest import Levels, outside_regions, text_like
from pacs.models import DeviceMask, Instance, Series, Study
from pacs.pixels.draw import draw
from pacs.retrieve import Located
from pacs.scope import reviewed
from pacs.view_rows import CLEAN, HELD, UNUSABLE, Choice

#: So many pixels are decoded for a composite; of longer sequences, frames at even distances are taken.
MOST_PIXELS = 512 << 20
MOST_DOCUMENT = 64 << 20
#: Manufacturer, Manufacturer's Model Name, Rows, Columns.
_DEVICE = ("00080070", "00081090", "00280010", "00280011")
_MASKED = "Masks were set: look at the result before you approve it."
#: Encapsulated documents: the SOP classes of PDF, CDA, STL, OBJ and MTL (PS3.4 B.5.1.8 and following).
_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
_PDF = _DOCUMENTS + "1"
#: Both composites of the last pictures, by the name of their bytes: a page asks for them one after the other.
_extremes_of: Remembered[str, tuple[Levels, Levels, int]] = Remembered(64 << 20)


@dataclass(frozen=True, slots=True)
class Picture:
    """An instance of a view as somebody decides on it.

    `boxes` are the masks in force; `document` is "", "released" or "redacted" (see `Choice`); `digest` names the bytes
    that the decision is about. `rows` and `columns` are 0 where there is no picture. The source's UIDs are the
    original's, empty where it was deleted.
    """

    sop_uid: str
    series_uid: str
    series_number: int | None
    number: int | None
    sop_class: str
    state: str
    reasons: tuple[str, ...]
    frames: int
    rows: int
    columns: int
    boxes: tuple[Box, ...]
    document: str
    digest: str
    source_series_uid: str
    source_sop_uid: str

    @property
    def is_document(self) -> bool:
        """Whether it holds a document in the place of a picture."""
        return self.sop_class.startswith(_DOCUMENTS)

    @property
    def is_pdf(self) -> bool:
        """Whether that document is a PDF."""
        return self.sop_class == _PDF


@dataclass(frozen=True, slots=True)
class Composite:
    """The lowest and the highest level that each pixel has in any of `frames` frames, as PNG pictures."""

    minimum: bytes
    maximum: bytes
    rows: int
    columns: int
    frames: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Rectangles that may have to be masked, and why: "regions", "device" or "text"."""

    source: str
    boxes: tuple[Box, ...]


def held(tx: Session, who: Principal, view_id: UUID) -> list[views.StudyReview]:
    """The studies of a view with their instances that wait for a decision or had one, and the reasons."""
    who.require(Role.COORDINATOR)
    return views.review(tx, view_id)


def pictures(
    tx: Session,
    who: Principal,
    view_id: UUID,
    study_uid: str,
    sop_uids: Sequence[str] | None = None,
    *,
    lock: bool = False,
) -> list[Picture]:
    """The instances of a study (by its original UID) that are not simply clean, or those of `sop_uids`, in order.

    `lock` holds them as they are until the commit. Raises Forbidden.
    """
    who.require(Role.COORDINATOR)
    source, source_series = aliased(Instance), aliased(Series)
    statement = (
        select(
            Instance.sop_uid,
            Series.series_uid,
            Series.number.label("series_number"),
            Instance.number,
            Instance.sop_class,
            Instance.review,
            Instance.reasons,
            Instance.frames,
            Instance.rows,
            Instance.columns,
            # Of the proof only what is shown: its list of actions is long.
            Instance.proof["masks"].label("masks"),
            Instance.proof["document"].label("document"),
            Instance.proof["result_digest"].label("digest"),
            source_series.series_uid.label("source_series_uid"),
            source.sop_uid.label("source_sop_uid"),
        )
        .join(Study, Study.pk == Instance.study_pk)
        .join(Series, Series.pk == Instance.series_pk)
        .outerjoin(source, source.pk == Instance.source_pk)
        .outerjoin(source_series, source_series.pk == source.series_pk)
        .where(Study.view_id == view_id, Study.source_uid == study_uid)
        .order_by(Series.number.nulls_last(), Series.pk, Instance.number.nulls_last(), Instance.pk)
    )
    if lock:
        statement = statement.with_for_update(of=Instance)
    wanted = Instance.review != CLEAN if sop_uids is None else Instance.sop_uid.in_(sop_uids)
    return [
        Picture(
            row.sop_uid,
            row.series_uid,
            row.series_number,
            row.number,
            row.sop_class,
            row.review,
            tuple(row.reasons),
            row.frames,
            row.rows or 0,
            row.columns or 0,
            tuple(Box(*box) for box in row.masks),
            row.document,
            row.digest,
            row.source_series_uid or "",
            row.source_sop_uid or "",
        )
        for row in tx.execute(statement.where(wanted))
    ]


def composite(archive: Archive, who: Principal, view_id: UUID, sop_uid: str) -> Composite:
    """All frames of an instance laid over each other. Raises Forbidden, NotFound, Unprocessable."""
    located = _locate(archive, who, view_id, sop_uid, "pixels.composite")
    low, high, count = _extremes(archive, located)
    return Composite(_png(low), _png(high), low.shape[0], low.shape[1], count)


def suggest(archive: Archive, who: Principal, view_id: UUID, sop_uid: str) -> list[Suggestion]:
    """Rectangles to mask, best founded first. Raises Forbidden, NotFound, Unprocessable."""
    located = _locate(archive, who, view_id, sop_uid, "pixels.suggest")
    found: list[Suggestion] = []
    with archive.db.transaction() as tx:
        device = tx.get(DeviceMask, _device(metadata.of_instance(tx, located), located.sop_class))
        if device is not None:
            numbers = device.boxes
            found.append(Suggestion("device", tuple(Box(*numbers[at : at + 4]) for at in range(0, len(numbers), 4))))
    with retrieve.opened(archive, located) as instance:
        regions = outside_regions(instance.dataset())
    if regions:
        found.append(Suggestion("regions", regions))
    low, high, _ = _extremes(archive, located)
    text = text_like(low, high)
    return [*found, Suggestion("text", text)] if text else found


def mask(
    archive: Archive,
    who: Principal,
    view_id: UUID,
    sop_uids: Sequence[str],
    boxes: Sequence[Sequence[int]],
    known: KnownStrings,
) -> None:
    """Blank rectangles (left, top, width, height) in every frame of instances, in the place of earlier ones.

    No rectangles take the masks off. The instances are held again: somebody looks at the result and approves it.
    `known` are the strings of the case, as for `views.derive`. Raises Forbidden, NotFound, Unprocessable.
    """
    choice = Choice(boxes=tuple(Box(*map(int, box)) for box in boxes))
    for uid in sop_uids:
        _remake(archive, who, view_id, uid, choice, known)


def release_document(
    archive: Archive,
    who: Principal,
    view_id: UUID,
    sop_uid: str,
    known: KnownStrings,
    redacted: bytes | None = None,
) -> None:
    """Put an encapsulated document into its held instance: the original's, or `redacted` in its place.

    De-identification leaves documents out. The instance is held still; approving it shows it. Raises Forbidden,
    NotFound, Unprocessable.
    """
    if redacted is not None and not 0 < len(redacted) <= MOST_DOCUMENT:
        raise Unprocessable(
            "the redacted document's size", safe=f"A document has 1 byte to {MOST_DOCUMENT >> 20} megabytes."
        )
    choice = Choice(document="released") if redacted is None else Choice(document="redacted", redacted=redacted)
    _remake(archive, who, view_id, sop_uid, choice, known)


def _locate(archive: Archive, who: Principal, view_id: UUID, sop_uid: str, action: str) -> Located:
    scope = reviewed(who, view_id)
    with archive.db.transaction() as tx:
        study_uid = tx.scalar(
            select(Study.study_uid)
            .join(Instance, Instance.study_pk == Study.pk)
            .where(Study.view_id == view_id, Instance.view_id == view_id, Instance.sop_uid == sop_uid)
        )
        if study_uid is None:
            raise NotFound(f"instance {sop_uid!r} in view {view_id}")
        located = retrieve.locate(tx, scope, study_uid, sop_uid=sop_uid)[0]
        audit.record(tx, who, action, "instance", sop_uid)
    return located


def _extremes(archive: Archive, located: Located) -> tuple[Levels, Levels, int]:
    """The lowest and highest display levels, and how many frames were looked at. Raises CannotDecode, FrameError."""
    remembered = _extremes_of.get(located.tag)
    if remembered is not None:
        return remembered
    with retrieve.opened(archive, located) as instance:
        ds = instance.dataset()
        first = draw(ds, instance.frame(0), instance.transfer_syntax)
        low, high = first.copy(), first.copy()
        step = -(-located.frames * first.size // MOST_PIXELS)
        looked_at = range(step, located.frames, max(1, step))
        for number in looked_at:
            levels = draw(ds, instance.frame(number), instance.transfer_syntax, number)
            np.minimum(low, levels, out=low)
            np.maximum(high, levels, out=high)
    found = low, high, 1 + len(looked_at)
    _extremes_of.put(located.tag, found, low.nbytes + high.nbytes)
    return found


def _png(levels: Levels) -> bytes:
    out = BytesIO()
    Image.fromarray(levels).save(out, "PNG", compress_level=3)
    return out.getvalue()


def _remake(
    archive: Archive,
    who: Principal,
    view_id: UUID,
    sop_uid: str,
    choice: Choice,
    known: KnownStrings,
) -> None:
    """Make an instance anew from its original, and put it into the place of the one before."""
    who.require(Role.COORDINATOR)
    with archive.db.transaction() as tx:
        instance = _held_instance(tx, view_id, sop_uid)
        source = tx.get(Instance, instance.source_pk)
        if source is None:
            raise NotFound("the original is gone", safe="The original of this image was deleted; it can't be changed.")
        maker = views.maker_of(tx, archive, view_id, known)
        if choice.boxes:
            within(choice.boxes, instance.rows or 0, instance.columns or 0)
    made = maker.chosen(source, choice)
    if made.review == UNUSABLE:
        raise Unprocessable("nothing can be made of it any more", safe="Nothing can be made of this image any more.")
    with archive.db.transaction() as tx:
        instance = _held_instance(tx, view_id, sop_uid)
        before = instance.blob
        instance.blob, instance.blob_size = made.blob, made.blob_size
        instance.header_deflated, instance.ranges, instance.trailer = made.header, list(made.ranges), made.trailer
        instance.transfer_syntax, instance.metadata_deflated = made.transfer_syntax, made.metadata
        instance.proof = made.proof
        # Whatever was decided before was decided of other pixels.
        instance.review = HELD
        others = [reason for reason in instance.reasons if reason != _MASKED]
        instance.reasons = list(dict.fromkeys([*others, *made.reasons, *([_MASKED] if choice.boxes else [])]))
        tx.flush()
        views.recount(tx, instance.study_pk)
        views.reseal(tx, view_id)
        action = "pixels.mask" if not choice.document else f"document.{choice.document}"
        audit.record(tx, who, action, "instance", sop_uid, masks=len(choice.boxes))
        if choice.boxes:
            _remember(tx, made, choice.boxes)
    # They may show what is covered now. Nobody is given them any more; nor shall they lie there.
    archive.drop_thumbnails([before])


def _held_instance(tx: Session, view_id: UUID, sop_uid: str) -> Instance:
    found = tx.scalars(
        select(Instance)
        .where(Instance.view_id == view_id, Instance.sop_uid == sop_uid, Instance.review != UNUSABLE)
        .with_for_update()
    ).one_or_none()
    if found is None:
        raise NotFound(f"instance {sop_uid!r} in view {view_id}", safe="There is no such image to decide on.")
    return found


def _device(header: bytes, sop_class: str) -> tuple[str, str, str, int, int]:
    """What a mask is remembered by, from DICOM JSON: the kind of device, and the size of its pictures."""
    found = orjson.loads(header)
    maker, model, high, wide = ((found.get(tag, {}).get("Value") or [""])[0] for tag in _DEVICE)
    return str(maker)[:64], str(model)[:64], sop_class, int(high or 0), int(wide or 0)


def _remember(tx: Session, made: rows.Row, boxes: Sequence[Box]) -> None:
    """The same device writes its next picture in the same places; nothing of a patient is kept."""
    key = _device(zlib.decompress(made.metadata), made.keys.sop_class)
    flat = [number for box in boxes for number in box]
    values = dict(zip(("manufacturer", "model", "sop_class", "rows", "columns"), key, strict=True), boxes=flat)
    tx.execute(insert(DeviceMask).values(values).on_conflict_do_update(constraint="pk_pacs_device_mask", set_=values))
