"""Reading cases: one view a role, and the lists. Everything shown to a specialist passes through here."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import access, identity, imaging, licences, money, story
from cases.guards import GUARDS
from cases.identity import Verdict
from cases.models import Case, CaseStudy, Licence, Offer, OfferOutcome, Place
from cases.move import Move
from cases.redact import redacted
from cases.repository import (
    consents_of,
    latest_report,
    load,
    notes_of,
    offers_of,
    open_offer,
    steps_of,
    studies_of,
    visible,
)
from cases.service.intake import MAX_FOLLOW_UPS
from cases.service.reporting import sentence
from cases.states import FINAL, LABELS, STUDY_LABELS, Actor, CaseEvent, CaseState, StudyState, case_rule, possible
from cases.views import (
    CaseLine,
    CoordinatorCase,
    CoordinatorStudy,
    IdentityRow,
    NoteView,
    OfferView,
    PatientCase,
    PatientStudy,
    QuestionView,
    SpecialistCase,
    SpecialistStudy,
    StepView,
)
from overread.kit import audit, clock
from overread.kit.principals import Principal, PrincipalRow, Role
from pacs.scope import Scope
from viewer_bridge import grants

#: Ages above are one group: they name people almost alone (45 CFR 164.514(b)(2)(i)(C)).
_OLDEST = 89
_SEX = {"F": "Woman", "M": "Man", "O": "Person"}
#: What a coordinator does next in a state; its guards tell what blocks it.
_NEXT = {
    CaseState.SUBMITTED: CaseEvent.MARK_READY,
    CaseState.SIGNED: CaseEvent.PUBLISH,
    CaseState.PUBLISHED: CaseEvent.CLOSE,
}

CaseView = PatientCase | CoordinatorCase | SpecialistCase


def show(tx: Session, who: Principal, case_id: UUID) -> CaseView:
    """A case as `who` may see it. Raises NotFound for strangers. Every look by another than the patient is audited."""
    case, actor = load(tx, who, case_id)
    if actor is Actor.PATIENT:
        return _patients(tx, who, case)
    audit.record(tx, who, "case.read", "case", case.id, case_id=case.id)
    return _coordinators(tx, who, case) if actor is Actor.COORDINATOR else _specialists(tx, who, case, actor)


def listing(tx: Session, who: Principal, *, states: tuple[CaseState, ...] = (), limit: int = 200) -> list[CaseLine]:
    """The cases that `who` has a part in: those due first at the top, those without a due time last."""
    query = visible(who).order_by(Case.due_at.asc().nulls_last(), Case.id.desc()).limit(min(limit, 1000))
    if states:
        query = query.where(Case.state.in_(states))
    return [_line(tx, who, case) for case in tx.scalars(query)]


def queue(tx: Session, who: Principal) -> list[CaseLine]:
    """The coordinator's open cases by due time. Raises Forbidden."""
    who.require(Role.COORDINATOR)
    return listing(tx, who, states=tuple(s for s in CaseState if s not in FINAL and s is not CaseState.DRAFT))


def counts(tx: Session, who: Principal) -> dict[str, int]:
    """How many cases that `who` has a part in stand where, by state."""
    inner = visible(who).subquery()
    rows = tx.execute(select(inner.c.state, func.count()).group_by(inner.c.state)).all()
    return {str(state): count for state, count in rows}


def _line(tx: Session, who: Principal, case: Case) -> CaseLine:
    specialist = who.role is Role.SPECIALIST
    offer = open_offer(tx, case.id) if specialist and case.state is CaseState.OFFERED else None
    studies = studies_of(tx, case.id)
    live = [s for s in studies if s.state is not StudyState.REVOKED]
    held = sum(s.held for s in live)
    text = f"{len(live)} {'study' if len(live) == 1 else 'studies'}"
    return CaseLine(
        case.id,
        case.reference,
        _title(case),
        case.state.value,
        LABELS[case.state],
        case.due_at,
        _late(case),
        case.updated_at,
        "" if specialist else case.patient_name,
        _name(tx, case.specialist_id),
        text if specialist or not held else f"{text}, {held} held",
        "" if who.role is not Role.COORDINATOR else " ".join(_blocked(tx, who, case)),
        offer.expires_at if offer else None,
        _fee(tx, who, case) if specialist else 0,
        case.program.currency,
    )


