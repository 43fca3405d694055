"""Reading cases: one view a role, and the lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, literal_column, or_, select, true, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from cases import queue_filters, reference, version_move
from cases.desk_views import DeskLine, Narrow
from cases.guards import unreleased
from cases.models import Case, CaseStudy, Note, Offer, OpinionKind, Report
from cases.report_states import GIVEN, WITH_PATIENT, ReportState
from cases.repository import load, open_offer, studies_by_case, visible
from cases.service import presentation
from cases.service.for_coordinator import coordinator_case
from cases.service.for_patient import patient_case
from cases.service.for_specialist import specialist_case
from cases.states import DELIVERED, ENDED, LABELS, OPEN, PATIENT_SIDE, TAKEN_BACK, Actor, CaseState, StudyState
from cases.views import CaseLine, CoordinatorCase, PatientCase, SpecialistCase
from overread.kit import audit, clock, permissions
from overread.kit.language import gettext
from overread.kit.paging import Keyset, Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role
from overread.kit.words import counted
from pacs.index import folding

CaseView = PatientCase | CoordinatorCase | SpecialistCase


def show(tx: Session, who: Principal, case_id: UUID) -> CaseView:
    """A case as `who` may see it. Raises NotFound for strangers. Every look by another than the patient is audited."""
    case, actor = load(tx, who, case_id)
    if actor is not Actor.PATIENT:
        audit.record(tx, who, "case.read", "case", case.id, case_id=case.id)
    if actor in PATIENT_SIDE:
        _mark_read(tx, case)
        return patient_case(tx, who, case, actor)
    return coordinator_case(tx, who, case) if actor is Actor.COORDINATOR else specialist_case(tx, who, case, actor)


def _mark_read(tx: Session, case: Case) -> None:
    """What coordinators have written to the patient is before them now."""
    unread = update(Note).where(Note.case_id == case.id, Note.from_patient.is_(False), Note.read_at.is_(None))
    tx.execute(unread.values(read_at=clock.now()))


class Show(StrEnum):
    """Which cases a list shows."""

    ALL = "all"
    #: Sent, and not ended.
    OPEN = "open"
    #: Those in which a coordinator is next.
    OURS = "ours"
    LATE = "late"
    ENDED = "ended"
    #: Of a specialist: those that wait for an answer, and those that were accepted.
    OFFERED = "offered"
    READING = "reading"


_OURS = (CaseState.SUBMITTED, CaseState.READY, CaseState.SIGNED)
#: When a case is due that has no due time: behind all others. Written out, so that an index could have it.
_NEVER: ColumnElement[datetime] = literal_column("timestamptz '9999-12-31 00:00:00+00'")
_BY_DUE = Keyset(func.coalesce(Case.due_at, _NEVER), Case.id)
_NEWEST = Keyset(Case.id, descending=True)


#: Every case.
_ALL = Narrow()


def listing(
    tx: Session,
    who: Principal,
    show: Show = Show.ALL,
    *,
    search: str = "",
    narrow: Narrow = _ALL,
    after: str = "",
    limit: int = 200,
) -> Page[CaseLine]:
    """The cases that `who` has a part in: those due first at the top, the ended and those that are found newest first.

    `search` is a part of the patient's name, a reference number or a study's UID; for coordinators, and for patients
    among their own; `narrow` is for coordinators alone. Raises Forbidden, BadInput for a cursor that is none.
    """
    query = _narrowed(who, narrow).where(_shown(show))
    if search:
        # To a specialist the answer would tell whose images they read.
        permissions.require(who, Permission.CASE_SEARCH)
        query = query.where(_found(search))
    order = _NEWEST if search or show is Show.ENDED else _BY_DUE
    page = order.page(tx, query, after, limit)
    ids = [case.id for case in page]
    studies = studies_by_case(tx, ids)
    desk = queue_filters.lines(tx, who, ids) if who.role is Role.COORDINATOR else {}
    recalled = _recalled(tx, [case.id for case in page if case.state in WITH_PATIENT])
    return page.of(
        [_line(tx, who, case, studies[case.id], desk.get(case.id), recalled=case.id in recalled) for case in page]
    )


def counts(tx: Session, who: Principal, *shows: Show, narrow: Narrow = _ALL) -> dict[Show, int]:
    """How many cases each list shows to `who`."""
    columns = [func.count().filter(_shown(show)) for show in shows]
    row = tx.execute(_narrowed(who, narrow).with_only_columns(*columns)).one()
    return dict(zip(shows, row, strict=True))


def earned(tx: Session, who: Principal) -> dict[str, tuple[int, int]]:
    """How many reports a specialist has signed, and what they earn by them in minor units, by currency."""
    permissions.require(who, Permission.FEES_READ)
    fees = (
        select(Offer.case_id, Offer.fee)
        .where(Offer.specialist_id == who.id)
        .ext(distinct_on(Offer.case_id))
        .order_by(Offer.case_id, Offer.id.desc())
        .subquery()
    )
    rows = tx.execute(
        select(OpinionKind.currency, func.count(), func.coalesce(func.sum(fees.c.fee), 0))
        .select_from(Case)
        .join(OpinionKind, OpinionKind.id == Case.kind_id)
        .outerjoin(fees, fees.c.case_id == Case.id)
        .where(Case.specialist_id == who.id, Case.state.in_(DELIVERED))
        .group_by(OpinionKind.currency)
    )
    return {currency: (count, int(amount)) for currency, count, amount in rows}


def _shown(show: Show) -> ColumnElement[bool]:
    match show:
        case Show.ALL:
            return true()
        case Show.OPEN:
            return Case.state.in_(OPEN)
        case Show.OURS:
            # A correction or addition that is signed waits to be published, too.
            signed = exists().where(Report.case_id == Case.id, Report.state == ReportState.SIGNED)
            return or_(Case.state.in_(_OURS), signed)
        case Show.LATE:
            return and_(Case.state.in_(OPEN), presentation.late(clock.now()))
        case Show.ENDED:
            return Case.state.in_(ENDED)
        case Show.OFFERED:
            return Case.state == CaseState.OFFERED
        case Show.READING:
            return Case.state.in_(OPEN - {CaseState.OFFERED})


def _found(search: str) -> ColumnElement[bool]:
    if "." in search and search.replace(".", "").isdigit():
        return Case.id.in_(select(CaseStudy.case_id).where(CaseStudy.study_uid == search))
    named, name = reference.find(search), folding.fold(search)
    of_name = Case.patient_fold.contains(name, autoescape=True) if name else false()
    return or_(Case.reference == named, of_name) if named else of_name


def _recalled(tx: Session, case_ids: Sequence[UUID]) -> set[UUID]:
    """Of cases whose patients were given a report those that have none in force."""
    if not case_ids:
        return set()
    query = select(Report).where(Report.case_id.in_(case_ids), Report.state.in_(GIVEN)).order_by(Report.number)
    given: dict[UUID, list[Report]] = {}
    for report in tx.scalars(query):
        given.setdefault(report.case_id, []).append(report)
    return {case_id for case_id, reports in given.items() if version_move.in_force(reports) is None}


def _narrowed(who: Principal, narrow: Narrow) -> Select[Case]:
    if narrow != _ALL:
        permissions.require(who, Permission.DESK_USE)
    return visible(who).where(*queue_filters.conditions(who, narrow))


def _line(
    tx: Session, who: Principal, case: Case, studies: Sequence[CaseStudy], desk: DeskLine | None, *, recalled: bool
) -> CaseLine:
    specialist = who.role is Role.SPECIALIST
    offer = open_offer(tx, case.id) if specialist and case.state is CaseState.OFFERED else None
    live = [s for s in studies if s.state is not StudyState.REVOKED]
    pending = sum(s.pending for s in live)
    note = ""
    if who.role is Role.COORDINATOR:
        # The one guard that most of a queue waits for is asked of what was just read, not of the database again.
        submitted = case.state is CaseState.SUBMITTED
        note = (unreleased(case, live) or "") if submitted else " ".join(presentation.blocked(tx, who, case))
    text = counted(len(live), "study", "studies")
    return CaseLine(
        case.id,
        case.reference,
        presentation.title(case),
        case.state.value,
        TAKEN_BACK if recalled else LABELS[case.state],
        case.due_at,
        presentation.is_late(case),
        case.updated_at,
        "" if specialist else case.patient_name,
        presentation.name_of(tx, case.specialist_id),
        text
        if specialist or not pending
        else gettext("%(studies)s, %(pending)s to review", studies=text, pending=pending),
        note,
        offer.expires_at if offer else None,
        _fee(tx, who, case) if specialist else 0,
        case.kind.currency,
        case.paused_at,
        desk,
        recalled,
    )


def _fee(tx: Session, who: Principal, case: Case) -> int:
    query = select(Offer.fee).where(Offer.case_id == case.id, Offer.specialist_id == who.id)
    return tx.scalar(query.order_by(Offer.id.desc()).limit(1)) or 0
