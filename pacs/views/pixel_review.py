"""What a person decides of a view's pictures and documents: which there are, blank rectangles, release or redact.

All ask for a coordinator, whose pictures these are: they come from the view's de-identified instances, never from an
original header.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.orm import Session, aliased

from overread.kit import audit, permissions
from overread.kit.errors import NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from pacs.deid.identifiers import Identifiers
from pacs.deid.masks import Box, within
from pacs.dicom import sop_classes
from pacs.dicom.sop_classes import DOCUMENTS
from pacs.dicom.transfer_syntaxes import VIDEO
from pacs.index.models import DeviceMask, Instance, Review, Series, Study
from pacs.store import rows
from pacs.store.archive import Archive
from pacs.store.damage import Lost
from pacs.views import sealing, views
from pacs.views.composites import device_of, is_page
from pacs.views.view_rows import Choice, Maker

MOST_DOCUMENT = 64 << 20
_MASKED = "Masks were set: look at the result before you approve it."
_PDF = sop_classes.uid("EncapsulatedPDFStorage")
#: So many instances are made anew in one transaction.
_CHUNK = 50


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
    transfer_syntax: str
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
    def is_video(self) -> bool:
        """Whether it is a stream, which has no single pictures here."""
        return self.transfer_syntax in VIDEO

    @property
    def is_document(self) -> bool:
        """Whether it holds a document in the place of a picture."""
        return self.sop_class.startswith(DOCUMENTS)

    @property
    def is_pdf(self) -> bool:
        """Whether that document is a PDF."""
        return self.sop_class == _PDF


@dataclass(frozen=True, slots=True)
class SeriesGroup:
    """The instances of a series that have one size, counted; those of which nothing could be made are not among them.

    `rows` and `columns` are 0 for those without a picture. `middle` is one of them, from the middle of the series.
    """

    series_uid: str
    number: int | None
    modality: str
    rows: int
    columns: int
    pictures: int
    frames: int
    pending: int
    withheld: int
    middle: str


def pending(tx: Session, who: Principal, view_id: UUID) -> list[views.StudyReview]:
    """The studies of a view with their instances that wait for a decision or had one, and the reasons."""
    permissions.require(who, Permission.IMAGES_REVIEW)
    return views.review(tx, view_id)


def pictures(
    tx: Session,
    who: Principal,
    view_id: UUID,
    study_uid: str,
    sop_uids: Sequence[str] | None = None,
    *,
    series_uid: str | None = None,
    lock: bool = False,
) -> list[Picture]:
    """The instances of a study (by its original UID), in order: of `sop_uids`, or of a series, else all but the clean.

    `lock` holds them as they are until the commit. Raises Forbidden.
    """
    permissions.require(who, Permission.IMAGES_REVIEW)
    source, source_series = aliased(Instance), aliased(Series)
    statement = (
        select(
            Instance.sop_uid,
            Series.series_uid,
            Series.number.label("series_number"),
            Instance.number,
            Instance.sop_class,
            Instance.transfer_syntax,
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
    if sop_uids is not None:
        statement = statement.where(Instance.sop_uid.in_(sop_uids))
    else:
        statement = statement.where(Series.series_uid == series_uid if series_uid else Instance.review != Review.CLEAN)
    return [
        Picture(
            row.sop_uid,
            row.series_uid,
            row.series_number,
            row.number,
            row.sop_class,
            row.transfer_syntax,
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
        for row in tx.execute(statement)
    ]


def series_groups(tx: Session, who: Principal, view_id: UUID, study_uid: str) -> list[SeriesGroup]:
    """All instances of a study (by its original UID), by series and size, in the series' order. Raises Forbidden."""
    permissions.require(who, Permission.IMAGES_REVIEW)
    high, wide = func.coalesce(Instance.rows, 0), func.coalesce(Instance.columns, 0)
    in_order = aggregate_order_by(Instance.sop_uid, Instance.number.nulls_last(), Instance.pk)
    statement = (
        select(
            Series.series_uid,
            Series.number,
            Series.modality,
            high.label("rows"),
            wide.label("columns"),
            func.count().label("pictures"),
            func.sum(func.greatest(1, Instance.frames)).label("frames"),
            func.count().filter(Instance.review == Review.PENDING_REVIEW).label("pending"),
            func.count().filter(Instance.review == Review.WITHHELD).label("withheld"),
            func.array_agg(in_order).label("uids"),
        )
        .join(Study, Study.pk == Instance.study_pk)
        .join(Series, Series.pk == Instance.series_pk)
        .where(Study.view_id == view_id, Study.source_uid == study_uid, Instance.review != Review.UNUSABLE)
        .group_by(Series.pk, high, wide)
        .order_by(Series.number.nulls_last(), Series.pk, func.count().desc(), high, wide)
    )
    return [
        SeriesGroup(
            row.series_uid,
            row.number,
            row.modality,
            row.rows,
            row.columns,
            row.pictures,
            int(row.frames),
            row.pending,
            row.withheld,
            row.uids[len(row.uids) // 2],
        )
        for row in tx.execute(statement)
    ]


def mask(
    archive: Archive,
    who: Principal,
    view_id: UUID,
    sop_uids: Sequence[str],
    boxes: Sequence[Sequence[int]],
    known: Identifiers,
) -> Mapping[str, str]:
    """Blank rectangles (left, top, width, height) in every frame of instances, in the place of earlier ones.

    No rectangles take the masks off. The instances wait for review again: somebody looks at the result and approves it.
    `known` are the identifiers of the case, as for `views.deidentify`. Gives the sentence why, by SOP Instance UID, of
    those that could not be changed. Raises Forbidden, NotFound.
    """
    choice = Choice(boxes=tuple(Box(*map(int, box)) for box in boxes))
    refused: dict[str, str] = {}
    for start in range(0, len(sop_uids), _CHUNK):
        _remake(archive, who, view_id, sop_uids[start : start + _CHUNK], choice, known, refused)
    return refused


def release_document(
    archive: Archive,
    who: Principal,
    view_id: UUID,
    sop_uid: str,
    known: Identifiers,
    redacted: bytes | None = None,
) -> None:
    """Put an encapsulated document into its instance: the original's, or `redacted` in its place.

    De-identification leaves documents out. The instance still waits; approving it shows it. Raises Forbidden,
    NotFound, Unprocessable.
    """
    if redacted is not None and not 0 < len(redacted) <= MOST_DOCUMENT:
        raise Unprocessable(
            "the redacted document's size",
            safe=gettext("A document has 1 byte to %(number)s megabytes.", number=MOST_DOCUMENT >> 20),
        )
    choice = Choice(document="released") if redacted is None else Choice(document="redacted", redacted=redacted)
    refused: dict[str, str] = {}
    _remake(archive, who, view_id, [sop_uid], choice, known, refused)
    if refused:
        raise Unprocessable("the document was not taken", safe=refused[sop_uid])


def _remake(
    archive: Archive,
    who: Principal,
    view_id: UUID,
    sop_uids: Sequence[str],
    choice: Choice,
    known: Identifiers,
    refused: dict[str, str],
) -> None:
    """Make instances anew from their originals, and put them into the place of those before; note the others."""
    permissions.require(who, Permission.IMAGES_REVIEW)
    with archive.db.transaction() as tx:
        found = _decidable(tx, view_id, sop_uids)
        sources = {one.sop_uid: tx.get(Instance, one.source_pk) for one in found}
        sizes = {one.sop_uid: (one.rows or 0, one.columns or 0) for one in found}
        maker = views.maker_of(tx, archive, view_id, known)
    made: dict[str, rows.Row] = {}
    for uid, source in sources.items():
        try:
            made[uid] = _made(maker, source, choice, sizes[uid])
        except (Unprocessable, Lost) as error:
            refused[uid] = error.safe
    with archive.db.transaction() as tx:
        found = _decidable(tx, view_id, list(made), lock=True) if made else []
        before = [instance.blob for instance in found]
        for instance in found:
            _put(instance, made[instance.sop_uid], choice)
            action = "pixels.mask" if not choice.document else f"document.{choice.document}"
            audit.record(tx, who, action, "instance", instance.sop_uid, masks=len(choice.boxes))
        tx.flush()
        studies = {instance.study_pk for instance in found}
        for study_pk in studies:
            views.recount(tx, study_pk)
        if found:
            sealing.opened(tx, view_id, Study.pk.in_(studies))
            sealing.seal(tx, view_id)
        first = made[found[0].sop_uid] if found else None
        if first and choice.boxes and not is_page(first.keys.sop_class, first.keys.series["modality"]):
            _remember(tx, first, choice.boxes)
    # They may show what is covered now. Nobody is given them any more; nor shall they lie there.
    archive.drop_thumbnails(before)


def _made(maker: Maker, source: Instance | None, choice: Choice, size: tuple[int, int]) -> rows.Row:
    """One instance made anew. Raises Unprocessable."""
    if source is None:
        raise Unprocessable(
            "the original is gone", safe=gettext("The original of this image was deleted; it can't be changed.")
        )
    if choice.boxes:
        within(choice.boxes, *size)
    row = maker.chosen(source, choice)
    if row.review == Review.UNUSABLE:
        raise Unprocessable(
            "nothing can be made of it any more", safe=gettext("Nothing can be made of this image any more.")
        )
    return row


def _put(instance: Instance, made: rows.Row, choice: Choice) -> None:
    instance.blob, instance.blob_size = made.blob, made.blob_size
    instance.header_deflated, instance.ranges, instance.trailer = made.header, list(made.ranges), made.trailer
    instance.transfer_syntax, instance.metadata_deflated = made.transfer_syntax, made.metadata
    instance.proof = made.proof
    # Whatever was decided before was decided of other pixels.
    instance.review = Review.PENDING_REVIEW
    others = [reason for reason in instance.reasons if reason != _MASKED]
    instance.reasons = list(dict.fromkeys([*others, *made.reasons, *([_MASKED] if choice.boxes else [])]))


def _decidable(tx: Session, view_id: UUID, sop_uids: Sequence[str], *, lock: bool = False) -> list[Instance]:
    """The instances of these UIDs, in order. Raises NotFound where one is not there, or nothing can be made of it."""
    statement = (
        select(Instance)
        .where(Instance.view_id == view_id, Instance.sop_uid.in_(sop_uids), Instance.review != Review.UNUSABLE)
        .order_by(Instance.pk)
    )
    found = list(tx.scalars(statement.with_for_update() if lock else statement))
    if len(found) != len(set(sop_uids)):
        raise NotFound(
            f"of {len(sop_uids)} instances {len(found)}", safe=gettext("There is no such image to decide on.")
        )
    return found


def _remember(tx: Session, made: rows.Row, boxes: Sequence[Box]) -> None:
    """The same device writes its next picture in the same places; nothing of a patient is kept."""
    key = device_of(zlib.decompress(made.metadata), made.keys.sop_class)
    flat = [number for box in boxes for number in box]
    values = dict(zip(("manufacturer", "model", "sop_class", "rows", "columns"), key, strict=True), boxes=flat)
    tx.execute(insert(DeviceMask).values(values).on_conflict_do_update(constraint="pk_pacs_device_mask", set_=values))
