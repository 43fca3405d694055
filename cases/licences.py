"""Who may read a case: the place's rule and the specialist's own licence.

Practice happens where the patient is; compacts ease getting a licence, they are none. No law is written here: the
rules are rows that an admin keeps, with their source, and what is unknown is blocked.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.models import Case, Licence, LicenceRule, Offer, Program
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


def is_served(tx: Session, program: Program, place: str) -> bool:
    """Whether a program takes patients from a place."""
    return place not in program.excluded_places and is_open(tx, place)


def open_places(tx: Session) -> frozenset[str]:
    """Every place in which somebody may be whom an opinion is given to."""
    recorded = tx.scalars(select(LicenceRule.place).distinct())
    return frozenset(place for place in recorded if is_open(tx, place))


def objections(tx: Session, case: Case, specialist_id: UUID) -> tuple[str, ...]:
    """Why a specialist may not read a case, as sentences; empty where nothing stands in the way."""
    found = []
    person = tx.get(PrincipalRow, specialist_id)
    if person is None or not person.active or person.role != Role.SPECIALIST:
        return (gettext("This person is no active specialist."),)
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
                "No licence rule is recorded for %(value)s, which is blocked by that.",
                value=case.place or "the patient’s place",
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
    if licence.expires_on < clock.now().date():
        return [
            gettext(
                "The licence for %(place)s expired on %(expires_on)s.",
                place=case.place,
                expires_on=format(licence.expires_on, "%d %B %Y"),
            )
        ]
    return []
