"""Taking money for a subject: open a page, hold, capture, give back; and looking again at what the provider says.

Every function takes the caller's transaction and locks the payment's row, so twenty clicks are twenty calls one after
another. A call to the provider happens inside that transaction. If the process dies, or the transaction fails, after
the provider has acted and before the commit, the row stays as it was and nothing is lost or done twice: the same call
again carries the same idempotency key, or finds that it is done; and a webhook or `reconcile` moves the row to what
the provider says. A caller who wants the wish to capture on record first commits `begin_capture`, then calls
`capture` in a second transaction; `sync` finishes a capture that was begun.

A function that raises leaves the move of state to whoever looks next, because the caller's transaction is undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from billing import moves, repository
from billing.errors import AuthorisationEnded, Declined, NotAuthorised, NotRefundable
from billing.events import AuthorisationReplaced
from billing.gateway import Gateway
from billing.models import Payment
from billing.prices import price, prices, set_price
from billing.states import OVER, TAKEN, PaymentState
from overread.kit import clock, log
from overread.kit.errors import BadInput, Conflict, NotFound
from overread.kit.jobs import emit
from overread.kit.language import gettext
from overread.kit.money import currency_code

__all__ = [
    "CheckoutLink",
    "authorise_saved",
    "begin_capture",
    "capture",
    "find",
    "is_refunded",
    "open_checkout",
    "price",
    "prices",
    "record_outside",
    "refund",
    "release_hold",
    "renew_hold",
    "set_price",
    "sync",
    "void",
]

PAGE_LIFE = timedelta(hours=2)
_log = log.get(__name__)


@dataclass(frozen=True)
class CheckoutLink:
    """Where the payer goes next; `url` is None where nothing is left to pay, and `state` tells why."""

    payment_id: UUID
    url: str | None
    state: PaymentState


def find(tx: Session, subject_ref: str) -> Payment | None:
    """The payment that stands for a subject, else its last one, else None."""
    return repository.latest(tx, subject_ref)


def open_checkout(
    tx: Session,
    gateway: Gateway,
    subject_ref: str,
    *,
    price_key: str,
    success_url: str,
    cancel_url: str,
    save_only: bool = False,
) -> CheckoutLink:
    """The payment page of a subject: the one that is open already, else a new one.

    The amount is the price table's alone. With `save_only` the card is kept and nothing is held
    (`authorise_saved` holds later). Raises NotFound for an unknown price, Unavailable for a silent provider.
    """
    wanted = price(tx, price_key)
    repository.lock_subject(tx, subject_ref)
    payment = repository.latest(tx, subject_ref, lock=True)
    if payment is None or payment.state in OVER:
        payment = _new(tx, subject_ref, price_key, wanted.amount, wanted.currency, "stripe")
    elif payment.provider != "stripe":
        return CheckoutLink(payment.id, None, payment.state)
    else:
        _look(tx, gateway, payment)
        if payment.state in OVER:  # its page ran out unseen
            payment = _new(tx, subject_ref, price_key, wanted.amount, wanted.currency, "stripe")
    if payment.state not in (PaymentState.NONE, PaymentState.REQUIRES_ACTION):
        return CheckoutLink(payment.id, None, payment.state)
    same = payment.price_key == price_key
    if payment.checkout_id and payment.checkout_url:
        fresh = payment.checkout_expires_at is not None and payment.checkout_expires_at > clock.now()
        if same and fresh:
            return CheckoutLink(payment.id, payment.checkout_url, payment.state)
        # Two open pages could both be paid: the old one is closed first.
        old = gateway.expire_checkout(payment.checkout_id, key=f"{payment.id}:expire:{payment.checkout_id}")
        if old.status == "complete":
            _look(tx, gateway, payment)
            return CheckoutLink(payment.id, None, payment.state)
    if not same:
        payment.price_key, payment.amount, payment.currency = price_key, wanted.amount, wanted.currency
    payment.payment_intent_id = None
    expires = clock.now() + PAGE_LIFE
    page = gateway.create_checkout(
        payment_id=str(payment.id),
        amount=payment.amount,
        currency=payment.currency,
        mode="setup" if save_only else "payment",
        success_url=success_url,
        cancel_url=cancel_url,
        expires_at=expires,
        customer_id=payment.customer_id,
        # A page that was made and then forgotten by a failed commit has been shown to nobody: a new key each time.
        key=f"{payment.id}:page:{uuid4()}",
    )
    payment.checkout_id, payment.checkout_url, payment.checkout_expires_at = page.id, page.url, page.expires_at
    moves.record(tx, payment, "page_opened", payment.amount, page=page.id)
    return CheckoutLink(payment.id, page.url, payment.state)


def _new(tx: Session, subject_ref: str, price_key: str | None, amount: int, currency: str, provider: str) -> Payment:
    payment = Payment(
        subject_ref=subject_ref,
        price_key=price_key,
        amount=amount,
        currency=currency_code(currency),
        provider=provider,
        state=PaymentState.NONE,
    )
    payment.amount_refunded = payment.attempt = 0
    tx.add(payment)
    tx.flush()
    return payment


def record_outside(
    tx: Session, subject_ref: str, *, price_key: str, method: str, reference: str = "", by: str = ""
) -> Payment:
    """Record an invoice paid outside (`method` "invoice") or a free program ("free") as authorised.

    From there it is captured, voided and refunded like any other, without a provider. The same again finds it done.
    Raises Conflict where another payment stands for the subject already.
    """
    if method not in ("invoice", "free"):
        raise BadInput(f"unknown way to pay {method!r}")
    wanted = price(tx, price_key)
    repository.lock_subject(tx, subject_ref)
    standing = repository.latest(tx, subject_ref, lock=True)
    if standing is not None and standing.state not in OVER:
        same = {"reference": reference[:200], "by": by[:200]}
        if standing.provider == method and any(e.detail == same for e in repository.ledger(tx, standing.id)):
            return standing
        raise Conflict(
            f"payment {standing.id} stands for the subject",
            safe=gettext("There is a payment for this already. Void it first."),
        )
    amount = 0 if method == "free" else wanted.amount
    payment = _new(tx, subject_ref, price_key, amount, wanted.currency, method)
    moves.move(tx, payment, PaymentState.AUTHORISED, method, reference=reference[:200], by=by[:200])
    return payment


def sync(tx: Session, gateway: Gateway, payment_id: UUID, *, payment_intent_id: str | None = None) -> Payment:
    """Look again: ask the provider and move to what it says; finish a capture that was begun.

    Safe to call at any time, any number of times, in any order. `payment_intent_id` is what a webhook spoke of: a hold
    on a saved card whose commit was lost is known from there alone. Raises NotFound or Unavailable.
    """
    payment = repository.locked(tx, payment_id)
    if payment.state is PaymentState.METHOD_SAVED and payment.payment_intent_id is None:
        payment.payment_intent_id = payment_intent_id
    payment.updated_at = clock.now()
    _look(tx, gateway, payment)
    if payment.state is PaymentState.CAPTURING:
        try:
            _take(tx, gateway, payment)
        except Declined as error:
            payment.failure_code, payment.failure_text = error.code, error.safe
            moves.move(tx, payment, PaymentState.FAILED, "capture", reason=error.code)
    return payment


def _look(tx: Session, gateway: Gateway, payment: Payment) -> None:
    if payment.provider != "stripe":
        return
    if payment.checkout_id and payment.checkout_url:
        moves.apply_checkout(tx, payment, gateway.get_checkout(payment.checkout_id))
    if payment.payment_intent_id:
        moves.apply(tx, payment, gateway.get_payment_intent(payment.payment_intent_id), "look")
    tx.flush()


def authorise_saved(tx: Session, gateway: Gateway, subject_ref: str) -> Payment:
    """Hold the amount on the card that was saved; the payment returned tells what came of it.

    authorised; or requires_action where the bank wants to see the owner (open a page then); or failed. Does nothing
    unless the state is method_saved.
    """
    payment = _standing(tx, subject_ref)
    if payment.state is not PaymentState.METHOD_SAVED:
        return payment
    assert payment.customer_id
    assert payment.payment_method_id
    try:
        snapshot = gateway.authorise_saved_card(
            payment_id=str(payment.id),
            amount=payment.amount,
            currency=payment.currency,
            customer_id=payment.customer_id,
            payment_method_id=payment.payment_method_id,
            key=f"{payment.id}:hold:{payment.attempt}",
        )
    except Declined as error:
        payment.failure_code, payment.failure_text = error.code, error.safe
        owner = error.code == "authentication_required"
        moves.move(
            tx, payment, PaymentState.REQUIRES_ACTION if owner else PaymentState.FAILED, "hold", reason=error.code
        )
    else:
        moves.apply(tx, payment, snapshot, "hold")
    payment.attempt += 1
    tx.flush()
    return payment


def renew_hold(tx: Session, gateway: Gateway, payment_id: UUID) -> Payment:
    """Hold the amount anew on the saved card, then release the old hold; for holds that end within a day.

    Where the bank wants to see the owner, the old hold is released and the state is requires_action: a pay link is
    due. Where the card is refused otherwise, the old hold stays until it ends.
    """
    payment = repository.locked(tx, payment_id)
    _look(tx, gateway, payment)
    ending = payment.capture_before is not None and payment.capture_before - clock.now() <= moves.AUTHORISATION_WARNING
    saved, customer, old = payment.payment_method_id, payment.customer_id, payment.payment_intent_id
    if payment.state is not PaymentState.AUTHORISED or not (ending and saved and customer and old):
        return payment
    payment.attempt += 1
    try:
        snapshot = gateway.authorise_saved_card(
            payment_id=str(payment.id),
            amount=payment.amount,
            currency=payment.currency,
            customer_id=customer,
            payment_method_id=saved,
            key=f"{payment.id}:hold:{payment.attempt}",
        )
    except Declined as error:
        moves.record(tx, payment, "renewal_refused", payment.amount, reason=error.code)
        if error.code == "authentication_required":
            emit(tx, AuthorisationReplaced(str(payment.id), old))
            payment.payment_intent_id = payment.capture_before = None
            moves.move(tx, payment, PaymentState.REQUIRES_ACTION, "renew", reason=error.code)
        return payment
    # Released by a job: were it canceled here and the commit lost, the row would still name the old hold.
    emit(tx, AuthorisationReplaced(str(payment.id), old))
    moves.apply(tx, payment, snapshot, "renew")
    moves.record(tx, payment, "renewed", payment.amount, old=old, new=snapshot.payment_intent_id)
    moves.warn_before_end(tx, payment)
    return payment


def release_hold(gateway: Gateway, payment_id: UUID, payment_intent_id: str) -> None:
    """Cancel a hold that `renew_hold` has replaced; it may be over already."""
    gateway.cancel(payment_intent_id, key=f"{payment_id}:cancel:{payment_intent_id}")


def _standing(tx: Session, subject_ref: str) -> Payment:
    payment = repository.latest(tx, subject_ref, lock=True)
    if payment is None:
        raise NotAuthorised(f"no payment for subject {subject_ref}")
    return payment


def _must_be_held(payment: Payment) -> None:
    if payment.state in (PaymentState.EXPIRED, PaymentState.VOIDED):
        raise AuthorisationEnded(f"payment {payment.id} is {payment.state}")
    if payment.state is PaymentState.FAILED:
        raise Declined(
            f"payment {payment.id} failed", code=payment.failure_code or "card_declined", safe=payment.failure_text
        )
    if payment.state not in (PaymentState.AUTHORISED, PaymentState.CAPTURING):
        raise NotAuthorised(f"payment {payment.id} is {payment.state}")


def begin_capture(tx: Session, subject_ref: str) -> Payment:
    """Put on record that the held money is wanted; commit it, then call `capture`.

    Raises NotHeld, HoldEnded or Declined where nothing is held. A payment that is taken already is returned as it is.
    """
    payment = _standing(tx, subject_ref)
    if payment.state in TAKEN:
        return payment
    _must_be_held(payment)
    moves.move(tx, payment, PaymentState.CAPTURING, "capture")
    return payment


def capture(tx: Session, gateway: Gateway, subject_ref: str) -> Payment:
    """Take what is held for a subject; a payment that is taken already is returned as it is.

    Raises NotHeld where nothing is held, HoldEnded where the hold has expired or was given up, Declined where the
    card is refused, Unavailable where the provider is silent (then it may be done: call again).
    """
    payment = begin_capture(tx, subject_ref)
    if payment.state not in TAKEN:
        _take(tx, gateway, payment)
        if payment.state not in TAKEN:
            _must_be_held(payment)
    return payment


def _take(tx: Session, gateway: Gateway, payment: Payment) -> None:
    if payment.provider != "stripe":
        moves.move(tx, payment, PaymentState.CAPTURED, "capture")
        return
    assert payment.payment_intent_id
    snapshot = gateway.capture(payment.payment_intent_id, key=f"{payment.id}:capture:{payment.payment_intent_id}")
    moves.apply(tx, payment, snapshot, "capture")


def void(tx: Session, gateway: Gateway, subject_ref: str, reason: str = "") -> Payment | None:
    """Give up a payment that was not taken: its page is closed, its hold released. None where there is none.

    Does nothing where it is over already. Raises Conflict where the money is taken (refund it) or being taken; a
    payment that turns out to be taken at the provider is returned as captured.
    """
    payment = repository.latest(tx, subject_ref, lock=True)
    if payment is None or payment.state in OVER:
        return payment
    if payment.state not in (
        PaymentState.NONE,
        PaymentState.METHOD_SAVED,
        PaymentState.REQUIRES_ACTION,
        PaymentState.AUTHORISED,
    ):
        raise Conflict(
            f"payment {payment.id} is {payment.state}",
            safe=gettext("The payment has been taken already. Refund it instead."),
        )
    if payment.provider == "stripe":
        if payment.checkout_id and payment.checkout_url:
            page = gateway.expire_checkout(payment.checkout_id, key=f"{payment.id}:expire:{payment.checkout_id}")
            moves.record(tx, payment, "page_closed", payment.amount, page=page.id, status=page.status)
            payment.checkout_url = None
            payment.payment_intent_id = page.payment_intent_id or payment.payment_intent_id
        if payment.payment_intent_id:
            key = f"{payment.id}:cancel:{payment.payment_intent_id}"
            snapshot = gateway.cancel(payment.payment_intent_id, key=key)
            if snapshot.status != "canceled":
                moves.apply(tx, payment, snapshot, "void")
                _log.warning("void_came_too_late", payment=str(payment.id), state=payment.state)
                return payment
    moves.move(tx, payment, PaymentState.VOIDED, "void", reason=reason[:200])
    return payment


def is_refunded(tx: Session, subject_ref: str, request_id: str) -> bool:
    """Whether the refund of this `request_id` was made. Locks the payment, so that one under way is waited for."""
    payment = repository.latest(tx, subject_ref, lock=True)
    return payment is not None and repository.refund_done(tx, payment.id, request_id)


def refund(
    tx: Session, gateway: Gateway, subject_ref: str, amount: int | None, reason: str, *, request_id: str
) -> Payment:
    """Give money back: all that is left (`amount` None), or a part in minor units.

    The same `request_id` again does nothing: it names one wish to refund (a form's id, a case's event). Raises
    NotRefundable where nothing was taken, nothing is left, or less than `amount`; NotFound where there is no payment.
    """
    payment = repository.latest(tx, subject_ref, lock=True)
    if payment is None:
        raise NotFound(f"no payment for subject {subject_ref}")
    if repository.refund_done(tx, payment.id, request_id):
        return payment
    left = payment.amount - payment.amount_refunded
    given = left if amount is None else amount
    # The provider knows best what is left: a refund whose commit was lost is found again there by its key.
    ours = payment.provider != "stripe"
    if payment.state not in (*TAKEN, PaymentState.REFUNDED) or given <= 0 or (ours and given > left):
        raise NotRefundable(f"payment {payment.id} is {payment.state}, {left} left, {given} asked for")
    if not ours:
        assert payment.payment_intent_id
        snapshot = gateway.refund(payment.payment_intent_id, given, key=f"{payment.id}:refund:{request_id}")
        moves.apply(tx, payment, snapshot, "refund")
    else:
        payment.amount_refunded += given
        goal = PaymentState.REFUNDED if payment.amount_refunded == payment.amount else PaymentState.PARTLY_REFUNDED
        moves.move(tx, payment, goal, "refund")
    moves.record(tx, payment, "refund", given, request_id=request_id, reason=reason[:200])
    return payment
