"""What billing's tests share: its tables, a price, the sandbox on a socket and the gateway to it."""

from __future__ import annotations

from collections.abc import Iterator

import procrastinate
import psycopg
import pytest

import billing.models
from billing import service
from billing.stripe_gateway import StripeGateway
from overread.kit.db import Base, Database
from tests.fakes.payments import Sandbox

PRICE = 35000


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """A database with billing's tables and the job queue's, and no others."""
    name = "billing_template"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = postgres.replace("/postgres?", f"/{name}?", 1)
    with psycopg.connect(url, autocommit=True) as connection:
        schema = procrastinate.App(connector=procrastinate.SyncPsycopgConnector()).schema_manager.get_schema()
        connection.execute(schema.encode())
    made = Database(url)
    tables = [t for t in Base.metadata.sorted_tables if t.name.startswith("billing_")]
    Base.metadata.create_all(made.engine, tables=tables)
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
def db(database: Database) -> Database:
    """A database with one price."""
    assert billing.models.Price.__tablename__ in Base.metadata.tables
    with database.transaction() as tx:
        service.set_price(tx, "written", "Written report", PRICE, "USD")
    return database
