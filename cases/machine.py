"""The one way to change a case's or a study's state: the tables of `states.py`, executed."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from cases import effects, guards, states
from cases.models import Case, CaseStudy, Step
from cases.move import Move, StudyMove
from cases.states import Actor
from overread.kit import audit
from overread.kit.errors import Conflict, Forbidden, Unprocessable
from overread.kit.principals import Principal


def check(move: Move, *, leaving_out: frozenset[str] = frozenset()) -> states.Rule:
    """The rule that allows a move now.

    Raises Forbidden where this actor may never do it, Conflict where the case is in another state, Unprocessable with
    every reason (`reasons` in the problem document) where a guard refuses. `leaving_out` names guards that the caller
    is about to make true.
    """
    if not any(rule.event == move.event and move.actor in rule.actors for rule in states.CASE_RULES):
        raise Forbidden(f"{move.actor} asked for {move.event} of case {move.case.id}")
    rule = states.case_rule(move.case.state, move.event)
    if rule is None or move.actor not in rule.actors:
        raise Conflict(
            f"{move.event} by {move.actor} of case {move.case.id}, which is {move.case.state}",
            safe=f"This is not possible while the case is “{states.LABELS[move.case.state]}”.",
        )
    reasons = [
        sentence
        for name in rule.guards
        if name not in leaving_out and (sentence := guards.GUARDS[name](move)) is not None
    ]
    if reasons:
        raise Unprocessable(
            f"{move.event} of case {move.case.id} refused by its guards", safe=" ".join(reasons), reasons=reasons
        )
    return rule


def transition(move: Move) -> Case:
    """Make a move: checks the table and its guards, changes the state, writes the history, runs the effects.

    The caller holds the case's row lock. Raises what `check` raises; nothing is changed then.
    """
    rule = check(move)
    case = move.case
    move.source = case.state
    case.state = states.CaseState(rule.target)
    _log(move.tx, case.id, None, move.actor, move.who, rule, move.reason)
    for name in rule.effects:
        effects.EFFECTS[name](move)
    move.tx.flush()
    return case


def move_study(move: StudyMove) -> CaseStudy:
    """Move a study along its table. Raises Forbidden, Conflict and Unprocessable as `transition` does."""
    study = move.study
    if not any(rule.event == move.event and move.actor in rule.actors for rule in states.STUDY_RULES):
        raise Forbidden(f"{move.actor} asked for {move.event} of a study of case {study.case_id}")
    rule = states.study_rule(study.state, move.event)
    if rule is None or move.actor not in rule.actors:
        raise Conflict(
            f"{move.event} by {move.actor} of a study that is {study.state}",
            safe=f"This is not possible while the study is “{states.STUDY_LABELS[study.state]}”.",
        )
    if "has_reason" in rule.guards and not move.reason.strip():
        raise Unprocessable("no reason", safe="Please give a reason.", reasons=["Please give a reason."])
    study.state = states.StudyState(rule.target)
    study.reason = move.reason
    _log(move.tx, study.case_id, study.study_uid, move.actor, move.who, rule, move.reason)
    for name in rule.effects:
        effects.STUDY_EFFECTS[name](move)
    move.tx.flush()
    return study


def _log(
    tx: Session,
    case_id: UUID,
    study_uid: str | None,
    actor: Actor,
    who: Principal | None,
    rule: states.Rule,
    reason: str,
) -> None:
    tx.add(
        Step(
            case_id=case_id,
            study_uid=study_uid,
            actor_id=who.id if who else None,
            actor=actor.value,
            event=rule.event.value,
            source=rule.source.value,
            target=rule.target.value,
            reason=reason,
        )
    )
    # A reason is free text, which has no place in the audit log: it may name the patient.
    audit.record(
        tx,
        who,
        f"{'study' if study_uid else 'case'}.{rule.event.value}",
        "study" if study_uid else "case",
        study_uid or case_id,
        case_id=case_id,
        source=rule.source.value,
        target=rule.target.value,
    )
