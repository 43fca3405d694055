"""What the case layer asks of billing. A case's `subject_ref` is its id: opaque to billing and to the provider."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy.orm import Session

from billing import repository, service
from billing.gateway import Gateway
from billing.models import Payment
from billing.states import OVER, TAKEN, PaymentState
from cases.models import Case
from cases.states import DELIVERED, ENDED, CaseState, ImagesBy
from overread.kit.errors import Conflict, Unavailable
from overread.kit.language import gettext
from overread.kit.money import formatted

_HELD = frozenset((PaymentState.AUTHORISED, PaymentState.CAPTURING)) | TAKEN


@dataclass(frozen=True, slots=True)
class Paid:
    """A case's payment as its page shows it. Amounts in minor units of `currency` (ISO 4217)."""

    state: str
    amount: int
    refunded: int
    currency: str
    text: str
    #: Why it failed, as the provider puts it; "" where it did not.
    failure: str = ""

    @property
    def is_taken(self) -> bool:
        """Whether the price was captured, and is not given back whole."""
        return self.state in TAKEN


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that was given back: how much, as people read it, and why."""

    at: datetime
    text: str
    reason: str


def subject(case: Case) -> str:
    """What billing knows a case by."""
    return str(case.id)


def is_free(case: Case) -> bool:
    """Whether the case's kind of opinion costs nothing."""
    return case.kind.price_key is None


def is_begun(tx: Session, case: Case) -> bool:
    """Whether a payment was begun and has not failed or ended."""
    payment = service.find(tx, subject(case))
    return payment is not None and payment.state not in OVER


def is_secured(tx: Session, case: Case) -> bool:
    """Whether the price is held or taken; a saved card is enough where a hospital will send the images later."""
    payment = service.find(tx, subject(case))
    if payment is None:
        return False
    return payment.state in _HELD or (
        case.images_by is ImagesBy.HOSPITAL and payment.state == PaymentState.METHOD_SAVED
    )


def is_authorised(tx: Session, case: Case) -> bool:
    """Whether the price is held, or taken already."""
    payment = service.find(tx, subject(case))
    return payment is not None and payment.state in _HELD


def is_taken(tx: Session, case: Case) -> bool:
    """Whether the price has been captured."""
    payment = service.find(tx, subject(case))
    return payment is not None and payment.state in TAKEN


def paid(tx: Session, case: Case) -> Paid | None:
    """The case's payment, or None where there is none."""
    payment: Payment | None = service.find(tx, subject(case))
    if payment is None:
        return None
    return Paid(
        payment.state,
        payment.amount,
        payment.amount_refunded,
        payment.currency,
        formatted(payment.amount, payment.currency),
        payment.failure_text or "",
    )


def refunds(tx: Session, case: Case) -> tuple[Refund, ...]:
    """What was given back and why, oldest first."""
    payment: Payment | None = service.find(tx, subject(case))
    entries = repository.ledger(tx, payment.id) if payment is not None else []
    return tuple(
        Refund(entry.at, formatted(entry.amount, payment.currency), str(entry.detail.get("reason", "")))
        for entry in entries
        if entry.action == "refund" and payment is not None
    )


def checkout(tx: Session, gateway: Gateway | None, case: Case, *, success_url: str, cancel_url: str) -> str | None:
    """The address of the case's payment page, None where nothing is left to pay.

    Where a hospital will send the images the card is only saved: a hold would end before they come.
    """
    assert case.kind.price_key is not None
    link = service.open_checkout(
        tx,
        _provider(gateway),
        subject(case),
        price_key=case.kind.price_key,
        success_url=success_url,
        cancel_url=cancel_url,
        save_only=case.images_by is ImagesBy.HOSPITAL and case.state is CaseState.DRAFT,
    )
    return link.url


