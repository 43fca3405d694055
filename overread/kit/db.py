"""The database: one engine a process, and the only place that commits.

Application code never commits: a request, an ingest batch or a job is one `transaction()`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import orjson
import psycopg
from psycopg.types.json import set_json_loads
from sqlalchemy import JSON, DateTime, LargeBinary, MetaData, Uuid, create_engine, event, exc, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from overread.kit.connections import IN_UTC, Connection, Connections
from overread.kit.errors import StorageFull, Unavailable

__all__ = ["Base", "Connection", "Database", "Session"]

#: Seconds after which an unused connection is asked whether it still lives.
_IDLE = 2.0
#: Seconds after a failure in which every connection is asked.
_DOUBT = 30.0
#: Of single statements: planning a large one anew takes longer than running it.
QUICK = "SET plan_cache_mode = force_generic_plan"
#: In a session's `info`: what is called after its commit, and with what.
_AFTER = "after_commit"
#: How many transactions a thread is in.
_here = threading.local()
_T = TypeVar("_T")

# A page of search results is mostly JSON.
set_json_loads(orjson.loads)


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
        #: The folder in which what was ended is remembered, if anywhere (`overread.kit.ended`).
        self.ended: Path | None = None
        self._doubtful_until = 0.0
        self.engine = create_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=20,
            # An error would otherwise quote the values of its statement, and with them names of patients.
            hide_parameters=True,
        )
        event.listen(self.engine, "connect", _begin_in_utc)
        event.listen(self.engine, "checkin", self._remember_use)
        event.listen(self.engine, "checkout", self._check_if_doubtful)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        #: By their settings, the connections beside the pool's.
        self._others: dict[str, Connections] = {}
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back on any exception.

        Raises Unavailable where the database can't be reached or has no connection free, StorageFull where its disk
        is full.
        """
        try:
            with _counted(), self._sessions() as session, session.begin():
                yield session
        except exc.TimeoutError as error:
            # Raised by the pool alone: nothing was begun.
            raise Unavailable(f"every connection is at work: {error}") from error
        except (exc.OperationalError, psycopg.OperationalError) as error:
            self._doubtful_until = time.monotonic() + _DOUBT
            raise _translated(error.orig if isinstance(error, exc.OperationalError) else error) from error
        for act, subjects in session.info.pop(_AFTER, {}).items():
            act(self, subjects)

    def at_once(self, work: Callable[[Connection], _T], settings: str = QUICK) -> _T:
        """What `work` gives, called with a connection on which every statement is a transaction of its own.

        `settings`: SET statements, by which its connections were opened; whoever works with others has others, and
        does not wait for these. `work` may be called twice, on another connection: what it does must come to the same
        then. It must not ask for another connection. Raises StorageFull, Unavailable.
        """
        try:
            return self._beside(settings).do(work)
        except psycopg.errors.QueryCanceled:
            # It took longer than its settings allow, which tells nothing of the server.
            raise
        except psycopg.OperationalError as error:
            self._doubtful_until = time.monotonic() + _DOUBT
            raise _translated(error) from error

    def _beside(self, settings: str) -> Connections:
        with self._lock:
            if settings not in self._others:
                self._others[settings] = Connections(libpq_url(self.url), settings)
            return self._others[settings]

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
        """Close every pooled connection, and those that are at work as soon as they come back."""
        pool = self.engine.pool
        self.engine.dispose()
        event.listen(pool, "checkin", _close)
        for one in self._others.values():
            one.close()


def _close(connection: Any, _record: Any) -> None:
    connection.close()


def after_commit(tx: Session, act: Callable[[Database, list[UUID]], None], subject: UUID) -> None:
    """Have `act(database, subjects)` called once the transaction is committed, before its block is left.

    It may find that a subject was rolled back with a savepoint. What it raises, the block's caller gets.
    """
    tx.info.setdefault(_AFTER, {}).setdefault(act, []).append(subject)


@contextmanager
def _counted() -> Iterator[None]:
    _here.depth = getattr(_here, "depth", 0) + 1
    try:
        yield
    finally:
        _here.depth -= 1


def refuse_within_transaction(what: str) -> None:
    """Raises RuntimeError where this thread is in a transaction: for what takes long, and must hold no connection."""
    if getattr(_here, "depth", 0):
        raise RuntimeError(f"{what} within a transaction")


def _begin_in_utc(connection: Any, _record: Any) -> None:
    connection.execute(IN_UTC)
    connection.commit()


def _translated(error: BaseException | None) -> Unavailable:
    if isinstance(error, psycopg.errors.DiskFull):
        return StorageFull(f"the database's disk is full: {error}")
    return Unavailable(f"the database can't be reached: {error}")


def reading(tx: Session | Connection) -> Connection:
    """The connection of a transaction, what waits to be written in it written; a connection itself."""
    if not isinstance(tx, Session):
        return tx
    tx.flush()
    return raw(tx)


def raw(tx: Session) -> Connection:
    """The psycopg connection beneath a transaction, for COPY and for enqueuing jobs in it."""
    connection = tx.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection
