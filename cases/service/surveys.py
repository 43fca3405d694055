"""How it went, as patients say it after they have read their report: all of it optional, and changed as they like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import parts
from cases.feedback_models import Survey
from cases.models import Case
from cases.repository import load, reports_of
from cases.surveys import HIGHEST, LOWEST, QUESTIONS
from overread.kit import audit, clock, permissions
from overread.kit.errors import Conflict, Unprocessable
from overread.kit.language import gettext
from overread.kit.paging import Keyset, Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import fitting

_MOST = 4_000
_NEWEST = Keyset(Survey.sent_at, Survey.case_id, descending=True)


@dataclass(frozen=True, slots=True)
class SurveyView:
    """What a patient said. `scores`: 1 to 5 by the keys of `cases.surveys.QUESTIONS`, as far as they were given."""

    case_id: UUID
    reference: str
    program: str
    scores: Mapping[str, int]
    text: str
    sent_at: datetime


def questions() -> Mapping[str, str]:
    """What is asked, by key."""
    return QUESTIONS


def of_case(tx: Session, who: Principal, case_id: UUID) -> SurveyView | None:
    """What was said of a case so far. Raises NotFound, Forbidden for all but its patient, Conflict as `send`."""
    case = _read(tx, who, case_id)
    found = tx.get(Survey, case_id)
    return _view(found, case) if found else None


def send(tx: Session, who: Principal, case_id: UUID, scores: Mapping[str, int], text: str) -> None:
    """Say how it went; said again it takes the place of what was said before.

    Raises NotFound, Forbidden, Conflict before the report was read, Unprocessable for what says nothing.
    """
    case = _read(tx, who, case_id, lock=True)
    text = fitting(text, _MOST)
    if not set(scores) <= set(QUESTIONS) or not all(LOWEST <= one <= HIGHEST for one in scores.values()):
        raise Unprocessable("a score", safe=gettext("Each answer is a number from 1 to 5."))
    if not scores and not text:
        raise Unprocessable("nothing said", safe=gettext("Please choose an answer, or write something."))
    found = tx.get(Survey, case_id) or Survey(case_id=case.id)
    found.scores, found.text, found.sent_by, found.sent_at = dict(scores), text, who.id, clock.now()
    tx.add(found)
    tx.flush()
    audit.record(tx, who, "survey.send", "case", case_id, case_id=case_id)


def listed(tx: Session, who: Principal, *, after: str = "", limit: int = 200) -> Page[SurveyView]:
    """What patients said, the newest first, for coordinators. Raises Forbidden."""
    permissions.require(who, Permission.AFTERCARE_MANAGE)
    page = _NEWEST.page(tx, select(Survey), after, limit)
    cases = {c.id: c for c in tx.scalars(select(Case).where(Case.id.in_([one.case_id for one in page])))}
    return page.of([_view(one, cases[one.case_id]) for one in page])


def was_read(tx: Session, who: Principal, case_id: UUID) -> bool:
    """Whether the patient's side has read a report of a case. Raises NotFound."""
    load(tx, who, case_id)
    return any(report.first_read_at is not None for report in reports_of(tx, case_id))


def _read(tx: Session, who: Principal, case_id: UUID, *, lock: bool = False) -> Case:
    case, actor = load(tx, who, case_id, lock=lock)
    parts.require(actor, Permission.CASE_FEEDBACK, case_id)
    if not was_read(tx, who, case_id):
        raise Conflict(f"no report of case {case_id} was read", safe=gettext("Please read your report first."))
    return case


def _view(found: Survey, case: Case) -> SurveyView:
    return SurveyView(case.id, case.reference, case.program.name, dict(found.scores), found.text, found.sent_at)
