"""Finding a specialist: who may read a case, offers, acceptance and refusal, and the coordinator's no."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.orm import Session

from billing.gateway import Gateway
from cases import digest, finding, licences, money, parts
from cases.finding import Eligibility
from cases.finding_models import FitException
from cases.machine import check, did_last, transition
from cases.models import Case
from cases.move import Move
from cases.repository import load, load_unasked, offers_of, open_offer
from cases.states import REFUSAL_LABELS, Actor, CaseEvent, CaseState, Obstacle, OfferOutcome, Refusal
from overread.kit import audit, clock, principals
from overread.kit.errors import NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role
from overread.kit.texts import trimmed


def eligible_specialists(tx: Session, who: Principal, case_id: UUID) -> list[Eligibility]:
    """Every specialist for a case, those who may read it first, who fits best before the others."""
    return finding.ranked(tx, _coordinators(tx, who, case_id, lock=False))


def record_exception(
    tx: Session,
    who: Principal,
    case_id: UUID,
    specialist_id: UUID,
    reason: str,
    *,
    about: Collection[Obstacle] = (Obstacle.LICENCE,),
) -> None:
    """Let one specialist read a case although something stands in the way; kept, audited, never for a blocked place.

    Raises Forbidden, NotFound, Unprocessable.
    """
    case = _coordinators(tx, who, case_id)
    reason = trimmed(reason)
    if not reason:
        raise Unprocessable("no reason", safe=gettext("Please give a reason."))
    if not about:
        raise Unprocessable("nothing to except", safe=gettext("Please say what the exception is about."))
    if Obstacle.LICENCE in about and not licences.is_open(tx, case.place):
        safe = gettext(
            "No exception opens a place that is blocked or has no rule: an admin has to record its rule first."
        )
        raise Unprocessable(f"an exception for {case.place}", safe=safe)
    if principals.get(tx, specialist_id).role != Role.SPECIALIST:
        raise Unprocessable("no specialist", safe=gettext("This person is no specialist."))
    for one in about:
        if one is Obstacle.LICENCE:
            case.licence_exception, case.licence_exception_for = reason, specialist_id
            audit.record(
                tx, who, "case.licence_exception", "case", case.id, case_id=case.id, specialist=str(specialist_id)
            )
            continue
        # Its newest reason counts, and whose it is.
        made = FitException(case_id=case.id, specialist_id=specialist_id, about=one, reason=reason, recorded_by=who.id)
        tx.merge(made)
        audit.record(
            tx,
            who,
            "case.fit_exception",
            "case",
            case.id,
            case_id=case.id,
            specialist=str(specialist_id),
            about=one.value,
        )
    tx.flush()


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
    _count_alone(tx, specialist_id)
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
    _count_alone(tx, who.id)
    check(move, leaving_out=frozenset({"captured_or_free"}))
    money.capture(tx, gateway, case)
    transition(move)


def refuse(tx: Session, who: Principal, case_id: UUID, reason: str, refusal: Refusal = Refusal.OTHER) -> None:
    """A specialist declines an offer; the case waits for the next one. A reason of the list needs no words besides.

    Who says that they treated the patient is asked about this patient no more.
    """
    if refusal is not Refusal.OTHER and not reason.strip():
        reason = str(REFUSAL_LABELS[refusal])
    try:
        case, actor = load(tx, who, case_id, lock=True)
    except NotFound:
        # Without the offer the case is nobody's business of theirs: a second click finds it declined.
        if did_last(tx, who, case_id, CaseEvent.REFUSE_OFFER, reason):
            return
        raise
    transition(Move(tx, case, CaseEvent.REFUSE_OFFER, actor, who, reason=reason, refusal=refusal))


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


def offer_next(tx: Session, case_id: UUID, offer_id: UUID) -> None:
    """An offer came to nothing, and the program wants the next specialist asked by itself. Once for each offer.

    Nobody is asked twice about a case. Nothing happens where a coordinator has done something meanwhile, or the program
    does not want it any more.
    """
    case = load_unasked(tx, case_id, lock=True)
    offers = offers_of(tx, case_id)
    if case is None or case.state is not CaseState.READY or not case.program.next_by_itself:
        return
    if not offers or offers[0].id != offer_id or offers[0].followed:
        return
    offers[0].followed = True
    asked = {one.specialist_id for one in offers}
    for one in finding.ranked(tx, case):
        if one.eligible and one.specialist_id not in asked:
            move = Move(tx, case, CaseEvent.OFFER, Actor.SYSTEM, None, specialist_id=one.specialist_id)
            _count_alone(tx, one.specialist_id)
            try:
                transition(move)
            except Unprocessable:
                # Another case took the last of their room, or images of this one came meanwhile.
                continue
            digest.note(tx, "next_asked", case)
            return
    digest.note(tx, "nobody_left", case)


def decline(tx: Session, who: Principal, case_id: UUID, reason: str) -> None:
    """The program declines a case: grants end, a hold is voided, what was taken is refunded; the patient is told."""
    case, actor = load(tx, who, case_id, lock=True)
    transition(Move(tx, case, CaseEvent.DECLINE, actor, who, reason=reason))


def _count_alone(tx: Session, specialist_id: UUID) -> None:
    """Have no other case be offered to, or taken by, a specialist while their limits are looked at."""
    principals.lock(tx, specialist_id)


def _coordinators(tx: Session, who: Principal, case_id: UUID, *, lock: bool = True) -> Case:
    case, actor = load(tx, who, case_id, lock=lock)
    parts.require(actor, Permission.CASE_OFFER, case_id)
    if case.state is CaseState.DRAFT:
        raise NotFound(f"case {case_id} is a draft")
    return case
