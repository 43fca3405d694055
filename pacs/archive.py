"""The archive's parts in one hand: database, blobs, and the sealer of the views' secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from overread.kit.blobs import BlobStore
from overread.kit.db import Database
from overread.kit.sealed import Sealer
from overread.kit.settings import Settings
from pacs.commit import GroupCommit


@dataclass(frozen=True, slots=True)
class Archive:
    """What the archive's functions need to work."""

    db: Database
    blobs: BlobStore
    sealer: Sealer
    max_instance_bytes: int = 4 << 30
    #: Where the write path's transactions are shared; see `pacs.ingest.store`.
    commits: GroupCommit[Any, Any] = field(default_factory=GroupCommit)


def open_archive(settings: Settings, db: Database) -> Archive:
    """The archive of these settings."""
    return Archive(
        db,
        BlobStore(settings.blob_dir),
        Sealer(settings.server_key(), "pacs.view", settings.keys_dir),
        settings.max_instance_bytes,
    )
