"""What the tests of this room share: a world with people, a program and the payment sandbox on a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import procrastinate
import psycopg
import pytest

from billing.stripe_gateway import StripeGateway
from overread import models
from overread.kit.db import Base, Database
from pacs.archive import Archive
from tests.cases.world import World
from tests.fakes.payments import Sandbox


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """Every room's tables as the models say, and the job queue's."""
    name = "cases_template"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = postgres.replace("/postgres?", f"/{name}?", 1)
    with psycopg.connect(url, autocommit=True) as connection:
        schema = procrastinate.App(connector=procrastinate.SyncPsycopgConnector()).schema_manager.get_schema()
        connection.execute(schema.encode())
    models.load()
    made = Database(url)
    Base.metadata.create_all(made.engine)
    made.close()
    return name


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """The payment sandbox, sending no webhooks."""
    served = Sandbox()
    yield served
    served.stop()


@pytest.fixture
def gateway(sandbox: Sandbox) -> Iterator[StripeGateway]:
    """The real SDK, pointed at the sandbox."""
    made = sandbox.gateway()
    yield made
    made.close()


@pytest.fixture
def world(database: Database, archive: Archive, gateway: StripeGateway, sandbox: Sandbox, tmp_path: Path) -> World:
    """People, a program and an archive."""
    return World(database, archive, gateway, sandbox, tmp_path)
