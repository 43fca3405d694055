"""Lines of the log: where they go."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from overread.kit import log


@pytest.fixture
def configured() -> Iterator[None]:
    """Logging as a program sets it up, taken back afterwards."""
    root = logging.getLogger()
    handlers, level, known = list(root.handlers), root.level, structlog.get_config()
    log.configure("INFO")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**known)


def test_lines_go_to_standard_error_as_it_is_by_then(configured: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a test, or another program, it is replaced, and what it was is closed."""
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", first)
    structlog.get_logger("a").info("one", password="not told")
    monkeypatch.setattr(sys, "stderr", second)
    first_lines = first.getvalue().splitlines()
    first.close()
    structlog.get_logger("a").info("two")
    assert [json.loads(line)["event"] for line in first_lines] == ["one"]
    assert "not told" not in first_lines[0]
    assert [json.loads(line)["event"] for line in second.getvalue().splitlines()] == ["two"]
