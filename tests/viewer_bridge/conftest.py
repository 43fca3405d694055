"""A database, settings, and people to grant things to."""

from __future__ import annotations

from pathlib import Path

import pytest

from overread.kit import principals
from overread.kit.db import Database, Session
from overread.kit.principals import Principal, Role
from overread.kit.settings import Settings


@pytest.fixture
def db(database: Database) -> Database:
    """A database of this test's own."""
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
