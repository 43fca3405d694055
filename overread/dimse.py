"""The DICOM listener's process."""

from __future__ import annotations

import signal

from overread.kit.settings import Settings
from overread.processes import announce_ready
from overread.services import build
from pacs.dimse.listener import Listener


def run(settings: Settings) -> None:
    """Listen until SIGTERM."""
    stop = {signal.SIGTERM, signal.SIGINT}
    # Blocked before any thread starts, so that the signal waits for this thread.
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    services = build(settings)
    listener = Listener(services.archive, settings)
    listener.start()
    announce_ready()
    try:
        signal.sigwait(stop)
    finally:
        listener.stop()
        services.db.close()
