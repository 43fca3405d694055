"""What the command line does to the archive: imports and verification."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import select

from overread.kit.principals import Principal, Role
from overread.kit.settings import Settings
from overread.operators import machine
from overread.services import Services, build
from pacs import ingest
from pacs.ingest import Prepared, Refused, Source
from pacs.models import Instance

_CHUNK = 1 << 20
_BATCH = 64
_console = Console(stderr=True, highlight=False, soft_wrap=True)


def import_paths(settings: Settings, paths: Sequence[Path]) -> int:
    """Import files and folders; returns how many files were refused. Run again, it skips what is there."""
    services = build(settings)
    with services.db.transaction() as tx:
        who = machine(tx, Role.COORDINATOR, "import").as_principal(via="import")
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
