"""The port to a payment provider: what billing asks of it, and what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class Checkout:
    """A hosted payment page. `status` is open, complete or expired; `url` is set while it is open."""

    id: str
    status: str
    url: str | None
    expires_at: datetime
    payment_intent_id: str | None
    customer_id: str | None
    saved_method_id: str | None  # where the page was there to save a card, and did


@dataclass(frozen=True)
class Snapshot:
    """What the provider says of a payment at this moment. Amounts are in minor units of `currency`.

    `status` is the PaymentIntent's; `refunded` counts only money that had been taken; `dispute` is "", open, won or
    lost; `ended` is why a canceled one ended: "expired" or "voided".
    """

    payment_intent_id: str
    status: str
    amount: int
    currency: str
    received: int
    refunded: int
    capture_before: datetime | None
    customer_id: str | None
    payment_method_id: str | None
    card_label: str | None
    dispute: str
    ended: str
    failure_code: str | None
    failure_text: str | None
    payment_id: str | None


@dataclass(frozen=True)
class ProviderEvent:
    """A verified event: its id and type, and of its payload only what finds the payment."""

    id: str
    type: str
    payload: dict[str, Any]


class Gateway(Protocol):
    """A payment provider. Every write takes an idempotency key.

    Every function raises `billing.errors.Declined` where a card's issuer refuses and `Unavailable` where the provider
    can't be reached or does not answer in time; after Unavailable the write may have been carried out.
    """

    def create_checkout(
        self,
        *,
        payment_id: str,
        amount: int,
        currency: str,
        mode: str,
        success_url: str,
        cancel_url: str,
        expires_at: datetime,
        customer_id: str | None,
        key: str,
    ) -> Checkout:
        """Open a hosted page; `mode` is "payment" (hold the amount, keep the card) or "setup" (keep the card)."""

    def get_checkout(self, checkout_id: str) -> Checkout:
        """What became of a page."""

    def expire_checkout(self, checkout_id: str, *, key: str) -> Checkout:
        """Close an open page; one that is complete or expired is returned as it is."""

    def authorise_saved_card(
        self, *, payment_id: str, amount: int, currency: str, customer_id: str, payment_method_id: str, key: str
    ) -> Snapshot:
        """Hold an amount on a saved card without its owner."""

    def get_payment_intent(self, payment_intent_id: str) -> Snapshot:
        """What the provider says now."""

    def capture(self, payment_intent_id: str, *, key: str) -> Snapshot:
        """Take what is held; where it is taken or ended already, tells just that."""

    def cancel(self, payment_intent_id: str, *, key: str) -> Snapshot:
        """Give a hold up; where it is taken or ended already, tells just that."""

    def refund(self, payment_intent_id: str, amount: int, *, key: str) -> Snapshot:
        """Give money back."""

    def verify(self, raw: bytes, signature: str) -> ProviderEvent:
        """The event in a webhook's raw body. Raises BadInput where the signature is wrong or too old."""

    def events_since(self, moment: datetime) -> Iterator[ProviderEvent]:
        """The events since a moment, newest first."""
