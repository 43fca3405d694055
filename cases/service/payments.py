"""A case's payment, as people ask for it: the page, a payment made outside, a refund."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from sqlalchemy.orm import Session

from billing.gateway import Gateway
from cases import money, parts
from cases.machine import check, transition
from cases.models import Case
from cases.move import Move
from cases.repository import load, load_unasked
from cases.states import PAYABLE, Actor, CaseEvent, CaseState
from overread.kit import audit, permissions
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal

#: What a coordinator may give back alone, in percent of the price; above it an admin has to.
COORDINATOR_LIMIT_PERCENT = 50


def checkout(
    tx: Session, who: Principal, case_id: UUID, gateway: Gateway | None, *, success_url: str, cancel_url: str
) -> str | None:
    """The address of a case's payment page, the same however often it is asked for; None once it is paid.

    The price is the program's, never the caller's. Raises Conflict where there is nothing to pay, Unprocessable where
    a draft still needs something else, Unavailable where no provider is configured or it is silent.
    """
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_PAY, case_id)
    if money.is_free(case) or case.state not in PAYABLE:
        raise Conflict(f"nothing to pay for case {case_id}", safe=gettext("There is nothing to pay for this request."))
    if case.state is CaseState.DRAFT:
        # Nobody pays for a request that could not be sent.
        check(Move(tx, case, CaseEvent.SUBMIT, actor, who), leaving_out=frozenset({"paid_or_free"}))
    audit.record(tx, who, "case.checkout", "case", case.id, case_id=case.id)
    url = money.checkout(tx, gateway, case, success_url=success_url, cancel_url=cancel_url)
    if url is None and case.state is CaseState.DRAFT and not money.is_secured(tx, case):
        # A card was saved while a hospital was to send the images, which are here by now: the price is held on it.
        money.authorise(tx, gateway, case)
    return url


def look_again(tx: Session, who: Principal, case_id: UUID, gateway: Gateway | None) -> None:
    """Ask the provider how a case's payment stands, and send the request where that was all it waited for.

    Where the provider is silent, what it said last stands. Raises NotFound, Forbidden for all but the patient.
    """
    # The case before its payment, as whoever pays, accepts or ends it locks them.
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_PAY, case_id)
    money.ask(tx, gateway, case)
    if case.state is CaseState.DRAFT:
        # Not held yet, or the worker that heard of the payment was faster: a refused move changes nothing.
        with suppress(Unprocessable, Conflict):
            transition(Move(tx, case, CaseEvent.SUBMIT, actor, who))


def record_outside(tx: Session, who: Principal, case_id: UUID, *, method: str = "invoice", reference: str = "") -> None:
    """A coordinator records that an invoice was paid outside (`invoice`), or that nothing is asked for (`free`).

    A draft that is otherwise complete is submitted by it.
    """
    permissions.require(who, Permission.PAYMENT_RECORD)
    case = load_unasked(tx, case_id, lock=True)
    if case is None:
        raise NotFound(f"no case {case_id}")
    if case.state not in PAYABLE:
        raise Conflict(f"case {case_id} is {case.state}", safe=gettext("There is nothing to pay for this request."))
    money.record_outside(tx, case, method, reference, str(who.id))
    audit.record(tx, who, "case.paid_outside", "case", case.id, case_id=case.id, method=method)
    submit_if_complete(tx, case, gettext("The payment was recorded."))


def refund(
    tx: Session,
    who: Principal,
    case_id: UUID,
    gateway: Gateway | None,
    *,
    amount: int | None,
    reason: str,
    request_id: str,
) -> None:
    """Give money back: an admin any amount, a coordinator up to half the price. `amount` in minor units, None: all.

    The same `request_id` again does nothing. Raises NotRefundable, Forbidden, Unprocessable.
    """
    permissions.require(who, Permission.REFUND_PART)
    case = load_unasked(tx, case_id, lock=True)
    paid = money.paid(tx, case) if case is not None else None
    if case is None or paid is None:
        raise NotFound(f"no payment of case {case_id}")
    if not reason.strip():
        raise Unprocessable("no reason", safe=gettext("Please give a reason."))
    if money.is_refunded(tx, case, request_id):
        # Asked before the limit: what was given back is no second wish.
        return
    given = paid.amount - paid.refunded if amount is None else amount
    if (
        not permissions.has(who, Permission.REFUND_ANY)
        and given + paid.refunded > paid.amount * COORDINATOR_LIMIT_PERCENT // 100
    ):
        raise Forbidden(
            f"refund of {given} above the limit",
            safe=gettext(
                "Coordinators may refund up to %(coordinator_limit_percent)s %% of the price. Ask an admin for more.",
                coordinator_limit_percent=COORDINATOR_LIMIT_PERCENT,
            ),
        )
    money.refund(tx, gateway, case, amount, reason, request_id)
    audit.record(tx, who, "case.refund", "case", case.id, case_id=case.id, amount=given)


def submit_if_complete(tx: Session, case: Case, reason: str) -> bool:
    """Submit a draft for its patient where nothing is missing; whether it was. The caller holds the case's lock."""
    move = Move(tx, case, CaseEvent.SUBMIT, Actor.SYSTEM, None, reason=reason)
    if case.state is not CaseState.DRAFT:
        return False
    try:
        check(move)
    except Unprocessable:
        return False
    transition(move)
    return True
