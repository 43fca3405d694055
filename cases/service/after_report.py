"""What a program does after a report: when a case closes by itself, whom it asks how it went, and where it sees people.

A change counts for what is given to patients from then on: a time that somebody was told stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.closing import LONGEST, SHORTEST
from cases.models import Program
from cases.repository import active_program
from overread.kit import audit, permissions
from overread.kit.errors import Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import fitting

MOST_READINGS, LONGEST_CLINIC = 1_000, 1_000


@dataclass(frozen=True, slots=True)
class AfterReport:
    """`close_days`, `check_in_readings`: 0 for never. `clinic`: which one patients can ask to see; "" for none."""

    program_id: UUID
    slug: str
    name: str
    close_days: int
    check_in_readings: int
    clinic: str


def listed(tx: Session, who: Principal) -> list[AfterReport]:
    """What every active program does, by its name. Raises Forbidden."""
    permissions.require(who, Permission.PROGRAMS_READ)
    found = tx.scalars(select(Program).where(Program.active).order_by(Program.name))
    return [AfterReport(p.id, p.slug, p.name, p.close_days, p.check_in_readings, p.clinic) for p in found]


def change(tx: Session, who: Principal, slug: str, *, close_days: int, check_in_readings: int, clinic: str) -> None:
    """Say what a program does. Raises Forbidden, NotFound, Unprocessable with a sentence for what can't be."""
    permissions.require(who, Permission.PROGRAMS_MANAGE)
    program = active_program(tx, slug, lock=True)
    if close_days and not SHORTEST <= close_days <= LONGEST:
        safe = gettext(
            "A case closes after %(least)s to %(most)s days, or with 0 never by itself.", least=SHORTEST, most=LONGEST
        )
        raise Unprocessable(f"{close_days} days", safe=safe)
    if not 0 <= check_in_readings <= MOST_READINGS:
        safe = gettext("Specialists are asked after 1 to %(most)s reports, or with 0 never.", most=MOST_READINGS)
        raise Unprocessable(f"{check_in_readings} readings", safe=safe)
    clinic = fitting(clinic, LONGEST_CLINIC)
    program.close_days, program.check_in_readings, program.clinic = close_days, check_in_readings, clinic
    tx.flush()
    audit.record(tx, who, "program.after_report", "program", program.id, close_days=close_days)
