"""Which specialists may read a case, how well each fits, and what keeps the others from it.

Two rules say who may: `licences` (the place, the program, the account), which holds until the report is signed, and
`obstacles` here (leave, limits, conflicts), which hold when a case is offered and accepted. Guards ask both.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import fit, imaging, licences, notify, practices, subspecialties, tongues
from cases.finding_models import FitException, Reader
from cases.fit import Ability, Need
from cases.models import Case, Offer
from cases.repository import studies_of
from cases.states import CaseState, Obstacle, OfferOutcome, Refusal, StudyState
from cases.version_models import Signer
from overread.kit import clock, principals, zones
from overread.kit.language import gettext
from overread.kit.principals import PrincipalRow, Role

#: What "per week" counts.
WEEK = timedelta(days=7)
#: What a profile's confirmed and said halves hold, each a list.
FIELDS = ("subjects", "subspecialties", "practices")


@dataclass(frozen=True, slots=True)
class Eligibility:
    """One specialist for one case. `reasons`: what keeps them from it; where that is empty, they may be asked.

    `excepted`: the obstacles among those reasons that a recorded exception lets pass; empty where one would not help.
    `pros`, `cons`: why they fit, and why less. `reading`: how many other cases they read or were offered. `fee`: what
    the opinion earns, in minor units of `currency` (ISO 4217).
    """

    specialist_id: UUID
    name: str
    eligible: bool
    reasons: tuple[str, ...]
    excepted: tuple[Obstacle, ...]
    pros: tuple[str, ...]
    cons: tuple[str, ...]
    reading: int
    fee: int
    currency: str


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a case asks for, whoever reads it, and which hospitals sent its images."""

    subspecialties: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    language: str = ""
    hospitals: tuple[str, ...] = ()


def ranked(tx: Session, case: Case) -> list[Eligibility]:
    """Every specialist for a case: those who may read it first, who fits best before the others."""
    people = principals.with_role(tx, Role.SPECIALIST)
    wanted, able = _wanted(tx, case), _abilities(tx, case, [person.id for person in people])
    found = [_eligibility(tx, case, person, wanted, able[person.id]) for person in people]
    # Of two alike, always the same one first.
    best = sorted(
        found, key=lambda one: (not one[0].eligible, [-point for point in one[1]], one[0].name, one[0].specialist_id)
    )
    return [one for one, _ in best]


def obstacles(tx: Session, case: Case, specialist_id: UUID) -> list[tuple[Obstacle | None, str]]:
    """What keeps a specialist from taking a case besides the place's rule; with None, what nobody can let pass."""
    person = tx.get(PrincipalRow, specialist_id)
    if person is None:
        return [(None, gettext("This person is no active specialist."))]
    ability = _abilities(tx, case, [specialist_id])[specialist_id]
    return _obstacles(tx, case, person, _wanted_by(case, person, _Wanted()), ability)


def _practices_of(tx: Session, specialist_id: UUID) -> tuple[str, ...]:
    """Where a specialist practises, without the towns: what they said, what was confirmed, and as what they sign."""
    reader, signer = tx.get(Reader, specialist_id), tx.get(Signer, specialist_id)
    said = [*reader.said.get("practices", ()), *reader.confirmed.get("practices", ())] if reader else []
    said += [signer.practice] if signer else []
    return tuple(dict.fromkeys(practices.without_town(one) for one in said))


def _eligibility(
    tx: Session, case: Case, person: PrincipalRow, wanted: _Wanted, able: Ability
) -> tuple[Eligibility, tuple[int, ...]]:
    need = _wanted_by(case, person, wanted)
    fits = fit.fit(need, able)
    unlicensed = licences.objections(tx, case, person.id)
    more = _obstacles(tx, case, person, need, able)
    reasons = (*unlicensed, *(text for _, text in more))
    kinds = [about for about, _ in more]
    if unlicensed:
        kinds.append(Obstacle.LICENCE if licences.can_be_excepted(tx, case, person.id) else None)
    helps = () if None in kinds else tuple(dict.fromkeys(about for about in kinds if about is not None))
    cons = (*fits.cons, *_worth_knowing(tx, wanted, person.id))
    kind = case.kind
    told = Eligibility(
        person.id,
        person.name,
        not reasons,
        reasons,
        helps,
        fits.pros,
        cons,
        able.open,
        kind.specialist_fee,
        kind.currency,
    )
    return told, fits.score


def _obstacles(
    tx: Session, case: Case, person: PrincipalRow, need: Need, able: Ability
) -> list[tuple[Obstacle | None, str]]:
    excepted = set(
        tx.scalars(
            select(FitException.about).where(FitException.case_id == case.id, FitException.specialist_id == person.id)
        )
    )
    found: list[tuple[Obstacle | None, str]] = [*fit.blocked(need, able), *_conflicts(tx, case, person)]
    return [one for one in found if one[0] not in excepted]


