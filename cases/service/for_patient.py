"""A case as its patient sees it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from billing.states import PaymentState
from cases import access, consents, guards, imaging, money, timeline, version_move
from cases.models import Case
from cases.report_states import GIVEN
from cases.repository import consents_of, documents_of, report_steps_of, reports_of, steps_of, studies_of
from cases.service import authority, kinds, presentation
from cases.service.intake import MAX_FOLLOW_UPS
from cases.states import LABELS, SELVES, STUDY_LABELS, UPLOADABLE, Actor, CaseState, StudyEvent, StudyState
from cases.views import PatientCase, PatientStudy
from overread.kit.language import Phrase, gettext
from overread.kit.principals import Principal

_NEVER_HELD = frozenset(
    (PaymentState.NONE, PaymentState.METHOD_SAVED, PaymentState.REQUIRES_ACTION, PaymentState.FAILED)
)
_RETURNED: Mapping[str, str] = {
    PaymentState.AUTHORISED: Phrase("What is held on your card is being released. Nothing was charged."),
    PaymentState.VOIDED: Phrase("What was held on your card is released. Nothing was charged."),
    PaymentState.EXPIRED: Phrase("What was held on your card is released. Nothing was charged."),
    PaymentState.REFUNDED: Phrase("You got all of your money back."),
    PaymentState.PARTLY_REFUNDED: Phrase("You got a part of your money back, by the rule that you were shown."),
}


def patient_case(tx: Session, who: Principal, case: Case, actor: Actor) -> PatientCase:
    """The view of a case that `who`, its patient or somebody who acts for them, is shown."""
    # A document's study is told of as a document (`service.documents`).
    papers = {one.study_uid for one in documents_of(tx, case.id)}
    studies = [s for s in studies_of(tx, case.id) if s.study_uid not in papers]
    scope = access.scope(tx, who, case.id)
    known = {uid: one for uid, one in imaging.summaries(tx, scope).items() if uid not in papers}
    steps, reports = steps_of(tx, case.id), reports_of(tx, case.id)
    # By whom a study was released is the program's business; that somebody looked, and when, is the patient's.
    checked = {s.study_uid: s.at for s in steps if s.event == StudyEvent.RELEASE and s.actor == Actor.COORDINATOR}
    shown = [
        PatientStudy(
            s.study_uid,
            s.state,
            presentation.study_label(case, s, known.get(s.study_uid)),
            known.get(s.study_uid),
            checked.get(s.study_uid) if s.state is StudyState.RELEASED else None,
        )
        for s in studies
    ]
    # What has only just been sent is on its way, and no row of ours yet.
    shown += [
        PatientStudy(uid, StudyState.RECEIVING, STUDY_LABELS[StudyState.RECEIVING], one, None)
        for uid, one in known.items()
        if all(s.study_uid != uid for s in studies)
    ]
    missing = presentation.missing(tx, who, case) if case.state is CaseState.DRAFT else ()
    here = guards.images_here(tx, case)
    left = MAX_FOLLOW_UPS - sum(q.follow_up for q in case.questions) if case.state is CaseState.PUBLISHED else 0
    kind = kinds.now(tx, case.kind)
    next_title, next_text = timeline.next_step(
        case,
        waits_for_images=not here or guards.waits_for_images(tx, case),
        follow_ups_left=left,
        money=_returned(tx, case),
    )
    given = any(report.state in GIVEN for report in reports)
    recalled = given and version_move.in_force(reports) is None
    if recalled:
        next_title = gettext("Your report was taken back")
        next_text = gettext("Please don’t use it for now. Somebody of us will be in touch with you.")
    return PatientCase(
        case_id=case.id,
        reference=case.reference,
        program=case.program.name,
        program_slug=case.program.slug,
        title=presentation.title(case),
        state=case.state.value,
        status=LABELS[case.state],
        kind=kind,
        subjects=tuple(case.subjects),
        other_subject=case.other_subject,
        symptoms=case.symptoms,
        history=case.history,
        additional=case.additional,
        answers=dict(case.answers),
        answered=presentation.kind_answers(case),
        place=case.place,
        emergency=case.emergency,
        patient_name=case.patient_name,
        account_name=presentation.name_of(tx, case.patient_id),
        part=actor.value,
        authority=authority.of_case(tx, case),
        birth_date=case.birth_date,
        sex=case.sex,
        address=case.address,
        language=case.language,
        interpreter=case.interpreter,
        physician=case.physician,
        physician_contact=case.physician_contact,
        inform_physician=case.inform_physician,
        first_report_by=case.first_report_by,
        images_by=case.images_by,
        questions=presentation.questions(case),
        consents=consents.standing(consents_of(tx, case.id)),
        missing=tuple(text for _, text in missing),
        due_at=case.due_at,
        next_title=next_title,
        next_text=next_text,
        asked=timeline.asked(case, steps),
        price=kind.price_text,
        paid=money.paid(tx, case),
        # A study that is not theirs is not theirs to know of.
        studies=tuple(s for s in shown if s.known is not None),
        timeline=timeline.timeline(
            case,
            steps,
            lambda step: presentation.acted(tx, step),
            timeline.of_versions(reports, report_steps_of(tx, case.id)),
        ),
        notes=presentation.notes(tx, case, for_patient=True),
        may_upload=case.state in UPLOADABLE,
        has_report=given and actor in SELVES,
        follow_ups_left=left if actor in SELVES else 0,
        actions=presentation.actions(case, actor),
        step=presentation.step(tx, who, case),
        edition=presentation.edition(case),
        images_here=here,
        late_withdrawal=CaseState.IN_REVIEW in (case.state, case.resume_to),
        late=presentation.is_late(case),
        clock_stands=timeline.stands(case, steps),
        recalled=recalled,
    )


def _returned(tx: Session, case: Case) -> str:
    """What becomes of the money of a case that ended without a report, as its payment stands."""
    paid = money.paid(tx, case)
    if paid is None or paid.state in _NEVER_HELD:
        return gettext("Nothing was charged.")
    return _RETURNED.get(
        paid.state, Phrase("What you paid goes back by the rule that you were shown, within some days.")
    )
