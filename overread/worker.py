"""The job worker's process."""

from __future__ import annotations

from overread import wiring
from overread.processes import announce_ready
from overread.services import Services


def run(services: Services) -> None:
    """Work on jobs until SIGTERM."""
    bus = wiring.wire(services)
    try:
        bus.run(on_start=announce_ready)
    finally:
        services.db.close()
