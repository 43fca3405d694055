"""Connections for single statements: kept for the next, opened anew where the server closed them, apart by settings."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from overread.kit import connections
from overread.kit.db import QUICK, Connection, Database
from overread.kit.errors import NotFound, Unavailable

_SLOW = "SET statement_timeout = '1s'"


def backend(connection: Connection) -> int:
    return connection.info.backend_pid


def test_a_connection_is_kept_for_the_next_statement_of_its_settings(database: Database) -> None:
    first = database.at_once(backend)
    assert database.at_once(backend) == first
    assert database.at_once(backend, _SLOW) != first
    assert database.at_once(lambda found: found.execute("SHOW statement_timeout").fetchone(), _SLOW) == ("1s",)
    assert database.at_once(lambda found: found.execute("SHOW statement_timeout").fetchone(), QUICK) == ("0",)


def test_what_is_refused_or_takes_too_long_keeps_its_connection(database: Database) -> None:
    def refuse(_connection: Connection) -> None:
        raise NotFound("not here")

    first = database.at_once(backend, _SLOW)
    with pytest.raises(NotFound):
        database.at_once(refuse, _SLOW)
    with pytest.raises(psycopg.errors.QueryCanceled):
        database.at_once(lambda found: found.execute("SELECT pg_sleep(5)"), _SLOW)
    assert database.at_once(backend, _SLOW) == first


def test_a_connection_that_the_server_closed_is_replaced(database: Database) -> None:
    first = database.at_once(backend)
    with database.transaction() as tx:
        tx.connection().exec_driver_sql(f"SELECT pg_terminate_backend({first})")
    assert database.at_once(lambda found: found.execute("SELECT 1").fetchone()) == (1,)
    assert database.at_once(backend) != first


def test_who_has_other_settings_does_not_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_PATIENCE", 0.05)
    go_on, begun = threading.Event(), threading.Barrier(connections._MOST + 1)

    def hold(_connection: Connection) -> None:
        begun.wait(30)
        assert go_on.wait(30)

    with ThreadPoolExecutor(connections._MOST) as searchers:
        held = [searchers.submit(database.at_once, hold, _SLOW) for _ in range(connections._MOST)]
        begun.wait(30)
        assert database.at_once(lambda found: found.execute("SELECT 1").fetchone()) == (1,)
        with pytest.raises(Unavailable, match="at work"):
            database.at_once(backend, _SLOW)
        go_on.set()
        for one in held:
            one.result(30)
    assert isinstance(database.at_once(backend, _SLOW), int)
