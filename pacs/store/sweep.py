"""The sweep: blobs that no row names are removed; killed processes and refused duplicates leave them behind.

A blob that looks abandoned is first put in quarantine, then looked at again. Whoever stores the same content meanwhile
either wrote a file of their own, or the very file that was moved, which is then young and goes back: at no moment can
bytes that somebody acknowledged be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import select

from overread.kit import log
from pacs.index.models import Instance
from pacs.store.archive import Archive

#: Younger blobs may belong to an upload whose rows are not written yet.
YOUNG = 3600.0
_CHUNK = 500
_logger = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many files a sweep looked at, and how many of each kind it removed."""

    looked_at: int
    orphans: int
    unfinished: int


def sweep(archive: Archive, *, young: float = YOUNG) -> Swept:
    """Remove blobs older than `young` seconds that no instance names, and files that were never finished."""
    store = archive.blobs
    unfinished = store.sweep_staging(young)
    # What an interrupted sweep left in quarantine is judged first.
    orphans = sum(_judge(archive, digest, young) for digest in list(store.quarantined()))
    looked_at = 0
    digests = store.digests()
    while chunk := list(islice(digests, _CHUNK)):
        looked_at += len(chunk)
        for digest in _unnamed(archive, chunk):
            if store.age(digest) > young and store.quarantine(digest):
                orphans += _judge(archive, digest, young)
    if orphans or unfinished:
        _logger.info("swept", looked_at=looked_at, orphans=orphans, unfinished=unfinished)
    return Swept(looked_at, orphans, unfinished)


def _judge(archive: Archive, digest: str, young: float) -> bool:
    """Whether a blob that was put in quarantine is an orphan; it is removed then, and put back otherwise."""
    if archive.blobs.age_in_quarantine(digest) <= young or not list(_unnamed(archive, [digest])):
        archive.blobs.put_back(digest)
        return False
    archive.blobs.remove_quarantined(digest)
    archive.drop_thumbnails([digest])
    return True


def _unnamed(archive: Archive, digests: list[str]) -> Iterator[str]:
    with archive.db.transaction() as tx:
        named = set(tx.scalars(select(Instance.blob).where(Instance.blob.in_(digests)).distinct()))
    return (digest for digest in digests if digest not in named)
