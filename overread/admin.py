"""What the command line does to the archive: verification."""

from __future__ import annotations

import hashlib

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import select

from overread.kit.settings import Settings
from overread.services import Services, build
from pacs import sweep as pacs_sweep
from pacs.models import Instance
from pacs.sweep import Swept

_CHUNK = 1 << 20
_console = Console(stderr=True, highlight=False, soft_wrap=True)


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


def sweep(settings: Settings, older_than: float) -> Swept:
    """Remove what no instance names and is older than this many seconds."""
    return pacs_sweep.sweep(build(settings).archive, young=older_than)


def _intact(services: Services, digest: str) -> bool:
    if not services.archive.blobs.exists(digest):
        return False
    hashed = hashlib.sha256()
    with services.archive.blobs.mapped(digest) as buffer:
        for start in range(0, len(buffer), _CHUNK):
            hashed.update(buffer[start : start + _CHUNK])
    return hashed.hexdigest() == digest
