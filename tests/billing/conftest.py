"""What billing's tests share: a price, the sandbox on a socket and the gateway to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billing import service
from billing.stripe_gateway import StripeGateway
from overread.kit.db import Database
from tests.fakes.payments import Sandbox

PRICE = 35000


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
    with database.transaction() as tx:
        service.set_price(tx, "written", "Written report", PRICE, "USD")
    return database
