"""Physicians hear of the report as far as the patient lets them read it, or as they have read it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import notify
from cases.models import Case
from cases.physician_models import PhysicianLink
from cases.repository import referral_of, share_of
from overread.kit.audit import AuditRow


def tell_of_report(tx: Session, case: Case) -> None:
    """There is a report to read, or another version of it, for who may read it, or has read by a link."""
    _tell_by_link(tx, case, "physician_changed")
    referral = referral_of(tx, case.id)
    if referral is not None and share_of(tx, case.id) is not None:
        notify.queue(tx, case, referral.referred_by, "referral_report")


def tell_of_recall(tx: Session, case: Case) -> None:
    """The report must not be used: for who may read it, and for who did while the patient allowed that."""
    _tell_by_link(tx, case, "physician_recalled")
    referral = referral_of(tx, case.id)
    if referral is None:
        return
    read = select(AuditRow.id).where(
        AuditRow.case_id == case.id, AuditRow.actor_id == referral.referred_by, AuditRow.action == "report.read"
    )
    if share_of(tx, case.id) is not None or tx.scalar(read.limit(1)) is not None:
        notify.queue(tx, case, referral.referred_by, "referral_recalled")


def tell_of_restored(tx: Session, case: Case) -> None:
    """What was recalled is in force again: for who reads it by a link, or has."""
    _tell_by_link(tx, case, "physician_changed")


def _tell_by_link(tx: Session, case: Case, template: str) -> None:
    rows = tx.scalars(select(PhysicianLink).where(PhysicianLink.case_id == case.id).order_by(PhysicianLink.id))
    for email in dict.fromkeys(one.email for one in rows if one.stands or one.accepted_at is not None):
        notify.queue_address(tx, email, template, case, reference=case.reference)
