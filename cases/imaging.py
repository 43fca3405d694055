"""What the case layer asks of the archive, and in which words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from overread.kit.principals import Principal
from pacs import composites, deletion, pixel_review, profiles, query, sweep, views, way_back
from pacs.archive import Archive
from pacs.composites import MOST_PIXELS, Composite, Suggestion
from pacs.deid.known import KnownStrings
from pacs.deid.masks import Box
from pacs.deid.profile import Profile
from pacs.models import Holder, Instance, Study, View
from pacs.pixel_review import Picture, Stack
from pacs.query import StudySummary as Found
from pacs.scope import ORIGINAL, Scope
from pacs.ups import reading
from pacs.views import Derived, StudyReview

__all__ = [
    "MOST_PIXELS",
    "Archive",
    "Box",
    "Composite",
    "Derived",
    "Found",
    "KnownStrings",
    "Picture",
    "Profile",
    "Stack",
    "StudyReview",
    "Suggestion",
]


def is_uid(text: str) -> bool:
    """Whether a text can be a UID (PS3.5 9.1): what can't is in no index, and is never asked for."""
    return re.fullmatch(r"[0-9.]{1,64}", text, re.ASCII) is not None


def found(tx: Session, scope: Scope) -> dict[str, Found]:
    """The studies in a scope, by Study Instance UID."""
    return {study.study_uid: study for study in query.summaries(tx, scope)}


def original(tx: Session, *study_uids: str) -> dict[str, Found]:
    """The originals of these studies, by UID; what the archive does not hold is left out."""
    return found(tx, Scope(ORIGINAL, study_uids=frozenset(study_uids), unreleased=True)) if study_uids else {}


def released(tx: Session, view_id: UUID) -> dict[str, Found]:
    """The studies of a view that were released, as the view shows them."""
    return found(tx, Scope(view_id, unreleased=False))


def uploaded(tx: Session, case_id: UUID, holder_id: UUID | None = None) -> frozenset[str]:
    """The studies that were sent to a case's own address, by everyone or by one holder, also while they still grow."""
    rows = select(Study.study_uid).join(Holder, Holder.study_pk == Study.pk).where(Holder.case_id == case_id)
    if holder_id is not None:
        rows = rows.where(Holder.holder_id == holder_id)
    return frozenset(tx.scalars(rows.distinct()))


def open_view(tx: Session, archive: Archive, case_id: UUID, program_id: UUID) -> UUID:
    """The case's de-identified view, made by its program's profile where there is none yet."""
    return views.open_view(tx, archive, case_id, profiles.of_owner(tx, program_id))


def derive(archive: Archive, view_id: UUID, study_uid: str, known: KnownStrings) -> Derived:
    """Make a study's de-identified copy, in which nothing `known` of the patient may stand; idempotent."""
    return views.derive(archive, view_id, study_uid, known)


def bring_back(archive: Archive, patient: Principal, view_id: UUID, sop_uid: str) -> str:
    """Store an object that was made of a view beside the originals, under its patient's identity; idempotent."""
    return way_back.bring_back(archive, patient, view_id, sop_uid)


def counted(tx: Session, case_id: UUID, view_id: UUID | None, studies: Mapping[str, bool]) -> tuple[int, int]:
    """How many originals of these studies came for a case only, and how many copies its view holds.

    `studies`: UID -> whether the study itself names the case.
    """
    ours = [tx.scalars(deletion.held_for(case_id, uid, named=named)).all() for uid, named in studies.items()]
    copies = tx.scalar(select(func.count()).select_from(Instance).where(Instance.view_id == view_id)) if view_id else 0
    return sum(map(len, ours)), copies or 0


def erase(
    tx: Session,
    case_id: UUID,
    view_id: UUID | None,
    whole: Mapping[str, bool],
    shared: Sequence[str],
    readings: Sequence[UUID],
) -> set[str]:
    """Remove a case's view, its originals as far as nobody else holds them, and its readings' work items.

    `whole`: UID -> whether the study itself names the case. Gives the UIDs that are gone.
    """
    gone: set[str] = set()
    if view_id is not None:
        views.destroy_secret(tx, None, view_id)
        gone |= views.erase(tx, view_id)
    for uid, named in whole.items():
        gone |= deletion.erase(tx, case_id, uid, named=named)
    for uid in shared:
        deletion.release(tx, case_id, uid)
    reading.erase(tx, readings)
    return gone


def destroy_files(archive: Archive, case_id: UUID) -> None:
    """Destroy the key of a case's view, the blobs that no row names any more, and every thumbnail; idempotent.

    A thumbnail may be of the view and lie with an original that stays; all are soon made again.
    """
    archive.sealer.destroy(case_id)
    if archive.thumbnails is not None:
        archive.thumbnails.clear()
    sweep.sweep(archive)


def review(tx: Session, view_id: UUID, study_uid: str | None = None) -> list[StudyReview]:
    """How far the de-identified copies are checked."""
    return views.review(tx, view_id, study_uid)


def decide(
    tx: Session,
    who: Principal,
    view_id: UUID,
    sop_uids: list[str],
    decision: str,
    digests: Mapping[str, str] | None = None,
) -> None:
    """Approve instances that are held, as far as they are still what was looked at; or withhold instances."""
    views.decide(tx, who, view_id, sop_uids, decision, digests)


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


def stacks(tx: Session, who: Principal, view_id: UUID, study_uid: str) -> list[Stack]:
    """All instances of a study's copy, counted by series and size."""
    return pixel_review.stacks(tx, who, view_id, study_uid)


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
    known: KnownStrings,
) -> Mapping[str, str]:
    """Blank rectangles of instances, in the place of earlier ones; they are held again. Why not, by UID of the rest."""
    return pixel_review.mask(archive, who, view_id, sop_uids, boxes, known)


def release_document(
    archive: Archive, who: Principal, view_id: UUID, sop_uid: str, known: KnownStrings, redacted: bytes | None
) -> None:
    """Take an original's document over into its copy, or `redacted` in its place; it is held still."""
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
    """Show a study to those with a grant. Raises Conflict while an instance is held."""
    views.release(tx, who, view_id, study_uid)


def revoke(tx: Session, who: Principal | None, view_id: UUID, study_uid: str | None = None) -> None:
    """Take a study, or all, out of a view at once."""
    views.revoke(tx, who, view_id, study_uid)
