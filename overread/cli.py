"""The command `overread`: one program, subcommands for everything that an operator does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from overread import __version__
from overread.kit import log
from overread.kit.errors import OverreadError
from overread.kit.principals import Role
from overread.kit.settings import Settings

app = typer.Typer(name="overread", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
token_app = typer.Typer(no_args_is_help=True)
ae_app = typer.Typer(no_args_is_help=True)
app.add_typer(token_app, name="token", help="Bearer tokens for programs.")
app.add_typer(ae_app, name="ae", help="DICOM peers.")
program_app = typer.Typer(no_args_is_help=True)
app.add_typer(program_app, name="program", help="What patients can ask for.")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of everything that is kept.")]
HostPort = Annotated[str | None, typer.Option(metavar="HOST:PORT")]


def settings(**flags: Any) -> Settings:
    """The environment's settings, overridden by the flags that were given."""
    given = {name: value for name, value in flags.items() if value is not None}
    chosen = Settings(**given)
    log.configure(chosen.log_level)
    return chosen


@contextmanager
def database(chosen: Settings) -> Iterator[Settings]:
    """The settings with a database that runs, its schema made or checked: ours is started or joined meanwhile.

    Where it is older than what was erased, that is erased again first.
    """
    from overread import again, folders, migrations
    from overread.kit import postgres

    folders.refuse_half_restored(chosen.data_dir)
    chosen.server_key()
    url, server = postgres.start(chosen)
    try:
        migrations.make_or_check(url)
        ready = chosen.model_copy(update={"database_url": url})
        if done := again.see_to(ready):
            _say(f"the database is older than what was ended: {done}")
        yield ready
    finally:
        if server is not None:
            server.cleanup()


def part() -> Settings:
    """The environment's settings, for a part that runs alone; its database is not older than what was ended."""
    from overread import again, folders

    chosen = settings()
    folders.refuse_half_restored(chosen.data_dir)
    if chosen.database_url is not None and (done := again.see_to(chosen)):
        _say(f"the database is older than what was ended: {done}")
    return chosen


@app.command()
def serve(
    data_dir: DataDir = None,
    http: HostPort = None,
    viewer: HostPort = None,
    dicom: HostPort = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64)] = None,
) -> None:
    """Serve everything on this machine; prints a line that begins with "ready" when every listener accepts."""
    from overread import serve as serving

    serving.run(settings(data_dir=data_dir, http=http, viewer=viewer, dicom=dicom, workers=workers))


@app.command()
def demo(data_dir: DataDir = None, http: HostPort = None, viewer: HostPort = None, dicom: HostPort = None) -> None:
    """Serve with sample people, studies and prices, and a sandbox in the place of the payment provider."""
    from overread import demo as demonstration

    demonstration.run(settings(data_dir=data_dir or Path("demo-data"), http=http, viewer=viewer, dicom=dicom))


@app.command()
def web() -> None:
    """Run one web worker; the settings come from the environment."""
    from overread import app as application
    from overread.services import build

    effective = part()
    services = build(effective)
    application.run(services, application.server(services), application.listeners(effective))


@app.command()
def dimse() -> None:
    """Run the DICOM listener; the settings come from the environment."""
    from overread import dimse as listening
    from overread.services import build

    listening.run(build(part()))


@app.command()
def worker() -> None:
    """Run the job worker; the settings come from the environment."""
    from overread import worker as working
    from overread.services import build

    working.run(build(part()))


@token_app.command("create")
def token_create(
    role: Annotated[Role, typer.Option(help="What the token's owner is.")],
    name: Annotated[str, typer.Option(help="Who it is for; the same name and role is the same owner.")],
    data_dir: DataDir = None,
) -> None:
    """Print a bearer token alone on a line; it can't be shown again."""
    from overread.commands import operators

    with database(settings(data_dir=data_dir)) as ready:
        print(operators.create_token(ready, role, name))  # noqa: T201  the contract's line


@token_app.command("end")
def token_end(
    role: Annotated[Role, typer.Option(help="What the tokens' owner is.")],
    name: Annotated[str, typer.Option(help="Whose tokens end, as they were created.")],
    data_dir: DataDir = None,
) -> None:
    """End every token of a program at once."""
    from overread.commands import operators

    with database(settings(data_dir=data_dir)) as ready:
        ended = operators.end_tokens(ready, role, name)
    _say(f"{ended} tokens of {name} ended")


