"""Billing's own jobs: which of its events it hears itself, and what it does by the clock."""

from __future__ import annotations

from uuid import UUID

from billing import service, webhooks
from billing.events import LookAgain, PaymentHoldEnding, ReleaseHold, WebhookReceived
from billing.gateway import Gateway
from overread.kit.db import Database
from overread.kit.jobs import Bus

RECONCILE_CRON = "*/10 * * * *"


def subscribe(bus: Bus, db: Database, gateway: Gateway) -> None:
    """Register billing's handlers and its reconciler. Each handler is one transaction and idempotent."""

    def billing_look_again(event: LookAgain) -> None:
        with db.transaction() as tx:
            service.sync(tx, gateway, UUID(event.payment_id))

    def billing_process_webhook(event: WebhookReceived) -> None:
        with db.transaction() as tx:
            webhooks.process_webhook(tx, gateway, UUID(event.webhook_id))

    def billing_renew_hold(event: PaymentHoldEnding) -> None:
        with db.transaction() as tx:
            service.renew_hold(tx, gateway, UUID(event.payment_id))

    def billing_release_hold(event: ReleaseHold) -> None:
        service.release_hold(gateway, UUID(event.payment_id), event.payment_intent_id)

    def billing_reconcile() -> None:
        with db.transaction() as tx:
            webhooks.reconcile(tx, gateway)

    bus.subscribe(LookAgain, billing_look_again)
    bus.subscribe(WebhookReceived, billing_process_webhook)
    bus.subscribe(PaymentHoldEnding, billing_renew_hold)
    bus.subscribe(ReleaseHold, billing_release_hold)
    bus.every(RECONCILE_CRON, billing_reconcile)
