"""When a case closes by itself after its report: counted anew by whatever is given to the patient.

Everything that moves the time ends in `_set`, which asks for the notice before it and for the end itself; what was
asked for earlier finds another time and does nothing. What stands open then (`cases.service.closing`) holds the case
open, and whatever ends that counts on.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cases import events
from cases.models import Case
from cases.states import CaseState
from overread.kit import clock, jobs

#: How long before it ends a patient is told that a case ends, and how long after an answer it stays open at least.
TOLD_BEFORE = timedelta(days=3)
AT_LEAST = timedelta(days=7)
#: What a program may choose, in days.
SHORTEST, LONGEST = AT_LEAST.days, 365


def count(tx: Session, case: Case) -> None:
    """A report, or another version of it, is with the patient: all of the program's time from now on."""
    if case.program.close_days:
        _set(tx, case, clock.now() + timedelta(days=case.program.close_days))


def go_on(tx: Session, case: Case) -> None:
    """What held a case open is over: it stays open for some days at least, so that its patient can look at it."""
    if case.program.close_days and case.closes_at is not None:
        _set(tx, case, max(case.closes_at, clock.now() + AT_LEAST))


def put_off(tx: Session, case: Case) -> None:
    """The patient hears of the end later than was meant: it comes as much later."""
    _set(tx, case, clock.now() + TOLD_BEFORE)


def is_counted(case: Case) -> bool:
    """Whether a time is set at which a case closes by itself, and that time lies ahead."""
    return (
        case.state is CaseState.PUBLISHED
        and bool(case.program.close_days)
        and case.closes_at is not None
        and case.closes_at > clock.now()
    )


def _set(tx: Session, case: Case, at: datetime) -> None:
    if case.state is not CaseState.PUBLISHED or at == case.closes_at:
        return
    case.closes_at, case.closing_told = at, False
    key = (str(case.id), at.isoformat())
    jobs.emit(tx, events.ClosingNear(*key), after=at - TOLD_BEFORE - clock.now())
    jobs.emit(tx, events.ClosingDue(*key), after=at - clock.now())
