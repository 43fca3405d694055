"""Checkout sessions: https://docs.stripe.com/api/checkout/sessions, in the modes `payment` and `setup`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from billing.sandbox import intents, methods
from billing.sandbox.cards import reason
from billing.sandbox.errors import ApiError, invalid, missing
from billing.sandbox.forms import Form, choice, required, whole
from billing.sandbox.world import Obj, World

_LIFE = (30 * 60, 86400)  # a session lives from half an hour to a day


def metadata(form: Form, *path: str) -> Obj:
    """The metadata at a path of the form, empty where there is none. Raises ApiError (400) where it is no hash."""
    node: Any = form
    for name in (*path, "metadata"):
        node = node.get(name, {}) if isinstance(node, dict) else {}
    if not isinstance(node, dict) or not all(isinstance(v, str) for v in node.values()):
        raise invalid("Invalid hash", param="metadata")
    return dict(node)


def _lines(form: Form) -> tuple[list[Obj], int, str]:
    items = form.get("line_items")
    if not isinstance(items, list) or not items:
        raise missing("line_items")
    lines: list[Obj] = []
    currencies: set[str] = set()
    for i, item in enumerate(items):
        price = item.get("price_data") if isinstance(item, dict) else None
        if not isinstance(price, dict):
            raise missing(f"line_items[{i}][price_data]")
        product = price.get("product_data")
        if not isinstance(product, dict):
            raise missing(f"line_items[{i}][price_data][product_data]")
        quantity = whole(item, "quantity", least=1) or 1
        unit = whole(price, "unit_amount")
        if unit is None:
            raise missing(f"line_items[{i}][price_data][unit_amount]")
        currencies.add(required(price, "currency").lower())
        lines.append({"description": required(product, "name"), "quantity": quantity, "amount_total": quantity * unit})
    if len(currencies) > 1:
        raise invalid("All line items must have the same currency", param="line_items")
    return lines, sum(int(line["amount_total"]) for line in lines), currencies.pop()


def create(world: World, form: Form, base_url: str) -> Obj:
    """A session and the address of its page.

    Raises ApiError (400) for parameters that Stripe refuses too.
    """
    mode = choice(form, "mode", ("payment", "setup"), "payment")
    for name in ("success_url", "cancel_url"):
        address = urlsplit(form.get(name, ""))
        if name in form and (address.scheme not in ("http", "https") or not address.netloc):
            raise invalid("Not a valid URL", code="url_invalid", param=name)
    lines, total, currency = _lines(form) if mode == "payment" else ([], None, form.get("currency"))
    if total is not None and total < 50:
        raise invalid(
            "The Checkout Session's total amount must convert to at least 50 cents.",
            code="amount_too_small",
            param="line_items",
        )
    expires = whole(form, "expires_at") or world.now() + _LIFE[1]
    if not _LIFE[0] - 60 <= expires - world.now() <= _LIFE[1] + 60:
        raise invalid(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    customer = form.get("customer")
    if customer is not None:
        world.get("customer", customer, "customer")
    data = form.get("payment_intent_data", {})
    if not isinstance(data, dict):
        raise invalid("Invalid hash", param="payment_intent_data")
    session = world.add(
        "cs_test",
        {
            "amount_subtotal": total,
            "amount_total": total,
            "cancel_url": form.get("cancel_url"),
            "client_reference_id": form.get("client_reference_id"),
            "currency": currency,
            "customer": customer,
            "customer_creation": choice(form, "customer_creation", ("always", "if_required"), "if_required"),
            "customer_details": None,
            "expires_at": expires,
            "locale": form.get("locale"),
            "metadata": metadata(form),
            "mode": mode,
            "payment_intent": None,
            "payment_method_types": ["card"],
            "payment_status": "unpaid" if mode == "payment" else "no_payment_required",
            "setup_intent": None,
            "status": "open",
            "success_url": required(form, "success_url"),
            "ui_mode": "hosted_page",
            "url": None,
            "_lines": lines,
            "_capture_method": choice(data, "capture_method", ("automatic", "automatic_async", "manual"), "automatic"),
            "_setup_future_usage": data.get("setup_future_usage"),
            "_suffix": data.get("statement_descriptor_suffix"),
            "_description": data.get("description"),
            "_intent_metadata": metadata(form, "payment_intent_data")
            if mode == "payment"
            else metadata(form, "setup_intent_data"),
        },
    )
    session["url"] = f"{base_url}/c/pay/{session['id']}"
    if mode == "setup":
        if session["customer"] is None and session["customer_creation"] == "always":
            session["customer"] = methods.create_customer(world, metadata={})["id"]
        intent = methods.create_setup_intent(world, customer=session["customer"], metadata=session["_intent_metadata"])
        session["setup_intent"] = intent["id"]
    return session


def expire(world: World, session: Obj) -> None:
    """Close an open session. Raises ApiError (400) for one that is not open."""
    if session["status"] != "open":
        raise invalid(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"{session['status']}."
        )
    session.update(status="expired", url=None)
    if session["payment_intent"]:
        intent = world.get("payment_intent", session["payment_intent"])
        if intent["status"].startswith("requires_") and intent["status"] != "requires_capture":
            intents.cancel(world, intent, "abandoned")
    world.event("checkout.session.expired", session)


def expire_due(world: World) -> bool:
    """Close every session whose time is up; tells whether there was one."""
    due = [s for s in world.all("checkout.session") if s["status"] == "open" and s["expires_at"] <= world.now()]
    for session in due:
        expire(world, session)
    return bool(due)


def pay(world: World, session: Obj, method: Obj, challenge_base: str) -> str | None:
    """Submit a card on the session's page.

    Returns the address of the bank's challenge where there is one, None where the session is complete.
    Raises ApiError (402) with the sentence that the page shows.
    """
    card = methods.behaviour(method)
    if session["mode"] == "setup":
        setup = world.get("setup_intent", session["setup_intent"])
        if card.decline and not card.later:
            error = ApiError(402, "card_error", **reason(card.decline))
            setup["last_setup_error"] = error.error
            world.event("setup_intent.setup_failed", setup)
            raise error
        setup["payment_method"] = method["id"]
        if card.challenge:
            address = f"{challenge_base}/{setup['id']}"
            setup.update(
                status="requires_action",
                next_action={"type": "redirect_to_url", "redirect_to_url": {"url": address, "return_url": None}},
            )
            world.event("setup_intent.requires_action", setup)
            return address
        methods.finish_setup(world, setup, method)
        complete(world, session)
        return None
    intent = _intent(world, session)
    address = f"{challenge_base}/{intent['id']}"
    intents.confirm(world, intent, method, challenge_url=address)
    if intent["status"] == "requires_action":
        return address
    complete(world, session)
    return None


def _intent(world: World, session: Obj) -> Obj:
    """The session's payment intent, made when a card is first submitted, as Checkout does."""
    if session["payment_intent"]:
        return world.get("payment_intent", session["payment_intent"])
    if session["customer"] is None and session["customer_creation"] == "always":
        session["customer"] = methods.create_customer(world, metadata={})["id"]
    intent = intents.create(
        world,
        amount=session["amount_total"],
        currency=session["currency"],
        capture_method=session["_capture_method"],
        customer=session["customer"],
        metadata=dict(session["_intent_metadata"]),
        setup_future_usage=session["_setup_future_usage"],
        statement_descriptor_suffix=session["_suffix"],
        description=session["_description"],
    )
    session["payment_intent"] = intent["id"]
    return intent


def complete(world: World, session: Obj) -> None:
    """The session has done its work; its page no longer opens."""
    session.update(status="complete", url=None)
    if session["mode"] == "payment":
        intent = world.get("payment_intent", session["payment_intent"])
        session["payment_status"] = "paid" if intent["status"] == "succeeded" else "unpaid"
    world.event("checkout.session.completed", session)


def of_intent(world: World, intent_id: str) -> Obj | None:
    """The session that an intent belongs to."""
    for session in world.all("checkout.session"):
        if intent_id in (session["payment_intent"], session["setup_intent"]):
            return session
    return None


def return_address(session: Obj) -> str:
    """Where the browser goes after success."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])
