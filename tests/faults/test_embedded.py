"""The embedded database dies or finds no room for its log, or its supervisor dies: no hand is needed afterwards."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from overread.kit import postgres
from overread.kit.db import libpq_url
from overread.kit.settings import Settings
from tests.faults.disks import small
from tests.faults.harness import Harmed, Site, folder, wait_for
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


def test_a_supervisor_that_was_killed_leaves_nothing_behind_that_outlives_the_next() -> None:
    """Its parts end, its ports are free for the next, who takes its PostgreSQL over and stops it in the end."""
    with folder("killed") as base:
        site = Site(base / "data", workers=2)
        with site:
            study = site.ledger.new_study()
            for number in range(2):
                assert send_by_web(site, study, number * 100) == 200
                supervisor, postmaster = site.server.heads()
                parts = supervisor.children(recursive=True)
                busy = half_sent(site)
                site.server.behead()
                # At once, with the same ports.
                site.server.start()
                busy.close()
                _, left = psutil.wait_procs(parts, timeout=20)
                assert [one for one in left if not ended(one)] == []
                assert site.server.heads()[1] == postmaster, "taken over"
                site.check()
            assert site.server.stop(20) == 0
            wait_for("PostgreSQL ends", lambda: ended(postmaster))
        assert not (base / "data" / "postgres" / "postmaster.pid").exists()


def half_sent(site: Site) -> socket.socket:
    """A request that is never sent to its end: what serves it has work in its hands."""
    host, port = site.server.http.split(":")
    busy = socket.create_connection((host, int(port)))
    head = f"POST /dicomweb/studies HTTP/1.1\r\nHost: {site.server.http}\r\nAuthorization: Bearer {site.hospital}\r\n"
    kind = 'Content-Type: multipart/related; type="application/dicom"; boundary=B\r\nContent-Length: 1000000\r\n\r\n'
    busy.sendall((head + kind + "--B\r\n").encode())
    return busy


def test_a_folder_is_served_once() -> None:
    with folder("twice") as base, Site(base / "data") as site:
        second = Harmed(base / "data")
        said = second.refused()
        assert "is in use by another overread" in said
        assert "Traceback" not in said
        assert site.ready()
        # What does not serve is welcome meanwhile.
        assert second.token("admin")


@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize("name", ["postmaster.pid", ".s.PGSQL.5432.lock"])
def test_a_file_that_names_another_process_as_the_server_is_none(name: str, alive: bool) -> None:
    """After a cut the next process with the server's number may be anybody's, and must not be stopped for it; or it is
    the killed server's own, whose end nobody has taken note of (a container whose first process does not).
    """
    with folder("reused") as base:
        settings = Settings(data_dir=base / "data", database_url=None)
        settings.server_key()
        url, server = postgres.start(settings)
        assert server is not None
        with psycopg.connect(libpq_url(url)) as connection:
            named = {"postmaster.pid": base / "data" / "postgres"}.get(name, Path(connection.info.host)) / name
        lines, user = named.read_text().splitlines(), named.stat().st_uid
        server.cleanup()
        assert not named.exists()
        # PostgreSQL minds nobody's processes but those of its own user.
        with subprocess.Popen(["sleep", "600"], user=user) as stranger:
            try:
                named.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
                if not alive:
                    stranger.kill()
                    wait_for("an end without a note of it", lambda: ended(psutil.Process(stranger.pid)))
                url, server = postgres.start(settings)
                assert server is not None
                with psycopg.connect(libpq_url(url)) as connection:
                    assert connection.execute("SELECT 1").fetchone() == (1,)
                server.cleanup()
                assert not named.exists()
                assert ended(psutil.Process(stranger.pid)) is not alive
            finally:
                stranger.kill()


def test_the_last_user_stops_it_though_others_were_killed() -> None:
    with folder("users") as base:
        settings = Settings(data_dir=base / "data", database_url=None)
        settings.server_key()
        server = postgres.start(settings)[1]
        assert server is not None
        named = base / "data" / "postgres" / "postmaster.pid"
        users = [
            subprocess.Popen([sys.executable, "-c", _USES, base / "data"], stdout=subprocess.PIPE) for _ in range(2)
        ]
        for user in users:
            assert user.stdout
            assert user.stdout.readline() == b"uses it\n"
        server.cleanup()
        assert named.exists(), "two use it still"
        users[0].kill()
        users[0].wait()
        # In the same process it is used again, and left again.
        server = postgres.start(settings)[1]
        assert server is not None
        server.cleanup()
        assert named.exists(), "one uses it still"
        users[1].kill()
        users[1].wait()
        server = postgres.start(settings)[1]
        assert server is not None
        server.cleanup()
        assert not named.exists()
        for user in users:
            assert user.stdout
            user.stdout.close()


_USES = """
import sys, time
from overread.kit import postgres
from overread.kit.settings import Settings
postgres.start(Settings(data_dir=sys.argv[1], database_url=None))
print("uses it", flush=True)
time.sleep(600)
"""
