"""Customers, payment methods and setup intents: https://docs.stripe.com/api/setup_intents."""

from __future__ import annotations

from billing.sandbox.cards import CARDS, TOKENS, Card, Entered
from billing.sandbox.errors import no_such
from billing.sandbox.world import Obj, World


def create_customer(world: World, *, metadata: Obj, email: str | None = None) -> Obj:
    """A customer; the sandbox keeps neither a name nor an address unless it is told one."""
    customer = world.add(
        "cus", {"email": email, "name": None, "description": None, "metadata": metadata, "delinquent": False}
    )
    world.event("customer.created", customer)
    return customer


def create_method(world: World, card: Entered, customer: str | None = None) -> Obj:
    """A payment method of a checked card. The number itself is not kept: its last four digits and its behaviour are."""
    return world.add(
        "pm",
        {
            "type": "card",
            "customer": customer,
            "metadata": {},
            "billing_details": {"address": None, "email": None, "name": None, "phone": None},
            "allow_redisplay": "unspecified",
            "card": {
                "brand": card.card.brand,
                "last4": card.number[-4:],
                "exp_month": card.month,
                "exp_year": card.year,
                "country": "US",
                "funding": "credit",
            },
            "_test_card": card.number,
            "_authenticated": False,
        },
    )


def find_method(world: World, name: str) -> Obj:
    """A payment method by its id or by the name of a test one. Raises ApiError where there is none."""
    if name in TOKENS:
        return create_method(world, Entered(TOKENS[name], 12, world.today().year + 2))
    if name not in world.objects["payment_method"]:
        raise no_such("PaymentMethod", name, "payment_method")
    return world.get("payment_method", name)


def behaviour(method: Obj) -> Card:
    """How the test card of a payment method behaves."""
    return CARDS[method["_test_card"]]


def create_setup_intent(world: World, *, customer: str | None, metadata: Obj) -> Obj:
    """A setup intent that waits for a card."""
    intent = world.add(
        "seti",
        {
            "customer": customer,
            "description": None,
            "last_setup_error": None,
            "metadata": metadata,
            "next_action": None,
            "payment_method": None,
            "payment_method_types": ["card"],
            "status": "requires_payment_method",
            "usage": "off_session",
        },
    )
    intent["client_secret"] = f"{intent['id']}_secret_{world.new_id('x')[2:]}"
    world.event("setup_intent.created", intent)
    return intent


def finish_setup(world: World, intent: Obj, method: Obj) -> None:
    """The card is saved for later use without its owner."""
    method["customer"] = intent["customer"]
    method["_authenticated"] = True
    intent.update(status="succeeded", payment_method=method["id"], next_action=None, last_setup_error=None)
    world.event("payment_method.attached", method)
    world.event("setup_intent.succeeded", intent)
