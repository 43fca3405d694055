"""Who may read a case: the place's rule and the specialist's own licence.

Practice happens where the patient is; compacts ease getting a licence, they are none. No law is written here: the
rules are rows that an admin keeps, with their source, and what is unknown is blocked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from cases.licence_models import Licence, LicenceRule
from cases.models import Case, Offer, Program, ProgramSpecialist
from cases.states import LicenceRequirement, OfferOutcome
from overread.kit import clock
from overread.kit.language import Phrase, gettext
from overread.kit.principals import PrincipalRow, Role


def current_rules(tx: Session, *places: str) -> dict[str, LicenceRequirement]:
    """What places ask today, of which a rule is recorded: the named ones, else all."""
    newest = (
        select(LicenceRule.place, LicenceRule.rule)
        .ext(distinct_on(LicenceRule.place))
        .where(LicenceRule.valid_from <= clock.now().date())
        .order_by(LicenceRule.place, LicenceRule.valid_from.desc(), LicenceRule.created_at.desc())
    )
    return dict(tx.execute(newest.where(LicenceRule.place.in_(places)) if places else newest).all())


def rule_of(tx: Session, place: str) -> LicenceRequirement:
    """What a place asks today; UNKNOWN where nobody has recorded a rule."""
    return current_rules(tx, place).get(place, LicenceRequirement.UNKNOWN)


#: What a patient is told of a place that a program can't serve.
NOT_SERVED = Phrase("This program can't take patients from there.")


def is_open(tx: Session, place: str) -> bool:
    """Whether anybody may give an opinion to somebody who is in a place: what is unknown is blocked."""
    return rule_of(tx, place) not in (LicenceRequirement.BLOCKED, LicenceRequirement.UNKNOWN)


def served_places(tx: Session, programs: Collection[Program]) -> dict[UUID, frozenset[str]]:
    """From where programs take patients, by program: a rule is recorded, and a specialist of it may read there now."""
    if not programs:
        return {}
    readers: dict[UUID, set[UUID]] = {program.id: set() for program in programs}
    reading = (
        select(ProgramSpecialist.program_id, ProgramSpecialist.specialist_id)
        .join(PrincipalRow, PrincipalRow.id == ProgramSpecialist.specialist_id)
        .where(
            ProgramSpecialist.program_id.in_(readers),
            PrincipalRow.active,
            PrincipalRow.role == Role.SPECIALIST,
        )
    )
    for program_id, specialist_id in tx.execute(reading):
        readers[program_id].add(specialist_id)
    verified = select(Licence.specialist_id, Licence.place).where(
        Licence.specialist_id.in_(set().union(*readers.values())),
        Licence.verified_at.is_not(None),
        Licence.expires_on >= clock.now().date(),
    )
    licensed = [(row.specialist_id, row.place) for row in tx.execute(verified)]
    rules = current_rules(tx)
    return {
        program.id: _served(rules, readers[program.id], licensed) - frozenset(program.excluded_places)
        for program in programs
    }


def _served(
    rules: Mapping[str, LicenceRequirement], readers: Collection[UUID], licensed: Iterable[tuple[UUID, str]]
) -> frozenset[str]:
    licences = {place for specialist_id, place in licensed if specialist_id in readers}
    # Where a local physician takes part, that is arranged for the case: the exception is recorded at its offer.
    anybody = (LicenceRequirement.DIRECT, LicenceRequirement.LOCAL_PHYSICIAN)
    return frozenset(
        place
        for place, rule in rules.items()
        if (rule in anybody and readers) or (rule is LicenceRequirement.LICENSED and place in licences)
    )


def is_served(tx: Session, program: Program, place: str) -> bool:
    """Whether a program takes patients from a place."""
    return place in served_places(tx, [program])[program.id]


def reads_for(tx: Session, program_id: UUID, specialist_id: UUID) -> bool:
    """Whether a specialist reads for a program."""
    return tx.get(ProgramSpecialist, (program_id, specialist_id)) is not None


def objections(tx: Session, case: Case, specialist_id: UUID) -> tuple[str, ...]:
    """Why a specialist may not read a case, as sentences; empty where nothing stands in the way."""
    found = []
    person = tx.get(PrincipalRow, specialist_id)
    if person is None or not person.active or person.role != Role.SPECIALIST:
        return (gettext("This person is no active specialist."),)
    if not reads_for(tx, case.program_id, specialist_id):
        found.append(gettext("Does not read for this program."))
    if specialist_id in (case.patient_id, case.created_by):
        found.append(gettext("The specialist is the patient or opened the case."))
    if tx.scalar(
        select(Offer.id).where(
            Offer.case_id == case.id, Offer.specialist_id == specialist_id, Offer.outcome == OfferOutcome.DECLINED
        )
    ):
        found.append(gettext("Declined this case before."))
    found.extend(_licence(tx, case, specialist_id))
    return tuple(found)


def can_be_excepted(tx: Session, case: Case, specialist_id: UUID) -> bool:
    """Whether all that `objections` finds is a licence that is missing, which an exception can let pass."""
    missing = _licence(tx, case, specialist_id) if is_open(tx, case.place) else []
    return bool(missing) and list(objections(tx, case, specialist_id)) == missing


def _licence(tx: Session, case: Case, specialist_id: UUID) -> list[str]:
    rule = rule_of(tx, case.place)
    excepted = bool(case.licence_exception) and case.licence_exception_for == specialist_id
    # No exception opens these two: an admin has to record the place's rule first.
    if rule is LicenceRequirement.BLOCKED:
        return [gettext("Second opinions for patients in %(place)s are blocked.", place=case.place)]
    if rule is LicenceRequirement.UNKNOWN:
        return [
            gettext(
                "No licence rule is recorded for %(place)s, which is blocked by that.",
                place=case.place or "the patient’s place",
            )
        ]
    if rule is LicenceRequirement.DIRECT or excepted:
        return []
    if rule is LicenceRequirement.LOCAL_PHYSICIAN:
        return [
            gettext(
                "%(place)s asks for a local physician: record the exception with that physician's name.",
                place=case.place,
            )
        ]
    licence = tx.scalars(
        select(Licence).where(Licence.specialist_id == specialist_id, Licence.place == case.place)
    ).one_or_none()
    if licence is None:
        return [gettext("No licence for %(place)s.", place=case.place)]
    if licence.verified_at is None:
        return [gettext("The licence for %(place)s is not verified yet.", place=case.place)]
    if licence.expires_on < clock.now().date():
        return [
            gettext(
                "The licence for %(place)s expired on %(expires_on)s.",
                place=case.place,
                expires_on=format(licence.expires_on, "%d %B %Y"),
            )
        ]
    return []
