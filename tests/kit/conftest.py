"""What tests of the kit share."""

from __future__ import annotations

from datetime import datetime

import pytest

from overread.kit import clock


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """A clock that stands still; its one member is what it shows."""
    shown = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: shown[0])
    return shown
