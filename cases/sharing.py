"""Whoever referred a patient hears of the report as far as the patient lets them read it, or as they have read it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import notify
from cases.models import Case
from cases.repository import referral_of, share_of
from overread.kit.audit import AuditRow


def tell_of_report(tx: Session, case: Case) -> None:
    """There is a report to read, or another version of it, for who may read it."""
    referral = referral_of(tx, case.id)
    if referral is not None and share_of(tx, case.id) is not None:
        notify.queue(tx, case, referral.referred_by, "referral_report")


def tell_of_recall(tx: Session, case: Case) -> None:
    """The report must not be used: for who may read it, and for who did while the patient allowed that."""
    referral = referral_of(tx, case.id)
    if referral is None:
        return
    read = select(AuditRow.id).where(
        AuditRow.case_id == case.id, AuditRow.actor_id == referral.referred_by, AuditRow.action == "report.read"
    )
    if share_of(tx, case.id) is not None or tx.scalar(read.limit(1)) is not None:
        notify.queue(tx, case, referral.referred_by, "referral_recalled")
