"""What a version's move brings about, in its own transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlalchemy import select

from cases import closing, digest, events, imaging, notify, nudges, sealing, sharing
from cases.models import Report
from cases.nudges import Waits
from cases.report_states import ReportEvent, ReportKind, ReportState
from cases.repository import report_steps_of, reports_of
from cases.states import Actor, CaseState
from cases.version_move import VersionMove, additions
from overread.kit import audit, clock, jobs
from overread.kit.audit import AuditRow
from overread.kit.principals import PrincipalRow, Role
from viewer_bridge import grants

UNREAD_AFTER = timedelta(days=3)


def _seal(move: VersionMove) -> None:
    report = move.report
    assert move.who is not None
    report.signature = sealing.signature(move.tx, move.case, move.who)
    report.signed_at, report.signed_name = clock.now(), move.who.name
    report.digest = sealing.report_digest(report)


def _tell_signed(move: VersionMove) -> None:
    # Of the report itself the case's own table tells.
    if move.report.about is not None and not move.case.program.publish_by_policy:
        digest.note(move.tx, "version_signed", move.case)
        nudges.ask(move.tx, move.case, Waits.VERSION, move.report.id)


def _write_anew(move: VersionMove) -> None:
    old = move.report
    _add(move, old.kind, old.about, change=old.change, answers=old.answers, texts=old.texts)


def _open_version(move: VersionMove) -> None:
    adds = move.kind is ReportKind.ADDENDUM
    words = {} if adds else {"answers": move.report.answers, "texts": move.report.texts}
    _add(move, move.kind, move.report.number, **words)


def _add(move: VersionMove, kind: ReportKind, about: int | None, **words: object) -> None:
    newest = max(report.number for report in reports_of(move.tx, move.case.id))
    author = move.case.specialist_id
    assert author is not None
    move.tx.add(
        Report(
            case_id=move.case.id,
            number=newest + 1,
            kind=kind,
            about=about,
            author_id=author,
            studies_read=list(move.report.studies_read),
            **words,
        )
    )
    move.tx.flush()


def _publish(move: VersionMove) -> None:
    move.report.published_at = clock.now()
    told = (str(move.case.id), str(move.report.id))
    jobs.emit(move.tx, events.ReportPublished(*told))
    jobs.emit(move.tx, events.ReportUnread(*told), after=UNREAD_AFTER)
    closing.count(move.tx, move.case)


def _replace_older(move: VersionMove) -> None:
    if move.report.kind is not ReportKind.CORRECTION:
        return
    for old in reports_of(move.tx, move.case.id):
        of_base = old.number == move.report.about or old.about == move.report.about
        if of_base and old.state is ReportState.PUBLISHED and old.id != move.report.id:
            move.take_along(old, ReportEvent.REPLACE, Actor.SYSTEM)


def _prolong_access(move: VersionMove) -> None:
    case = move.case
    if case.specialist_id is None or case.view_id is None:
        return
    # A closed case is opened again by a coordinator's wish alone.
    if case.state is not CaseState.PUBLISHED and move.event is not ReportEvent.ASK:
        return
    until = clock.now() + timedelta(days=max(1, case.program.grant_days))
    standing = grants.find(move.tx, case.specialist_id, case.id)
    until = max(until, standing.until) if standing and move.event is ReportEvent.ASK else until
    grants.grant(move.tx, case.specialist_id, case.id, case.view_id, until, by=move.who)


def _tell_of_version(move: VersionMove) -> None:
    """The patient, and coordinators who have read an older version; of the report itself the case's table tells."""
    if move.report.about is None:
        return
    notify.queue_patient(move.tx, move.case, "new_version")
    sharing.tell_of_report(move.tx, move.case)
    older = [str(report.id) for report in reports_of(move.tx, move.case.id) if report.id != move.report.id]
    readers = (
        select(PrincipalRow.id)
        .join(AuditRow, AuditRow.actor_id == PrincipalRow.id)
        .where(AuditRow.action == "report.read", AuditRow.object_id.in_(older))
        .where(PrincipalRow.role == Role.COORDINATOR.value, PrincipalRow.active)
    )
    for reader in move.tx.scalars(readers.distinct()):
        if move.who is None or reader != move.who.id:
            notify.queue(move.tx, move.case, reader, "version_of_read")


def _recall_additions(move: VersionMove) -> None:
    for state in (ReportState.PUBLISHED, ReportState.REPLACED):
        for one in additions(reports_of(move.tx, move.case.id), move.report.number, state):
            move.take_along(one, ReportEvent.RECALL)


def _restore_additions(move: VersionMove) -> None:
    """What was recalled with it is in force with it again; what was recalled by itself is not."""
    steps = [s for s in report_steps_of(move.tx, move.case.id) if s.event == ReportEvent.RECALL]
    last = {step.number: step for step in steps}
    mine = last[move.report.number]
    for one in additions(reports_of(move.tx, move.case.id), move.report.number, ReportState.RECALLED):
        if last[one.number].id > mine.id and last[one.number].reason == mine.reason:
            move.take_along(one, ReportEvent.RESTORE)


def _withhold(move: VersionMove) -> None:
    if move.report.study_uid is not None:
        imaging.withhold(move.tx, move.case.patient_id, move.report.study_uid)


def _give_back(move: VersionMove) -> None:
    if move.report.study_uid is not None:
        imaging.give_back(move.tx, move.case.patient_id, move.report.study_uid)
    else:
        # It was recalled before it had come into the archive.
        jobs.emit(move.tx, events.ReportPublished(str(move.case.id), str(move.report.id)))


def _tell_of_recall(move: VersionMove) -> None:
    if move.follows:
        return
    tx, case = move.tx, move.case
    audit.record(tx, move.who, "incident.opened", "report", move.report.id, case_id=case.id, kind="recalled")
    notify.queue_patient(tx, case, "recalled")
    sharing.tell_of_recall(tx, case)
    notify.queue_coordinators(tx, case, "recall_incident")
    notify.queue_admins(tx, case, "recall_incident_admin")


def _tell_restored(move: VersionMove) -> None:
    if not move.follows:
        notify.queue_patient(move.tx, move.case, "restored")
        sharing.tell_of_restored(move.tx, move.case)


def _close_later(move: VersionMove) -> None:
    if not move.follows:
        closing.count(move.tx, move.case)


def _mail_assigned(template: str) -> Callable[[VersionMove], None]:
    def send(move: VersionMove) -> None:
        if move.case.specialist_id is not None:
            notify.queue(move.tx, move.case, move.case.specialist_id, template)

    return send


def _mail_asked(move: VersionMove) -> None:
    _mail_assigned("change_asked")(move)
    asked = report_steps_of(move.tx, move.case.id)[-1]
    nudges.ask(move.tx, move.case, Waits.CHANGE, asked.id)


EFFECTS: Mapping[str, Callable[[VersionMove], None]] = {
    "seal": _seal,
    "tell_signed": _tell_signed,
    "write_anew": _write_anew,
    "mail_sent_back": _mail_assigned("sent_back"),
    "publish": _publish,
    "replace_older": _replace_older,
    "prolong_access": _prolong_access,
    "tell_of_version": _tell_of_version,
    "mail_asked": _mail_asked,
    "open_version": _open_version,
    "recall_additions": _recall_additions,
    "withhold": _withhold,
    "tell_of_recall": _tell_of_recall,
    "restore_additions": _restore_additions,
    "give_back": _give_back,
    "close_later": _close_later,
    "go_on_closing": lambda move: closing.go_on(move.tx, move.case),
    "mail_restored": _tell_restored,
}
