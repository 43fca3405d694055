"""What the command line does to a server's data: tokens, peers, imports, verification."""

from __future__ import annotations

import hashlib
import http.client
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import select

from overread.kit import audit, principals, tokens
from overread.kit.db import Session
from overread.kit.principals import Principal, PrincipalRow, Role
from overread.kit.settings import Settings, address
from overread.services import Services, build
from pacs import ingest
from pacs.dimse import peers
from pacs.ingest import Prepared, Refused, Source
from pacs.models import Instance

_CHUNK = 1 << 20
_BATCH = 64
_console = Console(stderr=True, highlight=False, soft_wrap=True)


def create_token(settings: Settings, role: Role, name: str) -> str:
    """A bearer token for a program; its owner is made where there is none of this name and role."""
    services = build(settings)
    with services.db.transaction() as tx:
        owner = _machine(tx, role, name)
        token = tokens.issue(tx, owner.id)
        audit.record(tx, None, "token.create", "principal", owner.id)
    return token


def _machine(tx: Session, role: Role, name: str) -> PrincipalRow:
    """A principal without a password: people's accounts are never reused by their name."""
    found = tx.scalars(
        select(PrincipalRow).where(
            PrincipalRow.role == role.value, PrincipalRow.name == name, PrincipalRow.email.is_(None)
        )
    ).first()
    return found or principals.create(tx, role=role, name=name)


def add_peer(settings: Settings, ae_title: str, host: str, port: int, role: Role) -> None:
    """Register a DICOM peer."""
    with build(settings).db.transaction() as tx:
        peers.register(tx, ae_title, host, port, role)


def import_paths(settings: Settings, paths: Sequence[Path]) -> int:
    """Import files and folders; returns how many files were refused. Run again, it skips what is there."""
    services = build(settings)
    with services.db.transaction() as tx:
        who = _machine(tx, Role.COORDINATOR, "import").as_principal(via="import")
    files = [file for path in paths for file in _files(path)]
    refused = 0
    with Progress(console=_console) as progress:
        task = progress.add_task("Importing", total=len(files))
        for start in range(0, len(files), _BATCH):
            refused += _import_batch(services, who, files[start : start + _BATCH])
            progress.update(task, completed=min(start + _BATCH, len(files)))
    _console.print(f"{len(files) - refused} imported or here already, {refused} refused", markup=False)
    return refused


def _files(path: Path) -> Iterator[Path]:
    """The regular files at and below a path; links are not followed out of it."""
    if path.is_dir():
        for folder, _, names in os.walk(path, followlinks=False):
            yield from (
                file
                for file in (Path(folder, name) for name in sorted(names))
                if file.is_file() and not file.is_symlink()
            )
    else:
        yield path


def _import_batch(services: Services, who: Principal, files: Sequence[Path]) -> int:
    source = Source(who, "import")
    prepared: list[tuple[Path, Prepared]] = []
    refused = 0
    for file in files:
        with file.open("rb") as f, ingest.receive(services.archive, source) as incoming:
            while chunk := f.read(_CHUNK):
                incoming.write(chunk)
            outcome = incoming.finish()
        if isinstance(outcome, Prepared):
            prepared.append((file, outcome))
        else:
            refused += _report(file, outcome)
    outcomes = ingest.store(services.archive, source, [one for _, one in prepared])
    return refused + sum(_report(file, outcome) for (file, _), outcome in zip(prepared, outcomes, strict=True))


def _report(file: Path, outcome: ingest.Outcome) -> int:
    if not isinstance(outcome, Refused):
        return 0
    _console.print(f"{file}: {outcome.sentence}", markup=False)
    return 1


def verify(settings: Settings) -> int:
    """Read every blob that a row names and compare it with its digest; returns how many are missing or altered."""
    services = build(settings)
    with services.db.transaction() as tx:
        digests = list(tx.scalars(select(Instance.blob).distinct()))
    bad = 0
    with Progress(console=_console) as progress:
        for digest in progress.track(digests, description="Verifying"):
            if not _intact(services, digest):
                bad += 1
                _console.print(f"blob {digest} is missing or altered", markup=False)
    _console.print(f"{len(digests)} blobs read, {bad} bad", markup=False)
    return bad


def _intact(services: Services, digest: str) -> bool:
    if not services.archive.blobs.exists(digest):
        return False
    hashed = hashlib.sha256()
    with services.archive.blobs.mapped(digest) as buffer:
        for start in range(0, len(buffer), _CHUNK):
            hashed.update(buffer[start : start + _CHUNK])
    return hashed.hexdigest() == digest


def healthy(host_port: str) -> bool:
    """Whether the server at HOST:PORT says that it is ready."""
    host, port = address(host_port)
    try:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