def _conflicts(tx: Session, case: Case, person: PrincipalRow) -> list[tuple[Obstacle | None, str]]:
    treated = (
        select(Offer.id)
        .join(Case, Case.id == Offer.case_id)
        .where(Offer.specialist_id == person.id, Offer.refusal == Refusal.TREATED)
        # An account may have requests for several people: a parent's, for each of the children.
        .where(Case.patient_id == case.patient_id, Case.birth_date.is_not_distinct_from(case.birth_date))
    )
    found: list[tuple[Obstacle | None, str]] = []
    if tx.scalar(treated.limit(1)):
        found.append((None, gettext("Has said that they treated this patient.")))
    if practices.names(case.physician, person.name):
        found.append((Obstacle.CONFLICT, gettext("Has the name of the treating physician.")))
    if practices.names(case.first_report_by, person.name):
        found.append((Obstacle.CONFLICT, gettext("Has the name of whoever wrote the first report.")))
    elif any(practices.names(case.first_report_by, one) for one in _practices_of(tx, person.id)):
        found.append((Obstacle.CONFLICT, gettext("Practises where the first report was written.")))
    return found


def _worth_knowing(tx: Session, wanted: _Wanted, specialist_id: UUID) -> list[str]:
    """What is no conflict, but may be one: the images come from where they practise."""
    own = _practices_of(tx, specialist_id) if wanted.hospitals else ()
    same = [
        name
        for name in wanted.hospitals
        if any(practices.names(name, one) or practices.names(one, name) for one in own)
    ]
    return [gettext("Practises where images of this case come from.")] if same else []


def _wanted(tx: Session, case: Case) -> _Wanted:
    shown = [s for s in studies_of(tx, case.id) if s.state is not StudyState.REVOKED and not s.is_document]
    modalities, parts = imaging.shown_in(tx, *shown)
    subjects = frozenset(case.subjects) | subspecialties.subjects_of(modalities)
    senders = {study.sender_id for study in shown}
    hospitals = select(PrincipalRow.name).where(PrincipalRow.id.in_(senders), PrincipalRow.role == Role.HOSPITAL)
    return _Wanted(
        subspecialties.wanted(parts, subjects),
        subjects - {"other"},
        tongues.code_of(case.language),
        tuple(tx.scalars(hospitals)) if senders else (),
    )


def _wanted_by(case: Case, person: PrincipalRow, wanted: _Wanted) -> Need:
    zone = zones.zone(notify.zone_of(person, case))
    due = case.due_at.astimezone(zone).date() if case.due_at else None
    return Need(wanted.subspecialties, wanted.subjects, wanted.language, clock.now().astimezone(zone).date(), due)


def _abilities(tx: Session, case: Case, specialists: Collection[UUID]) -> dict[UUID, Ability]:
    """How specialists read, and what each has to read besides a case."""
    rows = tx.scalars(select(Reader).where(Reader.specialist_id.in_(specialists)))
    found = dict.fromkeys(specialists, Ability()) | {row.specialist_id: _ability(row) for row in rows}
    reading = (
        select(Case.specialist_id, Case.due_at)
        .where(Case.specialist_id.in_(specialists), Case.id != case.id)
        .where(Case.state.in_((CaseState.IN_REVIEW, CaseState.NEEDS_INFO)))
    )
    offers = (
        select(Offer.specialist_id, Offer.outcome, Case.due_at)
        .join(Case, Case.id == Offer.case_id)
        .where(Offer.specialist_id.in_(specialists), Offer.case_id != case.id)
    )
    offered = tx.execute(offers.where(Offer.outcome == OfferOutcome.OPEN)).all()
    accepted = offers.where(Offer.outcome == OfferOutcome.ACCEPTED, Offer.answered_at > clock.now() - WEEK)
    busy = [(who, due) for who, due in tx.execute(reading) if who is not None]
    busy += [(who, due) for who, _, due in offered]
    for who, due in busy:
        one = found[who]
        before = due is not None and case.due_at is not None and due <= case.due_at
        found[who] = replace(one, open=one.open + 1, due_before=one.due_before + before)
    for who, _, _ in [*offered, *tx.execute(accepted)]:
        found[who] = replace(found[who], week=found[who].week + 1)
    return found


def _ability(row: Reader) -> Ability:
    return Ability(
        subspecialties=frozenset(row.confirmed.get("subspecialties", ())),
        subjects=frozenset(row.confirmed.get("subjects", ())),
        unconfirmed=waits(row),
        languages=frozenset(row.languages),
        most_open=row.most_open,
        most_week=row.most_week,
        leave=leave_of(row.leave),
    )


def waits(row: Reader) -> bool:
    """Whether a specialist has said something else than what was confirmed."""
    return any(list(row.said.get(name, ())) != list(row.confirmed.get(name, ())) for name in FIELDS)


def leave_of(kept: Sequence[dict[str, str]]) -> tuple[tuple[date, date], ...]:
    """Days of leave as they are kept, as first and last days."""
    return tuple((date.fromisoformat(one["first"]), date.fromisoformat(one["last"])) for one in kept)
