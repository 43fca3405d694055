"""The clock of a case: the due time that its patient was promised, when it stands still, and whom it warns.

Everything that sets a due time ends in `_promise`, which asks for the warnings of that time and of no other: a warning
that was asked for earlier finds another due time, or a clock that stands, and says nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cases import deadlines, events, notify
from cases.deadlines import Calendar
from cases.models import Case, Program
from cases.states import RUNNING, CaseState
from overread.kit import clock, jobs
from overread.kit.principals import Principal
from viewer_bridge import grants

#: How much longer than its due time a grant may last while the report is not published.
GRANT_SLACK = timedelta(days=30)


def calendar_of(program: Program) -> Calendar:
    """When a program is open."""
    return deadlines.calendar(program.zone, program.week, program.days_off)


def start(tx: Session, case: Case, days: int) -> None:
    """Start the clock: the answer is due in so many of the program's days from now."""
    _promise(tx, case, deadlines.due(calendar_of(case.program), clock.now(), days))


def stop(tx: Session, case: Case) -> None:
    """Have the clock stand still. Where it stood already, what it stood so far is counted, and it stands anew."""
    if case.paused_at is not None:
        resume(tx, case)
    case.paused_at = clock.now()


def resume(tx: Session, case: Case, *, by: Principal | None = None) -> None:
    """Have the clock go on: the due time moves by as much open time as it stood."""
    stopped, case.paused_at = case.paused_at, None
    if case.due_at is None or stopped is None:
        return
    calendar = calendar_of(case.program)
    due = deadlines.later(calendar, case.due_at, deadlines.between(calendar, stopped, clock.now()))
    if due != case.due_at:
        _promise(tx, case, due, by=by)


def renew(tx: Session, case: Case, due: datetime, *, by: Principal) -> None:
    """Promise another time, in the place of the one before."""
    _promise(tx, case, due, by=by)


def grant_until(case: Case) -> datetime:
    """Until when the specialist who reads may see the images, while the report is not published."""
    return max(case.due_at or clock.now(), clock.now()) + GRANT_SLACK


def warn(tx: Session, case: Case | None, event: events.DueNear) -> None:
    """A due time comes near, or has passed: coordinators and the specialist who reads hear of it, once.

    One that fires so late that the next one's moment has come leaves it to that one.
    """
    if case is None or case.paused_at is not None or case.state not in RUNNING:
        return
    if case.due_at != datetime.fromisoformat(event.due_at) or event.hours in case.warned:
        return
    if event.until and clock.now() >= datetime.fromisoformat(event.until):
        return
    case.warned = [*case.warned, event.hours]
    notify.queue_coordinators(tx, case, "due_near" if event.hours else "due_passed")
    if case.state is CaseState.IN_REVIEW and case.specialist_id is not None:
        notify.queue(tx, case, case.specialist_id, "report_due_near" if event.hours else "report_due_passed")


def _promise(tx: Session, case: Case, due: datetime, *, by: Principal | None = None) -> None:
    case.due_at, case.warned = due, []
    calendar, until = calendar_of(case.program), ""
    # From the last one back, so that each knows the moment of the next.
    for hours in (0, *sorted(case.program.warn_hours)):
        at = deadlines.earlier(calendar, due, timedelta(hours=hours))
        if at > clock.now():
            event = events.DueNear(str(case.id), due.isoformat(), hours, until)
            jobs.emit(tx, event, after=at - clock.now())
        until = at.isoformat()
    if case.state is CaseState.IN_REVIEW and case.specialist_id is not None and case.view_id is not None:
        standing = grants.find(tx, case.specialist_id, case.id)
        if standing is not None and standing.until < grant_until(case):
            grants.grant(tx, case.specialist_id, case.id, case.view_id, grant_until(case), by=by)
    # The work items of its offers tell when it is due.
    jobs.emit(tx, events.ReadingMoved(str(case.id)))
