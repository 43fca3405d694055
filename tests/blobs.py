"""The folder of an archive that keeps its blobs in one."""

from __future__ import annotations

from pathlib import Path

from overread.kit.local_blobs import LocalBlobStore
from pacs.store.archive import Archive


def blob_folder(archive: Archive) -> Path:
    """Where the blobs lie."""
    assert isinstance(archive.blobs, LocalBlobStore)
    return archive.blobs._folder
