"""What ended goes when its time is over, to the moment, in batches; what stands, or is needed, stays."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from overread.kit import jobs, principals, retention, tokens
from overread.kit.db import Database
from overread.kit.principals import Role, TokenRow

LATER = timedelta(seconds=1)


def kinds(db: Database) -> list[str]:
    with db.transaction() as tx:
        return sorted(tx.scalars(select(TokenRow.kind)))


def test_tokens_go_a_month_after_they_ended(database: Database, now: list[datetime]) -> None:
    with database.transaction() as tx:
        owner = principals.create(tx, role=Role.SPECIALIST, name="S").id
        tokens.issue(tx, owner)
        tokens.issue(tx, owner, tokens.DEVICE, lasts=tokens.DEVICE_LENGTH)
        tokens.revoke(tx, tokens.issue(tx, owner, tokens.VIEWER))
        tokens.issue(tx, owner, tokens.SESSION, lasts=timedelta(hours=1))
        # Codes name what they open, and go together with it.
        tokens.issue(tx, owner, tokens.LAUNCH, lasts=timedelta(minutes=1))
    began = now[0]
    now[0] = began + tokens.KEPT
    assert retention.in_batches(database, tokens.sweep) == 0
    now[0] += LATER
    assert retention.in_batches(database, tokens.sweep) == 1
    assert kinds(database) == ["api", "device", "launch", "session"]
    now[0] = began + tokens.KEPT + timedelta(hours=1) + LATER
    assert retention.in_batches(database, tokens.sweep) == 1
    assert kinds(database) == ["api", "device", "launch"]


def test_a_session_stays_as_long_as_what_was_given_out_in_it(database: Database, now: list[datetime]) -> None:
    with database.transaction() as tx:
        owner = principals.create(tx, role=Role.SPECIALIST, name="S").id
        session = tokens.named(tx, tokens.issue(tx, owner, tokens.SESSION, lasts=timedelta(hours=1)))
        viewer = tokens.issue(tx, owner, tokens.VIEWER, lasts=timedelta(days=50), parent_id=session)
    now[0] += tokens.KEPT + timedelta(days=2)
    assert retention.in_batches(database, tokens.sweep) == 0
    with database.transaction() as tx:
        assert tokens.verify(tx, viewer, tokens.VIEWER).via_id == session
    now[0] += timedelta(days=50)
    # The one that was given out goes first, then what it was given out in.
    assert retention.in_batches(database, tokens.sweep) == 2


def test_many_go_in_batches(database: Database, now: list[datetime], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_BATCH", 4)
    monkeypatch.setattr(retention, "_BATCHES", 2)
    with database.transaction() as tx:
        owner = principals.create(tx, role=Role.HOSPITAL, name="H").id
        for _ in range(11):
            tokens.issue(tx, owner, lasts=LATER)
    now[0] += tokens.KEPT + 2 * LATER
    assert [retention.in_batches(database, tokens.sweep) for _ in range(3)] == [8, 3, 0]


def test_failed_jobs_go_three_months_after_their_last_try(database: Database, now: list[datetime]) -> None:
    began = now[0]
    with database.transaction() as tx:
        for status in ("todo", "doing", "failed", "cancelled", "aborted"):
            one = tx.scalar(
                text("""INSERT INTO procrastinate_jobs (queue_name, task_name, status)
                VALUES ('overread', CAST(:status AS text), CAST(:status AS procrastinate_job_status)) RETURNING id"""),
                {"status": status},
            )
            tx.execute(
                text("INSERT INTO procrastinate_events (job_id, type, at) VALUES (:job, 'started', :at)"),
                {"job": one, "at": began},
            )
            # What is written of a job when it is enqueued is older.
            tx.execute(
                text("UPDATE procrastinate_events SET at = :at WHERE job_id = :job AND type <> 'started'"),
                {"job": one, "at": began - timedelta(days=1)},
            )
    now[0] = began + jobs.KEPT
    assert retention.in_batches(database, jobs.sweep) == 0
    now[0] += LATER
    assert retention.in_batches(database, jobs.sweep) == 3
    with database.transaction() as tx:
        assert sorted(tx.scalars(text("SELECT task_name FROM procrastinate_jobs"))) == ["doing", "todo"]
