"""What somebody was promised and waits for: whoever is to act is told again, once, where nothing has happened.

A row a promise: after how long, whether it still waits, and who is told by which mail. What is asked for (`ask`) names
the one thing that waits; whether it still does is looked up when the time has come, whatever happened meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from cases import deadlines, events, notify, promises
from cases.feedback_models import Visit, VisitState
from cases.models import Case, Message, Note, Report
from cases.report_states import ReportEvent, ReportState
from cases.repository import erasure_of, hold_of, report_steps_of
from cases.states import CaseState
from overread.kit import clock, jobs


class Waits(StrEnum):
    """What can wait. Jobs that wait know it by these names: they stay."""

    FOLLOW_UP = "follow_up"
    MESSAGE = "message"
    REPLY = "reply"
    CHANGE = "change"
    VERSION = "version"
    VISIT = "visit"
    ERASURE = "erasure"


@dataclass(frozen=True, slots=True)
class Nudge:
    """`days` count those on which the program is open. `to`: templates by who gets them."""

    days: int
    waits: Callable[[Session, Case, UUID], bool]
    to: Mapping[str, str]


def ask(tx: Session, case: Case, kind: Waits, one: UUID) -> None:
    """Have somebody told if `one` (a question, a message, …) still waits when its time is over."""
    due = deadlines.due(promises.calendar_of(case.program), clock.now(), NUDGES[kind].days)
    jobs.emit(tx, events.StillWaits(str(case.id), kind.value, str(one)), after=due - clock.now())


def fire(tx: Session, case: Case | None, event: events.StillWaits) -> None:
    """Tell whoever is to act, once, where it still waits."""
    if case is None or case.state is CaseState.ERASED:
        return
    nudge = NUDGES[Waits(event.kind)]
    if not nudge.waits(tx, case, UUID(event.one)) or _was_told(tx, case, nudge, event.one):
        return
    for audience, template in nudge.to.items():
        _TELL[audience](tx, case, template, event.one)


def _was_told(tx: Session, case: Case, nudge: Nudge, one: str) -> bool:
    told = select(Message.facts).where(Message.case_id == case.id, Message.template.in_(nudge.to.values()))
    return any(facts.get("of") == one for facts in tx.scalars(told))


def _question(_tx: Session, case: Case, one: UUID) -> bool:
    return case.state is CaseState.PUBLISHED and any(q.id == one and q.answer is None for q in case.questions)


def _unread(tx: Session, case: Case, one: UUID) -> bool:
    note = tx.get(Note, one)
    return note is not None and note.case_id == case.id and note.read_at is None


def _unanswered(tx: Session, case: Case, one: UUID) -> bool:
    note = tx.get(Note, one)
    later = exists().where(Note.case_id == case.id, Note.id > one, Note.from_patient.is_(False))
    return note is not None and note.case_id == case.id and not tx.scalar(select(later))


def _change(tx: Session, case: Case, one: UUID) -> bool:
    steps = [s for s in report_steps_of(tx, case.id) if s.event in (ReportEvent.ASK, ReportEvent.BEGIN)]
    return bool(steps) and steps[-1].id == one


def _signed(tx: Session, case: Case, one: UUID) -> bool:
    report = tx.get(Report, one)
    return report is not None and report.case_id == case.id and report.state is ReportState.SIGNED


def _visit(tx: Session, case: Case, one: UUID) -> bool:
    visit = tx.get(Visit, one)
    return visit is not None and visit.case_id == case.id and visit.state is VisitState.ASKED


def _erasure(tx: Session, case: Case, _one: UUID) -> bool:
    asked = erasure_of(tx, case.id)
    return asked is not None and asked.done_at is None and hold_of(tx, case.id) is None


def _tell_specialist(tx: Session, case: Case, template: str, one: str) -> None:
    if case.specialist_id is not None:
        notify.queue(tx, case, case.specialist_id, template, of=one)


_TELL: Mapping[str, Callable[[Session, Case, str, str], None]] = {
    "patient": lambda tx, case, template, one: notify.queue_patient(tx, case, template, of=one),
    "specialist": _tell_specialist,
    "coordinators": lambda tx, case, template, one: notify.queue_coordinators(tx, case, template, of=one),
    "admins": lambda tx, case, template, one: notify.queue_admins(tx, case, template, of=one),
}
NUDGES: Mapping[Waits, Nudge] = {
    Waits.FOLLOW_UP: Nudge(2, _question, {"specialist": "follow_up_waits", "coordinators": "follow_up_late"}),
    Waits.MESSAGE: Nudge(3, _unread, {"patient": "message_unread"}),
    Waits.REPLY: Nudge(2, _unanswered, {"coordinators": "message_unanswered"}),
    Waits.CHANGE: Nudge(3, _change, {"specialist": "change_waits", "coordinators": "change_late"}),
    Waits.VERSION: Nudge(2, _signed, {"coordinators": "version_waits"}),
    Waits.VISIT: Nudge(2, _visit, {"coordinators": "visit_waits"}),
    Waits.ERASURE: Nudge(7, _erasure, {"admins": "erasure_waits"}),
}
