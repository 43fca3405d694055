"""Stripe behind the port of `billing.gateway`: the only module that imports `stripe`.

Only opaque ids and a neutral wording go there: Stripe signs no agreement on health data. Every write carries an
idempotency key, so that the SDK's own retries and ours are harmless (https://docs.stripe.com/api/idempotent_requests).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

import stripe

from billing.errors import Declined, NotRefundable
from billing.gateway import Checkout, ProviderEvent, Snapshot
from overread.kit import log
from overread.kit.errors import BadInput, NotFound, Unavailable
from overread.kit.language import Phrase, gettext
from overread.kit.settings import Settings

TOLERANCE_SECONDS = 300
_TIMEOUT = (5.0, 20.0)  # seconds to connect, seconds to answer
_log = log.get(__name__)

# https://docs.stripe.com/declines/codes; a lost or stolen card is not named to whoever holds it.
_PLAIN = {
    "insufficient_funds": Phrase("The card has insufficient funds."),
    "expired_card": Phrase("The card has expired."),
    "incorrect_cvc": Phrase("The card's security code is wrong."),
    "processing_error": Phrase("The bank could not process the card just now. Try again in a few minutes."),
    "authentication_required": Phrase("The bank wants the card's owner to confirm this payment."),
    "card_velocity_exceeded": Phrase("The card has reached its limit."),
    "currency_not_supported": Phrase("The card does not support this currency."),
}


def plain(code: str) -> str:
    """The sentence that a payer may read for a decline code."""
    return str(_PLAIN.get(code, Phrase("The card was declined by its bank.")))


class StripeGateway:
    """Stripe, or whatever speaks its API at `api_base`.

    Raises ValueError where a live key would be sent to another address than Stripe's own.
    """

    def __init__(
        self,
        secret_key: str,
        webhook_secret: str,
        *,
        api_base: str | None = None,
        retries: int = 2,
        descriptor: str = "PROF SERVICES",
        product: str = "Professional services",
    ) -> None:
        if api_base and not secret_key.startswith("sk_test_") and urlsplit(api_base).hostname != "api.stripe.com":
            raise ValueError("only a test key (sk_test_…) may go to another address than Stripe's")
        stripe.enable_telemetry = False
        self._http = stripe.RequestsClient(timeout=_TIMEOUT)
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base.rstrip("/")} if api_base else {},
            max_network_retries=retries,
            http_client=self._http,
        )
        self._webhook_secret = webhook_secret
        self._descriptor, self._product = descriptor, product

    def close(self) -> None:
        """Close the connections to the provider."""
        self._http.close()  # type: ignore[no-untyped-call]

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
        """See `Gateway.create_checkout`."""
        metadata = {"payment_id": payment_id}
        params: dict[str, Any] = {
            "mode": mode,
            "success_url": success_url,
            "cancel_url": cancel_url,
            "expires_at": int(expires_at.timestamp()),
            "client_reference_id": payment_id,
            "metadata": metadata,
            "payment_method_types": ["card"],
            "expand": ["setup_intent"],
        }
        if customer_id:
            params["customer"] = customer_id
        else:  # without a customer a saved card can't be charged later
            params["customer_creation"] = "always"
        if mode == "payment":
            price = {"currency": currency.lower(), "unit_amount": amount, "product_data": {"name": self._product}}
            params["line_items"] = [{"quantity": 1, "price_data": price}]
            params["payment_intent_data"] = {
                "capture_method": "manual",
                "setup_future_usage": "off_session",
                "statement_descriptor_suffix": self._descriptor,
                "metadata": metadata,
            }
        else:
            params["currency"] = currency.lower()
            params["setup_intent_data"] = {"metadata": metadata}
        with _translated():
            made = self._client.v1.checkout.sessions.create(cast(Any, params), {"idempotency_key": key})
        return _checkout(made.to_dict())

    def get_checkout(self, checkout_id: str) -> Checkout:
        """See `Gateway.get_checkout`."""
        with _translated():
            found = self._client.v1.checkout.sessions.retrieve(checkout_id, {"expand": ["setup_intent"]})
        return _checkout(found.to_dict())

    def expire_checkout(self, checkout_id: str, *, key: str) -> Checkout:
        """See `Gateway.expire_checkout`."""
        try:
            with _translated():
                self._client.v1.checkout.sessions.expire(checkout_id, {}, {"idempotency_key": key})
        except BadInput as error:  # it is complete or expired already
            _log.info("checkout_not_open", checkout=checkout_id, reason=str(error))
        return self.get_checkout(checkout_id)

    def authorise_saved_card(
        self, *, payment_id: str, amount: int, currency: str, customer_id: str, payment_method_id: str, key: str
    ) -> Snapshot:
        """See `Gateway.authorise_saved_card`."""
        params: dict[str, Any] = {
            "amount": amount,
            "currency": currency.lower(),
            "customer": customer_id,
            "payment_method": payment_method_id,
            "payment_method_types": ["card"],
            "capture_method": "manual",
            "confirm": True,
            "off_session": True,
            "statement_descriptor_suffix": self._descriptor,
            "metadata": {"payment_id": payment_id},
        }
        with _translated():
            made = self._client.v1.payment_intents.create(cast(Any, params), {"idempotency_key": key})
        return self.get_payment_intent(made.id)

    def get_payment_intent(self, payment_intent_id: str) -> Snapshot:
        """See `Gateway.get_payment_intent`."""
        with _translated():
            found = self._client.v1.payment_intents.retrieve(payment_intent_id, {"expand": ["latest_charge"]})
            intent = found.to_dict()
            disputes: list[dict[str, Any]] = []
            if (intent.get("latest_charge") or {}).get("disputed"):
                listed = self._client.v1.disputes.list({"payment_intent": payment_intent_id, "limit": 10})
                disputes = [dispute.to_dict() for dispute in listed.data]
        return _snapshot(intent, disputes)

    def capture(self, payment_intent_id: str, *, key: str) -> Snapshot:
        """See `Gateway.capture`."""
        try:
            with _translated():
                self._client.v1.payment_intents.capture(payment_intent_id, {}, {"idempotency_key": key})
        except BadInput as error:
            if error.extra.get("code") not in ("payment_intent_unexpected_state", "charge_expired_for_capture"):
                raise
        return self.get_payment_intent(payment_intent_id)

    def cancel(self, payment_intent_id: str, *, key: str) -> Snapshot:
        """See `Gateway.cancel`."""
        try:
            with _translated():
                self._client.v1.payment_intents.cancel(payment_intent_id, {}, {"idempotency_key": key})
        except BadInput as error:
            if error.extra.get("code") != "payment_intent_unexpected_state":
                raise
        return self.get_payment_intent(payment_intent_id)

    def refund(self, payment_intent_id: str, amount: int, *, key: str) -> Snapshot:
        """See `Gateway.refund`."""
        try:
            with _translated():
                self._client.v1.refunds.create(
                    {"payment_intent": payment_intent_id, "amount": amount, "reason": "requested_by_customer"},
                    {"idempotency_key": key},
                )
        except BadInput as error:
            raise NotRefundable(f"the provider refused a refund of {payment_intent_id}: {error}") from error
        return self.get_payment_intent(payment_intent_id)

    def verify(self, raw: bytes, signature: str) -> ProviderEvent:
        """See `Gateway.verify`. The signature covers the raw body; it is at most 300 s old."""
        try:
            stripe.WebhookSignature.verify_header(
                raw.decode("utf-8"), signature, self._webhook_secret, TOLERANCE_SECONDS
            )
            return _event(json.loads(raw))
        except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"a webhook was refused: {type(error).__name__}: {str(error)[:200]}",
                safe=gettext("The signature does not fit this body, or it is too old."),
            ) from error

    def events_since(self, moment: datetime) -> Iterator[ProviderEvent]:
        """See `Gateway.events_since`."""
        with _translated():
            listed = self._client.v1.events.list({"created": {"gte": int(moment.timestamp())}, "limit": 100})
            for event in listed.auto_paging_iter():
                yield _event(event.to_dict())


def from_settings(settings: Settings) -> StripeGateway | None:
    """The gateway that the settings describe, None where no key is set."""
    if settings.stripe_secret_key is None:
        return None
    secret = settings.stripe_webhook_secret
    return StripeGateway(
        settings.stripe_secret_key.get_secret_value(),
        secret.get_secret_value() if secret else "",
        api_base=settings.stripe_api_base,
    )


@contextmanager
def _translated() -> Iterator[None]:
    """The SDK's errors as ours (https://docs.stripe.com/error-handling)."""
    try:
        yield
    except stripe.CardError as error:
        detail: dict[str, Any] = cast(Any, error.json_body or {}).get("error", {})
        code = str(detail.get("decline_code") or error.code or "card_declined")
        raise Declined(f"the card was declined: {code} ({error.request_id})", code=code, safe=plain(code)) from error
    except stripe.InvalidRequestError as error:
        if error.http_status == 404:
            raise NotFound(f"the provider knows no such thing: {error.user_message}") from error
        raise BadInput(f"the provider refused: {error.user_message}", code=error.code) from error
    except stripe.StripeError as error:
        # Unreachable, too slow, too busy, a wrong key, or a key reused with other parameters: nothing that a payer
        # can mend. The log tells an administrator which.
        _log.error("payment_provider_failed", kind=type(error).__name__, reason=str(error.user_message)[:300])
        raise Unavailable(
            f"the payment provider failed: {type(error).__name__}: {error.user_message}",
            safe=gettext(
                "The payment service is not available just now. Nothing was lost; please try again in a minute."
            ),
        ) from error


