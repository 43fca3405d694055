"""Versions of a report after it was given to the patient: corrections, additions, recalls, and who has read what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from cases import parts, version_move, versions
from cases.models import Case, Report
from cases.redact import redacted
from cases.report_states import GIVEN, KIND_LABELS, LABELS, WITH_PATIENT, ReportEvent, ReportKind, ReportState, possible
from cases.report_views import Reader, VersionView
from cases.repository import latest_report, load, report_steps_of, reports_of
from cases.service import report_shown, reporting
from cases.states import SELVES, Actor
from cases.version_models import ReportStep
from cases.version_move import VersionMove
from overread.kit.audit import AuditRow
from overread.kit.errors import Conflict, NotFound
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal

#: Looks at a version in the archive, as the audit log has them.
_LOOKS = ("instances.read", "metadata.read", "pixels.read")
#: Readers that are listed at most; an archive's users are few.
_MOST_READERS = 200


def open_version(tx: Session, who: Principal, case_id: UUID, kind: ReportKind) -> int:
    """The specialist begins a correction of what is with the patient, or an addition to it; its number.

    Meanwhile the patient reads what was there before. Begun twice it is begun once. Raises Conflict where another
    change is under way or nothing is with the patient, Unprocessable where the access to the images has ended.
    """
    found, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.REPORT_WRITE, case_id)
    newest = latest_report(tx, case_id)
    if newest is not None and newest.state is ReportState.DRAFT and newest.kind is kind and newest.about is not None:
        return newest.number
    base = _newest(tx, found)
    versions.move(VersionMove(tx, found, base, ReportEvent.BEGIN, actor, who, kind=kind))
    made = latest_report(tx, case_id)
    assert made is not None
    return made.number


def discard(tx: Session, who: Principal, case_id: UUID) -> None:
    """Give up a correction or addition that is not signed yet."""
    found, actor = load(tx, who, case_id, lock=True)
    newest = latest_report(tx, case_id)
    if newest is None:
        raise NotFound(f"no report of case {case_id}")
    versions.moved(tx, found, newest, ReportEvent.DISCARD, actor, who)


def ask_change(tx: Session, who: Principal, case_id: UUID, reason: str) -> None:
    """A coordinator asks the specialist for a correction or an addition; their access to the images is prolonged."""
    found, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.REPORT_RECALL, case_id)
    versions.moved(tx, found, _newest(tx, found), ReportEvent.ASK, actor, who, reason)


def recall(tx: Session, who: Principal, case_id: UUID, number: int, reason: str) -> None:
    """Take a version back that must not be read: at once nobody but coordinators gets it, by no way.

    Its bytes are kept. An incident is opened; additions to it are taken back along.
    """
    found, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.REPORT_RECALL, case_id)
    versions.moved(tx, found, _numbered(tx, case_id, number), ReportEvent.RECALL, actor, who, reason)


def restore(tx: Session, who: Principal, case_id: UUID, number: int, reason: str) -> None:
    """Take a recall back: the version is in force again, with the additions that were recalled along."""
    found, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.REPORT_RECALL, case_id)
    versions.moved(tx, found, _numbered(tx, case_id, number), ReportEvent.RESTORE, actor, who, reason)


def listed(tx: Session, who: Principal, case_id: UUID) -> list[VersionView]:
    """The versions of a case's report that somebody may know of, newest first.

    Patients those that were given to them, coordinators what was signed or is being written, authors all of theirs.
    """
    found, actor = load(tx, who, case_id)
    parts.require(actor, Permission.REPORT_READ, case_id)
    reports, steps = reports_of(tx, case_id), report_steps_of(tx, case_id)
    told = [r for r in reports if actor not in SELVES or r.state in GIVEN]
    return [_view(found, actor, reports, steps, one) for one in reversed(told)]


def asked_for(tx: Session, who: Principal, case_id: UUID) -> str:
    """Why a coordinator wants a further version, as its author may read it; "" once one was begun since."""
    found, actor = load(tx, who, case_id)
    parts.require(actor, Permission.REPORT_READ, case_id)
    steps = [s for s in report_steps_of(tx, case_id) if s.event in (ReportEvent.ASK, ReportEvent.BEGIN)]
    asked = steps[-1].reason if steps and steps[-1].event == ReportEvent.ASK else ""
    return redacted(found, asked) if actor is Actor.ASSIGNED else asked if actor is Actor.COORDINATOR else ""


def readers(tx: Session, who: Principal, case_id: UUID, number: int) -> list[Reader]:
    """Who has opened a version, on the pages or in the archive, the last first; for coordinators."""
    _, actor = load(tx, who, case_id)
    parts.require(actor, Permission.REPORT_RECALL, case_id)
    report = _numbered(tx, case_id, number)
    way = case((AuditRow.action == "report.read", "pages"), else_="archive").label("way")
    opened = and_(AuditRow.action == "report.read", AuditRow.object_id == str(report.id))
    looked = and_(AuditRow.action.in_(_LOOKS), AuditRow.object_id == (report.study_uid or "-"))
    last = func.max(func.coalesce(AuditRow.until, AuditRow.at)).label("last")
    query: Select[str, str, str, datetime, datetime] = (
        select(AuditRow.actor, AuditRow.role, way, func.min(AuditRow.at), last)
        .where(or_(opened, looked))
        .group_by(AuditRow.actor_id, AuditRow.actor, AuditRow.role, way)
        .order_by(last.desc())
        .limit(_MOST_READERS)
    )
    return [Reader(name, role, how, first, at) for name, role, how, first, at in tx.execute(query)]


def _newest(tx: Session, found: Case) -> Report:
    newest = version_move.newest_given(reports_of(tx, found.id))
    if newest is None or found.state not in WITH_PATIENT:
        raise Conflict(
            f"no report of case {found.id} is with its patient",
            safe=gettext("This is possible once the report is published."),
        )
    return newest


def _numbered(tx: Session, case_id: UUID, number: int) -> Report:
    report = next((r for r in reports_of(tx, case_id) if r.number == number), None)
    if report is None:
        raise NotFound(f"no version {number} of the report of case {case_id}")
    return report


def _view(
    found: Case, actor: Actor, reports: Sequence[Report], steps: Sequence[ReportStep], report: Report
) -> VersionView:
    event = {ReportState.RETURNED: ReportEvent.SEND_BACK, ReportState.RECALLED: ReportEvent.RECALL}.get(report.state)
    reason = versions.reason_of(steps, report.number, event) if event else ""
    if actor is Actor.ASSIGNED:
        reason = redacted(found, reason)
    mark = report_shown.mark(reports, steps, report)
    return VersionView(
        report.number,
        report.kind.value,
        str(KIND_LABELS[report.kind]),
        report.state.value,
        str(LABELS[report.state]),
        report.about,
        report.change if reporting.may_read(actor, report) else "",
        report_shown.signature(report.signature),
        report.signed_at,
        report.published_at,
        report.first_read_at if actor is not Actor.ASSIGNED else None,
        mark.text if mark else "",
        reason if actor not in SELVES else "",
        reporting.may_read(actor, report),
        tuple(event.value for event in possible(report.state, actor)) if found.state in WITH_PATIENT else (),
    )
