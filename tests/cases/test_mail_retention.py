"""Mails go when their time is over, with their files; those of open and of held cases stay."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from cases import mail
from cases.mail import FolderMailer
from cases.models import Message
from cases.service import erasure
from cases.states import CaseState
from overread.kit import clock, retention
from tests.cases.test_lists import fill
from tests.cases.world import World


def test_mails_go_three_months_after_they_were_sent(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    with world.db.transaction() as tx:
        tx.execute(delete(Message))
        ended, held, going = (
            fill(tx, world, 1, state=state)[0] for state in (CaseState.CLOSED, CaseState.CLOSED, CaseState.SUBMITTED)
        )
        erasure.hold(tx, world.auditor, held.id, "a lawsuit")
        sent = partial(_sent, world.patient.id)
        made = {
            "ended": sent(ended.id, now),
            "held": sent(held.id, now),
            "going": sent(going.id, now),
            "of no case": sent(None, now),
            "later": sent(ended.id, now + timedelta(seconds=1)),
            "never": sent(ended.id, None),
        }
        tx.add_all(made.values())
        tx.flush()
        ids = {name: one.id for name, one in made.items()}
    for one in ids.values():
        (tmp_path / f"{one}.eml").touch()
    sweep = partial(mail.sweep, FolderMailer(tmp_path, "a@example.org"))

    def left() -> set[str]:
        with world.db.transaction() as tx:
            kept: set[UUID] = set(tx.scalars(select(Message.id)))
        assert {path.stem for path in tmp_path.glob("*.eml")} == {str(one) for one in kept}
        return {name for name, one in ids.items() if one in kept}

    monkeypatch.setattr(clock, "now", lambda: now + mail.KEPT)
    assert retention.in_batches(world.db, sweep) == 0
    monkeypatch.setattr(clock, "now", lambda: now + mail.KEPT + timedelta(microseconds=1))
    assert retention.in_batches(world.db, sweep) == 2
    assert left() == {"held", "going", "later", "never"}
    with world.db.transaction() as tx:
        erasure.lift(tx, world.auditor, held.id)
    assert retention.in_batches(world.db, sweep) == 1
    assert left() == {"going", "later", "never"}


def _sent(recipient: UUID, case_id: UUID | None, at: datetime | None) -> Message:
    return Message(case_id=case_id, recipient_id=recipient, template="published", facts={}, sent_at=at)
