"""What is kept as long as its case needs it, and how long after."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from cases.models import Case, CaseStudy, LegalHold
from cases.states import FINAL
from overread.kit import audit
from overread.kit.audit import AuditRow


def over() -> Select[UUID]:
    """The ids of the cases that ended and that no legal hold keeps."""
    return select(Case.id).where(Case.state.in_(FINAL), Case.id.not_in(_held()))


def sweep_audit(days: int, tx: Session, most: int) -> int:
    """Delete some of the audit log's lines that are older than `days`; how many.

    Those of a case that goes on or is held stay, and those of a held case's studies that name no case.
    """
    studies = select(CaseStudy.study_uid).where(CaseStudy.case_id.in_(_held()))
    goes = or_(
        AuditRow.case_id.in_(over()),
        and_(AuditRow.case_id.is_(None), AuditRow.object_id.not_in(studies)),
    )
    return audit.sweep(tx, timedelta(days=days), goes, most)


def _held() -> Select[UUID]:
    return select(LegalHold.case_id).where(LegalHold.lifted_at.is_(None))
