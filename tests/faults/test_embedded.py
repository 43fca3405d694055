"""The embedded database dies or finds no room for its log: `overread serve` brings it back without a hand."""

from __future__ import annotations

from contextlib import suppress

import psutil
import psycopg
import pytest

from overread.kit import postgres
from overread.kit.db import libpq_url
from overread.kit.settings import Settings
from tests.faults.disks import small
from tests.faults.harness import Site, folder, wait_for
from tests.faults.test_full import fill, send_by_web

pytestmark = pytest.mark.live


def ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_a_killed_database_is_started_again() -> None:
    with folder("postmaster") as base, Site(base / "data") as site:
        study = site.ledger.new_study()
        assert send_by_web(site, study, 0) == 200
        site.server.heads()[1].kill()
        wait_for("stored again", lambda: send_by_web(site, study, 100) == 200, 60)
        site.check()


def test_a_database_without_room_for_its_log_comes_back_with_the_room() -> None:
    """PostgreSQL ends itself where even its recovery finds no room."""
    with folder("wal") as base, small(base / "disk", 256) as disk, Site(disk / "data") as site:
        study = site.ledger.new_study()
        assert send_by_web(site, study, 0) == 200
        uri, embedded = postgres.start(Settings(data_dir=site.server.folder, database_url=None))
        assert embedded is not None
        filler = fill(disk)
        postmaster = site.server.heads()[1]
        for _ in range(6):
            with suppress(psycopg.Error), psycopg.connect(libpq_url(uri), autocommit=True) as connection:
                connection.execute("SELECT pg_logical_emit_message(true, 'x', repeat('x', 8000000))")
        wait_for("PostgreSQL ends", lambda: ended(postmaster))
        assert send_by_web(site, study, 100) in (503, 507)
        filler.unlink()
        wait_for("stored again", lambda: send_by_web(site, study, 100) == 200, 60)
        site.check()
