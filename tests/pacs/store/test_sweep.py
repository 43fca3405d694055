"""The sweep: orphans go, and nothing that somebody acknowledged ever does."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from overread.kit.db import Database
from overread.kit.errors import NotFound
from pacs.store import sweep
from pacs.store.archive import Archive
from pacs.store.ingest import Source, Stored
from tests.blobs import blob_folder
from tests.pacs.store.test_ingest import put, sample, someone


def orphan(archive: Archive, data: bytes, age: float) -> str:
    with archive.blobs.writer() as writer:
        writer.write(data)
        digest = writer.keep().digest
    path = blob_folder(archive) / digest[:2] / digest
    then = time.time() - age
    os.utime(path, (then, then))
    return digest


def test_an_old_orphan_goes_and_a_young_one_stays(archive: Archive) -> None:
    old, young = orphan(archive, b"old", 7200), orphan(archive, b"young", 60)
    swept = sweep.sweep(archive)
    assert (swept.looked_at, swept.orphans) == (2, 1)
    assert not archive.blobs.exists(old)
    assert archive.blobs.exists(young)


def test_what_an_instance_names_stays_however_old(archive: Archive, database: Database) -> None:
    assert isinstance(put(archive, Source(someone(database), "stow"), sample()), Stored)
    (digest,) = archive.blobs.digests()
    path = blob_folder(archive) / digest[:2] / digest
    os.utime(path, (0, 0))
    assert sweep.sweep(archive).orphans == 0
    assert archive.blobs.read(digest) == sample()


def test_an_orphan_that_somebody_stores_while_it_is_swept_is_not_lost(
    archive: Archive, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = orphan(archive, sample(), 7200)
    source = Source(someone(database), "stow")
    real = type(archive.blobs).quarantine
    for when in ("before", "after"):

        def moving(self: object, name: str, when: str = when) -> bool:
            if when == "before":
                assert isinstance(put(archive, source, sample()), Stored)
            moved = real(archive.blobs, name)
            if when == "after":
                put(archive, source, sample())
            return moved

        monkeypatch.setattr(type(archive.blobs), "quarantine", moving)
        sweep.sweep(archive)
        assert archive.blobs.read(digest) == sample()
        assert list(archive.blobs.quarantined()) == []


def test_an_interrupted_sweep_is_finished_by_the_next(archive: Archive, database: Database) -> None:
    put(archive, Source(someone(database), "stow"), sample())
    (digest,) = archive.blobs.digests()
    abandoned = orphan(archive, b"abandoned", 7200)
    for name in (digest, abandoned):
        assert archive.blobs.quarantine(name)
    with pytest.raises(NotFound):
        archive.blobs.read(digest)
    assert sweep.sweep(archive).orphans == 1
    assert archive.blobs.read(digest) == sample()
    assert not archive.blobs.exists(abandoned)


def test_unfinished_files_go(archive: Archive, tmp_path: Path) -> None:
    left = tmp_path / "blobs" / "incoming" / "left"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    assert sweep.sweep(archive).unfinished == 1
