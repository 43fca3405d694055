"""The pool of connections to a database."""

from __future__ import annotations

import psycopg
from sqlalchemy import select

from overread.kit.db import Database


def test_a_connection_that_is_at_work_when_its_pool_is_closed_is_closed_when_it_comes_back(database_url: str) -> None:
    database = Database(database_url)
    with database.transaction() as tx:
        driver = tx.connection().connection.dbapi_connection
        database.close()
        assert tx.scalar(select(1)) == 1
    assert isinstance(driver, psycopg.Connection)
    assert driver.closed
    # What is asked for afterwards has a pool again.
    with database.transaction() as tx:
        assert tx.scalar(select(1)) == 1
    database.close()
