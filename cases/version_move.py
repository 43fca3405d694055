"""A move of a report's version, with what its guards and effects need; and which version is in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from cases.models import Case, Report
from cases.report_states import GIVEN, ReportEvent, ReportKind, ReportState
from cases.states import Actor
from overread.kit.principals import Principal
from overread.kit.texts import trimmed


@dataclass(slots=True)
class VersionMove:
    """An event of a version. `who` is None for the system; `kind` is what BEGIN opens."""

    tx: Session
    case: Case
    report: Report
    event: ReportEvent
    actor: Actor
    who: Principal | None
    reason: str = ""
    kind: ReportKind = ReportKind.CORRECTION
    # It follows of another version's move, which tells of both.
    follows: bool = False
    # What follows of it.
    along: list[VersionMove] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.reason = trimmed(self.reason)

    def take_along(self, report: Report, event: ReportEvent, actor: Actor | None = None) -> None:
        """Move another version after this one, for the same reason."""
        who = self.who if actor is None else None
        further = VersionMove(self.tx, self.case, report, event, actor or self.actor, who, self.reason, follows=True)
        self.along.append(further)


def newest_given(reports: Sequence[Report]) -> Report | None:
    """Of a report and its corrections the newest that was given to the patient, recalled or not."""
    given = [r for r in reports if r.kind is not ReportKind.ADDENDUM and r.state in GIVEN]
    return given[-1] if given else None


def in_force(reports: Sequence[Report]) -> Report | None:
    """The version that is in force: the newest that was given, unless it was recalled."""
    newest = newest_given(reports)
    return newest if newest is not None and newest.state is ReportState.PUBLISHED else None


def additions(reports: Sequence[Report], number: int, state: ReportState) -> list[Report]:
    """The additions to a version that are in a state, oldest first."""
    return [r for r in reports if r.kind is ReportKind.ADDENDUM and r.about == number and r.state is state]


def whole(reports: Sequence[Report], report: Report) -> tuple[Report, ...]:
    """What somebody reads who opens a version: it, and the additions to it that are in force."""
    return (report, *additions(reports, report.number, ReportState.PUBLISHED))


def replaced_by(reports: Sequence[Report], report: Report) -> Report | None:
    """The correction that took the place of a version, or of the one that it adds to."""
    base = report.about if report.kind is ReportKind.ADDENDUM else report.number
    later = (r for r in reports if r.kind is ReportKind.CORRECTION and r.about == base and r.state in GIVEN)
    return next(later, None)
