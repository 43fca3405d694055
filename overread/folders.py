"""Folders that one process works in: held while it does, and known again when it was killed."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from overread.kit import postgres
from overread.kit.atomic_file import sync_folder
from overread.kit.errors import OverreadError

#: In a data folder: who serves it or restores into it holds a lock on this file, which says who it is while it runs.
_HELD = "held"
#: In a data folder: a restore into it is under way, or was killed.
_RESTORING = "restoring"
#: In a folder of a backup that is not whole yet: the program made it.
_MARK = "overread-backup"


@contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Hold a data folder; whether whoever held it before was killed. Raises OverreadError where somebody holds it.

    The lock is the process's own: children don't have it, and it ends with the process, however that ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / _HELD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            pid = os.pread(file, 20, 0).decode("ascii", "replace").strip()
            raise OverreadError(f"{folder} is in use by another overread (process {pid or 'unknown'})") from None
        killed = os.pread(file, 20, 0) != b""
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        try:
            yield killed
        finally:
            os.ftruncate(file, 0)
    finally:
        os.close(file)


def refuse_half_restored(folder: Path) -> None:
    """Raises OverreadError where a restore into a data folder did not come to its end."""
    if (folder / _RESTORING).exists():
        raise OverreadError(f"a restore into {folder} did not come to its end: run `overread restore` again")


@contextmanager
def restoring(folder: Path) -> Iterator[None]:
    """Make a data folder, of which nothing may be served until the block has ended well.

    What a killed restore left there is removed first. Raises OverreadError where there is anything else.
    """
    names = {path.name for path in folder.iterdir()} - {_HELD}
    if _RESTORING in names:
        foreign = names - {_RESTORING, "postgres", "postgres.users", "blobs", "keys", "server.key", "thumbnails"}
        if foreign:
            raise OverreadError(f"{folder / min(foreign)} is none of the restore's that was begun there: move it away")
        postgres.stop_left_over(folder)
        for name in sorted(names - {_RESTORING}):
            _remove(folder / name)
    elif names:
        raise OverreadError(f"{folder} is not empty: a backup is restored into a new folder")
    (folder / _RESTORING).touch(mode=0o600)
    sync_folder(folder)
    yield
    os.sync()
    (folder / _RESTORING).unlink()
    sync_folder(folder)


@contextmanager
def growing(target: Path, own: frozenset[str]) -> Iterator[Path]:
    """A folder beside `target` that becomes `target` when the block has ended well, and is removed where it fails.

    What a killed process left of it (nothing but `own` names) is removed first. Raises OverreadError where somebody
    else works on it, or where there is anything else.
    """
    if target.exists() or target.is_symlink():
        raise OverreadError(f"{target} exists: a backup goes into a new folder")
    aside = target.with_name(target.name + ".incomplete")
    aside.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        aside.mkdir(mode=0o700)
    if aside.is_symlink() or not aside.is_dir():
        raise OverreadError(f"{aside} is no folder: move it away")
    handle = os.open(aside, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _claim(handle, aside)
        _empty(aside, own)
        (aside / _MARK).touch(mode=0o600)
        try:
            yield aside
            (aside / _MARK).unlink()
            os.sync()
            if target.exists():
                raise OverreadError(f"{target} exists: a backup goes into a new folder")
            aside.rename(target)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        sync_folder(target.parent)
    finally:
        os.close(handle)


def _claim(handle: int, aside: Path) -> None:
    """Lock a folder. Raises OverreadError where somebody has, or just made it the whole backup."""
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), aside.stat()):
            return
    raise OverreadError(f"another backup is being made in {aside}")


def _empty(aside: Path, own: frozenset[str]) -> None:
    """Remove what a killed backup left. Its mark is made first and removed last."""
    names = {path.name for path in aside.iterdir()}
    if names and not ({_MARK} <= names and names <= {_MARK, *own}) and names != own:
        raise OverreadError(f"{aside} holds what no backup left there: move it away")
    for name in sorted(names - {_MARK}):
        _remove(aside / name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
