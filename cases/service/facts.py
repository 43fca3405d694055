"""What several roles are shown of a case, and how it is put."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from cases.guards import GUARDS
from cases.imaging import STAFF, KnownStrings
from cases.models import Case
from cases.move import Move
from cases.repository import notes_of
from cases.states import FINAL, Actor, CaseEvent, CaseState, case_rule, possible
from cases.views import NoteView, QuestionView
from overread.kit import clock
from overread.kit.principals import Principal, PrincipalRow

#: What a coordinator does next in a state; its guards tell what blocks it.
_NEXT = {
    CaseState.SUBMITTED: CaseEvent.MARK_READY,
    CaseState.SIGNED: CaseEvent.PUBLISH,
    CaseState.PUBLISHED: CaseEvent.CLOSE,
}
_ARTICLE = {
    "mammogram": "a mammogram",
    "MRI": "an MRI",
    "CT": "a CT",
    "X-ray": "an X-ray",
    "PET": "a PET",
    "ultrasound": "an ultrasound",
    "pathology": "pathology",
}


def title(case: Case) -> str:
    """What a case is called in lists and headings."""
    return "Second opinion" if case.subject == "other" else f"Second opinion on {_ARTICLE.get(case.subject, 'a')}"


def is_late(case: Case) -> bool:
    """Whether a case has missed its time while the clock ran."""
    open_ones = case.state not in FINAL and case.state is not CaseState.PUBLISHED and case.paused_at is None
    return open_ones and case.due_at is not None and case.due_at < clock.now()


def name_of(tx: Session, principal_id: UUID | None) -> str:
    """A person's name, empty for nobody."""
    person = tx.get(PrincipalRow, principal_id) if principal_id else None
    return person.name if person else ""


def sender(tx: Session, holder_id: UUID) -> str:
    """Who sent a study, for coordinators."""
    return "our own staff" if holder_id == STAFF else name_of(tx, holder_id)


def known(tx: Session, case: Case) -> KnownStrings:
    """What the account and the form say of the patient: the de-identified files may name none of it."""
    person = tx.get(PrincipalRow, case.patient_id)
    names = [case.patient_name, *([person.name] if person else [])]
    contacts = [text for text in ((person.email, person.phone) if person else ()) if text]
    return KnownStrings.of(names=[name for name in names if name], ids=[case.reference], phrases=contacts)


def questions(case: Case) -> tuple[QuestionView, ...]:
    """The questions as the patient wrote them."""
    return tuple(QuestionView(q.id, q.number, q.text, q.follow_up, q.answer or "") for q in case.questions)


def notes(tx: Session, case: Case, *, for_patient: bool) -> tuple[NoteView, ...]:
    """The messages between patient and coordinators."""
    # The patient hears from the program, not from one of its people.
    return tuple(
        NoteView(
            n.at,
            case.program.name if for_patient and not n.from_patient else name_of(tx, n.author_id),
            n.from_patient,
            n.text,
        )
        for n in notes_of(tx, case.id)
    )


def actions(case: Case, actor: Actor) -> tuple[str, ...]:
    """The events that an actor may bring about now, guards aside."""
    skip = {CaseEvent.ANSWER_INTAKE} if case.resume_to is CaseState.IN_REVIEW else {CaseEvent.ANSWER_REVIEW}
    return tuple(event.value for event in possible(case.state, actor) if event not in skip)


def blocked(tx: Session, who: Principal, case: Case) -> tuple[str, ...]:
    """What keeps a coordinator's next step from being possible."""
    event = _NEXT.get(case.state)
    return refusals(tx, who, case, event) if event is not None else ()


def refusals(tx: Session, who: Principal, case: Case, event: CaseEvent) -> tuple[str, ...]:
    """Why an event is not possible yet, as sentences."""
    rule = case_rule(case.state, event)
    move = Move(tx, case, event, Actor.SYSTEM, who)
    return tuple(text for name in rule.guards if (text := GUARDS[name](move))) if rule else ()
