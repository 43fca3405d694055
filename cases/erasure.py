"""What an erasure destroys of a case, and the tombstone that stays: a reference number, states and times.

Rows go in the erasure's own transaction; what lies in files (keys, blobs, mails) goes by a job after it, so that
nothing is lost where the transaction fails, and nothing stays where the process dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, and_, cast, delete, func, or_, select, update
from sqlalchemy.orm import Session

from cases import events, imaging
from cases.acting_models import Authority
from cases.asked_models import AskedItem
from cases.desk_models import CaseTag, InternalNote, Ownership, Seen, Tick
from cases.document_models import Document
from cases.feedback_models import Survey, Testimonial, Visit
from cases.finding_models import FitException
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
    Notice,
    Offer,
    Question,
    Report,
    Step,
)
from cases.physician_models import PhysicianLink
from cases.referral_models import Referral, ReportShare
from cases.repository import erasure_of, load_unasked, studies_of, waits
from cases.states import PATIENT_SIDE, Actor, CaseEvent, CaseState, StudyState
from cases.version_models import ReportStep
from overread.kit import audit, ended, jobs
from overread.kit.ended import Ended
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
    reports = {pk for uid in published if (pk := imaging.sent(tx, case.patient_id, uid)) is not None}
    offers = tx.scalars(select(Offer.id).where(Offer.case_id == case.id)).all()
    # The invitation was mailed before there was a case.
    invited = select(cast(Referral.id, Text)).where(Referral.case_id == case.id).scalar_subquery()
    of_case = or_(Message.case_id == case.id, Message.facts["invited"].as_string() == invited)
    mails = [str(one) for one in tx.scalars(select(Message.id).where(of_case))]
    tx.execute(delete(Message).where(of_case))
    studies = {study.study_uid for study in studies_of(tx, case.id)}
    uids = {*studies, *imaging.uploaded(tx, case.id).values(), *published}
    # Our own report was made for this case alone.
    whole |= {pk: frozenset((pk,)) for pk in reports}
    gone = imaging.erase(tx, case.id, case.view_id, whole, shared, offers)
    grants.erase(tx, case.id)
    waited = and_(InboxStudy.case_id == case.id, InboxStudy.study_pk.in_(whole))
    tx.execute(delete(InboxStudy).where(or_(InboxStudy.matched_case_id == case.id, waited)))
    # What another sender has goes on waiting, where it was not sent for this case alone.
    nothing = {"case_id": None, "named": False, "reason": "", "dismissed_reason": ""}
    tx.execute(update(InboxStudy).where(InboxStudy.case_id == case.id).values(nothing))
    tx.execute(delete(AskedItem).where(AskedItem.case_id == case.id))
    theirs = (
        Allowance,
        Authority,
        Referral,
        ReportShare,
        PhysicianLink,
        Document,
        Question,
        Consent,
        CaseStudy,
        FitException,
        Offer,
        Report,
        ReportStep,
        Note,
        Notice,
        Survey,
        Testimonial,
        Visit,
    )
    for model in theirs:
        tx.execute(delete(model).where(model.case_id == case.id))
    for kept in (Ownership, CaseTag, InternalNote, Seen, Tick):
        tx.execute(delete(kept).where(kept.case_id == case.id))
    tx.execute(delete(Step).where(Step.case_id == case.id, Step.study_uid.is_not(None)))
    tx.execute(update(Step).where(Step.case_id == case.id).values(reason=""))
    tx.execute(update(Step).where(Step.case_id == case.id, Step.actor.in_(PATIENT_SIDE)).values(actor_id=None))
    tx.execute(update(Erasure).where(Erasure.case_id == case.id).values(asked_by=None, reason=""))
    tx.execute(update(LegalHold).where(LegalHold.case_id == case.id).values(reason=""))
    tx.expire(case, ["questions"])
    _blank(tx, case)
    audit.forget(tx, case.id, uids | gone)
    jobs.forget(tx, sorted(uids))
    tx.flush()
    ended.record(tx, Ended(cases=[str(case.id)]))
    jobs.emit(tx, events.CaseErased(str(case.id), mails))


def again(tx: Session, case_id: UUID, at: datetime) -> bool:
    """Erase a case that was erased before and came back with an older database; whether it was there.

    `at`: when it was erased. Its money was settled then: billing learns that when it next looks at its payments.
    """
    case = load_unasked(tx, case_id, lock=True)
    if case is None or case.state is CaseState.ERASED:
        return False
    left = case.state
    asked = erasure_of(tx, case_id) or Erasure(case_id=case_id, asked_at=at)
    asked.done_at = at
    tx.add_all([asked, _step(case_id, left)])
    case.state = CaseState.ERASED
    destroy(tx, case)
    audit.record(tx, None, "case.erase", "case", case_id, case_id=case_id, source=left.value, again=True)
    return True


def _step(case_id: UUID, left: CaseState) -> Step:
    erased = (CaseEvent.ERASE.value, left.value, CaseState.ERASED.value)
    return Step(case_id=case_id, actor=Actor.SYSTEM.value, event=erased[0], source=erased[1], target=erased[2])


def _divided(tx: Session, case: Case) -> tuple[dict[int, frozenset[int]], set[int]]:
    """The case's studies that go as far as they came for it alone, and those that another case needs, by their keys.

    Of the first, the senders' studies that name the case by its reference number: they were sent for it alone, also
    where they are kept apart from it. What was taken out of the case and waits for another one was not.
    """
    studies = studies_of(tx, case.id)
    keys: dict[int, frozenset[int]] = dict.fromkeys(imaging.uploaded(tx, case.id), frozenset())
    out = {pk for s in studies if s.state is StudyState.REVOKED for pk in imaging.members(tx, s.study_pk)}
    keys |= {pk: frozenset((pk,)) for pk in _apart(tx, case) if pk not in out}
    keys |= {s.study_pk: frozenset(s.named if s.state is not StudyState.REVOKED else ()) for s in studies}
    needed = tx.scalars(
        select(CaseStudy.study_pk)
        .join(Case, Case.id == CaseStudy.case_id)
        .where(CaseStudy.case_id != case.id, CaseStudy.state != StudyState.REVOKED, Case.state != CaseState.ERASED)
        .where(CaseStudy.study_uid.in_({*(s.study_uid for s in studies), *imaging.uploaded(tx, case.id).values()}))
    )
    elsewhere = {pk for study_pk in needed for pk in (study_pk, *imaging.members(tx, study_pk))}
    whole = {pk: named for pk, named in keys.items() if not elsewhere.intersection(imaging.members(tx, pk))}
    return whole, set(keys) - set(whole)


def _apart(tx: Session, case: Case) -> Sequence[int]:
    """The senders' studies that name the case and wait beside it."""
    return tx.scalars(select(InboxStudy.study_pk).where(InboxStudy.case_id == case.id, InboxStudy.named, waits())).all()


def _blank(tx: Session, case: Case) -> None:
    if tx.get(PrincipalRow, NOBODY) is None:
        tx.add(PrincipalRow(id=NOBODY, role=Role.PATIENT.value, name="erased", active=False))
        tx.flush()
    case.patient_id = case.created_by = NOBODY
    case.subjects, case.answers = [], {}
    for name in ("other_subject", "symptoms", "history", "additional", "place", "address", "language"):
        setattr(case, name, "")
    case.physician = case.physician_contact = case.first_report_by = ""
    case.interpreter = case.inform_physician = False
    case.patient_name, case.sex, case.birth_date, case.emergency = "", "", None, False
    case.images_by = case.due_at = case.closes_at = case.paused_at = case.resume_to = case.specialist_id = None
    case.licence_exception = case.licence_exception_for = case.view_id = None
