"""How the payments do: the numbers that `overread doctor` goes by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing import repository
from billing.models import Payment, WebhookEvent
from billing.states import PaymentState
from overread.kit import clock


@dataclass(frozen=True)
class Health:
    """When the provider was last heard, how many of its events wait, and how many payments want a person's eye.

    `by_state` counts all payments; `differing` those whose amount at the provider is not ours; `late` the captures
    that were begun more than two minutes ago and are not done.
    """

    last_webhook_at: datetime | None
    webhooks_waiting: int
    by_state: dict[PaymentState, int]
    differing: int
    late: int


def health(tx: Session) -> Health:
    """Count."""
    states = tx.execute(select(Payment.state, func.count()).group_by(Payment.state))
    waiting = select(func.count()).select_from(WebhookEvent).where(WebhookEvent.processed_at.is_(None))
    differing = select(func.count()).select_from(Payment).where(Payment.failure_code == "amount_differs")
    begun = select(func.count()).select_from(Payment).where(Payment.state == PaymentState.CAPTURING)
    return Health(
        last_webhook_at=repository.last_webhook(tx),
        webhooks_waiting=tx.scalar(waiting) or 0,
        by_state={PaymentState(state): count for state, count in states},
        differing=tx.scalar(differing) or 0,
        late=tx.scalar(begun.where(Payment.updated_at < clock.now() - repository.SETTLE)) or 0,
    )
