"""The database: one engine a process, and the only place that commits.

Application code never commits: a request, an ingest batch or a job is one `transaction()`.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from sqlalchemy import JSON, DateTime, LargeBinary, MetaData, Uuid, create_engine, event, exc, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from overread.kit.errors import StorageFull, Unavailable

__all__ = ["Base", "Database", "Session"]

#: Seconds after which an unused connection is asked whether it still lives.
_IDLE = 2.0
#: Seconds after a failure in which every connection is asked.
_DOUBT = 30.0
#: Look-ups use connections of their own, outside of any transaction; so many are kept for the next.
_MOST_IDLE = 8
_PLAIN: dict[str, Any] = {"autocommit": True, "connect_timeout": 3}


class Base(DeclarativeBase):
    """The declarative base of every room's models."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads this attribute as it is
        datetime: DateTime(timezone=True),
        UUID: Uuid(),
        bytes: LargeBinary(),
        dict[str, Any]: JSON().with_variant(JSONB(), "postgresql"),
        list[Any]: JSON().with_variant(JSONB(), "postgresql"),
    }


def sqlalchemy_url(url: str) -> str:
    """A postgresql:// URL in SQLAlchemy's spelling, with psycopg as its driver."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url[len(prefix) :]
    return url


def libpq_url(url: str) -> str:
    """The same URL in libpq's spelling (what psycopg and procrastinate take)."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


class Database:
    """A pool of connections to one PostgreSQL database."""

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.url = url
        self._doubtful_until = 0.0
        self.engine = create_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=20,
            # An error would otherwise quote the values of its statement, and with them names of patients.
            hide_parameters=True,
        )
        event.listen(self.engine, "checkin", self._remember_use)
        event.listen(self.engine, "checkout", self._check_if_doubtful)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._idle: queue.LifoQueue[psycopg.Connection[Any]] = queue.LifoQueue(_MOST_IDLE)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back on any exception.

        Raises Unavailable where the database can't be reached, StorageFull where its disk is full.
        """
        try:
            with self._sessions() as session, session.begin():
                yield session
        except (exc.OperationalError, psycopg.OperationalError) as error:
            self._doubtful_until = time.monotonic() + _DOUBT
            cause = error.orig if isinstance(error, exc.OperationalError) else error
            if isinstance(cause, psycopg.errors.DiskFull):
                raise StorageFull(f"the database's disk is full: {cause}") from error
            raise Unavailable(f"the database can't be reached: {cause}") from error

    def lookup(self, statement: LiteralString, *values: Any) -> Any:
        """The first row of a query outside of any transaction, or None; one round trip.

        Raises Unavailable where the database can't be reached.
        """
        try:
            try:
                reused = self._idle.get_nowait()
            except queue.Empty:
                return self._look(psycopg.connect(libpq_url(self.url), **_PLAIN), statement, values)
            try:
                return self._look(reused, statement, values)
            except psycopg.OperationalError:
                # The server may have been away and be back: a new connection tells.
                return self._look(psycopg.connect(libpq_url(self.url), **_PLAIN), statement, values)
        except psycopg.OperationalError as error:
            self._doubtful_until = time.monotonic() + _DOUBT
            raise Unavailable(f"the database can't be reached: {error}") from error

    def _look(self, connection: psycopg.Connection[Any], statement: LiteralString, values: Sequence[Any]) -> Any:
        """The first row; the connection is kept for the next look-up if it is still good and there is room."""
        try:
            found = connection.execute(statement, values).fetchone()
            self._idle.put_nowait(connection)
        except queue.Full:
            connection.close()
        except BaseException:
            connection.close()
            raise
        return found

    def ping(self) -> None:
        """Ask the database for an answer; raises Unavailable where there is none."""
        with self.transaction() as tx:
            tx.execute(text("SELECT 1"))

    def _remember_use(self, _connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    def _check_if_doubtful(self, connection: Any, record: Any, _proxy: Any) -> None:
        """Ask a connection that lay idle, or any soon after a failure, whether it lives; others are spared."""
        now = time.monotonic()
        if now > self._doubtful_until and now - record.info.get("used", 0.0) < _IDLE:
            return
        try:
            connection.execute("SELECT 1")
            connection.rollback()
        except psycopg.Error as error:
            # The pool then opens another one.
            raise exc.DisconnectionError from error

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
        while not self._idle.empty():
            self._idle.get_nowait().close()


def raw(tx: Session) -> psycopg.Connection[Any]:
    """The psycopg connection beneath a transaction, for COPY and for enqueuing jobs in it."""
    connection = tx.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection
