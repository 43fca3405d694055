"""The open cases by their due time, as coordinators plan their day: in lanes, by the days of whoever looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from cases.models import Case, Step
from cases.repository import open_offer, studies_by_case, visible
from cases.service import presentation
from cases.states import LABELS, OPEN, CaseState, ClockEvent, StudyState
from overread.kit import clock, permissions, zones
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal

#: Cases that one lane names; of the others it says how many they are.
MOST = 50
_WAITING = OPEN - {CaseState.PUBLISHED}


class Lane(StrEnum):
    """When a case is due, as seen from now."""

    OVERDUE = "overdue"
    TODAY = "today"
    TOMORROW = "tomorrow"
    WEEK = "week"
    LATER = "later"
    #: The clock has not begun, or stands still.
    STANDS = "stands"


class Next(StrEnum):
    """Who has to do something before a case goes on."""

    US = "us"
    PATIENT = "patient"
    SPECIALIST = "specialist"


@dataclass(frozen=True, slots=True)
class Due:
    """A case on the board. `specialist`: who reads it, or is asked to; `why`: why its clock stands."""

    lane: Lane
    case_id: UUID
    reference: str
    title: str
    state: str
    status: str
    due_at: datetime | None
    patient_name: str
    specialist: str
    next: Next
    why: str


@dataclass(frozen=True, slots=True)
class Board:
    """`cases` by lane, those due first at the top, `MOST` a lane; `counts`: how many there are in each."""

    cases: Mapping[Lane, tuple[Due, ...]]
    counts: Mapping[Lane, int]


def board(tx: Session, who: Principal) -> Board:
    """Every case that waits for an answer. Raises Forbidden."""
    permissions.require(who, Permission.DEADLINES_READ)
    lanes = _lanes(clock.now())
    waiting = visible(who).where(Case.state.in_(_WAITING))
    counted = tx.execute(waiting.with_only_columns(*(func.count().filter(lane) for lane in lanes.values()))).one()
    found = {lane: _named(tx, lane, waiting.where(where)) for lane, where in lanes.items()}
    return Board(found, dict(zip(lanes, counted, strict=True)))


def _lanes(now: datetime) -> dict[Lane, ColumnElement[bool]]:
    today = zones.local(now).date()
    morrow, after = _midnight(today + timedelta(days=1)), _midnight(today + timedelta(days=2))
    monday = max(_midnight(today + timedelta(days=7 - today.weekday())), after)
    runs, due = and_(Case.paused_at.is_(None), Case.due_at.is_not(None)), Case.due_at
    return {
        Lane.OVERDUE: and_(runs, due < now),
        Lane.TODAY: and_(runs, due >= now, due < morrow),
        Lane.TOMORROW: and_(runs, due >= morrow, due < after),
        Lane.WEEK: and_(runs, due >= after, due < monday),
        Lane.LATER: and_(runs, due >= monday),
        Lane.STANDS: or_(Case.paused_at.is_not(None), due.is_(None)),
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, zones.current())


def _named(tx: Session, lane: Lane, query: Select[Case]) -> tuple[Due, ...]:
    cases = tx.scalars(query.order_by(Case.due_at.asc().nulls_last(), Case.id).limit(MOST)).all()
    ids = [case.id for case in cases]
    studies = studies_by_case(tx, ids)
    pauses = _pauses(tx, ids) if lane is Lane.STANDS else {}
    made = []
    for case in cases:
        here = any(study.state is not StudyState.REVOKED for study in studies[case.id])
        asked = open_offer(tx, case.id) if case.state is CaseState.OFFERED else None
        made.append(
            Due(
                lane,
                case.id,
                case.reference,
                presentation.title(case),
                case.state.value,
                LABELS[case.state],
                case.due_at,
                case.patient_name,
                presentation.name_of(tx, asked.specialist_id if asked else case.specialist_id),
                _next(case, images_here=here),
                _why(case, pauses.get(case.id, "")) if lane is Lane.STANDS else "",
            )
        )
    return tuple(made)


def _pauses(tx: Session, case_ids: list[UUID]) -> dict[UUID, str]:
    """The reason of each case's last pause."""
    query = select(Step.case_id, Step.reason).where(Step.case_id.in_(case_ids), Step.event == ClockEvent.PAUSE.value)
    return {case_id: reason for case_id, reason in tx.execute(query.order_by(Step.id))}  # noqa: C416  typed rows


def _next(case: Case, *, images_here: bool) -> Next:
    if case.state is CaseState.NEEDS_INFO or (case.state is CaseState.SUBMITTED and not images_here):
        return Next.PATIENT
    if case.paused_at is None and case.state in (CaseState.OFFERED, CaseState.IN_REVIEW):
        return Next.SPECIALIST
    return Next.US


def _why(case: Case, pause: str) -> str:
    if case.state is CaseState.NEEDS_INFO:
        return gettext("Waits for the patient’s answer")
    if case.paused_at is not None:
        return pause
    return gettext("Waits for the hospital’s images")
