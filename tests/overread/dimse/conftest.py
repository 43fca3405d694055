"""The cases' world with its people's AE titles, and the listener as the roof wires it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from overread.dimse import accesses, takes
from pacs.dimse import peers
from tests.cases.world import World
from tests.pacs.dimse.conftest import Listen, eventually, threads
from tests.web.conftest import sandbox, world

__all__ = ["sandbox", "world"]

#: AE titles, and whose they are.
AES = {"READER": "specialist", "DESK": "specialist", "RIVAL": "other_specialist", "WARD": "hospital"}


@pytest.fixture
def port(world: World, tmp_path: Path) -> Iterator[int]:
    """Where the listener is."""
    with world.db.transaction() as tx:
        for title, key in AES.items():
            owner = world.who[key]
            peers.register(tx, title, "127.0.0.1", 104, owner.role, owner_id=owner.id)
    start = Listen(world.archive, tmp_path, accesses, takes)
    yield start()
    for listener in start.listeners:
        listener.stop()
    eventually(lambda: threads() == [])