def _moment(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _id(value: Any) -> str | None:
    """The id of a field that may be expanded."""
    return str(value["id"]) if isinstance(value, dict) else value


def _checkout(session: dict[str, Any]) -> Checkout:
    setup = session.get("setup_intent")
    saved = isinstance(setup, dict) and setup["status"] == "succeeded"
    return Checkout(
        id=session["id"],
        status=session["status"],
        url=session.get("url") if session["status"] == "open" else None,
        expires_at=datetime.fromtimestamp(session["expires_at"], UTC),
        payment_intent_id=_id(session.get("payment_intent")),
        customer_id=_id(session.get("customer")),
        saved_method_id=_id(setup["payment_method"]) if isinstance(setup, dict) and saved else None,
    )


def _snapshot(intent: dict[str, Any], disputes: list[dict[str, Any]]) -> Snapshot:
    charge = intent.get("latest_charge") or {}
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    error = intent.get("last_payment_error") or {}
    code = error.get("decline_code") or error.get("code")
    captured = bool(charge.get("captured"))
    until = _moment(card.get("capture_before"))
    ended = ""
    if intent["status"] == "canceled":
        # A hold that ran out, and the intent of a page that ran out, are canceled by the provider itself.
        ran_out = intent.get("cancellation_reason") in ("automatic", "expired", "abandoned")
        too_late = until is not None and (_moment(intent.get("canceled_at")) or until) > until
        ended = "expired" if ran_out or too_late else "voided"
    open_disputes = {d["status"] for d in disputes}
    return Snapshot(
        payment_intent_id=intent["id"],
        status=intent["status"],
        amount=intent["amount"],
        currency=intent["currency"].upper(),
        received=intent.get("amount_received") or 0,
        # A released hold counts as refunded there; only what had been taken can be given back here.
        refunded=charge.get("amount_refunded", 0) if captured else 0,
        capture_before=until,
        customer_id=_id(intent.get("customer")),
        payment_method_id=_id(intent.get("payment_method")),
        card_label=f"{card['brand'].capitalize()} •••• {card['last4']}" if card.get("last4") else None,
        dispute=_dispute(open_disputes),
        ended=ended,
        failure_code=code,
        failure_text=plain(code) if code else None,
        payment_id=(intent.get("metadata") or {}).get("payment_id"),
    )


def _dispute(statuses: set[str]) -> str:
    """One word for all disputes of a payment; inquiries (`warning_…`) take no money."""
    taking = {s for s in statuses if not s.startswith("warning_")}
    if taking & {"needs_response", "under_review"}:
        return "open"
    return "lost" if "lost" in taking else "won" if "won" in taking else ""


def _event(event: dict[str, Any]) -> ProviderEvent:
    thing = event["data"]["object"]
    payload = {
        "object": thing.get("object"),
        "id": thing.get("id"),
        "payment_intent": _id(thing.get("payment_intent")),
        "payment_id": (thing.get("metadata") or {}).get("payment_id"),
        "created": event["created"],
    }
    return ProviderEvent(str(event["id"]), str(event["type"]), payload)
