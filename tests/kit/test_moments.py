"""Moments from the database are UTC's, whatever the server's own zone is; identifiers are in the order of time."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from overread.kit import clock
from overread.kit.audit import AuditRow
from overread.kit.db import Database

#: An hour before summer time begins in this zone, and before it ends.
_ZONE = "Europe/Berlin"
_BEFORE = (datetime(2027, 3, 28, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC))


@pytest.fixture
def abroad(database: Database) -> Database:
    """A database whose server is in a zone with summer time."""
    with database.transaction() as tx:
        name = tx.scalar(text("SELECT current_database()"))
        tx.execute(text(f"ALTER DATABASE {name} SET timezone TO '{_ZONE}'"))
    database.engine.dispose()
    return database


def test_the_server_is_abroad(abroad: Database) -> None:
    with abroad.transaction() as tx:
        assert tx.scalar(text("SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'")) == _ZONE


def test_every_connection_shows_utc(abroad: Database) -> None:
    def failing() -> None:
        with abroad.transaction() as tx:
            assert tx.scalar(text("SHOW timezone")) == "UTC"
            raise ZeroDivisionError

    # The same connection serves the next transaction when one is rolled back.
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            failing()
    assert abroad.at_once(lambda found: found.execute("SHOW timezone").fetchone()) == ("UTC",)
    assert abroad.at_once(lambda found: found.execute("SHOW timezone").fetchone(), "SELECT 1") == ("UTC",)


@pytest.mark.parametrize("before", _BEFORE)
def test_two_hours_are_two_hours_where_clocks_are_changed(abroad: Database, before: datetime) -> None:
    later = before + timedelta(hours=2)
    with abroad.transaction() as tx:
        for at in (before, later):
            tx.add(AuditRow(at=at, actor="", role="", action="", object_kind="", object_id="", outcome=""))
    with abroad.transaction() as tx:
        first, second = tx.scalars(select(AuditRow.at).order_by(AuditRow.at))
    assert second - first == timedelta(hours=2)
    assert first + timedelta(hours=2) == second
    assert first.isoformat() == before.isoformat()


def test_identifiers_are_in_the_order_in_which_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of one millisecond: of a log's lines, the offers of a case."""
    start = 1_798_761_599_999_000_000
    moments = [start + 250 * step for step in range(20_000)]
    monkeypatch.setattr("time.time_ns", iter(moments).__next__)
    made = [clock.uuid7() for _ in moments]
    assert made == sorted(made)
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    assert [one.int >> 80 for one in made] == [moment // 1_000_000 for moment in moments]


def test_identifiers_of_one_moment_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_798_761_599_999_999_999)
    assert len({clock.uuid7() for _ in range(10_000)}) == 10_000