def _patients(tx: Session, who: Principal, case: Case) -> PatientCase:
    studies = studies_of(tx, case.id)
    scope = access.scope(tx, who, case.id)
    known = imaging.found(tx, scope)
    shown = [PatientStudy(s.study_uid, s.state, STUDY_LABELS[s.state], known.get(s.study_uid)) for s in studies]
    # What has only just been sent is on its way, and no row of ours yet.
    shown += [
        PatientStudy(uid, StudyState.RECEIVING, STUDY_LABELS[StudyState.RECEIVING], one)
        for uid, one in known.items()
        if all(s.study_uid != uid for s in studies)
    ]
    steps, report = steps_of(tx, case.id), latest_report(tx, case.id)
    next_title, next_text = story.next_step(case)
    return PatientCase(
        case_id=case.id,
        reference=case.reference,
        program=case.program.name,
        program_slug=case.program.slug,
        title=_title(case),
        state=case.state.value,
        status=LABELS[case.state],
        kind=case.kind,
        subject=case.subject,
        symptoms=case.symptoms,
        history=case.history,
        place=case.place,
        emergency=case.emergency,
        patient_name=case.patient_name,
        birth_date=case.birth_date,
        sex=case.sex,
        images_by=case.images_by,
        questions=_questions(case),
        consents=tuple(dict.fromkeys(c.kind for c in consents_of(tx, case.id))),
        missing=_missing(tx, who, case),
        due_at=case.due_at,
        next_title=next_title,
        next_text=next_text,
        asked=story.asked(case, steps),
        price=money.price(tx, case.program)[2],
        paid=money.paid(tx, case),
        # A study that is not theirs is not theirs to know of.
        studies=tuple(s for s in shown if s.known is not None),
        timeline=story.timeline(case, steps),
        notes=_notes(tx, case, for_patient=True),
        may_upload=case.state not in FINAL and case.state not in (CaseState.SIGNED, CaseState.PUBLISHED),
        has_report=report is not None and report.published_at is not None,
        follow_ups_left=(MAX_FOLLOW_UPS - sum(q.follow_up for q in case.questions))
        if case.state is CaseState.PUBLISHED
        else 0,
        actions=_actions(case, Actor.PATIENT),
    )


def _coordinators(tx: Session, who: Principal, case: Case) -> CoordinatorCase:
    person = tx.get(PrincipalRow, case.patient_id)
    studies, report = studies_of(tx, case.id), latest_report(tx, case.id)
    originals = imaging.original(tx, *(s.study_uid for s in studies))
    reviews = {r.study_uid: r for r in imaging.review(tx, case.view_id)} if case.view_id else {}
    names = {p: _name(tx, p) for p in {step.actor_id for step in steps_of(tx, case.id)}}
    return CoordinatorCase(
        case_id=case.id,
        reference=case.reference,
        program=case.program.name,
        title=_title(case),
        state=case.state.value,
        status=LABELS[case.state],
        kind=case.kind,
        subject=case.subject,
        symptoms=case.symptoms,
        history=case.history,
        place=case.place,
        place_rule=licences.rule_of(tx, case.place).value,
        patient_id=case.patient_id,
        patient_name=case.patient_name,
        birth_date=case.birth_date,
        sex=case.sex,
        email=(person.email if person else None) or "",
        phone=(person.phone if person else None) or "",
        images_by=case.images_by,
        questions=_questions(case),
        consents=tuple(dict.fromkeys(c.kind for c in consents_of(tx, case.id))),
        due_at=case.due_at,
        paused_at=case.paused_at,
        late=_late(case),
        blocked=_blocked(tx, who, case),
        paid=money.paid(tx, case),
        studies=tuple(_study(case, s, originals.get(s.study_uid), reviews.get(s.study_uid)) for s in studies),
        specialist_id=case.specialist_id,
        specialist=_name(tx, case.specialist_id),
        licence_exception=case.licence_exception or "",
        offers=tuple(
            OfferView(
                o.id,
                o.specialist_id,
                _name(tx, o.specialist_id),
                o.offered_at,
                o.expires_at,
                o.answered_at,
                o.outcome.value,
                o.reason,
                o.fee,
            )
            for o in offers_of(tx, case.id)
        ),
        steps=tuple(
            StepView(
                s.at, names.get(s.actor_id) or "system", s.actor, s.event, s.source, s.target, s.reason, s.study_uid
            )
            for s in steps_of(tx, case.id)
        ),
        notes=_notes(tx, case, for_patient=False),
        has_signed_report=report is not None and report.signed_at is not None,
        view_id=case.view_id,
        actions=_actions(case, Actor.COORDINATOR),
    )


