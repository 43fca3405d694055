"""Backup and restore: a dump of the database, a copy of the blobs, and the server's key.

The keys of the views' secrets are no part of a backup: one copy of them, always the newest, lies beside all backups of
a folder. What was destroyed before the last backup is destroyed in that copy too, and no older backup opens any more.

The dump is taken first: a blob that arrives meanwhile is more than the dump knows, never less.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from overread.kit import postgres, sealed
from overread.kit.db import libpq_url
from overread.kit.errors import OverreadError
from overread.kit.settings import Settings

_DUMP, _BLOBS, _KEY = "database.dump", "blobs", "server.key"
_KEYS = "keys"


def backup(settings: Settings, target: Path) -> None:
    """Copy everything into `target`, which must not exist, and bring `keys` beside it up to date.

    Raises OverreadError.
    """
    if target.exists():
        raise OverreadError(f"{target} exists: a backup goes into a new folder")
    aside = target.with_name(target.name + ".incomplete")
    aside.mkdir(parents=True, mode=0o700)
    assert settings.database_url is not None
    _run("pg_dump", "--format=custom", f"--file={aside / _DUMP}", libpq_url(settings.database_url))
    shutil.copytree(settings.blob_dir, aside / _BLOBS, ignore=shutil.ignore_patterns("incoming"))
    shutil.copy2(settings.data_dir / _KEY, aside / _KEY)
    aside.rename(target)
    sealed.mirror(settings.keys_dir, target.parent / _KEYS)


def restore(settings: Settings, source: Path) -> None:
    """Bring a backup into an empty data folder, with the keys that lie beside it. Raises OverreadError."""
    for name in (_DUMP, _BLOBS, _KEY):
        if not (source / name).exists():
            raise OverreadError(f"{source} is not a whole backup: {name} is missing")
    if settings.data_dir.exists() and any(settings.data_dir.iterdir()):
        raise OverreadError(f"{settings.data_dir} is not empty: a backup is restored into a new folder")
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    key = settings.data_dir / _KEY
    shutil.copy2(source / _KEY, key)
    key.chmod(0o600)
    sealed.mirror(source.parent / _KEYS, settings.keys_dir)
    shutil.copytree(source / _BLOBS, settings.blob_dir)
    url, server = postgres.start(settings)
    try:
        _run("pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={libpq_url(url)}", str(source / _DUMP))
    finally:
        if server is not None:
            server.cleanup()


def _run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs: those of the embedded server, or the machine's own."""
    ours = postgres.programs() / program
    path = str(ours) if ours.exists() else shutil.which(program)
    if path is None:
        raise OverreadError(f"{program} is not on this machine: install PostgreSQL's client programs")
    done = subprocess.run([path, *arguments], env={**os.environ}, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise OverreadError(f"{program} failed: {done.stderr.strip()[:500]}")
