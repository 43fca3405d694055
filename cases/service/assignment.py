"""Finding a specialist: who may read a case, offers, acceptance and refusal, and the coordinator's no."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.gateway import Gateway
from cases import licences, money, parts
from cases.machine import check, did_last, transition
from cases.models import Case
from cases.move import Move
from cases.repository import load, load_unasked, open_offer
from cases.states import Actor, CaseEvent, CaseState, OfferOutcome
from overread.kit import audit, clock, principals
from overread.kit.errors import NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role


@dataclass(frozen=True, slots=True)
class Eligibility:
    """One specialist for one case: `reasons` against, and how many cases they are reading now.

    `fee`: what the opinion earns, in minor units of `currency` (ISO 4217).
    """

    specialist_id: UUID
    name: str
    eligible: bool
    reasons: tuple[str, ...]
    reading: int
    fee: int
    currency: str


def eligible_specialists(tx: Session, who: Principal, case_id: UUID) -> list[Eligibility]:
    """Every specialist for a case, those who may read it first, the least busy before the others."""
    case = _coordinators(tx, who, case_id, lock=False)
    reading = dict(
        tx.execute(
            select(Case.specialist_id, func.count())
            .where(Case.state.in_((CaseState.IN_REVIEW, CaseState.NEEDS_INFO)), Case.specialist_id.is_not(None))
            .group_by(Case.specialist_id)
        ).all()
    )
    found = []
    for person in principals.with_role(tx, Role.SPECIALIST):
        reasons = licences.objections(tx, case, person.id)
        busy, kind = reading.get(person.id, 0), case.kind
        found.append(
            Eligibility(person.id, person.name, not reasons, reasons, busy, kind.specialist_fee, kind.currency)
        )
    return sorted(found, key=lambda e: (not e.eligible, e.reading, e.name))


def record_exception(tx: Session, who: Principal, case_id: UUID, specialist_id: UUID, reason: str) -> None:
    """Let one specialist read a case although no licence covers the place; kept, audited, never for a blocked place."""
    case = _coordinators(tx, who, case_id)
    if not reason.strip():
        raise Unprocessable("no reason", safe=gettext("Please give a reason."))
    if not licences.is_open(tx, case.place):
        safe = gettext(
            "No exception opens a place that is blocked or has no rule: an admin has to record its rule first."
        )
        raise Unprocessable(f"an exception for {case.place}", safe=safe)
    if principals.get(tx, specialist_id).role != Role.SPECIALIST:
        raise Unprocessable("no specialist", safe=gettext("This person is no specialist."))
    case.licence_exception, case.licence_exception_for = reason.strip(), specialist_id
    audit.record(tx, who, "case.licence_exception", "case", case.id, case_id=case.id, specialist=str(specialist_id))


def mark_ready(tx: Session, who: Principal, case_id: UUID) -> None:
    """Every study is matched, readable, de-identified and released: a specialist can be asked."""
    case, actor = load(tx, who, case_id, lock=True)
    transition(Move(tx, case, CaseEvent.MARK_READY, actor, who))


def reopen_studies(tx: Session, who: Principal, case_id: UUID) -> None:
    """Back from ready to the check of the studies."""
    case, actor = load(tx, who, case_id, lock=True)
    transition(Move(tx, case, CaseEvent.REOPEN_STUDIES, actor, who))


def offer(tx: Session, who: Principal, case_id: UUID, specialist_id: UUID) -> None:
    """Offer a case to a specialist who may read it; the time to accept starts."""
    case, actor = load(tx, who, case_id, lock=True)
    transition(Move(tx, case, CaseEvent.OFFER, actor, who, specialist_id=specialist_id))


def accept(tx: Session, who: Principal, case_id: UUID, gateway: Gateway | None) -> None:
    """Accept an offer: the money is captured first, then the images are granted. Idempotent for who accepted.

    Raises billing's NotHeld, HoldEnded or Declined where the price can't be taken, and Unavailable where the provider
    is silent: the case stays offered then, nothing was granted. The case's row is locked meanwhile, and the capture
    carries an idempotency key: any number of clicks make one capture and one grant, also when a commit is lost.
    """
    case, actor = load(tx, who, case_id, lock=True)
    if actor is Actor.ASSIGNED and case.state in (CaseState.IN_REVIEW, CaseState.NEEDS_INFO):
        return
    move = Move(tx, case, CaseEvent.ACCEPT, actor, who, specialist_id=who.id)
    check(move, leaving_out=frozenset({"captured_or_free"}))
    money.capture(tx, gateway, case)
    transition(move)


def refuse(tx: Session, who: Principal, case_id: UUID, reason: str) -> None:
    """A specialist declines an offer; the case waits for the next one."""
    try:
        case, actor = load(tx, who, case_id, lock=True)
    except NotFound:
        # Without the offer the case is nobody's business of theirs: a second click finds it declined.
        if did_last(tx, who, case_id, CaseEvent.REFUSE_OFFER, reason):
            return
        raise
    transition(Move(tx, case, CaseEvent.REFUSE_OFFER, actor, who, reason=reason))


def take_back(tx: Session, who: Principal, case_id: UUID, reason: str) -> None:
    """A coordinator takes an open offer back."""
    case, actor = load(tx, who, case_id, lock=True)
    transition(Move(tx, case, CaseEvent.TAKE_BACK, actor, who, reason=reason))


def expire_offer(tx: Session, case_id: UUID, offer_id: UUID) -> None:
    """The time of an offer is over; nothing happens where it was answered."""
    case = load_unasked(tx, case_id, lock=True)
    standing = open_offer(tx, case_id)
    if case is None or standing is None or standing.id != offer_id or standing.outcome is not OfferOutcome.OPEN:
        return
    if standing.expires_at > clock.now():
        return
    transition(Move(tx, case, CaseEvent.OFFER_EXPIRE, Actor.SYSTEM, None, reason="The time to accept was over."))


def decline(tx: Session, who: Principal, case_id: UUID, reason: str) -> None:
    """The program declines a case: grants end, a hold is voided, what was taken is refunded; the patient is told."""
    case, actor = load(tx, who, case_id, lock=True)
    transition(Move(tx, case, CaseEvent.DECLINE, actor, who, reason=reason))


def _coordinators(tx: Session, who: Principal, case_id: UUID, *, lock: bool = True) -> Case:
    case, actor = load(tx, who, case_id, lock=lock)
    parts.require(actor, Permission.CASE_OFFER, case_id)
    if case.state is CaseState.DRAFT:
        raise NotFound(f"case {case_id} is a draft")
    return case
