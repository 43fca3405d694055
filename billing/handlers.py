"""Billing's own jobs: which of its events it hears itself (`overread.wiring`), and what it does by the clock."""

from __future__ import annotations

from uuid import UUID

from billing import service, webhooks
from billing.events import AuthorisationReplaced, PaymentAuthorisationEnding, PaymentUncertain, WebhookReceived
from billing.gateway import Gateway
from overread.kit.db import Database


class Handlers:
    """What is done about each event, in one transaction and idempotent."""

    def __init__(self, db: Database, gateway: Gateway) -> None:
        self._db, self._gateway = db, gateway

    def sync_payment(self, event: PaymentUncertain) -> None:
        """Ask the provider what became of a payment."""
        with self._db.transaction() as tx:
            service.sync(tx, self._gateway, UUID(event.payment_id))

    def process_webhook(self, event: WebhookReceived) -> None:
        """Do what the provider's message calls for."""
        with self._db.transaction() as tx:
            webhooks.process_webhook(tx, self._gateway, UUID(event.webhook_id))

    def renew_authorisation(self, event: PaymentAuthorisationEnding) -> None:
        """Replace a hold that ends, where the card was saved."""
        with self._db.transaction() as tx:
            service.renew_hold(tx, self._gateway, UUID(event.payment_id))

    def release_authorisation(self, event: AuthorisationReplaced) -> None:
        """Release a hold that another has replaced."""
        service.release_hold(self._gateway, UUID(event.payment_id), event.payment_intent_id)

    def reconcile(self) -> None:
        """Compare what the provider says with what is on record."""
        with self._db.transaction() as tx:
            webhooks.reconcile(tx, self._gateway)
