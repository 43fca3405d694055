"""Who may read a case: the place's rule and the specialist's own licence.

Practice happens where the patient is; compacts ease getting a licence, they are none. No law is written here: the
rules are rows that an admin keeps, with their source, and what is unknown is blocked.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from cases.models import Case, Licence, LicenceRule, Offer, Program, ProgramSpecialist
from cases.states import LicenceRequirement, OfferOutcome
from overread.kit import clock
from overread.kit.language import Phrase, gettext
from overread.kit.principals import PrincipalRow, Role


def rule_of(tx: Session, place: str, on: date | None = None) -> LicenceRequirement:
    """What a place asks on a day (today); UNKNOWN where nobody has recorded a rule."""
    rule = tx.scalars(
        select(LicenceRule)
        .where(LicenceRule.place == place, LicenceRule.valid_from <= (on or clock.now().date()))
        .order_by(LicenceRule.valid_from.desc(), LicenceRule.created_at.desc())
        .limit(1)
    ).one_or_none()
    return rule.rule if rule else LicenceRequirement.UNKNOWN


#: What a patient is told of a place that a program can't serve.
NOT_SERVED = Phrase("This program can't take patients from there.")


def is_open(tx: Session, place: str) -> bool:
    """Whether anybody may give an opinion to somebody who is in a place: what is unknown is blocked."""
    return rule_of(tx, place) not in (LicenceRequirement.BLOCKED, LicenceRequirement.UNKNOWN)


def current_rules(tx: Session) -> dict[str, LicenceRequirement]:
    """What each place asks today, of which a rule is recorded."""
    newest = (
        select(LicenceRule.place, LicenceRule.rule)
        .ext(distinct_on(LicenceRule.place))
        .where(LicenceRule.valid_from <= clock.now().date())
        .order_by(LicenceRule.place, LicenceRule.valid_from.desc(), LicenceRule.created_at.desc())
    )
    return dict(tx.execute(newest).all())


def served_places(tx: Session, program: Program) -> frozenset[str]:
    """From where a program takes patients: a rule is recorded, and a specialist of the program may read there now."""
    readers = tx.scalars(
        select(ProgramSpecialist.specialist_id)
        .join(PrincipalRow, PrincipalRow.id == ProgramSpecialist.specialist_id)
        .where(
            ProgramSpecialist.program_id == program.id,
            PrincipalRow.active,
            PrincipalRow.role == Role.SPECIALIST,
        )
    ).all()
    licensed = frozenset(
        tx.scalars(
            select(Licence.place).where(
                Licence.specialist_id.in_(readers),
                Licence.verified_at.is_not(None),
                Licence.expires_on >= clock.now().date(),
            )
        )
    )
    # Where a local physician takes part, that is arranged for the case: the exception is recorded at its offer.
    anybody = (LicenceRequirement.DIRECT, LicenceRequirement.LOCAL_PHYSICIAN)
    return frozenset(
        place
        for place, rule in current_rules(tx).items()
        if (rule in anybody and readers) or (rule is LicenceRequirement.LICENSED and place in licensed)
    ) - frozenset(program.excluded_places)


def is_served(tx: Session, program: Program, place: str) -> bool:
    """Whether a program takes patients from a place."""
    return place in served_places(tx, program)


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
