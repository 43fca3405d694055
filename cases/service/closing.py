"""A case that closes by itself: its patient is told before, and nothing may stand open."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cases import closing, events, notify
from cases.machine import check, transition
from cases.models import Case
from cases.move import Move
from cases.states import Actor, CaseEvent, CaseState
from overread.kit import clock
from overread.kit.errors import Unprocessable

#: A job that runs this much after its time is on time.
_ON_TIME = timedelta(hours=1)


def tell(tx: Session, case: Case | None, event: events.ClosingNear) -> None:
    """Tell the patient, once, when their case closes and what ends then; who hears it late has as long after it."""
    if case is None or case.closing_told or _closes(tx, case, event.closes_at) is None:
        return
    assert case.closes_at is not None
    if case.closes_at - clock.now() < closing.TOLD_BEFORE - _ON_TIME:
        closing.put_off(tx, case)
    case.closing_told = True
    notify.queue_patient(tx, case, "closing_soon", ends=case.closes_at)


def close(tx: Session, case: Case | None, event: events.ClosingDue) -> None:
    """Close a case whose patient was told of this time."""
    if case is None or not case.closing_told:
        return
    move = _closes(tx, case, event.closes_at)
    if move is not None:
        transition(move)


def _closes(tx: Session, case: Case, closes_at: str) -> Move | None:
    """The move that closes a case, where the time still stands and nothing holds it open."""
    if case.state is not CaseState.PUBLISHED or not case.program.close_days:
        return None
    if case.closes_at != datetime.fromisoformat(closes_at):
        return None
    move = Move(tx, case, CaseEvent.CLOSE, Actor.SYSTEM, None, reason="nothing stood open any more")
    try:
        check(move)
    except Unprocessable:
        return None
    return move