@app.command()
def bounce(data_dir: DataDir = None) -> None:
    """Read a mail server's report of a mail that did not arrive (RFC 3464) from standard input."""
    from cases.bounces import MOST_BYTES
    from overread.commands import operators

    content = sys.stdin.buffer.read(MOST_BYTES + 1)
    with database(settings(data_dir=data_dir)) as ready:
        ours = operators.take_bounce(ready, content)
    # Never a failure: a mail server would report that, too.
    _say("a mail did not arrive: it is in the coordinators' list" if ours else "no report of a mail of ours")


@ae_app.command("add")
def ae_add(
    ae_title: Annotated[str, typer.Argument(help="The peer's AE title.")],
    host: Annotated[str, typer.Option(help="The host that it calls from, and is called at.")],
    port: Annotated[int, typer.Option(min=1, max=65535)],
    role: Annotated[Role, typer.Option(help="hospital (sends) or specialist (fetches).")],
    owner: Annotated[
        str | None,
        typer.Option(
            help="Whose it is: the e-mail address of a hospital's or specialist's account, or another peer's AE title."
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Register a DICOM peer, or change its address."""
    from overread.commands import operators

    with database(settings(data_dir=data_dir)) as ready:
        operators.add_peer(ready, ae_title, host, port, role, owner)
    _say(f"{ae_title} may connect from {host}")


@ae_app.command("echo")
def ae_echo(ae_title: Annotated[str, typer.Argument(help="The peer's AE title.")], data_dir: DataDir = None) -> None:
    """Ask a registered peer whether it answers (C-ECHO); exits with 1 where it does not."""
    from overread.commands import pushing

    with database(settings(data_dir=data_dir)) as ready:
        status = pushing.echo(ready, ae_title)
    _say(f"{ae_title} answers {status:04X}H")
    raise typer.Exit(1 if status else 0)


@ae_app.command("push")
def ae_push(
    ae_title: Annotated[str, typer.Argument(help="The peer's AE title.")],
    study_uids: Annotated[list[str] | None, typer.Argument(help="Study Instance UIDs; without any, all.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Send a registered peer the studies that it may see: a hospital what it sent, a specialist their cases'."""
    from overread.commands import pushing

    with database(settings(data_dir=data_dir)) as ready:
        pushed = pushing.push(ready, ae_title, study_uids or [])
    _say(f"{pushed.completed} instances sent to {ae_title}, {pushed.failed} failed")
    raise typer.Exit(1 if pushed.failed else 0)


@program_app.command("add")
def program_add(
    slug: Annotated[str, typer.Argument(help="Short name, for addresses.")],
    name: Annotated[str, typer.Option(help="As patients read it.")],
    price: Annotated[int, typer.Option(min=0, help="What the patient pays, in minor units; 0 is free.")],
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = "USD",
    fee: Annotated[int, typer.Option(min=0, help="What the specialist gets, in minor units.")] = 0,
    reading_days: Annotated[int, typer.Option(min=1, max=90, help="Open days from complete images to the report.")] = 5,
    data_dir: DataDir = None,
) -> None:
    """Open a program."""
    from overread.commands import programs

    with database(settings(data_dir=data_dir)) as ready:
        programs.add(ready, slug, name, price=price, currency=currency, fee=fee, reading_days=reading_days)
    _say(f"{name} is open")


@app.command("import")
def import_(paths: list[Path], data_dir: DataDir = None) -> None:
    """Import DICOM files, folders, ZIP archives and DICOMDIRs; run again, it goes on where it was stopped."""
    from overread.commands import importing

    with database(settings(data_dir=data_dir)) as ready:
        tally = importing.import_paths(ready, paths)
    raise typer.Exit(1 if tally.refused else 0)


@app.command()
def verify(data_dir: DataDir = None) -> None:
    """Compare every stored byte with its digest and every view with its proofs; exits with 1 where it is wrong."""
    from overread.commands import admin

    with database(settings(data_dir=data_dir)) as ready:
        bad = admin.verify(ready)
    raise typer.Exit(1 if bad else 0)


@app.command()
def reindex(data_dir: DataDir = None) -> None:
    """Read what searches match again from the headers that are kept, after an update that matches more of it."""
    from overread.commands import admin

    with database(settings(data_dir=data_dir)) as ready:
        read, changed = admin.reindex(ready)
    _say(f"{read} studies read, {changed} of them changed")


@app.command()
def doctor(data_dir: DataDir = None) -> None:
    """Say what somebody has to look at: jobs that can't be done, files that can't be given; exits with 1 then."""
    from overread.commands import doctor

    with database(settings(data_dir=data_dir)) as ready:
        assert ready.database_url is not None
        found = doctor.complaints(ready.database_url)
    for complaint in found or ["All is well."]:
        print(complaint)  # noqa: T201
    raise typer.Exit(1 if found else 0)


@app.command()
def sweep(
    data_dir: DataDir = None,
    older_than: Annotated[
        float, typer.Option(min=0, help="Seconds; younger blobs may still become somebody's.")
    ] = 3600,
) -> None:
    """Remove blobs that no instance names; the worker does it every hour."""
    from overread.commands import admin

    with database(settings(data_dir=data_dir)) as ready:
        swept = admin.sweep(ready, older_than)
    _say(f"{swept.looked_at} blobs looked at, {swept.orphans} orphans and {swept.unfinished} unfinished files removed")


@app.command()
def backup(target: Path, data_dir: DataDir = None) -> None:
    """Copy database, blobs and the server's key into a new folder."""
    from overread.commands import backup as copying

    with database(settings(data_dir=data_dir)) as ready:
        missing = copying.backup(ready, target)
    for digest in missing:
        _say(f"blob {digest} is missing")
    _say(f"backup complete in {target}" + (f", but for {len(missing)} blobs: run `overread verify`" if missing else ""))
    raise typer.Exit(1 if missing else 0)


@app.command()
def restore(
    source: Path,
    data_dir: DataDir = None,
    keys: Annotated[
        Path | None, typer.Option(help="The folder `keys` of the server that is replaced: what it erased stays erased.")
    ] = None,
) -> None:
    """Bring a backup back into an empty data folder, erase again what was erased since, end all tokens, and verify."""
    from overread.commands import admin
    from overread.commands import backup as copying

    chosen = settings(data_dir=data_dir)
    done = copying.restore(chosen, source, keys)
    _say(f"restored: {done}")
    _say("everybody signs in anew, and programs need new tokens: `overread token create`")
    with database(chosen) as ready:
        bad = admin.verify(ready)
    raise typer.Exit(1 if bad else 0)


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the database's schema up to this program's."""
    from overread import migrations
    from overread.kit import postgres

    url, server = postgres.start(settings(data_dir=data_dir))
    try:
        migrations.migrate(url)
    finally:
        if server is not None:
            server.cleanup()
    _say("the schema is up to date")


@app.command()
def config(
    data_dir: DataDir = None,
    http: HostPort = None,
    viewer: HostPort = None,
    dicom: HostPort = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64)] = None,
) -> None:
    """Print the effective settings, secrets masked, as environment variables."""
    chosen = settings(data_dir=data_dir, http=http, viewer=viewer, dicom=dicom, workers=workers)
    for name, value in chosen.masked().items():
        print(f"OVERREAD_{name.upper()}={json.dumps(value)}")  # noqa: T201


@app.command()
def healthcheck(http: HostPort = None) -> None:
    """Ask a running server whether it is ready; exits with 1 where it is not."""
    from overread.commands import operators

    address = settings(http=http).http
    healthy = operators.healthy(address)
    _say(f"{address} is {'ready' if healthy else 'not ready'}")
    raise typer.Exit(0 if healthy else 1)


@app.command()
def version() -> None:
    """Print the program's version."""
    print(__version__)  # noqa: T201


def _say(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def main() -> None:
    """The entry point; errors that are foreseen are one line and exit with 1, bad settings with 2.

    So is what the machine refuses: a file, a disk, the database.
    """
    try:
        app()
    except (ValidationError, SettingsError) as error:
        _say(f"overread: a setting is wrong: {error}")
        sys.exit(2)
    except OverreadError as error:
        # What was asked wrongly is said in the words for who asks; what failed, in those of the log.
        _say(f"overread: {error.safe if error.status < 500 else error}")
        sys.exit(1)
    except (OSError, subprocess.SubprocessError) as error:
        _say(f"overread: {error}")
        sys.exit(1)
    except Exception as error:
        if not _of_database(error):
            raise
        _say(f"overread: the database says: {str(error).strip().splitlines()[0]}")
        sys.exit(1)


def _of_database(error: Exception) -> bool:
    """Whether the database can't be reached or refuses; asked by name, as few commands load these libraries."""
    return any(
        (one.__module__.partition(".")[0], one.__name__)
        in (("psycopg", "OperationalError"), ("sqlalchemy", "OperationalError"))
        for one in type(error).__mro__
    )
