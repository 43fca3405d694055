"""What the case layer asks of the archive, and in which words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.models import CaseStudy
from overread.kit import ended
from overread.kit.paging import Page
from overread.kit.principals import Principal
from pacs.deid.identifiers import Identifiers
from pacs.deid.masks import Box
from pacs.deid.profile import Profile
from pacs.index import query, selection
from pacs.index.identities import Identity, Seen, said
from pacs.index.models import Instance, Review, Study, Upload, View
from pacs.index.query import StudySummary
from pacs.index.scope import ORIGINAL, STAFF, Scope, originals
from pacs.index.selection import Named
from pacs.serve import retrieve
from pacs.store import deletion, joins, sweep, withholding
from pacs.store.archive import Archive
from pacs.store.joins import Compared
from pacs.store.same_object import same_object
from pacs.ups import reading
from pacs.views import composites, pixel_review, profiles, reidentify, views
from pacs.views.composites import MOST_PIXELS, Composite, Suggestion
from pacs.views.pixel_review import MOST_DOCUMENT, Picture, SeriesGroup
from pacs.views.reidentify import BroughtBack
from pacs.views.views import DeidentifiedStudy, StudyReview

__all__ = [
    "MOST_DOCUMENT",
    "MOST_PIXELS",
    "STAFF",
    "Archive",
    "Box",
    "BroughtBack",
    "Compared",
    "Composite",
    "DeidentifiedStudy",
    "Identifiers",
    "Identity",
    "Named",
    "Picture",
    "Profile",
    "Review",
    "Seen",
    "SeriesGroup",
    "StudyReview",
    "StudySummary",
    "Suggestion",
]

#: Senders' studies that name a case by its reference number.
Naming = AbstractSet[int]


def is_uid(text: str) -> bool:
    """Whether a text can be a UID (PS3.5 9.1): what can't is in no index, and is never asked for."""
    return re.fullmatch(r"[0-9.]{1,64}", text, re.ASCII) is not None


def summaries(tx: Session, scope: Scope) -> dict[str, StudySummary]:
    """The studies in a scope, by Study Instance UID."""
    return {study.study_uid: study for study in query.summaries(tx, scope)}


def body_parts(tx: Session, scope: Scope) -> dict[str, list[str]]:
    """The parts of the body that each study in a scope names, by Study Instance UID."""
    return query.body_parts_by_study(tx, scope)


def unshown(tx: Session, scope: Scope) -> dict[str, int]:
    """How many images of each study in a scope, by Study Instance UID, the hosted viewer can't show."""
    return query.unshown(tx, scope)


def scope_of(
    case_id: UUID, studies: Iterable[CaseStudy], uploads: Iterable[int] = (), *, all_of: bool = False
) -> Scope:
    """The originals of studies of a case: whole, or what was sent to it. `uploads`: further ones of the latter.

    What came since a study's identity was compared shows with `all_of` alone, and to whoever sent it to the case.
    """
    chosen = list(studies)
    parts = {s.study_pk for s in chosen if not s.whole} | set(uploads)
    until = set() if all_of else {(s.study_pk, s.looked_at) for s in chosen if s.study_pk not in uploads}
    return Scope(
        ORIGINAL,
        studies=frozenset({s.study_pk for s in chosen} | parts),
        uploads=frozenset(parts),
        until=frozenset(until),
        case_id=case_id,
        unreleased=True,
    )


def _all_of(study: CaseStudy) -> Scope:
    return scope_of(study.case_id, [study], all_of=True)


def original(tx: Session, *studies: CaseStudy) -> dict[str, StudySummary]:
    """The originals of studies of one case, by UID; what the archive does not hold any more is left out."""
    return summaries(tx, scope_of(studies[0].case_id, studies, all_of=True)) if studies else {}


def shown_in(tx: Session, *studies: CaseStudy) -> tuple[set[str], set[str]]:
    """The modalities, and the parts of the body, that the originals of studies of one case show."""
    if not studies:
        return set(), set()
    scope = scope_of(studies[0].case_id, studies, all_of=True)
    modalities = {kind for study in query.summaries(tx, scope) for kind in study.modalities}
    return modalities, query.body_parts(tx, scope)


def named(tx: Session, studies: Sequence[CaseStudy], most: int) -> list[Named]:
    """The originals' instances of studies of one case, `most` at most, in the order in which they are read."""
    if not studies:
        return []
    return selection.instances(tx, scope_of(studies[0].case_id, studies), {}, most)


