"""Whether two Part 10 blobs hold the same data set (PS3.10 7.1): for now, the same bytes."""

from __future__ import annotations

from overread.kit.blobs import BlobStore


def same_object(_blobs: BlobStore, stored_digest: str, sent_digest: str) -> bool:
    """Whether two blobs hold one data set."""
    return stored_digest == sent_digest
