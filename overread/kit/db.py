"""The database: one engine a process, and the only place that commits.

Application code never commits: a request, an ingest batch or a job is one `transaction()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import JSON, DateTime, LargeBinary, MetaData, Uuid, create_engine, exc, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from overread.kit.errors import StorageFull, Unavailable

__all__ = ["Base", "Database", "Session"]


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
        self.engine = create_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            pool_timeout=20,
            # An error would otherwise quote the values of its statement, and with them names of patients.
            hide_parameters=True,
        )
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back on any exception.

        Raises Unavailable where the database can't be reached, StorageFull where its disk is full.
        """
        try:
            with self._sessions() as session, session.begin():
                yield session
        except exc.OperationalError as error:
            if isinstance(error.orig, psycopg.errors.DiskFull):
                raise StorageFull(f"the database's disk is full: {error.orig}") from error
            raise Unavailable(f"the database can't be reached: {error.orig}") from error

    def ping(self) -> None:
        """Ask the database for an answer; raises Unavailable where there is none."""
        with self.transaction() as tx:
            tx.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def raw(tx: Session) -> psycopg.Connection[Any]:
    """The psycopg connection beneath a transaction, for COPY and for enqueuing jobs in it."""
    connection = tx.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection
