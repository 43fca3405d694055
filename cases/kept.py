"""What is kept as long as its case needs it, and how long after."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from cases.models import Case, LegalHold
from cases.states import ENDED
from overread.kit import audit
from overread.kit.audit import AuditRow


def over() -> Select[UUID]:
    """The ids of the cases that ended and that no legal hold keeps."""
    return select(Case.id).where(Case.state.in_(ENDED), Case.id.not_in(_held()))


def sweep_audit(days: int, tx: Session, most: int) -> int:
    """Delete some of the audit log's lines that are older than `days`; how many.

    Those of a case that goes on or is held stay, and while any case is held those that name none: they may be of its
    images, of its patient, of whoever looked at them.
    """
    goes = or_(AuditRow.case_id.in_(over()), and_(AuditRow.case_id.is_(None), ~_held().exists()))
    return audit.sweep(tx, timedelta(days=days), goes, most)


def _held() -> Select[UUID]:
    return select(LegalHold.case_id).where(LegalHold.lifted_at.is_(None))
