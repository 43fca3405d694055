"""The archive's parts in one hand: database, blobs, thumbnails, and the sealer of the views' secrets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from overread.kit.blobs import BlobStore
from overread.kit.db import Database
from overread.kit.local_blobs import LocalBlobStore
from overread.kit.sealed import Sealer
from overread.kit.settings import Settings
from pacs.store.commit import GroupCommit
from pacs.store.thumbnails import Thumbnails


@dataclass(frozen=True, slots=True)
class Archive:
    """What the archive's functions need to work."""

    db: Database
    blobs: BlobStore
    sealer: Sealer
    max_instance_bytes: int = 4 << 30
    #: Where the write path's transactions are shared; see `pacs.store.ingest.store`.
    commits: GroupCommit[Any, Any] = field(default_factory=GroupCommit)
    #: Where thumbnails are kept on disk, if anywhere.
    thumbnails: Thumbnails | None = None

    def drop_thumbnails(self, blobs: Iterable[str]) -> None:
        """Remove the thumbnails that were made of these blobs."""
        if self.thumbnails is not None:
            for blob in blobs:
                self.thumbnails.drop(blob)


def open_archive(settings: Settings, db: Database) -> Archive:
    """The archive of these settings."""
    # What is removed is remembered there, before whoever asked for it is told that it is done.
    db.ended = settings.keys_dir
    return Archive(
        db,
        LocalBlobStore(settings.blob_dir),
        Sealer(settings.server_key(), "pacs.view", settings.keys_dir),
        settings.max_instance_bytes,
        thumbnails=Thumbnails(settings.data_dir / "thumbnails"),
    )
