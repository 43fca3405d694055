"""Payment intents and their charges: https://docs.stripe.com/payments/paymentintents/lifecycle.

A hold on a card lasts up to seven days; the charge tells until when (`capture_before`). Money moves at capture.
"""

from __future__ import annotations

from typing import Any

from billing.sandbox.cards import reason
from billing.sandbox.errors import ApiError, invalid
from billing.sandbox.methods import behaviour
from billing.sandbox.world import Obj, World, public

# https://docs.stripe.com/payments/place-a-hold-on-a-payment-method: shorter on a Visa whose owner is not there.
AUTHORISATION_SECONDS, AUTHORISATION_SECONDS_VISA_ABSENT = 7 * 86400, 4 * 86400 + 18 * 3600
#: Seconds from a capture to the dispute that some test cards bring: the capture's own answer tells of none.
DISPUTED_AFTER = 60
_CANCELABLE = ("requires_payment_method", "requires_confirmation", "requires_action", "requires_capture")


def create(
    world: World,
    *,
    amount: int,
    currency: str,
    capture_method: str,
    customer: str | None = None,
    metadata: Obj | None = None,
    setup_future_usage: str | None = None,
    statement_descriptor_suffix: str | None = None,
    description: str | None = None,
) -> Obj:
    """A payment intent that has no payment method yet. `amount` is in minor units."""
    intent = world.add(
        "pi",
        {
            "amount": amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": capture_method,
            "confirmation_method": "automatic",
            "currency": currency,
            "customer": customer,
            "description": description,
            "last_payment_error": None,
            "latest_charge": None,
            "metadata": metadata or {},
            "next_action": None,
            "payment_method": None,
            "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
            "payment_method_types": ["card"],
            "receipt_email": None,
            "setup_future_usage": setup_future_usage,
            "statement_descriptor": None,
            "statement_descriptor_suffix": statement_descriptor_suffix,
            "status": "requires_payment_method",
        },
    )
    intent["client_secret"] = f"{intent['id']}_secret_{world.new_id('x')[2:]}"
    world.event("payment_intent.created", intent)
    return intent


def unexpected(intent: Obj, verb: str, allowed: tuple[str, ...]) -> ApiError:
    """The error of asking an intent for what its status does not allow."""
    return invalid(
        f"This PaymentIntent could not be {verb} because it has a status of {intent['status']}. Only a PaymentIntent "
        f"with one of the following statuses may be {verb}: {', '.join(allowed)}.",
        code="payment_intent_unexpected_state",
        payment_intent=public(intent),
    )


def confirm(
    world: World, intent: Obj, method: Obj, *, challenge_url: str, off_session: bool = False, proven: bool = False
) -> None:
    """Try to authorise: leads to requires_action, requires_capture or succeeded.

    `proven`: the card's owner has just passed the challenge. Raises ApiError 402 where the card declines, after the
    intent has gone back to requires_payment_method.
    """
    allowed = ("requires_payment_method", "requires_confirmation", "requires_action")
    if intent["status"] not in allowed:
        raise unexpected(intent, "confirmed", allowed)
    card = behaviour(method)
    intent["payment_method"] = method["id"]
    remembered = card.challenge == "setup" and method["_authenticated"]
    if card.challenge and not proven and not remembered:
        if off_session:
            raise _fail(world, intent, method, "authentication_required")
        intent.update(
            status="requires_action",
            next_action={"type": "redirect_to_url", "redirect_to_url": {"url": challenge_url, "return_url": None}},
        )
        world.event("payment_intent.requires_action", intent)
        return
    if card.decline and (not card.later or off_session):
        raise _fail(world, intent, method, card.decline)
    _authorise(world, intent, method, off_session=off_session)


def _charge(world: World, intent: Obj, method: Obj, **fields: Any) -> Obj:
    charge = world.add(
        "ch",
        {
            "amount": intent["amount"],
            "amount_captured": 0,
            "amount_refunded": 0,
            "captured": False,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "disputed": False,
            "failure_code": None,
            "failure_message": None,
            "metadata": dict(intent["metadata"]),
            "outcome": None,
            "paid": False,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {"type": "card", "card": {**method["card"], "three_d_secure": None}},
            "refunded": False,
            "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
            "status": "succeeded",
            **fields,
        },
    )
    intent["latest_charge"] = charge["id"]
    return charge


