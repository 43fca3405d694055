"""Refunds and disputes: https://docs.stripe.com/api/refunds, https://docs.stripe.com/disputes."""

from __future__ import annotations

from billing.sandbox.errors import invalid
from billing.sandbox.world import Obj, World


def refund(world: World, charge: Obj, amount: int | None, why: str | None, metadata: Obj) -> Obj:
    """Give captured money back, all that is left or `amount` of it (minor units).

    Raises ApiError (400) where nothing was captured, nothing is left, or less is left than asked for.
    """
    left = charge["amount_captured"] - charge["amount_refunded"]
    if not charge["captured"]:
        raise invalid(
            f"This PaymentIntent ({charge['payment_intent']}) does not have a successful charge to refund.",
            code="payment_intent_unexpected_state",
        )
    if charge["disputed"]:
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if left <= 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount is not None and amount > left:
        raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount")
    given = world.add(
        "re",
        {
            "amount": left if amount is None else amount,
            "charge": charge["id"],
            "currency": charge["currency"],
            "metadata": metadata,
            "payment_intent": charge["payment_intent"],
            "reason": why,
            "status": "succeeded",
        },
    )
    charge["amount_refunded"] += given["amount"]
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    world.event("refund.created", given)
    world.event("charge.refunded", charge)
    return given


def dispute(world: World, charge: Obj) -> Obj:
    """The card's owner asks their bank for the money back; the bank takes it until the dispute is closed."""
    case = world.add(
        "dp",
        {
            "amount": charge["amount_captured"] - charge["amount_refunded"],
            "charge": charge["id"],
            "currency": charge["currency"],
            "evidence": {"uncategorized_text": None},
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "reason": "fraudulent",
            "status": "needs_response",
        },
    )
    charge["disputed"] = True
    world.event("charge.dispute.created", case)
    return case


def open_due(world: World) -> bool:
    """Open the disputes that a test card brings soon after its capture; tells whether there was one."""
    due = [c for c in world.all("charge") if c.get("_dispute_at", world.now() + 1) <= world.now()]
    for charge in due:
        del charge["_dispute_at"]
        dispute(world, charge)
    return bool(due)


def close_dispute(world: World, case: Obj, *, won: bool) -> None:
    """End a dispute; `winning_evidence` and `losing_evidence` are the words that the test mode understands."""
    if case["status"] != "needs_response":
        raise invalid("This dispute is already closed", code="dispute_already_closed")
    case["status"] = "won" if won else "lost"
    world.event("charge.dispute.closed", case)
