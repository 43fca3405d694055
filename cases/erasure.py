"""What an erasure destroys of a case, and the tombstone that stays: a reference number, states and times.

Rows go in the erasure's own transaction; what lies in files (keys, blobs, mails) goes by a job after it, so that
nothing is lost where the transaction fails, and nothing stays where the process dies.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from cases import events, imaging
from cases.models import (
    Allowance,
    Case,
    CaseStudy,
    Consent,
    Erasure,
    InboxStudy,
    LegalHold,
    Message,
    Note,
    Offer,
    Question,
    Report,
    Step,
)
from cases.repository import studies_of
from cases.states import CaseState, StudyState
from overread.kit import audit, jobs
from overread.kit.principals import PrincipalRow, Role
from viewer_bridge import grants

#: Whose an erased case is: nobody's who could sign in.
NOBODY = UUID(int=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be destroyed, in numbers. `kept`: studies that stay for a hospital or for another case."""

    studies: int
    images: int
    copies: int
    kept: int
    questions: int
    messages: int
    reports: int
    mails: int


def plan(tx: Session, case: Case) -> Plan:
    """What an erasure of the case would destroy now."""

    def count(model: type[Note | Report | Message]) -> int:
        return tx.scalar(select(func.count()).where(model.case_id == case.id)) or 0

    whole, shared = _divided(tx, case)
    going, copies = imaging.counted(tx, case.id, case.view_id, whole)
    return Plan(
        studies=len(whole),
        images=going,
        copies=copies,
        kept=len(shared),
        questions=len(case.questions),
        messages=count(Note),
        reports=count(Report),
        mails=count(Message),
    )


def destroy(tx: Session, case: Case) -> None:
    """Destroy everything of a case but its tombstone. The caller holds its row lock and has settled the money."""
    whole, shared = _divided(tx, case)
    published = [uid for uid in tx.scalars(select(Report.study_uid).where(Report.case_id == case.id)) if uid]
    offers = tx.scalars(select(Offer.id).where(Offer.case_id == case.id)).all()
    mails = [str(one) for one in tx.scalars(select(Message.id).where(Message.case_id == case.id))]
    uids = {*whole, *shared, *published}
    # Our own report was made for this case alone.
    gone = imaging.erase(tx, case.id, case.view_id, whole | dict.fromkeys(published, True), shared, offers)
    grants.erase(tx, case.id)
    tx.execute(delete(InboxStudy).where(InboxStudy.matched_case_id == case.id))
    for model in (Allowance, Question, Consent, CaseStudy, Offer, Report, Note, Message):
        tx.execute(delete(model).where(model.case_id == case.id))
    tx.execute(delete(Step).where(Step.case_id == case.id, Step.study_uid.is_not(None)))
    tx.execute(update(Step).where(Step.case_id == case.id).values(reason=""))
    tx.execute(update(Step).where(Step.case_id == case.id, Step.actor == "patient").values(actor_id=None))
    tx.execute(update(Erasure).where(Erasure.case_id == case.id).values(asked_by=None, reason=""))
    tx.execute(update(LegalHold).where(LegalHold.case_id == case.id).values(reason=""))
    tx.expire(case, ["questions"])
    _blank(tx, case)
    audit.forget(tx, case.id, uids | gone)
    jobs.forget(tx, sorted(uids))
    tx.flush()
    jobs.emit(tx, events.CaseErased(str(case.id), mails))


def _divided(tx: Session, case: Case) -> tuple[dict[str, bool], list[str]]:
    """The case's studies that go as far as nobody else holds them, and those that another case needs.

    The first with whether they name the case by its reference number: then they were sent for it alone.
    """
    uids = dict.fromkeys(sorted(imaging.uploaded(tx, case.id)), False)
    uids |= {study.study_uid: study.found_by == "reference" for study in studies_of(tx, case.id)}
    elsewhere = set(
        tx.scalars(
            select(CaseStudy.study_uid)
            .join(Case, Case.id == CaseStudy.case_id)
            .where(
                CaseStudy.study_uid.in_(uids),
                CaseStudy.case_id != case.id,
                CaseStudy.state != StudyState.REVOKED,
                Case.state != CaseState.ERASED,
            )
        )
    )
    whole = {uid: named for uid, named in uids.items() if uid not in elsewhere}
    return whole, [uid for uid in uids if uid in elsewhere]


def _blank(tx: Session, case: Case) -> None:
    if tx.get(PrincipalRow, NOBODY) is None:
        tx.add(PrincipalRow(id=NOBODY, role=Role.PATIENT.value, name="erased", active=False))
        tx.flush()
    case.patient_id = case.created_by = NOBODY
    case.kind, case.subject, case.symptoms, case.history, case.place = "report", "other", "", "", ""
    case.patient_name, case.sex, case.birth_date, case.emergency = "", "", None, False
    case.images_by = case.due_at = case.paused_at = case.resume_to = case.specialist_id = None
    case.licence_exception = case.licence_exception_for = case.view_id = None
