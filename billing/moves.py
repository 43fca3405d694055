"""Moving a payment to what the provider says of it: the one place that changes a payment's state."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from billing.events import OF_STATE, PaymentAuthorisationEnding, PaymentEvent
from billing.gateway import Checkout, Snapshot
from billing.models import LedgerEntry, Payment
from billing.states import PaymentState, path
from overread.kit import clock, log
from overread.kit.jobs import emit

AUTHORISATION_WARNING = timedelta(hours=24)
_log = log.get(__name__)


def move(tx: Session, payment: Payment, goal: PaymentState, action: str, **detail: str | int | None) -> bool:
    """Take a locked payment to a state, by way of every state between; False where no way leads there.

    Each step is a row of the ledger and, where it concerns others, an event.
    """
    steps = path(payment.state, goal)
    if steps is None:
        _log.warning("payment_move_refused", payment=str(payment.id), state=payment.state, goal=goal, action=action)
        return False
    for step in steps:
        previous, payment.state = payment.state, step
        _enter(tx, payment, previous, step)
        tx.add(
            LedgerEntry(
                payment_id=payment.id,
                at=clock.now(),
                action=action,
                from_state=previous,
                to_state=step,
                amount=payment.amount,
                detail=dict(detail),
            )
        )
    tx.flush()
    return True


def _enter(tx: Session, payment: Payment, previous: PaymentState, state: PaymentState) -> None:
    if state in OF_STATE:
        emit(tx, event_of(OF_STATE[state], payment, previous))
    if state is PaymentState.AUTHORISED:
        warn_before_end(tx, payment)


def event_of(kind: type[PaymentEvent], payment: Payment, previous: PaymentState) -> PaymentEvent:
    """An event of this kind that tells of a payment as it is now."""
    return kind(
        payment_id=str(payment.id),
        subject_ref=payment.subject_ref,
        amount=payment.amount,
        refunded=payment.amount_refunded,
        currency=payment.currency,
        previous=previous,
    )


def warn_before_end(tx: Session, payment: Payment) -> None:
    """Have PaymentHoldEnding heard a day before the hold on a card runs out."""
    if payment.capture_before is not None:
        wait = payment.capture_before - AUTHORISATION_WARNING - clock.now()
        ending = event_of(PaymentAuthorisationEnding, payment, PaymentState.AUTHORISED)
        emit(tx, ending, after=max(wait, timedelta(0)))


def record(tx: Session, payment: Payment, action: str, amount: int, **detail: str | int | None) -> None:
    """A row of the ledger for what changes no state."""
    tx.add(
        LedgerEntry(
            payment_id=payment.id,
            at=clock.now(),
            action=action,
            from_state=payment.state,
            to_state=payment.state,
            amount=amount,
            detail=dict(detail),
        )
    )
    tx.flush()


def apply_checkout(tx: Session, payment: Payment, page: Checkout) -> None:
    """Take over what became of a payment's page."""
    payment.customer_id = page.customer_id or payment.customer_id
    if page.payment_intent_id:
        # A page's payment intent takes the place of an older one (a hold that could not be renewed).
        payment.payment_intent_id = page.payment_intent_id
    if page.status == "open":
        return
    payment.checkout_url = None
    if page.saved_method_id:
        payment.payment_method_id = page.saved_method_id
        if payment.state is PaymentState.NONE:
            move(tx, payment, PaymentState.METHOD_SAVED, "page")
    elif page.status == "expired" and page.payment_intent_id is None and payment.state is PaymentState.NONE:
        move(tx, payment, PaymentState.EXPIRED, "page")


def goal_of(snapshot: Snapshot) -> PaymentState | None:
    """The state that the provider's word means, None where the payer is still at it."""
    if snapshot.status == "requires_action":
        return PaymentState.REQUIRES_ACTION
    if snapshot.status == "requires_capture":
        return PaymentState.AUTHORISED
    if snapshot.status == "canceled":
        return PaymentState.EXPIRED if snapshot.ended == "expired" else PaymentState.VOIDED
    if snapshot.status != "succeeded":
        return None
    if snapshot.dispute == "open":
        return PaymentState.DISPUTED
    if snapshot.dispute == "lost":
        return PaymentState.LOST
    if snapshot.refunded:
        return PaymentState.REFUNDED if snapshot.refunded >= snapshot.received else PaymentState.PARTLY_REFUNDED
    return PaymentState.WON if snapshot.dispute == "won" else PaymentState.CAPTURED


def apply(tx: Session, payment: Payment, snapshot: Snapshot, action: str) -> None:
    """Move a locked payment to what the provider says now; saying the same again changes nothing.

    An amount or a currency that is not ours moves nothing: it is logged for a person to look at.
    """
    if (snapshot.amount, snapshot.currency) != (payment.amount, payment.currency):
        _log.error(
            "payment_amount_differs",
            payment=str(payment.id),
            ours=f"{payment.amount} {payment.currency}",
            theirs=f"{snapshot.amount} {snapshot.currency}",
        )
        payment.failure_code, payment.failure_text = "amount_differs", "The provider names another amount than ours."
        return
    payment.payment_intent_id = snapshot.payment_intent_id
    payment.customer_id = snapshot.customer_id or payment.customer_id
    payment.payment_method_id = snapshot.payment_method_id or payment.payment_method_id
    payment.card_label = snapshot.card_label or payment.card_label
    payment.capture_before = snapshot.capture_before or payment.capture_before
    payment.failure_code, payment.failure_text = snapshot.failure_code, snapshot.failure_text
    payment.amount_refunded = snapshot.refunded
    goal = goal_of(snapshot)
    if goal is None or goal is payment.state:
        return
    if goal is PaymentState.AUTHORISED and payment.state is PaymentState.CAPTURING:
        return  # the capture is wanted and not yet done
    move(tx, payment, goal, action)
