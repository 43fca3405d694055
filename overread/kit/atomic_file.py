"""Small files that are made once, whole and durable, however many processes make them at the same moment."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from overread.kit.clock import uuid7


def write_once(path: Path, content: bytes) -> None:
    """Make a file that only its owner can read, unless there is one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written aside and linked: of two that make it at once one wins, whole.
    aside = path.with_name(f"{uuid7().hex}.new")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
