"""Thumbnails that outlive the process: a folder of small files, of which those that nobody asks for go.

A picture lies in a folder named by the blob that it was made of, in a file named by the SHA-256 of all that decides
about it: the header and the ranges of its view, the frame, the parameters. So a picture of other pixels is another
file, and none outlives its blob. Who may see it is asked before anybody looks here.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

from overread.kit import log
from overread.kit.clock import uuid7

#: Raised where the same pixels would be drawn otherwise.
_EDITION = 1
_SUM = hashlib.sha256().digest_size
#: How many pictures a process keeps before it looks whether there are too many.
_BETWEEN = 100
_digest_shape = re.compile("[0-9a-f]{64}").fullmatch
_logger = log.get(__name__)


class Thumbnails:
    """Pictures in a folder, of `most` bytes together, and what is kept between two looks."""

    def __init__(self, folder: Path, most: int = 256 << 20) -> None:
        self._folder = folder
        self._most = most
        self._kept = count(1)

    def get(self, blob: str, name: object, make: Callable[[], bytes]) -> bytes:
        """The picture of that name, whose repr tells it from all others of the blob; made where it is not there."""
        path = self._of(blob) / hashlib.sha256(repr((_EDITION, name)).encode()).hexdigest()
        found = _read(path)
        if found is None:
            found = make()
            try:
                self._keep(path, found)
            except OSError as error:
                # A full disk, or a folder that was dropped just then: the picture is there all the same.
                _logger.info("thumbnail not kept", reason=str(error.strerror))
        return found

    def drop(self, blob: str) -> None:
        """Remove every picture of a blob."""
        shutil.rmtree(self._of(blob), ignore_errors=True)

    def clear(self) -> None:
        """Remove every picture."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def tidy(self) -> None:
        """Remove what was asked for longest ago, until the rest is as little as it may be."""
        held: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("*/*/*"):
            with suppress(FileNotFoundError):
                about = path.stat()
                held.append((about.st_mtime, about.st_size, path))
        size = sum(one for _, one, _ in held)
        for _, less, path in sorted(held):
            if size <= self._most:
                break
            path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()
            size -= less

    def _of(self, blob: str) -> Path:
        assert _digest_shape(blob), "blobs are named by their digest"
        return self._folder / blob[:2] / blob

    def _keep(self, path: Path, picture: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = path.with_name(f"{uuid7().hex}.new")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(hashlib.sha256(picture).digest() + picture)
        aside.rename(path)
        if next(self._kept) % _BETWEEN == 0:
            self.tidy()


def _read(path: Path) -> bytes | None:
    """What is kept there; None where there is nothing, or only a part after the power went."""
    try:
        found = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    return found[_SUM:] if hashlib.sha256(found[_SUM:]).digest() == found[:_SUM] else None
