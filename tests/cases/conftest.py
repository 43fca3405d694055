"""What the tests of this room share: a world with people, a program and the payment sandbox on a socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.stripe_gateway import StripeGateway
from overread.kit.db import Database
from pacs.store.archive import Archive
from tests.cases.world import World
from tests.fakes.payments import Sandbox


@pytest.fixture
def world(database: Database, archive: Archive, gateway: StripeGateway, sandbox: Sandbox, tmp_path: Path) -> World:
    """People, a program and an archive."""
    return World(database, archive, gateway, sandbox, tmp_path)
