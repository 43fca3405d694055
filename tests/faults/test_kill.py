"""kill -9 in the middle of STOW-RS and C-STORE, at random moments: the invariant holds, and no hand is needed."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import partial

import psutil
import pytest

from tests.faults.harness import Site, folder, stop, wait_for

pytestmark = pytest.mark.live
#: `make faults` asks for more of both.
CYCLES = int(os.environ.get("FAULT_KILLS", "2"))
DEATHS = int(os.environ.get("FAULT_DEATHS", "2"))


def settled(site: Site) -> None:
    """The invariant for all that was ever sent, after a sweep."""
    site.recheck()
    site.server.run("sweep", "--older-than", "0")
    blobs, named = site.disk_and_rows()
    assert named == blobs, "after the sweep every blob is named by a row, and every row's blob is there"
    assert site.left_aside() == []
    assert site.ledger.acknowledged


def more_than(site: Site, acknowledged: int) -> bool:
    return len(site.ledger.acknowledged) > acknowledged


def test_whatever_was_acknowledged_survives_kill_9_of_everything() -> None:
    with folder("kill") as base, Site(base / "data") as site:
        for cycle in range(CYCLES):
            senders = site.senders()
            time.sleep(site.server.random.uniform(0.2, 1.5))
            site.server.kill()
            stop(senders)
            site.server.start()
            site.check()
            print(f"cycle {cycle + 1}: {len(site.ledger.acknowledged)} acknowledged of {len(site.ledger.sent)} sent")
        settled(site)


def test_one_process_after_another_dies_while_senders_go_on() -> None:
    """In turn one of our own and one of PostgreSQL's, which then restarts all of its own."""
    with folder("death") as base, Site(base / "data", workers=2) as site:
        supervisor, postmaster = site.server.heads()
        senders = site.senders()
        for death in range(DEATHS):
            parent = (supervisor, postmaster)[death % 2]
            wait_for("somebody to kill", parent.children)
            victim = site.server.random.choice(parent.children())
            with suppress(psutil.NoSuchProcess):
                victim.kill()
            wait_for("stored again", partial(more_than, site, len(site.ledger.acknowledged) + 20), 60)
            print(f"death {death + 1}: {len(site.ledger.acknowledged)} acknowledged of {len(site.ledger.sent)} sent")
        stop(senders)
        # What dies again and again is started again after a growing pause.
        wait_for("ready", site.ready, 60)
        settled(site)
