"""Blobs in a folder: see `overread.kit.blobs`.

A blob is written to a staging file while it is hashed, made durable, then renamed into place. Its path is made of its
digest alone.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import obstore
from obstore.store import LocalStore

from overread.kit.blobs import CHUNK, Blob
from overread.kit.clock import uuid7
from overread.kit.errors import NotFound, StorageFull, Unavailable
from overread.kit.language import gettext

_T = TypeVar("_T")
_MAX_SYNCS = 16


class LocalWriter:
    """A blob in the making, in a staging file."""

    def __init__(self, folder: Path, staged: Path) -> None:
        self._folder = folder
        self._staged = staged
        self._hash = hashlib.sha256()
        self._file = _translating(lambda: os.open(staged, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        self._kept = False
        self._synced: Future[None] | None = None
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes. Raises StorageFull where the disk has no room."""
        view = memoryview(data)
        self._hash.update(view)
        while view:
            written = _translating(lambda: os.write(self._file, view))  # noqa: B023  called at once
            view = view[written:]
            self.size += written

    @property
    def digest(self) -> str:
        """The SHA-256 of what was written so far, in hexadecimal."""
        return self._hash.hexdigest()

    def buffer(self) -> mmap.mmap | bytes:
        """What was written so far, mapped: nothing of a large file is read before it is looked at."""
        return mmap.mmap(self._file, self.size, access=mmap.ACCESS_READ) if self.size else b""

    def sync(self) -> None:
        """Begin to make the bytes durable while the caller looks at them; `keep` waits for it."""
        self._synced = _syncer().submit(_translating, lambda: os.fsync(self._file))

    def keep(self) -> Blob:
        """Make the bytes durable under their digest: fsync, rename, fsync of the folder.

        Raises Unavailable where the disk fails. A descriptor whose fsync failed is never tried again: the kernel may
        have dropped the pages and would answer success for bytes that are not there.
        """
        digest = self.digest
        target = self._folder / digest[:2] / digest
        if self._synced is None:
            _translating(lambda: os.fsync(self._file))
        else:
            self._synced.result()
        self._staged.rename(target)
        _sync_folder(target.parent)
        self._kept = True
        return Blob(digest, self.size)

    def __enter__(self) -> LocalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._synced is not None:
            wait([self._synced])
        os.close(self._file)
        if not self._kept:
            self._staged.unlink(missing_ok=True)


