"""What billing's tests share: a price, the sandbox on a socket and the gateway to it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing import service
from overread.kit.db import Database

PRICE = 35000


@pytest.fixture
def db(database: Database) -> Database:
    """A database with one price."""
    with database.transaction() as tx:
        service.set_price(tx, "written", "Written report", PRICE, "USD", valid_from=datetime(2020, 1, 1, tzinfo=UTC))
    return database
