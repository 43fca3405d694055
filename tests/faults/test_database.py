"""The database goes and comes back: 503 and A700 meanwhile, and no restart of ours."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from benchmarks.cstore import Refused
from overread.kit import postgres
from overread.kit.settings import Settings
from tests.faults.harness import Site, folder, wait_for
from tests.faults.test_full import OUT_OF_RESOURCES, associate, send_by_store, send_by_web, store_all

pytestmark = pytest.mark.live


@contextmanager
def database_stopped(site: Site) -> Iterator[None]:
    """PostgreSQL's own fast stop. The supervisor is held meanwhile, lest it helps before we have looked."""
    supervisor, postmaster = site.server.heads()
    supervisor.suspend()
    try:
        postmaster.send_signal(signal.SIGINT)
        postmaster.wait(20)
        yield
        _, again = postgres.start(Settings(data_dir=site.server.folder, database_url=None))
        assert again is not None
    finally:
        supervisor.resume()


def stores_again(site: Site, study: int) -> bool:
    """Whether an association is accepted and all that it sends is stored."""
    try:
        return send_by_store(site, study, 100) == {0}
    except Refused:
        return False


def test_the_database_goes_and_comes_back() -> None:
    with folder("database") as base, Site(base / "data") as site:
        by_web, by_store = site.ledger.new_study(), site.ledger.new_study()
        assert send_by_web(site, by_web, 0) == 200
        with associate(site) as association:
            assert store_all(site, association, by_store, 0) == {0}
            with database_stopped(site):
                assert send_by_web(site, by_web, 100) == 503
                assert store_all(site, association, by_store, 100, 1) == {OUT_OF_RESOURCES}
                # Who calls can't be looked up: rejected transiently, local limit exceeded (PS3.8 9.3.4).
                with pytest.raises(Refused, match="00 02 03 02"):
                    associate(site)
                assert site.get("studies", {}).status_code == 503
                assert httpx.get(f"{site.server.url}/healthz").status_code == 200
                assert not site.ready()
        wait_for("ready again", site.ready)
        # Connections that died with it are found dead by use: the first senders may be asked to come again.
        wait_for("stored by web", lambda: send_by_web(site, by_web, 100) == 200)
        wait_for("stored by C-STORE", lambda: stores_again(site, by_store))
        site.check()
        blobs, named = site.disk_and_rows()
        assert named <= blobs
        assert site.left_aside() == []
