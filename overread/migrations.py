"""The database's schema: brought up to date by Alembic, and checked before anything starts."""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from overread.kit.db import sqlalchemy_url
from overread.kit.errors import OverreadError

#: One migration at a time, whichever process begins it.
_LOCK = 0x6F766572_72656164 >> 1


def folder() -> Path:
    """The folder of migrations: within an installed wheel, else the checkout's."""
    installed = Path(__file__).parent / "_alembic"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "alembic"


def _config(url: str) -> Config:
    config = Config(stdout=sys.stderr)
    config.set_main_option("script_location", str(folder()))
    config.attributes["url"] = sqlalchemy_url(url)
    return config


def migrate(url: str) -> None:
    """Apply every migration that the database lacks."""
    engine = create_engine(sqlalchemy_url(url))
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            config = _config(url)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
    finally:
        engine.dispose()


def make_or_check(url: str) -> None:
    """Give a fresh database its schema. Raises OverreadError where there is one that is not the program's."""
    current = _current(url)
    if current is None:
        migrate(url)
        return
    wanted = ScriptDirectory.from_config(_config(url)).get_current_head()
    if current != wanted:
        raise OverreadError(f"the database is at {current}, this program needs {wanted}: run `overread migrate`")


def _current(url: str) -> str | None:
    engine = create_engine(sqlalchemy_url(url))
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
