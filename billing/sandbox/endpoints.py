"""What each endpoint of the sandbox's API does, as a table: method, path, the parameters it knows, its function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from billing.sandbox import intents, methods, refunds, sessions
from billing.sandbox.cards import check
from billing.sandbox.errors import invalid
from billing.sandbox.forms import Form, choice, flag, required, whole
from billing.sandbox.world import Obj, World, public


@dataclass(frozen=True)
class Call:
    """One request: the world, the id in the path, the form, and the sandbox's own address."""

    world: World
    id: str
    form: Form
    base_url: str


@dataclass(frozen=True)
class Endpoint:
    """One row of the table. `form` names the parameters it takes besides `expand`."""

    method: str
    path: str
    run: Callable[[Call], Obj]
    form: frozenset[str]


def _create_session(call: Call) -> Obj:
    return sessions.create(call.world, call.form, call.base_url)


def _get_session(call: Call) -> Obj:
    return call.world.get("checkout.session", call.id)


def _expire_session(call: Call) -> Obj:
    session = _get_session(call)
    sessions.expire(call.world, session)
    return session


def _create_intent(call: Call) -> Obj:
    form = call.form
    amount = whole(form, "amount", least=1)
    if amount is None:
        required(form, "amount")
        amount = 0
    customer = form.get("customer")
    if customer is not None:
        call.world.get("customer", customer, "customer")
    intent = intents.create(
        call.world,
        amount=amount,
        currency=required(form, "currency").lower(),
        capture_method=choice(form, "capture_method", ("automatic", "automatic_async", "manual"), "automatic_async"),
        customer=customer,
        metadata=sessions.metadata(form),
        setup_future_usage=form.get("setup_future_usage"),
        statement_descriptor_suffix=form.get("statement_descriptor_suffix"),
        description=form.get("description"),
    )
    if flag(form, "confirm"):
        _confirm(call, intent)
    return intent


def _confirm(call: Call, intent: Obj) -> None:
    off_session = flag(call.form, "off_session")
    name = call.form.get("payment_method") or intent["payment_method"]
    if not name:
        raise invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
            payment_intent=public(intent),
        )
    method = methods.find_method(call.world, name)
    if method["customer"] not in (None, intent["customer"]):
        raise invalid(
            "The provided PaymentMethod can't be used with this PaymentIntent: it belongs to another Customer.",
            code="payment_method_customer_decline",
            param="payment_method",
        )
    intents.confirm(
        call.world, intent, method, challenge_url=f"{call.base_url}/c/3ds/{intent['id']}", off_session=off_session
    )
    if intent["status"] == "requires_action":
        intent["next_action"]["redirect_to_url"]["return_url"] = call.form.get("return_url")


def _get_intent(call: Call) -> Obj:
    return call.world.get("payment_intent", call.id)


def _confirm_intent(call: Call) -> Obj:
    intent = _get_intent(call)
    _confirm(call, intent)
    return intent


def _capture_intent(call: Call) -> Obj:
    intent = _get_intent(call)
    intents.capture(call.world, intent, whole(call.form, "amount_to_capture", least=1))
    return intent


def _cancel_intent(call: Call) -> Obj:
    intent = _get_intent(call)
    session = sessions.of_intent(call.world, intent["id"])
    if session is not None and intent["status"] in ("requires_payment_method", "requires_action"):
        raise invalid("You cannot cancel this PaymentIntent: it is a Checkout Session's. Expire the session instead.")
    why = choice(
        call.form,
        "cancellation_reason",
        ("duplicate", "fraudulent", "requested_by_customer", "abandoned", ""),
        "",
    )
    intents.cancel(call.world, intent, why or None)
    return intent


def _get_charge(call: Call) -> Obj:
    return call.world.get("charge", call.id)