class LocalBlobStore:
    """The blobs of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._staging = folder / "incoming"
        self._staging.mkdir(parents=True, exist_ok=True)
        self._quarantine = folder / "quarantine"
        self._quarantine.mkdir(exist_ok=True)
        if not (folder / "ff").is_dir():
            # All at once and durable, so that keeping a blob has one folder to sync and not two.
            for number in range(256):
                (folder / f"{number:02x}").mkdir(exist_ok=True)
            _sync_folder(folder)
        self._store = LocalStore(folder)

    def writer(self) -> LocalWriter:
        """Begin a blob. Raises StorageFull or Unavailable."""
        return LocalWriter(self._folder, self._staging / uuid7().hex)

    def read(self, digest: str, start: int = 0, length: int | None = None) -> bytes:
        """`length` bytes of a blob from `start` (to its end without a length). Raises NotFound."""
        try:
            if length is None:
                whole = obstore.get(self._store, _path(digest), options={"range": {"offset": start}} if start else None)
                return bytes(whole.bytes())
            return self._range(digest, start, length)
        except FileNotFoundError as error:
            raise NotFound(
                f"blob {digest} is missing", safe=gettext("The image's file is missing on our side.")
            ) from error

    def _range(self, digest: str, start: int, length: int) -> bytes:
        """From the folder itself: obstore's own threads, and its copy, cost more than the reading."""
        file = os.open(self._folder / _path(digest), os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = os.pread(file, length, start)
        finally:
            os.close(file)
        if len(found) != length:
            raise Unavailable(f"blob {digest} has {len(found)} of {length} bytes from {start}")
        return found

    def path(self, digest: str, size: int) -> Path | None:
        """The file of a blob, None where it has not exactly this many bytes. For who hands it on whole."""
        path = self._folder / _path(digest)
        try:
            return path if path.stat().st_size == size else None
        except FileNotFoundError:
            return None

    def has(self, digest: str, size: int) -> bool:
        """Whether a blob is there and has exactly this many bytes; nothing of it is read."""
        try:
            # A large study asks some thousand times: without pathlib, which takes longer than the look.
            return os.stat(f"{self._folder}/{_path(digest)}").st_size == size  # noqa: PTH116
        except FileNotFoundError:
            return False

    def is_whole(self, digest: str) -> bool:
        """Whether a blob's bytes are those of its name: reads all of it. Not where it is gone or can't be read."""
        try:
            with (self._folder / _path(digest)).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == digest
        except OSError:
            return False

    def stream(self, digest: str, start: int, length: int) -> Iterator[bytes]:
        """The same in chunks of at most CHUNK bytes."""
        end = start + length
        while start < end:
            size = min(CHUNK, end - start)
            yield self.read(digest, start, size)
            start += size

    @contextmanager
    def mapped(self, digest: str) -> Iterator[mmap.mmap | bytes]:
        """A blob as a buffer of which only the pages that are looked at are read. Raises NotFound."""
        try:
            file = (self._folder / _path(digest)).open("rb")
        except FileNotFoundError as error:
            raise NotFound(
                f"blob {digest} is missing", safe=gettext("The image's file is missing on our side.")
            ) from error
        with file:
            if os.fstat(file.fileno()).st_size == 0:
                yield b""
                return
            view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            try:
                yield view
            finally:
                # A caller that fails may still hold a view in its trace; the map then goes with it.
                with suppress(BufferError):
                    view.close()

    def exists(self, digest: str) -> bool:
        """Whether the blob is there."""
        try:
            obstore.head(self._store, _path(digest))
        except FileNotFoundError:
            return False
        return True

    def digests(self) -> Iterator[str]:
        """Every blob's digest, for the sweep of orphans."""
        for folder in self._folder.glob("[0-9a-f][0-9a-f]"):
            yield from (entry.name for entry in folder.iterdir())

    def age(self, digest: str) -> float:
        """Seconds since a blob was written; 0 where it is gone."""
        return _age(self._folder / _path(digest))

    def quarantine(self, digest: str) -> bool:
        """Take a blob out of sight without losing it; False where it is gone."""
        try:
            (self._folder / _path(digest)).rename(self._quarantine / digest)
        except FileNotFoundError:
            return False
        return True

    def quarantined(self) -> Iterator[str]:
        """The blobs in quarantine: neither put back nor removed."""
        return (path.name for path in self._quarantine.iterdir())

    def age_in_quarantine(self, digest: str) -> float:
        """Seconds since a blob that is in quarantine was written."""
        return _age(self._quarantine / digest)

    def put_back(self, digest: str) -> None:
        """Undo `quarantine`, durably; content that came in anew meanwhile is the same."""
        target = self._folder / _path(digest)
        (self._quarantine / digest).rename(target)
        _sync_folder(target.parent)

    def remove_quarantined(self, digest: str) -> None:
        """Remove for good a blob that is in quarantine."""
        (self._quarantine / digest).unlink(missing_ok=True)

    def sweep_staging(self, older_than: float) -> int:
        """Remove files that killed processes never finished; returns how many."""
        old = [path for path in self._staging.iterdir() if _age(path) > older_than]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)


def _age(path: Path) -> float:
    """Seconds since a file was written, 0 where it is gone; a clock that went back makes nothing old."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return 0.0


@cache
def _syncer() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MAX_SYNCS, thread_name_prefix="fsync")


def _path(digest: str) -> str:
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise NotFound(f"{digest!r} is not a blob's name")
    return f"{digest[:2]}/{digest}"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _translating(lambda: os.fsync(descriptor))
    finally:
        os.close(descriptor)


def _translating(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no room for a blob: {error}") from error
        raise Unavailable(f"a blob can't be written: {error}") from error
