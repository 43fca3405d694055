"""Blobs: immutable bytes named by the SHA-256 of their content, and what a store of them does.

`overread.kit.local_blobs` keeps them in a folder; another kind of store is another class with these methods, made in
`pacs.store.archive`.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob that is durable: its SHA-256 in hexadecimal and its size in bytes."""

    digest: str
    size: int


class BlobWriter(Protocol):
    """A blob in the making. Leaving the `with` block without `keep()` leaves nothing behind."""

    size: int

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes. Raises StorageFull where there is no room."""

    @property
    def digest(self) -> str:
        """The SHA-256 of what was written so far, in hexadecimal."""

    def buffer(self) -> mmap.mmap | bytes:
        """What was written so far: nothing of a large blob is read before it is looked at."""

    def sync(self) -> None:
        """Begin to make the bytes durable while the caller looks at them; `keep` waits for it."""

    def keep(self) -> Blob:
        """Make the bytes durable under their digest. Raises Unavailable where the store fails."""

    def __enter__(self) -> BlobWriter:
        """Begin it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind that was not kept."""


class BlobStore(Protocol):
    """A store of blobs. What is asked for by a digest that it lacks raises NotFound where nothing else is said."""

    def writer(self) -> BlobWriter:
        """Begin a blob. Raises StorageFull or Unavailable."""

    def read(self, digest: str, start: int = 0, length: int | None = None) -> bytes:
        """`length` bytes of a blob from `start` (to its end without a length)."""

    def stream(self, digest: str, start: int, length: int) -> Iterator[bytes]:
        """The same in chunks of at most CHUNK bytes."""

    def mapped(self, digest: str) -> AbstractContextManager[mmap.mmap | bytes]:
        """A blob as a buffer of which only the pages that are looked at are read."""

    def path(self, digest: str, size: int) -> Path | None:
        """The file of a blob, for who hands it on whole; None where it has not exactly this many bytes, or no file."""

    def has(self, digest: str, size: int) -> bool:
        """Whether a blob is there and has exactly this many bytes; nothing of it is read."""

    def exists(self, digest: str) -> bool:
        """Whether the blob is there."""

    def is_whole(self, digest: str) -> bool:
        """Whether a blob's bytes are those of its name: reads all of it. Not where it is gone or can't be read."""

    def digests(self) -> Iterator[str]:
        """Every blob's digest, for the sweep of orphans."""

    def age(self, digest: str) -> float:
        """Seconds since a blob was written; 0 where it is gone."""

    def quarantine(self, digest: str) -> bool:
        """Take a blob out of sight without losing it; False where it is gone."""

    def quarantined(self) -> Iterator[str]:
        """The blobs in quarantine: neither put back nor removed."""

    def age_in_quarantine(self, digest: str) -> float:
        """Seconds since a blob that is in quarantine was written."""

    def put_back(self, digest: str) -> None:
        """Undo `quarantine`, durably; content that came in anew meanwhile is the same."""

    def remove_quarantined(self, digest: str) -> None:
        """Remove for good a blob that is in quarantine."""

    def sweep_staging(self, older_than: float) -> int:
        """Remove what killed processes never finished; returns how many."""
