"""Backup and restore: a dump of the database, the blobs that it names, the server's key, and what was ended.

The keys of the views' secrets are no part of a backup: one copy of them, always the newest, lies beside all backups of
a folder, and with them what was ended (`overread.kit.ended`). What was destroyed before the last backup is destroyed in
that copy too, and no older backup opens any more; what was erased is erased again when an older backup is restored.

Dump and blobs are of one moment: a blob that no row names then is in no backup, though the sweep has not come yet.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from overread import again, folders, migrations
from overread.again import Again
from overread.kit import ended, postgres, sealed
from overread.kit.db import Database, libpq_url
from overread.kit.errors import OverreadError
from overread.kit.settings import Settings

_DUMP, _BLOBS, _KEY, _ENDED = "database.dump", "blobs", "server.key", "ended"
_KEYS = "keys"
_PR_SET_PDEATHSIG = 1


def backup(settings: Settings, target: Path) -> list[str]:
    """Copy everything into `target`, which must not exist, and bring `keys` beside it up to date.

    Gives the blobs that rows name and that are not there: the backup is made without them. Raises OverreadError.
    """
    target = target.absolute()
    assert settings.database_url is not None
    with _said(f"the backup into {target}"):
        db = Database(settings.database_url, pool_size=1)
        try:
            with folders.growing(target, frozenset((_DUMP, _BLOBS, _KEY, _ENDED))) as aside:
                named = _dump(settings.database_url, aside / _DUMP)
                missing = _copy_blobs(settings.blob_dir, aside / _BLOBS, named)
                shutil.copy2(settings.data_dir / _KEY, aside / _KEY)
                # Also what was erased while this was copied.
                ended.write_down(db, settings.keys_dir)
                sealed.mirror(settings.keys_dir, aside / _ENDED, only_ends=True)
                sealed.mirror(settings.keys_dir, target.parent / _KEYS)
        finally:
            db.close()
    return missing


def restore(settings: Settings, source: Path, keys: Path | None = None) -> Again:
    """Bring a backup into an empty data folder, with the keys that lie beside it, and end again what was ended since.

    `keys`: another folder of keys, of the server that is replaced: it knows what was erased after the last backup. What
    a killed restore left in the data folder is removed first. Raises OverreadError.
    """
    for name in (_DUMP, _BLOBS, _KEY):
        if not (source / name).exists():
            raise OverreadError(f"{source} is not a whole backup: {name} is missing")
    if keys is not None and not keys.is_dir():
        raise OverreadError(f"{keys} is not a folder of keys")
    into = settings.data_dir
    with _said(f"the restore into {into}"), folders.held(into), folders.restoring(into):
        shutil.copy2(source / _KEY, into / _KEY)
        (into / _KEY).chmod(0o600)
        for known in (source / _ENDED, source.parent / _KEYS, keys):
            if known is not None:
                sealed.mirror(known, settings.keys_dir)
        shutil.copytree(source / _BLOBS, settings.blob_dir)
        url, server = postgres.start(settings)
        try:
            _refuse_tables(url)
            _run("pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={libpq_url(url)}", source / _DUMP)
            migrations.migrate(url)
            done = again.end_again(settings.model_copy(update={"database_url": url}), went_back=True)
            assert done is not None
        finally:
            if server is not None:
                server.cleanup()
    return done


def _dump(url: str, into: Path) -> list[str]:
    """Dump the database; the digests of the blobs that its rows name at that very moment."""
    with psycopg.connect(libpq_url(url)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        snapshot = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert snapshot is not None
        _run("pg_dump", "--format=custom", f"--snapshot={snapshot[0]}", f"--file={into}", libpq_url(url))
        return [row[0] for row in connection.execute("SELECT DISTINCT blob FROM pacs_instance ORDER BY blob")]


def _copy_blobs(blobs: Path, into: Path, digests: list[str]) -> list[str]:
    into.mkdir(mode=0o700)
    missing = []
    for digest in digests:
        folder = into / digest[:2]
        folder.mkdir(exist_ok=True)
        try:
            shutil.copy2(blobs / digest[:2] / digest, folder / digest)
        except FileNotFoundError:
            missing.append(digest)
    return missing


def _refuse_tables(url: str) -> None:
    """Raises OverreadError where the database is not empty: nothing of it may be mixed with the backup's."""
    with psycopg.connect(libpq_url(url)) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    if found is not None and found[0]:
        raise OverreadError("the database is not empty: a backup is restored into a new one")


@contextmanager
def _said(what: str) -> Iterator[None]:
    """An operator gets a sentence, whatever the machine refuses."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OverreadError(f"{what} failed: no room is left on the disk ({_where(error)})") from error
        raise OverreadError(f"{what} failed: {error.strerror or error} ({_where(error)})") from error
    except shutil.Error as error:
        # One line a file that could not be copied: source, target, why.
        first = error.args[0][0]
        raise OverreadError(f"{what} failed: {first[2]}") from error
    except psycopg.Error as error:
        raise OverreadError(f"{what} failed: the database says: {str(error).strip()[:500]}") from error


def _where(error: OSError) -> str:
    return str(error.filename2 or error.filename or "unknown file")


def _run(program: str, *arguments: str | Path) -> None:
    """Run one of PostgreSQL's programs: those of the embedded server, or the machine's own. It ends when we do."""
    ours = postgres.programs() / program
    path = str(ours) if ours.exists() else shutil.which(program)
    if path is None:
        raise OverreadError(f"{program} is not on this machine: install PostgreSQL's client programs")
    done = subprocess.run(  # noqa: S603
        [path, *map(str, arguments)],
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_end_with_us,
    )
    if done.returncode:
        raise OverreadError(f"{program} failed: {done.stderr.strip()[:500] or f'status {done.returncode}'}")


def _end_with_us() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
