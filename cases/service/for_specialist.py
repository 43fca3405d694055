"""A case as its specialist sees it: de-identified. Everything that a specialist is shown of a case passes here."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import imaging, late_studies, licences, written
from cases.licence_models import Licence
from cases.models import Case, Report
from cases.redact import redacted
from cases.report_states import WITH_PATIENT, ReportState
from cases.repository import latest_report, offers_of, steps_of, studies_of
from cases.service import offered, presentation
from cases.service.reporting import sentence
from cases.states import LABELS, OPEN, Actor, CaseEvent, CaseState, LicenceRequirement, OfferOutcome, StudyState
from cases.views import QuestionView, SpecialistCase, SpecialistStudy
from overread.kit import clock
from overread.kit.language import Phrase, gettext
from overread.kit.principals import Principal
from pacs.index.scope import Scope
from viewer_bridge import grants

#: Ages above are one group: they name people almost alone (45 CFR 164.514(b)(2)(i)(C)).
_OLDEST = 89
_SEX = {"F": Phrase("Woman"), "M": Phrase("Man"), "O": Phrase("Person")}


def specialist_case(tx: Session, who: Principal, case: Case, actor: Actor) -> SpecialistCase:
    """The view of a case that `who`, to whom it is or was offered, is shown."""
    granted = grants.find(tx, who.id, case.id) if actor is Actor.ASSIGNED else None
    studies = [s for s in studies_of(tx, case.id) if s.state is StudyState.RELEASED]
    offer = next(o for o in offers_of(tx, case.id) if o.specialist_id == who.id)
    newest = latest_report(tx, case.id)
    shown = []
    if granted is not None:
        known = imaging.summaries(tx, Scope(granted.view_id))
        late = {one.id for one in late_studies.unseen(tx, case)}
        unshown = imaging.unshown(tx, Scope(granted.view_id))
        for study in studies:
            one = known.get(study.view_study_uid or "")
            if one is not None:
                shown.append(
                    SpecialistStudy(
                        one.study_uid,
                        sentence(one),
                        tuple(one.modalities),
                        one.study_date,
                        one.series,
                        one.instances,
                        unshown.get(one.study_uid, 0),
                        study.id in late,
                    )
                )
    return SpecialistCase(
        case_id=case.id,
        reference=case.reference,
        program=case.program.name,
        title=presentation.title(case),
        state=case.state.value,
        status=LABELS[case.state],
        kind=case.kind.name,
        subjects=tuple(case.subjects),
        other_subject=redacted(case, case.other_subject),
        symptoms=redacted(case, case.symptoms),
        history=redacted(case, case.history),
        additional=redacted(case, case.additional),
        answers=tuple((label, redacted(case, text)) for label, text in presentation.kind_answers(case)),
        place=case.place,
        patient=_person(case),
        questions=tuple(
            QuestionView(q.id, q.number, redacted(case, q.text), q.follow_up, q.answer or "") for q in case.questions
        ),
        asked=redacted(case, _answered(tx, case)),
        due_at=case.due_at,
        answer_by=offer.expires_at if offer.outcome is OfferOutcome.OPEN else None,
        fee=offer.fee,
        currency=case.kind.currency,
        licence=_licence(tx, who, case),
        study_count=len(studies),
        studies=tuple(shown),
        dates=_dates(tx, case),
        granted_until=granted.until if granted else None,
        has_report=actor is Actor.ASSIGNED and newest is not None,
        writing=actor is Actor.ASSIGNED and _writing(case, newest),
        actions=presentation.actions(case, actor),
        paused_at=case.paused_at,
        offered=offered.studies(tx, case) if offer.outcome is OfferOutcome.OPEN else (),
        missing=offered.missing(tx, case) if case.state in OPEN else (),
        first_report=written.first_report(tx, case),
    )


def _answered(tx: Session, case: Case) -> str:
    """The newest answer to what was asked while the specialist read: of the messages they are told nothing else."""
    answers = [s.reason for s in steps_of(tx, case.id) if s.event == CaseEvent.ANSWER_REVIEW]
    return answers[-1] if answers else ""


def _writing(case: Case, newest: Report | None) -> bool:
    """Whether a version of the report is being written now, or could be."""
    if case.state is CaseState.IN_REVIEW:
        return True
    return case.state in WITH_PATIENT and newest is not None and newest.state is ReportState.DRAFT


def _dates(tx: Session, case: Case) -> str:
    """What the profile of the case's view does to dates (PS3.15 E.3.6)."""
    profile = imaging.profile_of_view(tx, case.view_id)
    return "moved" if profile.modified_dates else "kept" if profile.full_dates else "none"


def _licence(tx: Session, who: Principal, case: Case) -> str:
    rule = licences.rule_of(tx, case.place)
    if rule is LicenceRequirement.DIRECT:
        return gettext("%(place)s allows a second opinion without a licence of its own.", place=case.place)
    held = tx.scalars(select(Licence).where(Licence.specialist_id == who.id, Licence.place == case.place)).one_or_none()
    if held is not None:
        return gettext(
            "Your licence for %(place)s, until %(day)s.", place=case.place, day=format(held.expires_on, "%d %B %Y")
        )
    return gettext("An exception was recorded for you.") if case.licence_exception_for == who.id else ""


def _person(case: Case) -> str:
    who = _SEX.get(case.sex, "Person")
    if case.birth_date is None:
        return who
    age = years(case.birth_date, clock.now().date())
    return f"{who}, {_OLDEST} or older" if age >= _OLDEST else f"{who}, {age}"


def years(born: date, on: date) -> int:
    """Whole years between two days."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
