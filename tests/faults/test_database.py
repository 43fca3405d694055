"""The database goes and comes back: 503 and A700 meanwhile, and no restart of ours."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.cstore import Refused
from overread.kit import postgres
from overread.kit.settings import Settings
from tests.faults.harness import Site, folder, wait_for
from tests.faults.test_full import OUT_OF_RESOURCES, associate, send_by_store, send_by_web, store_all

pytestmark = pytest.mark.live


def stop_database(data: Path) -> None:
    """PostgreSQL's own fast stop."""
    postmaster = psutil.Process(int((data / "postgres" / "postmaster.pid").read_text().split()[0]))
    postmaster.send_signal(signal.SIGINT)
    postmaster.wait(20)


def test_the_database_goes_and_comes_back() -> None:
    with folder("database") as base:
        site = Site(base / "data")
        site.open()
        settings = Settings(data_dir=site.server.folder, database_url=None)
        try:
            by_web, by_store = site.ledger.new_study(), site.ledger.new_study()
            assert send_by_web(site, by_web, 0) == 200
            with associate(site) as association:
                assert store_all(site, association, by_store, 0) == {0}
                stop_database(site.server.folder)
                assert send_by_web(site, by_web, 100) == 503
                assert store_all(site, association, by_store, 100, 1) == {OUT_OF_RESOURCES}
            # Who calls can't be looked up: rejected transiently, local limit exceeded (PS3.8 9.3.4).
            with pytest.raises(Refused, match="00 02 03 02"):
                associate(site)
            assert site.get("studies", {}).status_code == 503
            assert httpx.get(f"{site.server.url}/healthz").status_code == 200
            assert httpx.get(f"{site.server.url}/readyz").status_code == 503
            _, again = postgres.start(settings)
            assert again is not None
            wait_for("ready again", lambda: httpx.get(f"{site.server.url}/readyz").status_code == 200)
            assert send_by_web(site, by_web, 100) == 200
            assert send_by_store(site, by_store, 100) == {0}
            site.check()
            blobs, named = site.disk_and_rows()
            assert named <= blobs
            assert site.left_aside() == []
        finally:
            site.server.stop()
