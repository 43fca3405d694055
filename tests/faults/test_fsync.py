"""fsync fails: nothing is acknowledged, nothing is left, and what the disk holds already is served."""

from __future__ import annotations

import pytest

from tests.faults.disks import volatile
from tests.faults.harness import Site, folder
from tests.faults.test_full import OUT_OF_RESOURCES, send_by_store, send_by_web
from tests.faults.test_kill import settled

pytestmark = pytest.mark.live


def test_an_instance_whose_fsync_failed_is_never_acknowledged() -> None:
    with folder("fsync") as base, volatile(base / "disk") as disk, Site(disk.point) as site:
        kept, by_web, by_store = (site.ledger.new_study() for _ in range(3))
        assert send_by_web(site, kept, 0) == 200
        disk.tell("sick")
        assert send_by_web(site, by_web, 0) == 503
        assert send_by_store(site, by_store, 0) == {OUT_OF_RESOURCES}
        assert site.found(by_web) == site.found(by_store) == set()
        assert len(site.retrieved(kept)) == len(site.found(kept)) > 0
        assert site.left_aside() == []
        disk.tell("heal")
        assert send_by_web(site, by_web, 0) == 200
        assert send_by_store(site, by_store, 0) == {0}
        settled(site)
