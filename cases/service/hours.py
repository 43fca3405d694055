"""When a program is open: its time zone, its week, its days off, and how long before a due time somebody is warned.

A change counts for what is promised from then on: a time that a patient was told stays as it was told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import deadlines
from cases.deadlines import MIDNIGHT, MOST_DAYS_OFF, SHORTEST
from cases.models import Program
from cases.repository import active_program
from overread.kit import audit, permissions, zones
from overread.kit.errors import Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import trimmed

#: A day's opening and closing on the wall clock ("09:00", "17:00"; midnight at its end is "00:00"); None: closed.
Day = tuple[str, str] | None
MOST_WARNINGS, LONGEST_WARNING, LONGEST_NAME = 4, 200, 80


@dataclass(frozen=True, slots=True)
class DayOff:
    """A day on which a program is closed, and what it is."""

    day: date
    name: str


@dataclass(frozen=True, slots=True)
class ProgramHours:
    """When a program is open. `week`: Monday first; `warn_hours`: open hours before a due time, the longest first."""

    program_id: UUID
    slug: str
    name: str
    zone: str
    week: tuple[Day, ...]
    days_off: tuple[DayOff, ...]
    warn_hours: tuple[int, ...]


def listed(tx: Session, who: Principal) -> list[ProgramHours]:
    """When every active program is open, by its name. Raises Forbidden."""
    permissions.require(who, Permission.PROGRAMS_READ)
    return [_view(one) for one in tx.scalars(select(Program).where(Program.active).order_by(Program.name))]


def set_hours(
    tx: Session,
    who: Principal,
    slug: str,
    *,
    zone: str,
    week: Sequence[Day],
    days_off: Sequence[DayOff],
    warn_hours: Sequence[int],
) -> None:
    """Say when a program is open. Raises Forbidden, NotFound, Unprocessable with a sentence for what can't be."""
    permissions.require(who, Permission.PROGRAMS_MANAGE)
    program = active_program(tx, slug)
    if not zones.known(zone):
        raise Unprocessable("zone", safe=gettext("Please choose a time zone of the list, such as Europe/Berlin."))
    minutes = [_minutes(day) for day in week]
    if len(minutes) != 7 or not any(minutes):
        raise Unprocessable("never open", safe=gettext("A program is open on at least one day of the week."))
    if len(days_off) > MOST_DAYS_OFF:
        raise Unprocessable("days off", safe=gettext("There can be %(most)s days off at most.", most=MOST_DAYS_OFF))
    if any(len(one.name) > LONGEST_NAME for one in days_off):
        raise Unprocessable(
            "a day's name", safe=gettext("A day’s name has %(most)s letters at most.", most=LONGEST_NAME)
        )
    if len(warn_hours) > MOST_WARNINGS or not all(1 <= hours <= LONGEST_WARNING for hours in warn_hours):
        safe = gettext(
            "There can be %(count)s warnings at most, each between 1 and %(most)s hours ahead.",
            count=MOST_WARNINGS,
            most=LONGEST_WARNING,
        )
        raise Unprocessable("warnings", safe=safe)
    program.zone, program.week = zone, minutes
    named = {one.day: trimmed(one.name) for one in days_off}
    program.days_off = [{"day": day.isoformat(), "name": name} for day, name in sorted(named.items())]
    program.warn_hours = sorted(set(warn_hours), reverse=True)
    # Refuses what is never open, before anybody is promised anything.
    deadlines.calendar(program.zone, program.week, program.days_off)
    tx.flush()
    audit.record(tx, who, "program.hours", "program", program.id, zone=zone, days_off=len(named))


def house_zone(tx: Session) -> str:
    """The zone that is shown to whoever has none of their own: the oldest program's."""
    query = select(Program.zone).where(Program.active).order_by(Program.created_at, Program.id).limit(1)
    return tx.scalar(query) or zones.DEFAULT


def _minutes(day: Day) -> list[int] | None:
    if day is None:
        return None
    opens, closes = (_wall(text) for text in day)
    closes = closes or MIDNIGHT
    if opens + SHORTEST > closes:
        safe = gettext("A day’s hours are an hour at least, and the end comes after the beginning.")
        raise Unprocessable(f"hours {opens} to {closes}", safe=safe)
    return [opens, closes]


def _wall(text: str) -> int:
    hours, _, minutes = text.partition(":")
    good = text.isascii() and len(text) == 5 and hours.isdigit() and minutes.isdigit()
    if not good or int(hours) > 23 or int(minutes) > 59:
        raise Unprocessable("a time of day", safe=gettext("Please give times such as 09:00 and 17:30."))
    return int(hours) * 60 + int(minutes)


def _view(program: Program) -> ProgramHours:
    return ProgramHours(
        program.id,
        program.slug,
        program.name,
        program.zone,
        tuple((_text(day[0]), _text(day[1])) if day else None for day in program.week),
        tuple(DayOff(date.fromisoformat(one["day"]), one["name"]) for one in program.days_off),
        tuple(program.warn_hours),
    )


def _text(minutes: int) -> str:
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"
