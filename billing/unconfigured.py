"""The gateway of a server on which no payment provider is configured: it says so, and nothing is charged."""

# ruff: noqa: ARG002  the arguments are the port's

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from overread.kit.errors import Unavailable
from overread.kit.language import gettext


class Unconfigured:
    """Refuses every call; free programs and invoices paid outside need none of them."""

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
    ) -> NoReturn:
        """See `Gateway.create_checkout`."""
        _refuse()

    def get_checkout(self, checkout_id: str) -> NoReturn:
        """See `Gateway.get_checkout`."""
        _refuse()

    def expire_checkout(self, checkout_id: str, *, key: str) -> NoReturn:
        """See `Gateway.expire_checkout`."""
        _refuse()

    def authorise_saved_card(
        self, *, payment_id: str, amount: int, currency: str, customer_id: str, payment_method_id: str, key: str
    ) -> NoReturn:
        """See `Gateway.authorise_saved_card`."""
        _refuse()

    def get_payment_intent(self, payment_intent_id: str) -> NoReturn:
        """See `Gateway.get_payment_intent`."""
        _refuse()

    def capture(self, payment_intent_id: str, *, key: str) -> NoReturn:
        """See `Gateway.capture`."""
        _refuse()

    def cancel(self, payment_intent_id: str, *, key: str) -> NoReturn:
        """See `Gateway.cancel`."""
        _refuse()

    def refund(self, payment_intent_id: str, amount: int, *, key: str) -> NoReturn:
        """See `Gateway.refund`."""
        _refuse()

    def verify(self, raw: bytes, signature: str) -> NoReturn:
        """See `Gateway.verify`."""
        _refuse()

    def events_since(self, moment: datetime) -> NoReturn:
        """See `Gateway.events_since`."""
        _refuse()


def _refuse() -> NoReturn:
    raise Unavailable(
        "no payment provider is configured: set OVERREAD_STRIPE_SECRET_KEY and OVERREAD_STRIPE_WEBHOOK_SECRET",
        safe=gettext("Card payments are not set up on this server yet. Please ask the program's office how to pay."),
    )
