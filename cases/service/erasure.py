"""Erasure: asked for by the patient, carried out by two persons, stopped by a legal hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from billing.gateway import Gateway
from cases import money, notify, nudges, parts
from cases.erasure import Plan, plan
from cases.machine import check, repeated, transition
from cases.models import Case, Erasure, LegalHold
from cases.move import Move
from cases.nudges import Waits
from cases.repository import erasure_of, hold_of, load, load_unasked
from cases.service.presentation import name_of
from cases.states import LABELS, Actor, CaseEvent, CaseState
from overread.kit import audit, clock, permissions
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.paging import Keyset, Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import trimmed

_MOST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Request:
    """An erasure as those who carry it out see it. `plan` is None once it is done, or where only the list is shown."""

    case_id: UUID
    reference: str
    state: str
    asked_at: datetime | None
    asked_by: str
    reason: str
    first: str
    first_id: UUID | None
    first_at: datetime | None
    done_at: datetime | None
    hold: str
    held: bool
    plan: Plan | None


def ask(tx: Session, who: Principal, case_id: UUID, reason: str = "") -> None:
    """Ask for a case's erasure, for oneself or, as a coordinator, for the patient. Idempotent; raises NotFound."""
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_ASK_ERASURE, case_id)
    if erasure_of(tx, case_id) is None:
        tx.add(Erasure(case_id=case.id, asked_by=who.id, reason=_text(reason)))
        tx.flush()
        audit.record(tx, who, "erasure.ask", "case", case_id, case_id=case_id)
        notify.queue_admins(tx, case, "erasure_asked")
        nudges.ask(tx, case, Waits.ERASURE, case.id)


def listing(tx: Session, who: Principal, *, after: str = "", limit: int = 200) -> Page[Request]:
    """Every erasure that was asked for, and every case under legal hold; those to do first, then the newest."""
    permissions.require(who, Permission.ERASURE_READ)
    held = select(LegalHold.case_id).where(LegalHold.lifted_at.is_(None))
    listed = select(Case).outerjoin(Erasure, Erasure.case_id == Case.id)
    order = Keyset(Erasure.done_at.is_(None), Erasure.asked_at.is_not(None), Case.id, descending=True)
    page = order.page(tx, listed.where(or_(Erasure.case_id.is_not(None), Case.id.in_(held))), after, limit)
    return page.of([_request(tx, case, None) for case in page])


def show(tx: Session, who: Principal, case_id: UUID) -> Request:
    """One case's erasure, with what it would destroy. Raises Forbidden, NotFound."""
    permissions.require(who, Permission.ERASURE_READ)
    case = _known(tx, case_id)
    return _request(tx, case, None if case.state is CaseState.ERASED else plan(tx, case))


def hold(tx: Session, who: Principal, case_id: UUID, reason: str) -> None:
    """Put a case under legal hold: nothing of it is erased until the hold is lifted."""
    permissions.require(who, Permission.LEGAL_HOLD)
    case = _known(tx, case_id, lock=True)
    if not reason.strip():
        raise Unprocessable("no reason", safe=gettext("Please say why the case must be kept."))
    if case.state is CaseState.ERASED:
        raise Conflict("erased", safe=gettext("This case is erased already: there is nothing left to keep."))
    if hold_of(tx, case_id) is None:
        tx.add(LegalHold(case_id=case_id, reason=_text(reason), set_by=who.id))
        tx.flush()
        audit.record(tx, who, "hold.set", "case", case_id, case_id=case_id)


def lift(tx: Session, who: Principal, case_id: UUID) -> None:
    """Lift a case's legal hold. Idempotent."""
    permissions.require(who, Permission.LEGAL_HOLD)
    _known(tx, case_id, lock=True)
    held = hold_of(tx, case_id)
    if held is not None:
        held.lifted_by, held.lifted_at = who.id, clock.now()
        audit.record(tx, who, "hold.lift", "case", case_id, case_id=case_id)


def start(tx: Session, who: Principal, case_id: UUID) -> None:
    """The first of two persons, an admin, says that a case is to be erased. Raises Conflict under a legal hold."""
    permissions.require(who, Permission.ERASURE_BEGIN)
    case = _known(tx, case_id, lock=True)
    asked = erasure_of(tx, case_id)
    if asked is None:
        raise Conflict("nobody asked", safe=gettext("Nobody has asked for this. Record the patient's wish first."))
    if hold_of(tx, case_id) is not None:
        raise Conflict("legal hold", safe=gettext("The case is under legal hold: nothing of it may be erased."))
    if case.state is not CaseState.ERASED and asked.first_by is None:
        asked.first_by, asked.first_at = who.id, clock.now()
        audit.record(tx, who, "erasure.start", "case", case_id, case_id=case_id)


def carry_out(tx: Session, who: Principal, case_id: UUID, gateway: Gateway | None) -> None:
    """The second person, an admin or a coordinator, erases the case. It can't be undone.

    Money comes first: a hold is released, and what was taken for a report that never came is refunded. Raises
    Conflict where somebody else has erased the case already, Unprocessable where a guard refuses, Unavailable where
    the payment provider is silent: nothing is erased then.
    """
    permissions.require(who, Permission.ERASURE_CARRY_OUT)
    case = _known(tx, case_id, lock=True)
    move = Move(tx, case, CaseEvent.ERASE, Actor.SECOND_PERSON, who)
    if repeated(move):
        return
    check(move)
    money.settle(tx, gateway, case)
    asked = erasure_of(tx, case_id)
    assert asked is not None
    asked.second_by, asked.done_at = who.id, clock.now()
    patient_id, reference = case.patient_id, case.reference
    transition(move)
    notify.queue(tx, None, patient_id, "erased", reference=reference)


def _known(tx: Session, case_id: UUID, *, lock: bool = False) -> Case:
    # Admins and auditors have no part in a case: they see that it is there where its erasure is decided, no more.
    case = load_unasked(tx, case_id, lock=lock)
    if case is None:
        raise NotFound(f"case {case_id}")
    return case


def _request(tx: Session, case: Case, destroyed: Plan | None) -> Request:
    asked, held = erasure_of(tx, case.id), hold_of(tx, case.id)
    return Request(
        case_id=case.id,
        reference=case.reference,
        state=LABELS[case.state],
        asked_at=asked.asked_at if asked else None,
        asked_by=name_of(tx, asked.asked_by) if asked and asked.asked_by else "",
        reason=asked.reason if asked else "",
        first=name_of(tx, asked.first_by) if asked and asked.first_by else "",
        first_id=asked.first_by if asked else None,
        first_at=asked.first_at if asked else None,
        done_at=asked.done_at if asked else None,
        hold=held.reason if held else "",
        held=held is not None,
        plan=destroyed,
    )


def _text(text: str) -> str:
    return trimmed(text)[:_MOST_TEXT]