def _fail(world: World, intent: Obj, method: Obj, decline: str) -> ApiError:
    fields = reason(decline)
    charge = _charge(
        world,
        intent,
        method,
        status="failed",
        failure_code=fields["code"],
        failure_message=fields["message"],
        outcome={"type": "issuer_declined", "reason": decline, "seller_message": fields["message"]},
    )
    error = {"type": "card_error", "charge": charge["id"], **fields, "payment_method": public(method)}
    _back(world, intent, error)
    world.event("charge.failed", charge)
    return ApiError(402, **_as_fields(error), payment_intent=public(intent))


def _as_fields(error: Obj) -> Obj:
    fields = dict(error)
    fields["kind"] = fields.pop("type")
    return fields


def _back(world: World, intent: Obj, error: Obj) -> None:
    intent.update(status="requires_payment_method", payment_method=None, next_action=None, last_payment_error=error)
    world.event("payment_intent.payment_failed", intent)


def fail_challenge(world: World, intent: Obj) -> None:
    """The card's owner did not pass the challenge."""
    _back(
        world,
        intent,
        {
            "type": "invalid_request_error",
            "code": "payment_intent_authentication_failure",
            "message": "The provided PaymentMethod has failed authentication. You can provide payment_method_data or "
            "a new PaymentMethod to attempt to fulfill this PaymentIntent again.",
        },
    )


def _authorise(world: World, intent: Obj, method: Obj, *, off_session: bool) -> None:
    manual = intent["capture_method"] == "manual"
    charge = _charge(
        world,
        intent,
        method,
        paid=True,
        outcome={"type": "authorized", "network_status": "approved_by_network", "seller_message": "Payment complete."},
    )
    if intent["setup_future_usage"] and intent["customer"]:
        method["customer"], method["_authenticated"] = intent["customer"], True
    intent.update(next_action=None, last_payment_error=None)
    if manual:
        absent = off_session and method["card"]["brand"] == "visa"
        until = world.now() + (AUTHORISATION_SECONDS_VISA_ABSENT if absent else AUTHORISATION_SECONDS)
        charge["payment_method_details"]["card"]["capture_before"] = until
        intent.update(status="requires_capture", amount_capturable=intent["amount"])
        world.event("charge.succeeded", charge)
        world.event("payment_intent.amount_capturable_updated", intent)
    else:
        world.event("charge.succeeded", charge)
        _settle(world, intent, charge, intent["amount"])


def _settle(world: World, intent: Obj, charge: Obj, amount: int) -> None:
    charge.update(captured=True, amount_captured=amount)
    intent.update(status="succeeded", amount_capturable=0, amount_received=amount)
    world.event("payment_intent.succeeded", intent)


def capture(world: World, intent: Obj, amount: int | None = None) -> None:
    """Take the held money, all or `amount` of it; the rest of the hold is released."""
    if intent["status"] != "requires_capture":
        raise unexpected(intent, "captured", ("requires_capture",))
    amount = intent["amount_capturable"] if amount is None else amount
    if not 0 < amount <= intent["amount_capturable"]:
        raise invalid(
            f"The amount to capture may not be greater than {intent['amount_capturable']}.",
            code="amount_too_large",
            param="amount_to_capture",
        )
    charge = world.get("charge", intent["latest_charge"])
    _settle(world, intent, charge, amount)
    world.event("charge.captured", charge)
    method = world.get("payment_method", charge["payment_method"])
    if behaviour(method).disputes:
        charge["_dispute_at"] = world.now() + DISPUTED_AFTER


def cancel(world: World, intent: Obj, why: str | None, event: str = "charge.refunded") -> None:
    """Give the hold up. A released hold shows as refunded on a charge that was never captured, as Stripe's does."""
    if intent["status"] not in _CANCELABLE:
        raise unexpected(intent, "canceled", _CANCELABLE)
    if intent["status"] == "requires_capture":
        charge = world.get("charge", intent["latest_charge"])
        charge.update(refunded=True, amount_refunded=charge["amount"])
        world.event(event, charge)
    intent.update(
        status="canceled",
        canceled_at=world.now(),
        cancellation_reason=why,
        amount_capturable=0,
        next_action=None,
    )
    world.event("payment_intent.canceled", intent)


def expire_holds(world: World) -> bool:
    """Cancel every hold whose `capture_before` has passed; tells whether there was one."""
    late = []
    for intent in world.all("payment_intent"):
        if intent["status"] == "requires_capture":
            details = world.get("charge", intent["latest_charge"])["payment_method_details"]["card"]
            if details["capture_before"] <= world.now():
                late.append(intent)
    for intent in late:
        cancel(world, intent, "automatic", "charge.expired")
    return bool(late)