def senders(tx: Session, *study_pks: int) -> dict[int, StudySummary]:
    """Senders' and joined studies by their keys, for coordinators."""
    if not study_pks:
        return {}
    scope = Scope(ORIGINAL, studies=frozenset(study_pks), unreleased=True)
    return {study.pk: study for study in query.summaries(tx, scope)}


def sent(tx: Session, sender_id: UUID, study_uid: str) -> int | None:
    """The study that a sender sent under a UID."""
    return tx.scalar(select(Study.pk).where(Study.study_uid == study_uid, Study.sender_id == sender_id))


def holds(tx: Session, sender_id: UUID, study_uid: str, instances: int) -> bool:
    """Whether at least so many instances of a study that somebody sent are here, withheld ones too."""
    study_pk = sent(tx, sender_id, study_uid)
    if study_pk is None:
        return False
    scope = Scope(ORIGINAL, studies=frozenset({study_pk}), unreleased=True, withheld=True)
    return sum(study.instances for study in query.summaries(tx, scope)) >= instances


def withhold(tx: Session, sender_id: UUID, study_uid: str) -> None:
    """Let nobody but coordinators read a study that somebody sent, if it is there; idempotent."""
    if (study_pk := sent(tx, sender_id, study_uid)) is not None:
        withholding.withhold(tx, study_pk)


def give_back(tx: Session, sender_id: UUID, study_uid: str) -> None:
    """Let it be read again; idempotent."""
    if (study_pk := sent(tx, sender_id, study_uid)) is not None:
        withholding.give_back(tx, study_pk)


def sent_by(tx: Session, who: Principal, after: str, limit: int) -> Page[StudySummary]:
    """The originals that somebody sent, newest first. Raises BadInput for a cursor that is none."""
    return query.summary_page(tx, originals(who), after, limit)


def released(tx: Session, view_id: UUID) -> dict[str, StudySummary]:
    """The studies of a view that were released, as the view shows them."""
    return summaries(tx, Scope(view_id, unreleased=False))


def uploaded(tx: Session, case_id: UUID, senders: Collection[UUID] | None = None) -> dict[int, str]:
    """The senders' studies with what was sent to a case's own address, also while they still grow; and their UIDs.

    By everyone or by these senders.
    """
    rows = select(Study.pk, Study.study_uid).join(Upload, Upload.study_pk == Study.pk).where(Upload.case_id == case_id)
    if senders is not None:
        rows = rows.where(Study.sender_id.in_(senders))
    return dict(tx.execute(rows.distinct()).all())


def identities(tx: Session, study: CaseStudy, after: int) -> Seen:
    """Whose the instances of a case's study say that they are, of those behind an earlier look."""
    return said(tx, _all_of(study), after)


def beside(tx: Session, archive: Archive, study: CaseStudy, with_pk: int) -> Compared:
    """What another sender has of a study of the case."""
    return joins.compared(tx, _all_of(study), with_pk, partial(same_object, archive.blobs))


def join(tx: Session, study: CaseStudy, with_pk: int, only: Sequence[int] | None = None) -> None:
    """Add what another sender has of a study of the case; `only`: these instances of it."""
    base_pk = study.study_pk
    study.study_pk = joins.join(tx, _all_of(study), base_pk, with_pk, only)
    study.whole = True
    if study.study_pk != base_pk:
        # What was compared before is not asked again.
        study.looked_at = joins.copied(tx, study.study_pk, base_pk, study.looked_at)


def members(tx: Session, study_pk: int) -> list[int]:
    """Of which senders' studies a study is made."""
    return joins.members(tx, study_pk)


def made_of(tx: Session, study_pk: int) -> list[int]:
    """The joined studies that a sender's is part of."""
    return joins.made_of(tx, study_pk)


def parts(tx: Session, scope: Scope, study_uid: str) -> set[int]:
    """The senders' and joined studies that a scope's study shares images with, itself among them."""
    return deletion.parts(tx, scope, study_uid)


def refresh(tx: Session, study: CaseStudy, member_pk: int) -> None:
    """Take over what a sender whose study was joined has sent since."""
    joins.refresh(tx, study.study_pk, member_pk)


