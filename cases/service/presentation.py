"""What several roles are shown of a case, and how it is put."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from cases import identity, kind_questions, money
from cases.guards import GUARDS, images_here
from cases.imaging import STAFF, Identifiers, StudySummary
from cases.models import Case, CaseStudy, Step
from cases.move import Move
from cases.repository import notes_of
from cases.states import (
    ENDED,
    RUNNING,
    STUDY_LABELS,
    Actor,
    CaseEvent,
    CaseState,
    ClockEvent,
    StudyState,
    case_rule,
    possible,
)
from cases.views import NoteView, QuestionView
from overread.kit import clock
from overread.kit.language import Phrase, gettext
from overread.kit.principals import Principal, PrincipalRow

#: What a coordinator does next in a state; its guards tell what blocks it.
_NEXT = {
    CaseState.SUBMITTED: CaseEvent.MARK_READY,
    CaseState.SIGNED: CaseEvent.PUBLISH,
    CaseState.PUBLISHED: CaseEvent.CLOSE,
}
#: The steps of a request in order, and which of them asks for what a guard wants.
STEPS = ("opinion", "question", "patient", "images", "documents", "consent", "payment")
STEP_OF = {
    "kind_given": "opinion",
    "no_emergency": "question",
    "has_subject": "question",
    "in_scope": "question",
    "has_questions": "question",
    "has_answers": "question",
    "eligible_place": "patient",
    "has_identity": "patient",
    "authority_given": "patient",
    "address_confirmed": "images",
    "images_chosen": "images",
    "documents_here": "documents",
    "has_consents": "consent",
    "paid_or_free": "payment",
}
_ARTICLE = {
    "mammogram": Phrase("a mammogram"),
    "MRI": Phrase("an MRI"),
    "CT": Phrase("a CT"),
    "X-ray": Phrase("an X-ray"),
    "PET": Phrase("a PET"),
    "ultrasound": Phrase("an ultrasound"),
    "pathology": Phrase("pathology"),
}


def title(case: Case) -> str:
    """What a case is called in lists and headings."""
    told = [str(_ARTICLE[one]) for one in case.subjects if one in _ARTICLE]
    if not told:
        return gettext("Second opinion")
    last = told.pop()
    images = gettext("%(first)s and %(last)s", first=", ".join(told), last=last) if told else last
    return gettext("Second opinion on %(images)s", images=images)


def is_late(case: Case) -> bool:
    """Whether a case has missed its time while the clock ran."""
    open_ones = case.state not in ENDED and case.state is not CaseState.PUBLISHED and case.paused_at is None
    return open_ones and case.due_at is not None and case.due_at < clock.now()


def late(now: datetime) -> ColumnElement[bool]:
    """That a case has missed its time, for a query: what `is_late` says of one."""
    stopped = Case.state.in_([*ENDED, CaseState.PUBLISHED])
    return and_(~stopped, Case.paused_at.is_(None), Case.due_at < now)


def study_label(case: Case, study: CaseStudy, images: StudySummary | None) -> str:
    """The state of a study in words; of one whose identity is not the patient's, what it is that differs."""
    if study.state is StudyState.MISMATCH and images is not None:
        told = identity.compare(case.patient_name, case.birth_date, images.patient_name, images.birth_date).label
        return told or STUDY_LABELS[study.state]
    return STUDY_LABELS[study.state]


def name_of(tx: Session, principal_id: UUID | None) -> str:
    """A person's name, empty for nobody."""
    person = tx.get(PrincipalRow, principal_id) if principal_id else None
    return person.name if person else ""


def acted(tx: Session, step: Step) -> str:
    """Who did a step in the patient's name, as both sides are told; empty where they did it themselves."""
    if step.actor not in (Actor.HELPER, Actor.REPRESENTATIVE):
        return ""
    return gettext("Done by %(name)s, who acts for the patient.", name=name_of(tx, step.actor_id))