def _specialists(tx: Session, who: Principal, case: Case, actor: Actor) -> SpecialistCase:
    granted = grants.find(tx, who.id, case.id) if actor is Actor.ASSIGNED else None
    studies = [s for s in studies_of(tx, case.id) if s.state is StudyState.RELEASED]
    offer = next(o for o in offers_of(tx, case.id) if o.specialist_id == who.id)
    shown = []
    if granted is not None:
        known = imaging.found(tx, Scope(granted.view_id))
        for study in studies:
            one = known.get(study.view_study_uid or "")
            if one is not None:
                late = bool(study.released_at and offer.answered_at and study.released_at > offer.answered_at)
                shown.append(
                    SpecialistStudy(
                        one.study_uid,
                        sentence(one),
                        tuple(one.modalities),
                        one.study_date,
                        one.series,
                        one.instances,
                        late,
                    )
                )
    return SpecialistCase(
        case_id=case.id,
        reference=case.reference,
        program=case.program.name,
        title=_title(case),
        state=case.state.value,
        status=LABELS[case.state],
        kind=case.kind,
        subject=case.subject,
        symptoms=redacted(case, case.symptoms),
        history=redacted(case, case.history),
        place=case.place,
        patient=_person(case),
        questions=tuple(
            QuestionView(q.id, q.number, redacted(case, q.text), q.follow_up, q.answer or "") for q in case.questions
        ),
        asked=redacted(case, _asked_by_specialist(tx, case)),
        due_at=case.due_at,
        answer_by=offer.expires_at if offer.outcome is OfferOutcome.OPEN else None,
        fee=offer.fee,
        currency=case.program.currency,
        licence=_licence(tx, who, case),
        study_count=len(studies),
        studies=tuple(shown),
        granted_until=granted.until if granted else None,
        has_report=latest_report(tx, case.id) is not None,
        actions=_actions(case, actor),
    )


def _study(
    case: Case, study: CaseStudy, original: imaging.Found | None, review: imaging.StudyReview | None
) -> CoordinatorStudy:
    rows: tuple[IdentityRow, ...] = ()
    verdict = Verdict.UNKNOWN
    if original is not None:
        verdict = identity.compare(
            case.patient_name, case.birth_date, original.patient_name, original.birth_date
        ).verdict
        names = identity.compare(case.patient_name, None, original.patient_name, "").verdict
        found = identity.parse_da(original.birth_date)
        rows = (
            IdentityRow("Name", case.patient_name, original.patient_name, names is not Verdict.DIFFERENT),
            IdentityRow(
                "Birth date",
                f"{case.birth_date or ''}",
                f"{found or original.birth_date}",
                found is not None and found == case.birth_date,
            ),
            IdentityRow("Sex", case.sex, original.sex, not case.sex or case.sex == original.sex),
        )
    return CoordinatorStudy(
        study.study_uid,
        study.view_study_uid,
        study.state.value,
        STUDY_LABELS[study.state],
        study.reason,
        study.found_by,
        study.confirmed,
        study.created_at,
        original,
        verdict,
        rows,
        review,
    )


