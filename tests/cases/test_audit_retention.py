"""The audit log's lines go when their time is over; those of open and of held cases stay."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import delete, select

from cases import kept
from cases.service import erasure
from cases.states import CaseState
from overread.kit import audit, audit_looks, clock, retention
from overread.kit.audit import AuditRow
from tests.cases.test_lists import fill
from tests.cases.world import World

DAYS = 400
LATER = timedelta(microseconds=1)


def test_lines_go_when_their_time_is_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: now[0])
    with world.db.transaction() as tx:
        ended, held, going = (
            fill(tx, world, 1, state=state)[0].id for state in (CaseState.CLOSED, CaseState.CLOSED, CaseState.SUBMITTED)
        )
        erasure.hold(tx, world.auditor, held, "a lawsuit")
        tx.execute(delete(AuditRow))
        for name, case_id in (("ended", ended), ("held", held), ("going", going), ("of no case", None)):
            audit.record(tx, world.coordinator, name, "case", case_id or "", case_id=case_id)
        audit.record(tx, world.coordinator, "a study", "study", "1.2.3")
        audit_looks.record_look(tx, world.coordinator, "a look that goes on", "study", "1.2.3", instances=1)
    now[0] += timedelta(minutes=1)
    with world.db.transaction() as tx:
        audit_looks.record_look(tx, world.coordinator, "a look that goes on", "study", "1.2.3", instances=1)
        audit.record(tx, world.coordinator, "later", "study", "1.2.3")
    now[0] += timedelta(days=DAYS) - timedelta(minutes=1)
    sweep = partial(kept.sweep_audit, DAYS)

    def left() -> set[str]:
        with world.db.transaction() as tx:
            return set(tx.scalars(select(AuditRow.action)))

    assert retention.in_batches(world.db, sweep) == 0
    now[0] += LATER
    # What names no case may be of the one that is held.
    assert retention.in_batches(world.db, sweep) == 1
    assert left() == {"held", "going", "of no case", "a study", "a look that goes on", "later"}
    with world.db.transaction() as tx:
        erasure.lift(tx, world.auditor, held)
    assert retention.in_batches(world.db, sweep) == 3
    assert left() == {"going", "a look that goes on", "later", "hold.lift"}
    now[0] += timedelta(minutes=1)
    assert retention.in_batches(world.db, sweep) == 2
    assert left() == {"going", "hold.lift"}
