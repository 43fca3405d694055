"""A listener of the hospital WARD, and whoever it may answer."""

from __future__ import annotations

import pytest

from overread.kit.principals import Principal
from pacs.store.archive import Archive
from tests.pacs.dimse.conftest import Listen, listen, registered
from tests.pacs.dimse.querying import principal_of

__all__ = ["listen", "registered"]


@pytest.fixture
def port(listen: Listen) -> int:
    """Where it listens."""
    return listen()


@pytest.fixture
def ward(archive: Archive, registered: None) -> Principal:
    """The hospital."""
    return principal_of(archive, "WARD")
