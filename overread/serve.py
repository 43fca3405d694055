"""`overread serve`: the database, web workers, the DICOM listener and the job worker on one machine."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial

from overread import again, app, dimse, folders, migrations, worker
from overread.kit import fonts, log, postgres
from overread.kit.errors import OverreadError
from overread.kit.settings import Settings, address
from overread.processes import PARTS_END, Child, Supervisor, run_aside
from overread.services import build

_logger = log.get(__name__)


def children(settings: Settings) -> list[Child]:
    """The parts of a server with these settings."""
    # One socket for all workers: with one each, the kernel may give a few busy clients all to the same worker.
    shared = app.listeners(settings)
    # Made once, before the children are forked, who share its memory. Nothing of it is connected or runs yet.
    services = build(settings)
    server = app.server(services, workers=settings.workers)
    return [
        *(
            Child(f"web {number + 1}", partial(app.run, services, server, shared, number))
            for number in range(settings.workers)
        ),
        Child("dimse", partial(dimse.run, services), supervises=settings.dimse_processes > 1),
        Child("worker", partial(worker.run, services)),
    ]


def prepare(settings: Settings, *, patience: float = 0.0) -> tuple[str, postgres.Server | None]:
    """Check the addresses, start the database, and make or check its schema.

    A fresh database gets the schema; an older one is left alone: migrating is the operator's decision. Where the
    database went back, what was ended since is ended again. `patience`: seconds in which addresses may become free.
    """
    folders.refuse_half_restored(settings.data_dir)
    deadline = time.monotonic() + patience
    for name, value in (("--http", settings.http), ("--viewer", settings.viewer), ("--dicom", settings.dicom)):
        _check_free(name, value, deadline)
    if address(settings.http)[1] == address(settings.viewer)[1]:
        raise OverreadError("--http and --viewer need different ports: the viewer must have an origin of its own")
    settings.server_key()
    url, server = postgres.start(settings)
    try:
        migrations.make_or_check(url)
        again.see_to(settings.model_copy(update={"database_url": url}))
    except BaseException:
        if server is not None:
            server.cleanup()
        raise
    return url, server


def run(
    settings: Settings,
    *,
    more: Sequence[Child] = (),
    before: Callable[[Settings], None] | None = None,
    ready_lines: Sequence[str] = (),
) -> None:
    """Serve until SIGTERM or SIGINT; `before` runs aside when the database is up, `more` are further parts.

    Raises OverreadError where another supervisor serves the same folder. One that was killed is followed: its parts end
    by themselves, and its PostgreSQL is taken over.
    """
    with folders.held(settings.data_dir) as killed:
        _run(settings, more, before, ready_lines, patience=PARTS_END if killed else 0.0)


def _run(
    settings: Settings,
    more: Sequence[Child],
    before: Callable[[Settings], None] | None,
    ready_lines: Sequence[str],
    *,
    patience: float,
) -> None:
    url, server = prepare(settings, patience=patience)
    if sentence := fonts.lacking():
        _logger.warning("fonts_missing", sentence=sentence)
    settings = settings.model_copy(update={"database_url": url})
    keep = partial(postgres.keep_running, server) if server is not None else None
    supervisor: Supervisor | None = None
    try:
        supervisor = Supervisor([*more, *children(settings)], keep)
        if before is not None:
            run_aside("the preparation", partial(before, settings))
        supervisor.start()
        summary = f"ready http={settings.base_url} viewer={settings.viewer_base_url} dicom={settings.dicom}"
        if not supervisor.stopping:
            print("\n".join([summary, *ready_lines]), flush=True)  # noqa: T201  the contract's line
        supervisor.watch()
    finally:
        if supervisor is not None:
            supervisor.stop()
        if server is not None:
            server.cleanup()


def _check_free(name: str, value: str, deadline: float) -> None:
    """Raises OverreadError where another program has the address: sharing a port would hide that."""
    while True:
        try:
            host, port = address(value)
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
            return
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError) or error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise OverreadError(f"{name} {value} can't be used: {error}") from error
        time.sleep(0.1)
