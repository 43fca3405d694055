"""A database of the room's own tables, and people to grant things to."""

from __future__ import annotations

from pathlib import Path

import pytest

from overread.kit import audit, principals
from overread.kit.db import Base, Database, Session
from overread.kit.principals import Principal, PrincipalRow, Role, TokenRow
from overread.kit.settings import Settings
from viewer_bridge.models import Grant, LaunchCode

TABLES = [
    Base.metadata.tables[model.__tablename__] for model in (PrincipalRow, TokenRow, audit.AuditRow, Grant, LaunchCode)
]


@pytest.fixture
def db(database: Database) -> Database:
    """A database of this test's own, with the tables that this room uses."""
    Base.metadata.create_all(database.engine, TABLES)
    return database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"data_dir": tmp_path, "public_url": "https://portal.example"})


def person(tx: Session, role: Role, name: str = "Somebody") -> Principal:
    return principals.create(tx, role=role, name=name).as_principal(via="session")


@pytest.fixture
def specialist(db: Database) -> Principal:
    with db.transaction() as tx:
        return person(tx, Role.SPECIALIST, "Dr. Grau")


@pytest.fixture
def coordinator(db: Database) -> Principal:
    with db.transaction() as tx:
        return person(tx, Role.COORDINATOR, "Ms. Blau")
