"""What a hospital is shown: every study that it sent, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import imaging
from cases.imaging import StudySummary
from cases.models import Case, CaseStudy, InboxStudy
from cases.states import StudyState
from overread.kit import permissions
from overread.kit.paging import Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal


class Fate(StrEnum):
    """What became of a study that a hospital sent."""

    ARRIVING = "arriving"
    #: No case is known for it.
    UNMATCHED = "unmatched"
    COMPARED = "compared"
    #: Its name differs, which is the coordinator's to find out.
    CHECKED = "checked"
    UNREADABLE = "unreadable"
    MATCHED = "matched"
    TAKEN_OUT = "taken_out"


@dataclass(frozen=True, slots=True)
class SentStudy:
    """A study, what became of it, and the reference number of the case; that another's is in a case is not told."""

    study: StudySummary
    fate: Fate
    reference: str


_FATES = {
    StudyState.RECEIVING: Fate.COMPARED,
    StudyState.QUARANTINED: Fate.COMPARED,
    StudyState.UNREADABLE: Fate.UNREADABLE,
    StudyState.MISMATCH: Fate.CHECKED,
}


def sent(tx: Session, who: Principal, *, after: str = "", limit: int = 200) -> Page[SentStudy]:
    """Every study that a hospital sent, newest first. Raises Forbidden, BadInput for a cursor that is none."""
    permissions.require(who, Permission.IMAGES_SENT)
    page = imaging.sent_by(tx, who, after, limit)
    fates = _fates(tx, [study.pk for study in page])
    return page.of([SentStudy(study, *fates.get(study.pk, (Fate.ARRIVING, ""))) for study in page])


def _fates(tx: Session, study_pks: list[int]) -> dict[int, tuple[Fate, str]]:
    waiting = tx.scalars(
        select(InboxStudy.study_pk).where(InboxStudy.study_pk.in_(study_pks), InboxStudy.matched_case_id.is_(None))
    )
    fates = dict.fromkeys(waiting, (Fate.UNMATCHED, ""))
    used = {key: own for own in study_pks for key in (own, *imaging.made_of(tx, own))}
    matched = tx.execute(
        select(CaseStudy.study_pk, CaseStudy.state, Case.reference)
        .join(Case, Case.id == CaseStudy.case_id)
        .where(CaseStudy.study_pk.in_(used))
        .order_by(CaseStudy.id)
    )
    for key, state, reference in matched:
        own = used[key]
        if state is StudyState.REVOKED:
            # In the inbox again, unless somebody has matched it since.
            fates.setdefault(own, (Fate.TAKEN_OUT, reference))
        else:
            fates[own] = (_FATES.get(state, Fate.MATCHED), reference)
    return fates