def sender(tx: Session, sender_id: UUID) -> str:
    """Who sent a study, for coordinators."""
    return "our own staff" if sender_id == STAFF else name_of(tx, sender_id)


def known(tx: Session, case: Case) -> Identifiers:
    """What the account and the form say of the patient: the de-identified files may name none of it."""
    person = tx.get(PrincipalRow, case.patient_id)
    names = [case.patient_name, *([person.name] if person else [])]
    contacts = [text for text in ((person.email, person.phone) if person else ()) if text]
    contacts += [line.strip() for line in case.address.splitlines() if line.strip()]
    return Identifiers.of(names=[name for name in names if name], ids=[case.reference], phrases=contacts)


def kind_answers(case: Case) -> tuple[tuple[str, str], ...]:
    """What the kind of a case asks, with the patient's answer; what its kind asks no more is left out."""
    return kind_questions.told(kind_questions.of(case.kind.asks), case.answers)


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


def clock_actions(case: Case) -> tuple[str, ...]:
    """What a coordinator may do with the clock now."""
    if case.state not in RUNNING or case.due_at is None:
        return ()
    return (ClockEvent.RESUME,) if case.paused_at is not None else (ClockEvent.PROMISE, ClockEvent.PAUSE)


def blocked(tx: Session, who: Principal, case: Case) -> tuple[str, ...]:
    """What keeps a coordinator's next step from being possible."""
    event = _NEXT.get(case.state)
    return refusals(tx, who, case, event) if event is not None else ()


def refusals(tx: Session, who: Principal, case: Case, event: CaseEvent) -> tuple[str, ...]:
    """Why an event is not possible yet, as sentences."""
    return tuple(text for _, text in _refused(tx, who, case, event))


def missing(tx: Session, who: Principal, case: Case) -> tuple[tuple[str, str], ...]:
    """What a draft still needs: the step of the request that asks for it, and a sentence; in the order of the steps."""
    found = [(STEP_OF[name], text) for name, text in _refused(tx, who, case, CaseEvent.SUBMIT)]
    return tuple(sorted(found, key=lambda one: STEPS.index(one[0])))


def step(tx: Session, who: Principal, case: Case) -> str:
    """The step at which a draft goes on: the first where something is missing, else the one that sends it.

    Empty where there is no draft.
    """
    if case.state is not CaseState.DRAFT:
        return ""
    first = next((name for name, _ in missing(tx, who, case)), "payment")
    # While nothing is being paid, the page with the price is the one that leads to the payment page, or sends.
    return "consent" if first == "payment" and not money.is_begun(tx, case) else first


def edition(case: Case) -> str:
    """A name for what the form of a draft says now, by which two who change it at once are told.

    The row's own version would not do: it also counts what the program does while images arrive.
    """
    said = [
        case.subjects,
        case.other_subject,
        case.symptoms,
        case.history,
        case.additional,
        case.answers,
        case.place,
        case.emergency,
        case.patient_name,
        str(case.birth_date),
        case.sex,
        [case.address, case.language, case.interpreter],
        [case.physician, case.physician_contact, case.inform_physician, case.first_report_by],
        [q.text for q in case.questions],
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def untouched(tx: Session, case: Case) -> bool:
    """Whether nothing was written in a draft yet, nothing sent, and nothing paid."""
    said = [case.symptoms, case.history, case.additional, case.other_subject, case.answers, case.birth_date]
    nothing = not any(said) and not case.questions and case.images_by is None
    return nothing and not images_here(tx, case) and not money.is_begun(tx, case)


def _refused(tx: Session, who: Principal, case: Case, event: CaseEvent) -> list[tuple[str, str]]:
    rule = case_rule(case.state, event)
    move = Move(tx, case, event, Actor.SYSTEM, who)
    return [(name, text) for name in rule.guards if (text := GUARDS[name](move))] if rule else []
