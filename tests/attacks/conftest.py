"""The portal over the cases' world, for those who mean it no good."""

from __future__ import annotations

from tests.web.conftest import browser, sandbox, services, still, world

__all__ = ["browser", "sandbox", "services", "still", "world"]