def _missing(tx: Session, who: Principal, case: Case) -> tuple[str, ...]:
    return _refusals(tx, who, case, CaseEvent.SUBMIT) if case.state is CaseState.DRAFT else ()


def _blocked(tx: Session, who: Principal, case: Case) -> tuple[str, ...]:
    event = _NEXT.get(case.state)
    return _refusals(tx, who, case, event) if event is not None else ()


def _refusals(tx: Session, who: Principal, case: Case, event: CaseEvent) -> tuple[str, ...]:
    rule = case_rule(case.state, event)
    move = Move(tx, case, event, Actor.SYSTEM, who)
    return tuple(text for name in rule.guards if (text := GUARDS[name](move))) if rule else ()


def _actions(case: Case, actor: Actor) -> tuple[str, ...]:
    skip = {CaseEvent.ANSWER_INTAKE} if case.resume_to is CaseState.IN_REVIEW else {CaseEvent.ANSWER_REVIEW}
    return tuple(event.value for event in possible(case.state, actor) if event not in skip)


def _questions(case: Case) -> tuple[QuestionView, ...]:
    return tuple(QuestionView(q.id, q.number, q.text, q.follow_up, q.answer or "") for q in case.questions)


def _notes(tx: Session, case: Case, *, for_patient: bool) -> tuple[NoteView, ...]:
    # The patient hears from the program, not from one of its people.
    return tuple(
        NoteView(
            n.at,
            case.program.name if for_patient and not n.from_patient else _name(tx, n.author_id),
            n.from_patient,
            n.text,
        )
        for n in notes_of(tx, case.id)
    )


def _asked_by_specialist(tx: Session, case: Case) -> str:
    answers = [n.text for n in notes_of(tx, case.id) if n.from_patient]
    asked = any(s.event == CaseEvent.ANSWER_REVIEW for s in steps_of(tx, case.id))
    return answers[-1] if asked and answers else ""


def _licence(tx: Session, who: Principal, case: Case) -> str:
    rule = licences.rule_of(tx, case.place)
    if rule is Place.DIRECT:
        return f"{case.place} allows a second opinion without a licence of its own."
    held = tx.scalars(select(Licence).where(Licence.specialist_id == who.id, Licence.place == case.place)).one_or_none()
    if held is not None:
        return f"Your licence for {case.place}, until {held.expires_on:%d %B %Y}."
    return "An exception was recorded for you." if case.licence_exception_for == who.id else ""


def _fee(tx: Session, who: Principal, case: Case) -> int:
    query = select(Offer.fee).where(Offer.case_id == case.id, Offer.specialist_id == who.id)
    return tx.scalar(query.order_by(Offer.id.desc()).limit(1)) or 0


def _person(case: Case) -> str:
    who = _SEX.get(case.sex, "Person")
    if case.birth_date is None:
        return who
    age = years(case.birth_date, clock.now().date())
    return f"{who}, {_OLDEST} or older" if age >= _OLDEST else f"{who}, {age}"


def years(born: date, on: date) -> int:
    """Whole years between two days."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _title(case: Case) -> str:
    return "Second opinion" if case.subject == "other" else f"Second opinion on {_ARTICLE.get(case.subject, 'a')}"


_ARTICLE = {
    "mammogram": "a mammogram",
    "MRI": "an MRI",
    "CT": "a CT",
    "X-ray": "an X-ray",
    "PET": "a PET",
    "ultrasound": "an ultrasound",
    "pathology": "pathology",
}


def _late(case: Case) -> bool:
    open_ones = case.state not in FINAL and case.state is not CaseState.PUBLISHED and case.paused_at is None
    return open_ones and case.due_at is not None and case.due_at < clock.now()


def _name(tx: Session, principal_id: UUID | None) -> str:
    person = tx.get(PrincipalRow, principal_id) if principal_id else None
    return person.name if person else ""
