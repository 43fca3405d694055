"""The job worker's process."""

from __future__ import annotations

from overread import wiring
from overread.kit.settings import Settings
from overread.processes import announce_ready
from overread.services import build


def run(settings: Settings) -> None:
    """Work on jobs until SIGTERM."""
    services = build(settings, pool_size=4)
    bus = wiring.wire(services)
    try:
        bus.run(on_start=announce_ready)
    finally:
        services.db.close()
