"""A power cut on a disk that forgets what was not fsynced: no acknowledged instance is lost.

kill -9 can't find a missing fsync, for the kernel still writes what the dead left. The controls show that this can:
on a disk that is deaf to fsync the same check fails.
"""

from __future__ import annotations

import os
import time

import pytest

from tests.faults.disks import Volatile, volatile
from tests.faults.harness import Site, folder, stop
from tests.faults.test_kill import settled

pytestmark = pytest.mark.live
#: `make faults` asks for 20, and for the controls.
CUTS = int(os.environ.get("FAULT_CUTS", "1"))


def send_and_cut(site: Site, disk: Volatile, seconds: float) -> None:
    senders = site.senders()
    time.sleep(seconds)
    victims = site.server.processes()
    lost = disk.tell("cut")
    # What is answered from here on was durable before: a cut disk answers every fsync with an error.
    site.server.kill(victims)
    stop(senders)
    assert disk.tell("heal") == "healed"
    files, names = lost.split()
    print(f"{len(site.ledger.acknowledged)} acknowledged; {files} files lost bytes, {names} names went back")


def test_whatever_was_acknowledged_survives_a_power_cut() -> None:
    with folder("power") as base, volatile(base / "disk") as disk, Site(disk.point) as site:
        disk.tell("settle")
        for _ in range(CUTS):
            send_and_cut(site, disk, site.server.random.uniform(0.5, 2.0))
            site.server.start()
            site.check()
        settled(site)


@pytest.mark.skipif("FAULT_CUTS" not in os.environ, reason="long: `make faults` runs it")
@pytest.mark.parametrize("deaf", ["", "blobs"], ids=["deaf everywhere", "deaf to the blobs' folder"])
def test_the_same_check_fails_without_fsync(deaf: str) -> None:
    with folder("power") as base, volatile(base / "disk", deaf=deaf) as disk, Site(disk.point) as site:
        disk.tell("settle")
        send_and_cut(site, disk, 2.0)
        site.server.start()
        with pytest.raises(AssertionError):
            site.check()
        if deaf:
            blobs, named = site.disk_and_rows()
            assert named - blobs, "rows were durable, their blobs were not"