def lead(tx: Session, study: CaseStudy) -> None:
    """Have a case's study answer, among those of its UID, to whoever sees all originals."""
    joins.lead(tx, study.study_pk)


def open_view(tx: Session, archive: Archive, case_id: UUID, program_id: UUID) -> UUID:
    """The case's de-identified view, made by its program's profile where there is none yet."""
    return views.open_view(tx, archive, case_id, profiles.of_owner(tx, program_id))


def deidentify(archive: Archive, view_id: UUID, source: Scope, study_uid: str, known: Identifiers) -> DeidentifiedStudy:
    """Make a study's de-identified copy, in which nothing `known` of the patient may stand; idempotent."""
    return views.deidentify(archive, view_id, source, study_uid, known)


def bring_back(archive: Archive, patient: Principal, view_id: UUID, sop_uid: str) -> BroughtBack | None:
    """Store an object that was made of a view beside the originals, under its patient's identity; idempotent."""
    return reidentify.bring_back(archive, patient, view_id, sop_uid)


def counted(tx: Session, case_id: UUID, view_id: UUID | None, studies: Mapping[int, Naming]) -> tuple[int, int]:
    """How many originals of these studies came for a case only, and how many copies its view holds."""
    # A joined study and one that it was joined of count once.
    ours = {
        one
        for study_pk, named in studies.items()
        for pk in joins.members(tx, study_pk)
        for one in tx.scalars(deletion.sent_for(case_id, pk, named=pk in named))
    }
    copies = tx.scalar(select(func.count()).select_from(Instance).where(Instance.view_id == view_id)) if view_id else 0
    return len(ours), copies or 0


def erase(
    tx: Session,
    case_id: UUID,
    view_id: UUID | None,
    whole: Mapping[int, Naming],
    shared: Iterable[int],
    readings: Sequence[UUID],
) -> set[str]:
    """Remove a case's view, its originals as far as they came for it alone, and its readings' work items.

    Gives the UIDs that are gone.
    """
    gone: set[str] = set()
    if view_id is not None:
        views.destroy_secret(tx, None, view_id)
        gone |= views.erase(tx, view_id)
    for study_pk, named in whole.items():
        gone |= deletion.erase(tx, case_id, study_pk, named)
    for study_pk in shared:
        deletion.release(tx, case_id, study_pk)
    reading.erase(tx, readings)
    return gone


def destroy_files(archive: Archive, case_id: UUID) -> None:
    """Destroy the key of a case's view, the blobs that no row names any more, and every thumbnail; idempotent.

    A thumbnail may be of the view and lie with an original that stays; all are soon made again.
    """
    if archive.db.ended is not None:
        ended.write_down(archive.db, archive.db.ended)
    archive.sealer.destroy(case_id)
    if archive.thumbnails is not None:
        archive.thumbnails.clear()
    sweep.sweep(archive)


def withhold_files(tx: Session, view_id: UUID, study_uid: str) -> None:
    """Withhold the copies of a study whose document was left out, as far as they wait for a decision."""
    views.withhold_left_out(tx, view_id, study_uid)


def held(tx: Session, study_uid: str, sender_id: UUID) -> frozenset[str]:
    """The SOP Instance UIDs that a sender's study has."""
    study_pk = sent(tx, sender_id, study_uid)
    return frozenset(tx.scalars(select(Instance.sop_uid).where(Instance.study_pk == study_pk)))


def frame(archive: Archive, scope: Scope, study_uid: str, sop_uid: str) -> bytes:
    """The first frame of an instance of a scope as it is kept. Raises NotFound, Unavailable, FrameError."""
    with archive.db.transaction() as tx:
        [found] = retrieve.locate(tx, scope, study_uid, sop_uid=sop_uid)
    with retrieve.opened(archive, found) as instance:
        return instance.frame(0)


def document(archive: Archive, scope: Scope, study_uid: str, sop_uid: str) -> bytes:
    """The document that an instance of a scope holds (PS3.3 C.24.2). Raises NotFound, Unavailable."""
    with archive.db.transaction() as tx:
        [found] = retrieve.locate(tx, scope, study_uid, sop_uid=sop_uid)
    with retrieve.opened(archive, found) as instance:
        ds = instance.dataset()
        body: bytes = ds.EncapsulatedDocument
        return body[: ds.EncapsulatedDocumentLength]


