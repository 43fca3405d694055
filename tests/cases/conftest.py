"""What the tests of this room share: a world with people, a program and the payment sandbox on a socket."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from billing.stripe_gateway import StripeGateway
from overread.kit import clock
from overread.kit.db import Database
from pacs.store.archive import Archive
from tests.cases.world import World
from tests.fakes.payments import Sandbox


class MovedClock:
    """The clock of `overread.kit.clock`; jobs are due by it, too (`World.drain`). Once moved it stands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def to(self, at: datetime) -> None:
        """It is this moment now."""
        self._monkeypatch.setattr(clock, "now", lambda: at)


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    """A clock that a test moves."""
    return MovedClock(monkeypatch)


@pytest.fixture
def world(database: Database, archive: Archive, gateway: StripeGateway, sandbox: Sandbox, tmp_path: Path) -> World:
    """People, a program and an archive."""
    return World(database, archive, gateway, sandbox, tmp_path)
