"""A program in figures, by the month in which a report was given to its patient: no case and nobody is named.

What people said is averaged only where several said it: an average of one is what one person said.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from statistics import fmean, median
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, true
from sqlalchemy.orm import Session

from cases.feedback_models import CheckIn, Survey
from cases.models import Case, Program, Question, Step
from cases.repository import active_program
from cases.states import ClockEvent
from overread.kit import clock, permissions, zones
from overread.kit.permissions import Permission
from overread.kit.principals import Principal

MONTHS = 12
#: Answers that an average is made of at least.
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Month:
    """One month's figures; None where there is nothing to tell, or too little.

    `sent`: requests that were sent; `published`: reports given to patients, to which the next ones belong:
    `turnaround_days`: the median from request to report, clock time; `kept`: how many came by the promised time;
    `moved`: new times that their patients were given; `questions`: asked after the report. `satisfaction`: of patients
    and `specialists`: of specialists, from 1 to 5, with how many have said so.
    """

    month: str
    sent: int
    published: int
    turnaround_days: float | None
    kept: int
    moved: int
    questions: int
    surveys: int
    satisfaction: float | None
    check_ins: int
    specialists: float | None


@dataclass(frozen=True, slots=True)
class ProgramName:
    """A program that has figures."""

    slug: str
    name: str


def programs(tx: Session, who: Principal) -> list[ProgramName]:
    """The programs, by name. Raises Forbidden."""
    permissions.require(who, Permission.FIGURES_READ)
    found = tx.scalars(select(Program).where(Program.active).order_by(Program.name))
    return [ProgramName(one.slug, one.name) for one in found]


def months(tx: Session, who: Principal, program: str = "") -> list[Month]:
    """The last twelve months, this one last, by the days of whoever asks; of one program, or of all.

    Raises Forbidden, NotFound.
    """
    permissions.require(who, Permission.FIGURES_READ)
    of = active_program(tx, program).id if program else None
    starts = _starts(zones.local(clock.now()).date())
    ends = [*starts[1:], clock.now() + timedelta(days=1)]
    return [_month(tx, start, end, of) for start, end in zip(starts, ends, strict=True)]


def as_csv(rows: Sequence[Month]) -> str:
    """The figures as CSV (RFC 4180): a line a month, empty where there is nothing to tell."""
    text = io.StringIO()
    writer = csv.writer(text)
    names = [one.name for one in fields(Month)]
    writer.writerow(names)
    writer.writerows([["" if (v := getattr(row, name)) is None else v for name in names] for row in rows])
    return text.getvalue()


def _starts(today: date) -> list[datetime]:
    """When the last months began, in the reader's zone."""
    first = today.year * 12 + today.month - MONTHS
    days = [date(number // 12, number % 12 + 1, 1) for number in range(first, first + MONTHS)]
    return [datetime.combine(day, time.min, zones.current()) for day in days]


def _month(tx: Session, start: datetime, end: datetime, program_id: UUID | None) -> Month:
    mine: ColumnElement[bool] = Case.program_id == program_id if program_id else true()
    given = and_(mine, Case.published_at >= start, Case.published_at < end)
    sent = and_(mine, Case.submitted_at >= start, Case.submitted_at < end)
    rows = tx.execute(select(Case.submitted_at, Case.published_at, Case.due_at).where(given)).all()
    took = [(done - begun).total_seconds() / 86_400 for begun, done, _ in rows if begun and done]
    promised = select(func.count(Step.id)).join(Case, Case.id == Step.case_id)
    asked = select(func.count(Question.id)).join(Case, Case.id == Question.case_id)
    surveys = tx.scalars(select(Survey.scores).join(Case, Case.id == Survey.case_id).where(given)).all()
    scores = [fmean(one.values()) for one in surveys if one]
    said = _check_ins(tx, start, end, program_id)
    return Month(
        month=f"{start:%Y-%m}",
        sent=tx.scalar(select(func.count(Case.id)).where(sent)) or 0,
        published=len(rows),
        turnaround_days=round(median(took), 1) if took else None,
        kept=sum(1 for _, done, due in rows if done and due and done <= due),
        moved=tx.scalar(promised.where(given, Step.event == ClockEvent.PROMISE.value)) or 0,
        questions=tx.scalar(asked.where(given, Question.follow_up)) or 0,
        surveys=len(surveys),
        satisfaction=_average(scores),
        check_ins=len(said),
        specialists=_average(said),
    )


def _check_ins(tx: Session, start: datetime, end: datetime, program_id: UUID | None) -> list[float]:
    answered = select(CheckIn.score).where(CheckIn.answered_at >= start, CheckIn.answered_at < end)
    if program_id:
        answered = answered.where(CheckIn.program_id == program_id)
    return [float(score) for score in tx.scalars(answered) if score is not None]


def _average(scores: Iterable[float]) -> float | None:
    known = list(scores)
    return round(fmean(known), 1) if len(known) >= FEWEST else None
