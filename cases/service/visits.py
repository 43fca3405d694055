"""From a case to a visit: its patient asks the program's clinic to be seen, and a coordinator arranges it, or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import digest, notify, nudges, parts
from cases.feedback_models import Visit, VisitState
from cases.models import Case
from cases.nudges import Waits
from cases.report_states import WITH_PATIENT
from cases.repository import load
from cases.service import presentation
from overread.kit import audit, clock, permissions
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import Phrase, gettext
from overread.kit.paging import Keyset, Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import fitting

_MOST = 4_000
_WAITING_FIRST = Keyset(Visit.state == VisitState.ASKED, Visit.id, descending=True)
LABELS = {
    VisitState.ASKED: Phrase("Waits for the clinic’s answer"),
    VisitState.ARRANGED: Phrase("Arranged"),
    VisitState.DECLINED: Phrase("Not possible"),
}


@dataclass(frozen=True, slots=True)
class VisitView:
    """A wish for a visit. `patient` and `title` say whose and of which case, to coordinators; else empty."""

    visit_id: UUID
    case_id: UUID
    reference: str
    patient: str
    title: str
    state: str
    status: str
    wish: str
    asked_at: datetime
    answer: str
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class CaseVisits:
    """What a patient can ask of the clinic, and has asked, the newest first. `clinic`: which one; "" for none.

    `possible`: whether a wish can be sent now.
    """

    clinic: str
    possible: bool
    visits: tuple[VisitView, ...]


def of_case(tx: Session, who: Principal, case_id: UUID) -> CaseVisits:
    """The wishes of a case. Raises NotFound, Forbidden for all but its patient."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.CASE_VISIT, case_id)
    found = _visits(tx, case_id)
    asked = any(one.state is VisitState.ASKED for one in found)
    possible = bool(case.program.clinic) and case.state in WITH_PATIENT and not asked
    return CaseVisits(case.program.clinic, possible, tuple(_view(one, case) for one in found))


def waits(tx: Session, who: Principal, case_id: UUID) -> bool:
    """Whether a wish of a case waits for an answer, for coordinators. Raises Forbidden, NotFound."""
    permissions.require(who, Permission.AFTERCARE_MANAGE)
    load(tx, who, case_id)
    return any(one.state is VisitState.ASKED for one in _visits(tx, case_id))


def ask(tx: Session, who: Principal, case_id: UUID, wish: str) -> None:
    """Ask to be seen by the program's clinic, which has the case before it. The same twice is once.

    Raises NotFound, Forbidden, Conflict where there is no report yet, no clinic, or another wish that waits.
    """
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_VISIT, case_id)
    wish = fitting(wish, _MOST)
    if case.state not in WITH_PATIENT:
        raise Conflict(f"a visit in {case.state}", safe=gettext("This is possible once the report is published."))
    if not case.program.clinic:
        raise Conflict("no clinic", safe=gettext("This program has no clinic that sees patients."))
    waiting = next((one for one in _visits(tx, case_id) if one.state is VisitState.ASKED), None)
    if waiting is not None:
        if waiting.wish == wish:
            return
        raise Conflict("a wish waits", safe=gettext("You have asked already. The clinic answers you here."))
    visit = Visit(case_id=case.id, asked_by=who.id, wish=wish)
    tx.add(visit)
    tx.flush()
    audit.record(tx, who, "visit.ask", "case", case_id, case_id=case_id)
    digest.note(tx, "visit_asked", case)
    nudges.ask(tx, case, Waits.VISIT, visit.id)


def answer(tx: Session, who: Principal, visit_id: UUID, *, arranged: bool, text: str) -> None:
    """A coordinator says when and where, or why not; the patient is told that there is an answer.

    The same twice is once. Raises Forbidden, NotFound, Conflict where it was answered otherwise, Unprocessable.
    """
    permissions.require(who, Permission.AFTERCARE_MANAGE)
    known = tx.get(Visit, visit_id)
    if known is None:
        raise NotFound(f"visit {visit_id}")
    case, _ = load(tx, who, known.case_id, lock=True)
    tx.refresh(known)
    text, state = fitting(text, _MOST), VisitState.ARRANGED if arranged else VisitState.DECLINED
    if known.state is not VisitState.ASKED:
        if (known.state, known.answer) == (state, text):
            return
        raise Conflict("answered", safe=gettext("Somebody has answered this wish meanwhile."))
    if not text:
        raise Unprocessable("no words", safe=gettext("Please write when and where, or why not; the patient reads it."))
    known.state, known.answer, known.answered_by, known.answered_at = state, text, who.id, clock.now()
    tx.flush()
    audit.record(tx, who, f"visit.{state.value}", "case", case.id, case_id=case.id)
    notify.queue_patient(tx, case, "visit_answered")


def listed(tx: Session, who: Principal, *, after: str = "", limit: int = 200) -> Page[VisitView]:
    """Every wish, those that wait first, for coordinators. Raises Forbidden."""
    permissions.require(who, Permission.AFTERCARE_MANAGE)
    page = _WAITING_FIRST.page(tx, select(Visit), after, limit)
    cases = {c.id: c for c in tx.scalars(select(Case).where(Case.id.in_([one.case_id for one in page])))}
    told = [(cases[one.case_id], one) for one in page]
    return page.of([_view(one, case, case.patient_name, presentation.title(case)) for case, one in told])


def _visits(tx: Session, case_id: UUID) -> list[Visit]:
    return list(tx.scalars(select(Visit).where(Visit.case_id == case_id).order_by(Visit.id.desc())))


def _view(one: Visit, case: Case, patient: str = "", title: str = "") -> VisitView:
    return VisitView(
        one.id,
        case.id,
        case.reference,
        patient,
        title,
        one.state.value,
        str(LABELS[one.state]),
        one.wish,
        one.asked_at,
        one.answer,
        one.answered_at,
    )
