"""Reading cases: one view a role, and the lists."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.guards import unreleased
from cases.models import Case, CaseStudy, Offer
from cases.repository import load, open_offer, studies_by_case, visible
from cases.service import facts
from cases.service.for_coordinator import coordinator_case
from cases.service.for_patient import patient_case
from cases.service.for_specialist import specialist_case
from cases.states import FINAL, LABELS, Actor, CaseState, StudyState
from cases.views import CaseLine, CoordinatorCase, PatientCase, SpecialistCase
from overread.kit import audit
from overread.kit.principals import Principal, Role

CaseView = PatientCase | CoordinatorCase | SpecialistCase


def show(tx: Session, who: Principal, case_id: UUID) -> CaseView:
    """A case as `who` may see it. Raises NotFound for strangers. Every look by another than the patient is audited."""
    case, actor = load(tx, who, case_id)
    if actor is Actor.PATIENT:
        return patient_case(tx, who, case)
    audit.record(tx, who, "case.read", "case", case.id, case_id=case.id)
    return coordinator_case(tx, who, case) if actor is Actor.COORDINATOR else specialist_case(tx, who, case, actor)


def listing(tx: Session, who: Principal, *, states: tuple[CaseState, ...] = (), limit: int = 200) -> list[CaseLine]:
    """The cases that `who` has a part in: those due first at the top, those without a due time last."""
    query = visible(who).order_by(Case.due_at.asc().nulls_last(), Case.id.desc()).limit(min(limit, 1000))
    if states:
        query = query.where(Case.state.in_(states))
    cases = tx.scalars(query).all()
    studies = studies_by_case(tx, [case.id for case in cases])
    return [_line(tx, who, case, studies[case.id]) for case in cases]


def queue(tx: Session, who: Principal) -> list[CaseLine]:
    """The coordinator's open cases by due time. Raises Forbidden."""
    who.require(Role.COORDINATOR)
    return listing(tx, who, states=tuple(s for s in CaseState if s not in FINAL and s is not CaseState.DRAFT))


def counts(tx: Session, who: Principal) -> dict[str, int]:
    """How many cases that `who` has a part in stand where, by state."""
    inner = visible(who).subquery()
    rows = tx.execute(select(inner.c.state, func.count()).group_by(inner.c.state)).all()
    return {str(state): count for state, count in rows}


def _line(tx: Session, who: Principal, case: Case, studies: Sequence[CaseStudy]) -> CaseLine:
    specialist = who.role is Role.SPECIALIST
    offer = open_offer(tx, case.id) if specialist and case.state is CaseState.OFFERED else None
    live = [s for s in studies if s.state is not StudyState.REVOKED]
    held = sum(s.held for s in live)
    note = ""
    if who.role is Role.COORDINATOR:
        # The one guard that most of a queue waits for is asked of what was just read, not of the database again.
        submitted = case.state is CaseState.SUBMITTED
        note = (unreleased(live) or "") if submitted else " ".join(facts.blocked(tx, who, case))
    text = f"{len(live)} {'study' if len(live) == 1 else 'studies'}"
    return CaseLine(
        case.id,
        case.reference,
        facts.title(case),
        case.state.value,
        LABELS[case.state],
        case.due_at,
        facts.is_late(case),
        case.updated_at,
        "" if specialist else case.patient_name,
        facts.name_of(tx, case.specialist_id),
        text if specialist or not held else f"{text}, {held} held",
        note,
        offer.expires_at if offer else None,
        _fee(tx, who, case) if specialist else 0,
        case.program.currency,
    )


def _fee(tx: Session, who: Principal, case: Case) -> int:
    query = select(Offer.fee).where(Offer.case_id == case.id, Offer.specialist_id == who.id)
    return tx.scalar(query.order_by(Offer.id.desc()).limit(1)) or 0
