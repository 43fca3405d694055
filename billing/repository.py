"""The queries of billing, with the locks that they take."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.models import LedgerEntry, Payment, WebhookEvent
from billing.states import OVER, UNSETTLED, PaymentState
from overread.kit.errors import NotFound

SETTLE = timedelta(minutes=2)  # a payment that was touched this recently is left to its own webhooks


def lock_subject(tx: Session, subject_ref: str) -> None:
    """Have everybody else who would open a payment for this subject wait until this transaction ends."""
    tx.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"billing.subject/{subject_ref}"}
    )


def locked(tx: Session, payment_id: UUID) -> Payment:
    """A payment, locked and as it is now. Raises NotFound where there is none."""
    found = tx.scalar(
        select(Payment).where(Payment.id == payment_id).with_for_update().execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound(f"no payment {payment_id}")
    return found


def latest(tx: Session, subject_ref: str, *, lock: bool = False) -> Payment | None:
    """The payment that stands for a subject, or the last one that did."""
    query = (
        select(Payment)
        .where(Payment.subject_ref == subject_ref)
        .order_by(Payment.state.in_(OVER), Payment.created_at.desc(), Payment.id.desc())
        .limit(1)
    )
    if not lock:
        return tx.scalar(query)
    # The order may change while we wait for the lock, so the row is chosen first and read again when it is ours.
    found = tx.scalar(query)
    return locked(tx, found.id) if found else None


def unsettled(tx: Session, before: datetime) -> list[UUID]:
    """The payments that the provider must be asked about and that nothing touched since `before`."""
    return list(
        tx.scalars(
            select(Payment.id)
            .where(Payment.state.in_(UNSETTLED), Payment.provider == "stripe", Payment.updated_at < before)
            .where(Payment.checkout_url.is_not(None) | (Payment.state != PaymentState.NONE))
            .order_by(Payment.updated_at)
        )
    )


def of_webhook(tx: Session, event: WebhookEvent) -> UUID | None:
    """The payment that a provider's event is about, None where it is not ours."""
    payload = event.payload
    if payload.get("payment_id"):
        try:
            return tx.scalar(select(Payment.id).where(Payment.id == UUID(payload["payment_id"])))
        except ValueError:
            return None
    intent = payload.get("id") if payload.get("object") == "payment_intent" else payload.get("payment_intent")
    if intent:
        return tx.scalar(select(Payment.id).where(Payment.payment_intent_id == intent))
    if payload.get("object") == "checkout.session":
        return tx.scalar(select(Payment.id).where(Payment.checkout_id == payload.get("id")))
    return None


def ledger(tx: Session, payment_id: UUID) -> list[LedgerEntry]:
    """What happened to a payment, oldest first."""
    return list(
        tx.scalars(
            select(LedgerEntry).where(LedgerEntry.payment_id == payment_id).order_by(LedgerEntry.at, LedgerEntry.id)
        )
    )


def refund_done(tx: Session, payment_id: UUID, request_id: str) -> bool:
    """Whether a refund with this request id is on record."""
    return any(
        entry.action == "refund" and entry.detail.get("request_id") == request_id for entry in ledger(tx, payment_id)
    )


def last_webhook(tx: Session) -> datetime | None:
    """When the provider was last heard."""
    return tx.scalar(select(WebhookEvent.received_at).order_by(WebhookEvent.received_at.desc()).limit(1))
