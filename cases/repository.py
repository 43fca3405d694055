"""The case layer's queries. What a principal may load is decided here, once: strangers get NotFound."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from cases import delegations
from cases.acting_models import Authority
from cases.document_models import Document
from cases.models import (
    Case,
    CaseStudy,
    Consent,
    Erasure,
    InboxStudy,
    LegalHold,
    Note,
    Offer,
    Program,
    Report,
    Step,
)
from cases.referral_models import Referral, ReportShare
from cases.states import OPEN, Actor, CaseState, OfferOutcome, StudyState
from cases.version_models import ReportStep
from overread.kit.errors import Forbidden, NotFound
from overread.kit.principals import Principal, Role
from pacs.index.models import Study


def load(tx: Session, who: Principal, case_id: UUID, *, lock: bool = False) -> tuple[Case, Actor]:
    """A case and what `who` is to it; `lock` holds its row until the commit.

    Raises NotFound for strangers, and for admins, auditors and hospitals, who have no part in a case; Forbidden for
    a viewer's token, which opens images only.
    """
    if who.case_id is not None:
        raise Forbidden(f"a viewer token of case {who.case_id} asked for a case")
    case = load_unasked(tx, case_id, lock=lock)
    actor = None if case is None else actor_in(tx, who, case)
    if case is None or actor is None:
        raise NotFound(f"case {case_id} for {who.role} {who.id}")
    return case, actor


def load_unasked(tx: Session, case_id: UUID, *, lock: bool = False) -> Case | None:
    """A case for the system itself (events, timers), or None."""
    query = select(Case).where(Case.id == case_id).execution_options(populate_existing=lock)
    return tx.scalars(query.with_for_update(of=Case) if lock else query).one_or_none()


def actor_in(tx: Session, who: Principal, case: Case) -> Actor | None:
    """What a principal is to a case; None for a stranger."""
    if who.role is Role.COORDINATOR:
        # A draft is the patient's alone until it is submitted, unless a coordinator writes it for them.
        return None if case.state is CaseState.DRAFT and case.created_by != who.id else Actor.COORDINATOR
    if who.role is Role.PATIENT:
        return Actor.PATIENT if case.patient_id == who.id else delegations.actor_of(tx, case.patient_id, who.id)
    if who.role is Role.SPECIALIST:
        if case.specialist_id == who.id:
            return Actor.ASSIGNED
        offer = open_offer(tx, case.id)
        return Actor.OFFERED if offer is not None and offer.specialist_id == who.id else None
    return None


def visible(who: Principal) -> Select[Case]:
    """The query of every case that a principal has a part in. Raises Forbidden for a viewer's token."""
    if who.case_id is not None:
        raise Forbidden(f"a viewer token of case {who.case_id} asked for cases")
    query = select(Case)
    if who.role is Role.COORDINATOR:
        return query.where(or_(Case.state != CaseState.DRAFT, Case.created_by == who.id))
    if who.role is Role.PATIENT:
        return query.where(or_(Case.patient_id == who.id, Case.patient_id.in_(delegations.patients_of(who.id))))
    if who.role is Role.SPECIALIST:
        offered = select(Offer.case_id).where(Offer.specialist_id == who.id, Offer.outcome == OfferOutcome.OPEN)
        return query.where(or_(Case.specialist_id == who.id, Case.id.in_(offered)))
    raise Forbidden(f"{who.role} has no cases")


def active_program(tx: Session, slug: str, *, lock: bool = False) -> Program:
    """An active program by its short name; `lock` holds its row until the commit. Raises NotFound."""
    query = select(Program).where(Program.slug == slug, Program.active)
    # What can't be printed is no short name, and PostgreSQL takes no NUL.
    found = (
        tx.scalars(query.with_for_update(of=Program) if lock else query).one_or_none() if slug.isprintable() else None
    )
    if found is None:
        raise NotFound(f"no program {slug!r}")
    return found


def by_reference(tx: Session, reference: str) -> Case | None:
    """The case with this reference number, for the system itself."""
    return tx.scalars(select(Case).where(Case.reference == reference)).one_or_none()


def is_reference_taken(tx: Session, reference: str) -> bool:
    """Whether a case has this reference number, or will have it once its patient agrees."""
    kept = select(Referral.id).where(Referral.reference == reference)
    return by_reference(tx, reference) is not None or tx.scalar(kept) is not None


def referral_of(tx: Session, case_id: UUID) -> Referral | None:
    """What somebody else than the patient prepared, where a case came of that."""
    return tx.scalars(select(Referral).where(Referral.case_id == case_id)).one_or_none()


def share_of(tx: Session, case_id: UUID) -> ReportShare | None:
    """The consent that stands for whoever referred a case's patient to read the report."""
    query = select(ReportShare).where(ReportShare.case_id == case_id, ReportShare.withdrawn_at.is_(None))
    return tx.scalars(query).one_or_none()


def open_offer(tx: Session, case_id: UUID) -> Offer | None:
    """The offer of a case that waits for an answer."""
    return tx.scalars(select(Offer).where(Offer.case_id == case_id, Offer.outcome == OfferOutcome.OPEN)).one_or_none()


def offers_of(tx: Session, case_id: UUID) -> Sequence[Offer]:
    """Every offer of a case, newest first."""
    return tx.scalars(select(Offer).where(Offer.case_id == case_id).order_by(Offer.id.desc())).all()


def studies_of(tx: Session, case_id: UUID) -> Sequence[CaseStudy]:
    """The studies of a case, oldest first."""
    return tx.scalars(select(CaseStudy).where(CaseStudy.case_id == case_id).order_by(CaseStudy.id)).all()


