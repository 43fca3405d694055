"""Blobs: whole or absent, named by their content, never by what somebody sent."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overread.kit.errors import NotFound, StorageFull, Unavailable
from overread.kit.local_blobs import LocalBlobStore


@pytest.fixture
def store(tmp_path: Path) -> LocalBlobStore:
    return LocalBlobStore(tmp_path / "blobs")


@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=30, deadline=None
)
@given(chunks=st.lists(st.binary(max_size=5000), max_size=6), start=st.integers(0, 100), length=st.integers(0, 200))
def test_what_is_kept_is_read_back(store: LocalBlobStore, chunks: list[bytes], start: int, length: int) -> None:
    data = b"".join(chunks) + b"x" * 400
    with store.writer() as writer:
        for chunk in chunks:
            writer.write(chunk)
        writer.write(b"x" * 400)
        blob = writer.keep()
    assert blob.digest == hashlib.sha256(data).hexdigest()
    assert blob.size == len(data)
    assert store.read(blob.digest) == data
    assert store.read(blob.digest, start, length) == data[start : start + length]
    assert b"".join(store.stream(blob.digest, start, length)) == data[start : start + length]
    with store.mapped(blob.digest) as buffer:
        assert bytes(buffer[:]) == data


def test_what_is_not_kept_leaves_nothing(store: LocalBlobStore, tmp_path: Path) -> None:
    with store.writer() as writer:
        writer.write(b"half")
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "a" * 63, "A" * 64, "a" * 64, "", "\0" * 64])
def test_a_name_that_is_no_digest_or_unknown_is_not_found(store: LocalBlobStore, name: str) -> None:
    with pytest.raises(NotFound):
        store.read(name)
    with pytest.raises(NotFound), store.mapped(name):
        pass


def test_two_writers_of_the_same_bytes_make_one_blob(store: LocalBlobStore) -> None:
    for _ in range(2):
        with store.writer() as writer:
            writer.write(b"same")
            writer.keep()
    assert len(list(store.digests())) == 1


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StorageFull), (errno.EIO, Unavailable)])
def test_a_failing_disk_is_said_and_nothing_is_acknowledged(
    store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def broken(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with store.writer() as writer:
        writer.write(b"data")
        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(kind):
            writer.keep()
    assert list(store.digests()) == []


def test_the_bytes_are_synced_before_the_name_and_the_name_before_the_answer(
    store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_sync, real_rename = os.fsync, Path.rename

    def sync(descriptor: int) -> None:
        steps.append("sync folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "sync file")  # noqa: PTH112
        real_sync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "rename", rename)
    with store.writer() as writer:
        writer.write(b"data")
        writer.keep()
    assert steps == ["sync file", "rename", "sync folder"]


def test_old_leftovers_are_swept_and_fresh_ones_are_not(store: LocalBlobStore, tmp_path: Path) -> None:
    old, fresh = (tmp_path / "blobs" / "incoming" / name for name in ("old", "fresh"))
    old.write_bytes(b"x")
    fresh.write_bytes(b"x")
    two_days_ago = time.time() - 2 * 86400
    os.utime(old, (two_days_ago, two_days_ago))
    assert store.sweep_staging(3600) == 1
    assert fresh.exists()
