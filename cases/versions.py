"""The one way to change the state of a report's version: the table of `report_states.py`, executed.

`version_guards` and `version_effects` say what a move asks for and what it brings about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import report_states, version_effects, version_guards
from cases.models import Case, Report
from cases.report_states import ReportEvent, ReportState
from cases.states import Actor, Rule
from cases.version_models import ReportStep
from cases.version_move import VersionMove
from overread.kit import audit
from overread.kit.errors import Conflict, Forbidden, Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Principal


def check(move: VersionMove) -> Rule:
    """The rule that allows a move now.

    Raises Forbidden where this actor may never do it, Conflict where the version is in another state, Unprocessable
    with every reason where a guard refuses.
    """
    if not any(rule.event == move.event and move.actor in rule.actors for rule in report_states.REPORT_RULES):
        raise Forbidden(f"{move.actor} asked for {move.event} of a report of case {move.case.id}")
    rule = report_states.report_rule(move.report.state, move.event)
    if rule is None or move.actor not in rule.actors:
        raise Conflict(
            f"{move.event} by {move.actor} of a version that is {move.report.state}",
            safe=gettext(
                "This is not possible while version %(number)s is “%(state)s”.",
                number=move.report.number,
                state=report_states.LABELS[move.report.state],
            ),
        )
    reasons = [told for name in rule.guards if (told := version_guards.GUARDS[name](move)) is not None]
    if reasons:
        raise Unprocessable(f"{move.event} refused by its guards", safe=" ".join(reasons), reasons=reasons)
    return rule


def repeated(move: VersionMove) -> bool:
    """Whether a move asks for what the same person did last with a report, in the same words: a second click."""
    if move.who is None:
        return False
    rule = report_states.report_rule(move.report.state, move.event)
    possible = rule is not None and move.actor in rule.actors
    if possible and move.event is not ReportEvent.ASK:
        return False
    query = select(ReportStep).where(ReportStep.case_id == move.case.id, ReportStep.actor != Actor.SYSTEM.value)
    last = move.tx.scalars(query.order_by(ReportStep.id.desc()).limit(1)).one_or_none()
    # What follows of a person's move (additions that are recalled along) is theirs, too.
    return last is not None and (last.event, last.actor_id, last.reason) == (
        move.event.value,
        move.who.id,
        move.reason,
    )


def move(step: VersionMove) -> bool:
    """Make a move: checks the table and its guards, changes the state, writes the history, runs the effects.

    The caller holds the case's row lock. False where it was `repeated`. Raises what `check` raises.
    """
    if repeated(step):
        return False
    rule = check(step)
    report = step.report
    report.state = ReportState(rule.target)
    step.tx.add(
        ReportStep(
            case_id=step.case.id,
            number=report.number,
            actor_id=step.who.id if step.who else None,
            actor=step.actor.value,
            event=rule.event.value,
            source=rule.source.value,
            target=rule.target.value,
            reason=step.reason,
        )
    )
    step.tx.flush()
    for name in rule.effects:
        version_effects.EFFECTS[name](step)
    step.tx.flush()
    detail: dict[str, Any] = {"version": report.number}
    if step.event is ReportEvent.SIGN:
        detail["digest"] = report.digest
    # A reason is free text, which has no place in the audit log: it may name the patient.
    audit.record(step.tx, step.who, f"report.{step.event.value}", "report", report.id, case_id=step.case.id, **detail)
    for along in step.along:
        move(along)
    return True


def moved(
    tx: Session, case: Case, report: Report, event: ReportEvent, actor: Actor, who: Principal | None, reason: str = ""
) -> bool:
    """The same in one line."""
    return move(VersionMove(tx, case, report, event, actor, who, reason))


def reason_of(steps: Sequence[ReportStep], number: int, event: ReportEvent) -> str:
    """The reason that was given last for something that happened to a version."""
    return next((s.reason for s in reversed(steps) if s.number == number and s.event == event.value), "")
