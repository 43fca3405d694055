"""A case as coordinators work it: both identities side by side, the copies' review, offers, the whole history."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import asked_items, closing, identity, imaging, licences, money, timeline
from cases.finding_models import FitException
from cases.identity import Verdict
from cases.models import Case, CaseStudy, InboxStudy
from cases.repository import apart_from, consents_of, offers_of, reports_of, steps_of, studies_of
from cases.service import authority, checklist, desk, presentation
from cases.states import LABELS, Actor, Obstacle
from cases.views import CoordinatorCase, CoordinatorStudy, IdentityRow, OfferView, StepView
from overread.kit.dates import parse_da
from overread.kit.language import gettext
from overread.kit.principals import Principal, PrincipalRow


def coordinator_case(tx: Session, who: Principal, case: Case) -> CoordinatorCase:
    """The view of a case that `who`, a coordinator, is shown."""
    person = tx.get(PrincipalRow, case.patient_id)
    studies, reports = studies_of(tx, case.id), reports_of(tx, case.id)
    originals = imaging.original(tx, *studies)
    reviews = {r.study_uid: r for r in imaging.review(tx, case.view_id)} if case.view_id else {}
    steps = steps_of(tx, case.id)
    names = {p: presentation.name_of(tx, p) for p in {step.actor_id for step in steps}}
    return CoordinatorCase(
        case_id=case.id,
        reference=case.reference,
        program=case.program.name,
        title=presentation.title(case),
        state=case.state.value,
        status=LABELS[case.state],
        kind=case.kind.name,
        subjects=tuple(case.subjects),
        other_subject=case.other_subject,
        symptoms=case.symptoms,
        history=case.history,
        additional=case.additional,
        answers=presentation.kind_answers(case),
        place=case.place,
        place_rule=licences.rule_of(tx, case.place).value,
        patient_id=case.patient_id,
        patient_name=case.patient_name,
        birth_date=case.birth_date,
        sex=case.sex,
        email=(person.email if person else None) or "",
        phone=(person.phone if person else None) or "",
        address=case.address,
        language=case.language,
        interpreter=case.interpreter,
        physician=case.physician,
        physician_contact=case.physician_contact,
        inform_physician=case.inform_physician,
        first_report_by=case.first_report_by,
        images_by=case.images_by,
        questions=presentation.questions(case),
        consents=tuple(dict.fromkeys(c.kind for c in consents_of(tx, case.id))),
        authority=authority.of_case(tx, case),
        due_at=case.due_at,
        paused_at=case.paused_at,
        late=presentation.is_late(case),
        blocked=presentation.blocked(tx, who, case),
        paid=money.paid(tx, case),
        studies=tuple(_study(case, s, originals.get(s.study_uid), reviews.get(s.study_uid)) for s in studies),
        apart=tuple(_apart(tx, row) for row in apart_from(tx, case.id)),
        specialist_id=case.specialist_id,
        specialist=presentation.name_of(tx, case.specialist_id),
        exceptions=_exceptions(tx, case),
        refunds=money.refunds(tx, case),
        offers=tuple(
            OfferView(
                o.id,
                o.specialist_id,
                presentation.name_of(tx, o.specialist_id),
                o.offered_at,
                o.expires_at,
                o.answered_at,
                o.outcome.value,
                o.reason,
                o.fee,
                o.refusal.value if o.refusal else "",
            )
            for o in offers_of(tx, case.id)
        ),
        steps=tuple(
            StepView(
                s.at, names.get(s.actor_id) or "system", s.actor, s.event, s.source, s.target, s.reason, s.study_uid
            )
            for s in steps
        ),
        notes=presentation.notes(tx, case, for_patient=False),
        has_signed_report=any(report.signed_at is not None for report in reports),
        view_id=case.view_id,
        actions=presentation.actions(case, Actor.COORDINATOR),
        zone=case.program.zone,
        clock_stands=timeline.stands(case, steps),
        clock_actions=presentation.clock_actions(case),
        closes_at=case.closes_at if closing.is_counted(case) else None,
        desk=desk.of_case(tx, case),
        asked_items=asked_items.view(tx, case),
        checklist=checklist.of_case(tx, case),
    )


def _exceptions(tx: Session, case: Case) -> tuple[tuple[str, Obstacle, str], ...]:
    """For whom something was let pass, what, and why."""
    rows = tx.scalars(select(FitException).where(FitException.case_id == case.id).order_by(FitException.recorded_at))
    found = [(row.specialist_id, row.about, row.reason) for row in rows]
    if case.licence_exception and case.licence_exception_for:
        found.insert(0, (case.licence_exception_for, Obstacle.LICENCE, case.licence_exception))
    return tuple((presentation.name_of(tx, who), about, reason) for who, about, reason in found)


def _apart(tx: Session, row: InboxStudy) -> str:
    """Why a study is kept apart from the case."""
    sender = presentation.sender(tx, row.sender_id)
    return row.reason or (
        f"A study of the same number as one here came from {sender}. It names no case, and waits in the inbox."
    )


def _study(
    case: Case, study: CaseStudy, original: imaging.StudySummary | None, review: imaging.StudyReview | None
) -> CoordinatorStudy:
    rows: tuple[IdentityRow, ...] = ()
    verdict = Verdict.UNKNOWN
    if original is not None:
        compared = identity.compare(case.patient_name, case.birth_date, original.patient_name, original.birth_date)
        verdict, names = compared.verdict, compared.name
        found = parse_da(original.birth_date)
        rows = (
            IdentityRow(
                gettext("Name"),
                case.patient_name,
                original.patient_name,
                names is Verdict.SAME,
                names is not Verdict.UNKNOWN,
                is_name=True,
            ),
            IdentityRow(
                gettext("Birth date"),
                f"{case.birth_date or ''}",
                f"{found or original.birth_date}",
                found is not None and found == case.birth_date,
                found is not None and case.birth_date is not None,
            ),
            IdentityRow(
                gettext("Sex"), case.sex, original.sex, case.sex == original.sex, bool(case.sex and original.sex)
            ),
        )
    return CoordinatorStudy(
        study.study_uid,
        study.view_study_uid,
        study.state.value,
        presentation.study_label(case, study, original),
        study.reason,
        study.found_by,
        study.confirmed,
        study.created_at,
        original,
        verdict,
        rows,
        review,
    )