def _create_refund(call: Call) -> Obj:
    charge_id = call.form.get("charge")
    if charge_id is None:
        intent = call.world.get("payment_intent", required(call.form, "payment_intent"), "payment_intent")
        charge_id = intent["latest_charge"]
        if charge_id is None:
            raise invalid(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.")
    why = choice(call.form, "reason", ("duplicate", "fraudulent", "requested_by_customer", ""), "")
    return refunds.refund(
        call.world,
        call.world.get("charge", charge_id, "charge"),
        whole(call.form, "amount", least=1),
        why or None,
        sessions.metadata(call.form),
    )


def _get_refund(call: Call) -> Obj:
    return call.world.get("refund", call.id)


def _create_customer(call: Call) -> Obj:
    return methods.create_customer(call.world, metadata=sessions.metadata(call.form), email=call.form.get("email"))


def _get_customer(call: Call) -> Obj:
    return call.world.get("customer", call.id)


def _create_method(call: Call) -> Obj:
    card = call.form.get("card")
    if required(call.form, "type") != "card" or not isinstance(card, dict):
        raise invalid("The sandbox knows cards only.", param="type")
    expiry = f"{card.get('exp_month', '')}/{card.get('exp_year', '')}"
    entered = check(required(card, "number"), expiry, card.get("cvc", "000"), call.world.today())
    if isinstance(entered, dict):
        raise invalid(next(iter(entered.values())), param=f"card[{next(iter(entered))}]")
    return methods.create_method(call.world, entered)


def _get_method(call: Call) -> Obj:
    return methods.find_method(call.world, call.id)


def _attach_method(call: Call) -> Obj:
    method = methods.find_method(call.world, call.id)
    method["customer"] = call.world.get("customer", required(call.form, "customer"), "customer")["id"]
    call.world.event("payment_method.attached", method)
    return method


def _get_setup(call: Call) -> Obj:
    return call.world.get("setup_intent", call.id)


def _get_dispute(call: Call) -> Obj:
    return call.world.get("dispute", call.id)


def _update_dispute(call: Call) -> Obj:
    case = _get_dispute(call)
    evidence = call.form.get("evidence", {})
    words = evidence.get("uncategorized_text") if isinstance(evidence, dict) else None
    case["evidence"] = {"uncategorized_text": words}
    if words in ("winning_evidence", "losing_evidence"):
        refunds.close_dispute(call.world, case, won=words == "winning_evidence")
    return case


def _get_event(call: Call) -> Obj:
    return call.world.get("event", call.id)


def _list(kind: str, *filters: str) -> Callable[[Call], Obj]:
    """A listing of a kind, newest first, filtered by equality and `created[gte]`, paged by `starting_after`."""

    def run(call: Call) -> Obj:
        form: dict[str, Any] = call.form
        things = list(reversed(call.world.all(kind)))
        for name in filters:
            if name in form:
                things = [t for t in things if t[name] == form[name]]
        created = form.get("created")
        if isinstance(created, dict):
            since = whole(created, "gte") or 0
            things = [t for t in things if t["created"] >= since]
        if "starting_after" in form:
            ids = [t["id"] for t in things]
            call.world.get(kind, form["starting_after"], "starting_after")
            things = things[ids.index(form["starting_after"]) + 1 :] if form["starting_after"] in ids else []
        limit = min(whole(form, "limit", least=1) or 10, 100)
        path = "/v1/" + {"checkout.session": "checkout/sessions"}.get(kind, kind + "s")
        return {
            "object": "list",
            "url": path,
            "has_more": len(things) > limit,
            "data": [public(t) for t in things[:limit]],
        }

    return run


def _row(method: str, path: str, run: Callable[[Call], Obj], form: str = "") -> Endpoint:
    return Endpoint(method, path, run, frozenset(form.split()))


_PAGED = "limit starting_after created"

ENDPOINTS: tuple[Endpoint, ...] = (
    _row(
        "POST",
        "/v1/checkout/sessions",
        _create_session,
        "mode success_url cancel_url line_items expires_at customer customer_creation client_reference_id currency "
        "locale metadata payment_intent_data setup_intent_data payment_method_types submit_type",
    ),
    _row("GET", "/v1/checkout/sessions", _list("checkout.session", "payment_intent"), f"{_PAGED} payment_intent"),
    _row("GET", "/v1/checkout/sessions/{id}", _get_session),
    _row("POST", "/v1/checkout/sessions/{id}/expire", _expire_session),
    _row(
        "POST",
        "/v1/payment_intents",
        _create_intent,
        "amount currency capture_method customer metadata setup_future_usage statement_descriptor_suffix description "
        "confirm off_session payment_method payment_method_types return_url",
    ),
    _row("GET", "/v1/payment_intents", _list("payment_intent", "customer"), f"{_PAGED} customer"),
    _row("GET", "/v1/payment_intents/{id}", _get_intent),
    _row("POST", "/v1/payment_intents/{id}/confirm", _confirm_intent, "payment_method off_session return_url"),
    _row("POST", "/v1/payment_intents/{id}/capture", _capture_intent, "amount_to_capture"),
    _row("POST", "/v1/payment_intents/{id}/cancel", _cancel_intent, "cancellation_reason"),
    _row("GET", "/v1/charges/{id}", _get_charge),
    _row("GET", "/v1/charges", _list("charge", "payment_intent", "customer"), f"{_PAGED} payment_intent customer"),
    _row("POST", "/v1/refunds", _create_refund, "payment_intent charge amount reason metadata"),
    _row("GET", "/v1/refunds", _list("refund", "payment_intent", "charge"), f"{_PAGED} payment_intent charge"),
    _row("GET", "/v1/refunds/{id}", _get_refund),
    _row("POST", "/v1/customers", _create_customer, "email metadata"),
    _row("GET", "/v1/customers/{id}", _get_customer),
    _row("POST", "/v1/payment_methods", _create_method, "type card"),
    _row("GET", "/v1/payment_methods", _list("payment_method", "customer"), f"{_PAGED} customer type"),
    _row("GET", "/v1/payment_methods/{id}", _get_method),
    _row("POST", "/v1/payment_methods/{id}/attach", _attach_method, "customer"),
    _row("GET", "/v1/setup_intents/{id}", _get_setup),
    _row("GET", "/v1/disputes", _list("dispute", "payment_intent", "charge"), f"{_PAGED} payment_intent charge"),
    _row("GET", "/v1/disputes/{id}", _get_dispute),
    _row("POST", "/v1/disputes/{id}", _update_dispute, "evidence submit"),
    _row("GET", "/v1/events", _list("event", "type"), f"{_PAGED} type"),
    _row("GET", "/v1/events/{id}", _get_event),
)