def call_off(tx: Session, gateway: Gateway | None, case: Case) -> None:
    """Have nothing stand of a payment that was begun, before another opinion is chosen: its page ends, a hold goes.

    Raises Conflict where the price was taken already, Unavailable where the provider is silent.
    """
    payment = service.find(tx, subject(case))
    if payment is None or payment.state in OVER:
        return
    if payment.state not in TAKEN:
        # Returned as captured where the provider has taken it in the meantime.
        payment = service.void(tx, _for(gateway, payment), subject(case), "another kind was chosen")
    if payment is not None and payment.state in TAKEN:
        raise Conflict(
            f"case {case.id} is paid",
            safe=gettext("This opinion is paid for already. Please write to us to change it."),
        )


def ask(tx: Session, gateway: Gateway | None, case: Case) -> None:
    """Take over what the provider says of the payment now; nothing where there is none, or it is silent."""
    payment = service.find(tx, subject(case))
    if payment is not None and gateway is not None:
        with suppress(Unavailable):
            service.sync(tx, gateway, payment.id)


def authorise(tx: Session, gateway: Gateway | None, case: Case) -> None:
    """Hold the price on a saved card; what comes of it is told by billing's events. Idempotent."""
    payment = service.find(tx, subject(case))
    if payment is not None and payment.state == PaymentState.METHOD_SAVED:
        service.authorise_saved(tx, _provider(gateway), subject(case))


def capture(tx: Session, gateway: Gateway | None, case: Case) -> None:
    """Take what is held. Raises NotHeld, HoldEnded, Declined or Unavailable; does nothing for a free program."""
    if not is_free(case):
        service.capture(tx, _for(gateway, service.find(tx, subject(case))), subject(case))


def give_back(tx: Session, gateway: Gateway | None, case: Case, percent: int) -> None:
    """Void a hold, or refund this part of what was taken. Idempotent: a payment that is over is left alone."""
    payment = service.find(tx, subject(case))
    if payment is None or payment.state in OVER:
        return
    asked = _for(gateway, payment)
    if payment.state not in TAKEN:
        # Returned as captured where the provider has taken it in the meantime.
        payment = service.void(tx, asked, subject(case), "case ended")
    if payment is None or payment.state not in TAKEN:
        return
    amount = payment.amount * percent // 100 - payment.amount_refunded
    if amount > 0:
        service.refund(tx, asked, subject(case), amount, "case ended", request_id="case-ended")


def settle(tx: Session, gateway: Gateway | None, case: Case) -> None:
    """Before a case is erased: release what is held, give back what was taken for a report that never came."""
    payment = service.find(tx, subject(case))
    delivered = case.state in DELIVERED | ENDED
    if payment is not None and not (delivered and payment.state in TAKEN):
        give_back(tx, gateway, case, 100)


def refund(tx: Session, gateway: Gateway | None, case: Case, amount: int | None, reason: str, request_id: str) -> None:
    """Give back all that is left (None) or a part. Raises NotRefundable, NotFound, Unavailable."""
    payment = service.find(tx, subject(case))
    service.refund(tx, _for(gateway, payment), subject(case), amount, reason, request_id=request_id)


def is_refunded(tx: Session, case: Case, request_id: str) -> bool:
    """Whether this wish to refund was carried out; waits for one that is under way."""
    return service.is_refunded(tx, subject(case), request_id)


def record_outside(tx: Session, case: Case, method: str, reference: str, by: str) -> None:
    """Record a payment made outside. Raises Conflict where one stands already, BadInput."""
    if case.kind.price_key is None:
        raise Conflict(f"case {case.id} is free", safe=gettext("There is nothing to pay for this request."))
    service.record_outside(tx, subject(case), price_key=case.kind.price_key, method=method, reference=reference, by=by)


def _provider(gateway: Gateway | None) -> Gateway:
    if gateway is None:
        raise Unavailable(
            "no payment provider is configured", safe=gettext("Payments are not possible here at present.")
        )
    return gateway


def _for(gateway: Gateway | None, payment: Payment | None) -> Gateway:
    # What was paid outside is moved without a provider: billing never asks the one that isn't there.
    return cast("Gateway", gateway) if payment and payment.provider != "stripe" else _provider(gateway)
