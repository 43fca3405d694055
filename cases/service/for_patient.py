"""A case as its patient sees it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cases import access, imaging, money, story
from cases.models import Case
from cases.repository import consents_of, latest_report, steps_of, studies_of
from cases.service import facts
from cases.service.intake import MAX_FOLLOW_UPS
from cases.states import FINAL, LABELS, STUDY_LABELS, Actor, CaseEvent, CaseState, StudyState
from cases.views import PatientCase, PatientStudy
from overread.kit.principals import Principal


def patient_case(tx: Session, who: Principal, case: Case) -> PatientCase:
    """The view of a case that `who`, its patient, is shown."""
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
    missing = facts.refusals(tx, who, case, CaseEvent.SUBMIT) if case.state is CaseState.DRAFT else ()
    next_title, next_text = story.next_step(case)
    return PatientCase(
        case_id=case.id,
        reference=case.reference,
        program=case.program.name,
        program_slug=case.program.slug,
        title=facts.title(case),
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
        questions=facts.questions(case),
        consents=tuple(dict.fromkeys(c.kind for c in consents_of(tx, case.id))),
        missing=missing,
        due_at=case.due_at,
        next_title=next_title,
        next_text=next_text,
        asked=story.asked(case, steps),
        price=money.price(tx, case.program)[2],
        paid=money.paid(tx, case),
        # A study that is not theirs is not theirs to know of.
        studies=tuple(s for s in shown if s.known is not None),
        timeline=story.timeline(case, steps),
        notes=facts.notes(tx, case, for_patient=True),
        may_upload=case.state not in FINAL and case.state not in (CaseState.SIGNED, CaseState.PUBLISHED),
        has_report=report is not None and report.published_at is not None,
        follow_ups_left=(MAX_FOLLOW_UPS - sum(q.follow_up for q in case.questions))
        if case.state is CaseState.PUBLISHED
        else 0,
        actions=facts.actions(case, Actor.PATIENT),
    )
