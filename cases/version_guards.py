"""What a version's move asks for before it happens: each guard gives None, or a sentence that says what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cases import licences, sealing, written
from cases.models import Report
from cases.report_states import OPEN, ReportKind, ReportState
from cases.repository import reports_of
from cases.version_move import VersionMove, newest_given
from overread.kit.language import gettext
from viewer_bridge import grants

Guard = Callable[[VersionMove], str | None]


def _has_reason(move: VersionMove) -> str | None:
    return None if move.reason else gettext("Please give a reason.")


def _specialist_eligible(move: VersionMove) -> str | None:
    if move.case.specialist_id is None:
        return gettext("Please choose a specialist.")
    return " ".join(licences.objections(move.tx, move.case, move.case.specialist_id)) or None


def _is_later(move: VersionMove) -> str | None:
    return (
        None if move.report.about is not None else gettext("The report itself can’t be given up, only a change of it.")
    )


def _is_newest(move: VersionMove) -> str | None:
    newest = newest_given(reports_of(move.tx, move.case.id))
    fits = newest is not None and newest.id == move.report.id
    return None if fits else gettext("There is a newer version: correct or add to that one.")


def _none_open(move: VersionMove) -> str | None:
    waits = next((r for r in reports_of(move.tx, move.case.id) if r.state in OPEN), None)
    if waits is None:
        return None
    return gettext("Version %(number)s is being written already: finish it, or give it up.", number=waits.number)


def _fits(move: VersionMove) -> str | None:
    lost = move.kind is ReportKind.ADDENDUM and move.report.state is ReportState.RECALLED
    return gettext("The report was recalled: it can be corrected, but not added to.") if lost else None


def _access_stands(move: VersionMove) -> str | None:
    stands = move.who is not None and (
        grants.find(move.tx, move.who.id, move.case.id) is not None or move.case.view_id is None
    )
    return None if stands else gettext("Your access to the images has ended: ask the coordinator to open it again.")


def _base_stands(move: VersionMove) -> str | None:
    if move.report.kind is not ReportKind.ADDENDUM:
        return None
    base = _base(move)
    stands = base is not None and base.state is ReportState.PUBLISHED
    return None if stands else gettext("The version that this adds to is not in force any more: give it up.")


def _can_return(move: VersionMove) -> str | None:
    if move.report.kind is ReportKind.ADDENDUM:
        return _base_stands(move)
    newest = newest_given(reports_of(move.tx, move.case.id))
    stands = newest is not None and newest.id == move.report.id
    return None if stands else gettext("A correction has taken its place: it can’t be in force again.")


def _unaltered(move: VersionMove) -> str | None:
    same = move.report.digest is not None and move.report.digest == sealing.report_digest(move.report)
    return None if same else gettext("The report was altered after it was signed.")


def _base(move: VersionMove) -> Report | None:
    return next((r for r in reports_of(move.tx, move.case.id) if r.number == move.report.about), None)


GUARDS: Mapping[str, Guard] = {
    "has_reason": _has_reason,
    "specialist_eligible": _specialist_eligible,
    "signature_known": lambda move: written.signer(move.tx, move.who),
    "change_told": lambda move: written.change(move.report),
    "words_written": lambda move: written.words(move.tx, move.case, move.report),
    "studies_listed": lambda move: written.studies(move.tx, move.case, move.report),
    "is_later": _is_later,
    "is_newest": _is_newest,
    "none_open": _none_open,
    "fits": _fits,
    "access_stands": _access_stands,
    "base_stands": _base_stands,
    "can_return": _can_return,
    "unaltered": _unaltered,
}