def sent_to(tx: Session, case_id: UUID, study_uid: str) -> Scope:
    """A study as far as it was sent to a case's own address."""
    keys = [pk for pk, uid in uploaded(tx, case_id).items() if uid == study_uid]
    return scope_of(case_id, (), keys)


def take_out(tx: Session, case_id: UUID, view_id: UUID | None, study_pk: int, study_uid: str) -> tuple[int, int]:
    """Remove what a sender's study has for one case alone, with its copy; the bytes and instances that are gone."""
    found = deletion.sent_for(case_id, study_pk, named=False).subquery()
    row = tx.execute(
        select(func.coalesce(func.sum(Instance.blob_size), 0), func.count()).where(Instance.pk.in_(select(found)))
    ).one()
    deletion.erase(tx, case_id, study_pk, frozenset())
    if view_id is not None:
        views.drop(tx, view_id, study_uid)
    return int(row[0]), row[1]


def review(tx: Session, view_id: UUID, study_uid: str | None = None) -> list[StudyReview]:
    """How far the de-identified copies are checked."""
    return views.review(tx, view_id, study_uid)


def set_review(
    tx: Session,
    who: Principal,
    view_id: UUID,
    sop_uids: list[str],
    decision: str,
    digests: Mapping[str, str] | None = None,
) -> None:
    """Approve instances that wait for review, as far as they are still what was looked at; or withhold instances."""
    views.set_review(tx, who, view_id, sop_uids, decision, digests)


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
    """The instances of a study's copy: of `sop_uids`, or of a series, else what somebody has to look at or did."""
    return pixel_review.pictures(tx, who, view_id, study_uid, sop_uids, series_uid=series_uid, lock=lock)


def series_groups(tx: Session, who: Principal, view_id: UUID, study_uid: str) -> list[SeriesGroup]:
    """All instances of a study's copy, counted by series and size."""
    return pixel_review.series_groups(tx, who, view_id, study_uid)


def composite(archive: Archive, who: Principal, view_id: UUID, sop_uids: Sequence[str]) -> Composite:
    """All frames of instances of one series and size laid over each other."""
    return composites.composite(archive, who, view_id, sop_uids)


def suggest(archive: Archive, who: Principal, view_id: UUID, sop_uid: str, *, look: bool = True) -> list[Suggestion]:
    """Rectangles of an instance that may have to be blanked; without `look`, by its header alone."""
    return composites.suggest(archive, who, view_id, sop_uid, look=look)


def mask(
    archive: Archive,
    who: Principal,
    view_id: UUID,
    sop_uids: Sequence[str],
    boxes: Sequence[Sequence[int]],
    known: Identifiers,
) -> Mapping[str, str]:
    """Blank rectangles of instances, in place of earlier ones; they wait for review. Why not, by UID of the rest."""
    return pixel_review.mask(archive, who, view_id, sop_uids, boxes, known)


def release_document(
    archive: Archive, who: Principal, view_id: UUID, sop_uid: str, known: Identifiers, redacted: bytes | None
) -> None:
    """Take an original's document over into its copy, or `redacted` in its place; it waits for review still."""
    pixel_review.release_document(archive, who, view_id, sop_uid, known, redacted)


def profile(tx: Session, who: Principal, program_id: UUID) -> Profile:
    """By which options a program's next view is made."""
    return profiles.read(tx, who, program_id)


def change_profile(tx: Session, who: Principal, program_id: UUID, options: Mapping[str, Any]) -> Profile:
    """Choose them; views that are open keep theirs."""
    return profiles.change(tx, who, program_id, options)


def profile_of_view(tx: Session, view_id: UUID | None) -> Profile:
    """By which options a view was opened."""
    view = tx.get(View, view_id) if view_id else None
    return Profile.of(view.profile if view else {})


def release(tx: Session, who: Principal, view_id: UUID, study_uid: str) -> None:
    """Show a study to those with a grant. Raises Conflict while an instance waits for review."""
    views.release(tx, who, view_id, study_uid)


def drop(tx: Session, view_id: UUID, study_uid: str) -> None:
    """Remove the de-identified copy of a study, which is to be made of other originals."""
    views.drop(tx, view_id, study_uid)


def revoke(tx: Session, who: Principal | None, view_id: UUID, study_uid: str | None = None) -> None:
    """Take a study, or all, out of a view at once."""
    views.revoke(tx, who, view_id, study_uid)
