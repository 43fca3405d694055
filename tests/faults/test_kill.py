"""kill -9 in the middle of STOW-RS and C-STORE, at random moments: the invariant holds, and no hand is needed."""

from __future__ import annotations

import os
import time

import pytest

from tests.faults.harness import Site, folder, stop

pytestmark = pytest.mark.live
#: `make faults` asks for 200.
CYCLES = int(os.environ.get("FAULT_KILLS", "2"))


def test_whatever_was_acknowledged_survives_kill_9() -> None:
    with folder("kill") as data:
        site = Site(data / "data")
        site.open()
        for cycle in range(CYCLES):
            senders = site.senders()
            time.sleep(site.server.random.uniform(0.05, 1.0))
            site.server.kill()
            stop(senders)
            site.server.start()
            site.check()
            print(f"cycle {cycle + 1}: {len(site.ledger.acknowledged)} acknowledged of {len(site.ledger.sent)} sent")
        site.recheck()
        blobs, named = site.disk_and_rows()
        assert named <= blobs, "a row names a blob that is not there"
        assert site.ledger.acknowledged
        site.server.stop()
