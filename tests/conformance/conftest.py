"""The whole portal over an empty archive, spoken to over ASGI, and people of every role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from overread.app import portal_app
from overread.kit import principals, tokens
from overread.kit.db import Database
from overread.kit.principals import Principal, Role
from overread.services import Services
from pacs.store.archive import Archive
from tests.architecture import surface

As = Callable[[Role], dict[str, str]]


@pytest.fixture
def portal(database: Database, tmp_path: Path) -> Services:
    """The services of the portal."""
    return surface.services(database, tmp_path)


@pytest.fixture
def archive(portal: Services) -> Archive:
    """The portal's archive."""
    return portal.archive


@pytest.fixture
def people(database: Database) -> dict[Role, Principal]:
    """One principal of every role."""
    with database.transaction() as tx:
        return {role: principals.create(tx, role=role, name=f"a {role}").as_principal(via="api") for role in Role}


@pytest.fixture
def as_(database: Database, people: dict[Role, Principal]) -> As:
    """Makes the header of a role's principal."""

    def make(role: Role) -> dict[str, str]:
        with database.transaction() as tx:
            return {"Authorization": f"Bearer {tokens.issue(tx, people[role].id)}"}

    return make


@pytest.fixture
def client(portal: Services, as_: As) -> Iterator[TestClient]:
    """A coordinator's client; give other headers to be somebody else."""
    app = portal_app(portal)
    with TestClient(app, base_url="http://test/dicomweb/", headers=as_(Role.COORDINATOR)) as made:
        yield made
