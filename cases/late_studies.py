"""Studies that a specialist got after accepting: each is said to have been seen, or ticked as read, before signing."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cases.models import Case, CaseStudy, Report
from cases.repository import offers_of, studies_of
from cases.states import OfferOutcome, StudyState


def unseen(tx: Session, case: Case, report: Report | None = None) -> list[CaseStudy]:
    """Those that were released after the case was accepted and not said to have been seen since, oldest first.

    `report`: what it ticks as read was seen.
    """
    accepted = next((o.answered_at for o in offers_of(tx, case.id) if o.outcome is OfferOutcome.ACCEPTED), None)
    read = set(report.studies_read) if report is not None else set()
    return [
        study
        for study in studies_of(tx, case.id)
        if study.state is StudyState.RELEASED
        and study.released_at is not None
        and accepted is not None
        and study.released_at > accepted
        and (study.seen_at is None or study.seen_at < study.released_at)
        and study.view_study_uid not in read
    ]
