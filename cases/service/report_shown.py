"""What is shown of a report's versions besides their words: what stands under them, their marks, what was added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from cases import report_states, sealing
from cases.models import Report
from cases.report_states import ReportEvent, ReportKind, ReportState
from cases.report_views import AdditionView, ReportMark, SignatureView
from cases.version_models import ReportStep
from cases.version_move import additions, replaced_by
from overread.kit.language import gettext


def signature(kept: Mapping[str, Any]) -> SignatureView | None:
    """What stands under a signature, of what was kept with it; None while nothing is signed."""
    if not kept:
        return None
    return SignatureView(kept["name"], kept["qualification"], kept["practice"], right(kept))


def right(kept: Mapping[str, Any]) -> str:
    """By what a signer may give an opinion for somebody in a place, as a sentence."""
    place = str(kept.get("place", ""))
    match kept.get("right"):
        case "licence":
            until = date.fromisoformat(kept["until"])
            day = f"{until.day} {until:%B %Y}"
            if not kept["number"]:
                return gettext("Licence for %(place)s, until %(day)s", place=place, day=day)
            return gettext(
                "Licence for %(place)s: %(number)s, until %(day)s", place=place, number=kept["number"], day=day
            )
        case "direct":
            return gettext("%(place)s asks for no licence of its own for a second opinion", place=place)
        case "exception":
            # Its reason is kept, and is the program's own business.
            return gettext("By an exception that the program has recorded for %(place)s", place=place)
    return ""


def mark(reports: Sequence[Report], steps: Sequence[ReportStep], report: Report) -> ReportMark | None:
    """What has to be said of a version before it is read; None of one that is in force."""
    at = when(steps, report)
    match report.state:
        case ReportState.PUBLISHED:
            return None
        case ReportState.REPLACED:
            newer = replaced_by(reports, report)
            number = newer.number if newer else 0
            text = gettext("Replaced by version %(number)s on %(day)s", number=number, day=_day(at))
            return ReportMark(report.state.value, text, at, number)
        case ReportState.RECALLED:
            text = gettext("Recalled on %(day)s: it must not be used", day=_day(at))
            return ReportMark(report.state.value, text, at)
        case ReportState.RETURNED:
            return ReportMark(report.state.value, gettext("Sent back on %(day)s: never published", day=_day(at)), at)
    return ReportMark(report.state.value, str(report_states.LABELS[report.state]), at)


def when(steps: Sequence[ReportStep], report: Report) -> datetime | None:
    """When a version came into the state that it is in."""
    mine = [s for s in steps if s.number == report.number and s.event not in (ReportEvent.ASK, ReportEvent.BEGIN)]
    return mine[-1].at if mine else None


def added(reports: Sequence[Report], report: Report) -> tuple[AdditionView, ...]:
    """The additions that are read below a version: as they stand with it."""
    if report.kind is ReportKind.ADDENDUM:
        return ()
    state = ReportState.REPLACED if report.state is ReportState.REPLACED else ReportState.PUBLISHED
    return tuple(addition(one) for one in additions(reports, report.number, state))


def addition(one: Report) -> AdditionView:
    """One of them."""
    return AdditionView(
        one.number,
        one.texts.get("addition", ""),
        one.change,
        signature(one.signature) or SignatureView(one.signed_name, "", "", ""),
        one.signed_at,
        one.published_at,
        one.digest,
        intact(one),
    )


def intact(report: Report) -> bool:
    """Whether a version says what was signed, if it is."""
    return report.digest is None or report.digest == sealing.report_digest(report)


def _day(at: datetime | None) -> str:
    return f"{at.day} {at:%B %Y}" if at else ""