def studies_by_case(tx: Session, case_ids: Sequence[UUID]) -> dict[UUID, list[CaseStudy]]:
    """The studies of many cases in one query, oldest first."""
    found: dict[UUID, list[CaseStudy]] = {case_id: [] for case_id in case_ids}
    for study in tx.scalars(select(CaseStudy).where(CaseStudy.case_id.in_(case_ids)).order_by(CaseStudy.id)):
        found[study.case_id].append(study)
    return found


def study_of(tx: Session, case_id: UUID, study_uid: str, *, lock: bool = False) -> CaseStudy | None:
    """One study of a case, or None."""
    query = select(CaseStudy).where(CaseStudy.case_id == case_id, CaseStudy.study_uid == study_uid)
    return tx.scalars(query.with_for_update() if lock else query).one_or_none()


def documents_of(tx: Session, case_id: UUID) -> Sequence[Document]:
    """The documents of a case, oldest first, those that were taken out too."""
    return tx.scalars(select(Document).where(Document.case_id == case_id).order_by(Document.number, Document.id)).all()


def document_of(tx: Session, case_id: UUID, study_uid: str) -> Document | None:
    """The document whose pages a study of a case holds; None for a study of images."""
    query = select(Document).where(Document.case_id == case_id, Document.study_uid == study_uid)
    return tx.scalars(query).one_or_none()


def document_count(tx: Session, case_id: UUID) -> int:
    """How many documents a case has that nobody took out."""
    out = select(CaseStudy.study_uid).where(CaseStudy.case_id == case_id, CaseStudy.state == StudyState.REVOKED)
    query = select(func.count()).where(Document.case_id == case_id, Document.study_uid.not_in(out))
    return tx.scalar(query) or 0


def latest_report(tx: Session, case_id: UUID) -> Report | None:
    """The newest version of a case's report, signed or not."""
    return tx.scalars(
        select(Report).where(Report.case_id == case_id).order_by(Report.number.desc()).limit(1)
    ).one_or_none()


def reports_of(tx: Session, case_id: UUID) -> Sequence[Report]:
    """Every version of a case's report, oldest first."""
    return tx.scalars(select(Report).where(Report.case_id == case_id).order_by(Report.number)).all()


def report_steps_of(tx: Session, case_id: UUID) -> Sequence[ReportStep]:
    """What happened to the versions of a case's report, oldest first."""
    query = select(ReportStep).where(ReportStep.case_id == case_id)
    return tx.scalars(query.order_by(ReportStep.at, ReportStep.id)).all()


def steps_of(tx: Session, case_id: UUID) -> Sequence[Step]:
    """A case's history, oldest first."""
    return tx.scalars(select(Step).where(Step.case_id == case_id).order_by(Step.at, Step.id)).all()


def notes_of(tx: Session, case_id: UUID) -> Sequence[Note]:
    """The messages between patient and coordinators, oldest first."""
    return tx.scalars(select(Note).where(Note.case_id == case_id).order_by(Note.at, Note.id)).all()


def consents_of(tx: Session, case_id: UUID) -> Sequence[Consent]:
    """The consents that were given, oldest first."""
    return tx.scalars(select(Consent).where(Consent.case_id == case_id).order_by(Consent.given_at)).all()


def erasure_of(tx: Session, case_id: UUID) -> Erasure | None:
    """The wish that a case be erased, if there is one."""
    return tx.get(Erasure, case_id, populate_existing=True)


def authority_of(tx: Session, case_id: UUID) -> Authority | None:
    """Why the account of a case may act for its patient; None where it is the patient's own."""
    return tx.get(Authority, case_id, populate_existing=True)


def hold_of(tx: Session, case_id: UUID) -> LegalHold | None:
    """The legal hold that stands for a case."""
    query = select(LegalHold).where(LegalHold.case_id == case_id, LegalHold.lifted_at.is_(None))
    return tx.scalars(query).one_or_none()


def apart_from(tx: Session, case_id: UUID) -> Sequence[InboxStudy]:
    """What is kept apart from a case, oldest first: what came for it, and what others have of its own studies."""
    same = exists().where(same_number(), CaseStudy.case_id == case_id)
    mine = or_(InboxStudy.case_id == case_id, and_(InboxStudy.case_id.is_(None), same))
    return tx.scalars(select(InboxStudy).where(waits(), mine).order_by(InboxStudy.arrived_at, InboxStudy.id)).all()


def same_number() -> ColumnElement[bool]:
    """That a case's study and one of the inbox, which is another sender's, have one Study Instance UID."""
    return and_(CaseStudy.study_uid == InboxStudy.study_uid, CaseStudy.state != StudyState.REVOKED)


def cases_with(tx: Session, study_uids: Collection[str]) -> dict[str, Case]:
    """The case under way that has a study of each of these Study Instance UIDs, the first where several have."""
    rows = (
        select(CaseStudy.study_uid, Case)
        .join(Case, Case.id == CaseStudy.case_id)
        .where(CaseStudy.study_uid.in_(study_uids), CaseStudy.state != StudyState.REVOKED, Case.state.in_(OPEN))
        .order_by(CaseStudy.id.desc())
    )
    return dict(tx.execute(rows).all())


def waits() -> ColumnElement[bool]:
    """That a study of the inbox waits for a coordinator: it is in no case, was not dismissed and is still there."""
    return and_(InboxStudy.matched_case_id.is_(None), InboxStudy.dismissed_at.is_(None), _there())


def dismissed() -> ColumnElement[bool]:
    """That a study of the inbox was dismissed, and is still there."""
    return and_(InboxStudy.dismissed_at.is_not(None), _there())


def _there() -> ColumnElement[bool]:
    return select(Study.pk).where(Study.pk == InboxStudy.study_pk).exists()
