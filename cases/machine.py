"""The one way to change a case's or a study's state: the tables of `states.py`, executed."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import effects, guards, states
from cases.models import CaseStudy, Step
from cases.move import Move, StudyMove
from cases.repository import open_offer
from cases.states import Actor, CaseEvent
from overread.kit import audit
from overread.kit.errors import Conflict, Forbidden, Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Principal

_IN_WORDS = frozenset((CaseEvent.ANSWER_INTAKE, CaseEvent.ANSWER_REVIEW))


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
            safe=gettext("This is not possible while the case is “%(state)s”.", state=states.LABELS[move.case.state]),
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


def repeated(move: Move) -> bool:
    """Whether a move asks for what the same person did last in this case: a second click, which finds it done.

    Nobody else did anything since, the words are the same, and it can't be meant anew, because the state that it
    starts from is left. The caller holds the case's row lock.
    """
    rule = states.case_rule(move.case.state, move.event)
    if move.who is None or (rule is not None and move.actor in rule.actors):
        return False
    if move.event is CaseEvent.OFFER:
        standing = open_offer(move.tx, move.case.id)
        if standing is None or standing.specialist_id != move.specialist_id:
            return False
    return did_last(move.tx, move.who, move.case.id, move.event, move.reason)


def transition(move: Move) -> bool:
    """Make a move: checks the table and its guards, changes the state, writes the history, runs the effects.

    The caller holds the case's row lock. False where it was `repeated`: then nothing was to be done. Raises what
    `check` raises; nothing is changed then.
    """
    # An answer's words are not in the history: whoever writes other ones is told that it is too late.
    if move.event not in _IN_WORDS and repeated(move):
        return False
    rule = check(move)
    case = move.case
    move.source = case.state
    case.state = states.CaseState(rule.target)
    _log(move.tx, case.id, None, move.actor, move.who, rule, move.reason)
    for name in rule.effects:
        effects.EFFECTS[name](move)
    move.tx.flush()
    return True


def did_last(
    tx: Session, who: Principal, case_id: UUID, event: StrEnum, reason: str, study_uid: str | None = None
) -> bool:
    """Whether the last thing that a person did with a case (or with one study of it) was this, by `who`."""
    about = Step.study_uid.is_(None) if study_uid is None else Step.study_uid == study_uid
    query = select(Step).where(Step.case_id == case_id, about, Step.actor != Actor.SYSTEM.value)
    last = tx.scalars(query.order_by(Step.id.desc()).limit(1)).one_or_none()
    return last is not None and (last.event, last.actor_id, last.reason) == (event.value, who.id, reason)


def move_study(move: StudyMove) -> CaseStudy:
    """Move a study along its table; what the same person did with it last is left as it is.

    Raises Forbidden, Conflict and Unprocessable as `transition` does.
    """
    study = move.study
    possible = states.study_rule(study.state, move.event)
    if (
        move.who is not None
        and (possible is None or move.actor not in possible.actors)
        and did_last(move.tx, move.who, study.case_id, move.event, move.reason, study.study_uid)
    ):
        return study
    if not any(rule.event == move.event and move.actor in rule.actors for rule in states.STUDY_RULES):
        raise Forbidden(f"{move.actor} asked for {move.event} of a study of case {study.case_id}")
    rule = states.study_rule(study.state, move.event)
    if rule is None or move.actor not in rule.actors:
        raise Conflict(
            f"{move.event} by {move.actor} of a study that is {study.state}",
            safe=gettext(
                "This is not possible while the study is “%(state)s”.", state=states.STUDY_LABELS[study.state]
            ),
        )
    if "has_reason" in rule.guards and not move.reason.strip():
        raise Unprocessable("no reason", safe=gettext("Please give a reason."), reasons=["Please give a reason."])
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
