"""What the provider tells us unasked, and asking it about what it may have told us in vain.

A webhook is verified, recorded once, and answered; its work is a job. It may come late, twice, out of order or never:
it only says "look again" (https://docs.stripe.com/webhooks#behaviors).
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing import repository, service
from billing.events import PaymentUncertain, WebhookReceived
from billing.gateway import Gateway, ProviderEvent
from billing.models import WebhookEvent
from overread.kit import clock, log
from overread.kit.jobs import emit

LOOK_BACK = timedelta(days=3)  # how long the provider repeats a webhook that was not taken
_log = log.get(__name__)


def record_webhook(tx: Session, gateway: Gateway, raw: bytes, signature: str) -> bool:
    """Verify a webhook's raw body and record it; False where it was recorded before.

    Raises BadInput where the signature is wrong or older than 300 s.
    """
    return _record(tx, gateway.verify(raw, signature))


def _record(tx: Session, event: ProviderEvent) -> bool:
    made = tx.scalar(
        insert(WebhookEvent)
        .values(
            id=clock.uuid7(),
            provider="stripe",
            external_id=event.id,
            type=event.type,
            payload=event.payload,
            received_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["provider", "external_id"])
        .returning(WebhookEvent.id)
    )
    if made is None:
        return False
    emit(tx, WebhookReceived(str(made)))
    return True


def process_webhook(tx: Session, gateway: Gateway, webhook_id: UUID) -> None:
    """Look again at the payment that a recorded event is about; doing it twice is harmless."""
    event = tx.get(WebhookEvent, webhook_id, with_for_update=True)
    if event is None or event.processed_at is not None:
        return
    payment_id = repository.of_webhook(tx, event)
    if payment_id is None:
        _log.info("webhook_not_ours", type=event.type, external_id=event.external_id)
    else:
        about = event.payload
        service.sync(
            tx,
            gateway,
            payment_id,
            payment_intent_id=about.get("id") if about.get("object") == "payment_intent" else None,
        )
    event.processed_at = clock.now()


def reconcile(tx: Session, gateway: Gateway) -> int:
    """Catch up on events that never came, and have every unsettled payment looked at in a job of its own.

    Returns how many events and payments that were. A payment whose look fails holds up no other.
    """
    since = clock.now() - LOOK_BACK
    caught = sum(_record(tx, event) for event in gateway.events_since(since))
    payments = repository.unsettled(tx, clock.now() - repository.SETTLE)
    for payment_id in payments:
        emit(tx, PaymentUncertain(str(payment_id)))
    if caught:
        _log.warning("webhooks_were_missed", count=caught)
    return caught + len(payments)
