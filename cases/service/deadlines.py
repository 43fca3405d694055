"""What a coordinator does with a case's clock: a new promise to the patient, a pause, and its end. Never by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from cases import deadlines, notify, parts, promises
from cases.effects import begin_clock
from cases.machine import did_last
from cases.models import Case, Step
from cases.repository import load
from cases.states import LABELS, RUNNING, CaseState, ClockEvent
from overread.kit import audit, clock, zones
from overread.kit.errors import Conflict, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import fitting

#: How far ahead an answer can be promised.
FARTHEST = timedelta(days=365)
_MOST = 2_000


def promise(
    tx: Session, who: Principal, case_id: UUID, due: datetime, reason: str, *, instead_of: datetime | None = None
) -> None:
    """Give the patient a new due time, which they are told with the reason; idempotent for who did so last.

    `instead_of`: the due time that `who` was shown, if they were. Raises Forbidden, NotFound, Conflict where the clock
    does not run or somebody else has given a new time since, Unprocessable for a moment at which nobody is there.
    """
    case = _clock_of(tx, who, case_id)
    reason, due = _reason(reason), due.replace(second=0, microsecond=0)
    if case.due_at == due and did_last(tx, who, case.id, ClockEvent.PROMISE, reason):
        return
    _require_running(case)
    if instead_of is not None and instead_of != case.due_at:
        raise Conflict(
            f"case {case.id} was promised another time",
            safe=gettext("Somebody has given the patient another time meanwhile. Look at it, then decide again."),
        )
    if not timedelta(0) < due - clock.now() <= FARTHEST:
        raise Unprocessable(f"a promise for {due}", safe=gettext("The new time lies ahead, within a year."))
    calendar = promises.calendar_of(case.program)
    if not calendar.is_open(due):
        opens = zones.sentence(deadlines.next_open(calendar, due))
        safe = gettext("The program is closed then. It next opens on %(moment)s.", moment=opens)
        raise Unprocessable(f"a promise for {due}, when nobody is there", safe=safe)
    promises.renew(tx, case, due, by=who)
    _log(tx, who, case, ClockEvent.PROMISE, reason, due=due.isoformat())
    notify.queue_patient(tx, case, "new_promise")
    _tell_specialist(tx, case)


def pause(tx: Session, who: Principal, case_id: UUID, reason: str) -> None:
    """Stop the clock, with a reason that the patient reads. Raises as `promise`."""
    case = _clock_of(tx, who, case_id)
    reason = _reason(reason)
    if case.paused_at is not None and did_last(tx, who, case.id, ClockEvent.PAUSE, reason):
        return
    _require_running(case)
    promises.stop(tx, case)
    _log(tx, who, case, ClockEvent.PAUSE, reason)
    notify.queue_patient(tx, case, "paused")


def resume(tx: Session, who: Principal, case_id: UUID) -> None:
    """Have the clock go on; the due time moves by the open hours that it stood. Nothing happens where it runs.

    Raises Forbidden, NotFound, Conflict where it waits for the patient's answer or the case has none.
    """
    case = _clock_of(tx, who, case_id)
    if case.state not in RUNNING:
        raise _no_clock(case)
    if case.paused_at is None:
        return
    before = case.due_at
    promises.resume(tx, case, by=who)
    begin_clock(tx, case)
    _log(tx, who, case, ClockEvent.RESUME, "")
    notify.queue_patient(tx, case, "resumed")
    if case.due_at != before:
        _tell_specialist(tx, case)


def _clock_of(tx: Session, who: Principal, case_id: UUID) -> Case:
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_CLOCK, case_id)
    return case


def _require_running(case: Case) -> None:
    if case.state not in RUNNING or case.due_at is None:
        raise _no_clock(case)
    if case.paused_at is not None:
        raise Conflict(
            f"the clock of case {case.id} stands", safe=gettext("The clock stands still already. Let it go on first.")
        )


def _no_clock(case: Case) -> Conflict:
    if case.state is CaseState.NEEDS_INFO:
        safe = gettext("The clock stands still until the patient’s answer is here.")
    elif case.state in RUNNING:
        safe = gettext("The clock has not begun yet: something is still to come.")
    else:
        safe = gettext("No clock runs while the case is “%(state)s”.", state=LABELS[case.state])
    return Conflict(f"case {case.id} is {case.state}, due {case.due_at}", safe=safe)


def _reason(text: str) -> str:
    text = fitting(text, _MOST)
    if not text:
        raise Unprocessable("no reason", safe=gettext("Please give a reason; the patient reads it."))
    return text


def _log(tx: Session, who: Principal, case: Case, event: ClockEvent, reason: str, **facts: str) -> None:
    state = case.state.value
    tx.add(
        Step(
            case_id=case.id,
            actor_id=who.id,
            actor=who.role.value,
            event=event.value,
            source=state,
            target=state,
            reason=reason,
        )
    )
    audit.record(tx, who, f"case.{event.value}", "case", case.id, case_id=case.id, **facts)
    tx.flush()


def _tell_specialist(tx: Session, case: Case) -> None:
    if case.state is CaseState.IN_REVIEW and case.specialist_id is not None:
        notify.queue(tx, case, case.specialist_id, "due_moved")
