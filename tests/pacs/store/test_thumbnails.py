"""Thumbnails on disk: the last used stay, a cut file is none, and what is dropped is gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from overread.kit.errors import NotFound
from pacs.store.thumbnails import Thumbnails

BLOB, OTHER = "ab" * 32, "cd" * 32


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def never() -> bytes:
    raise AssertionError("it is there")


def test_what_was_made_once_is_read_by_everybody(tmp_path: Path) -> None:
    assert Thumbnails(tmp_path).get(BLOB, ("header", 1), lambda: b"picture") == b"picture"
    assert Thumbnails(tmp_path).get(BLOB, ("header", 1), never) == b"picture"
    [path] = files(tmp_path)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("blob", "name"), [(OTHER, ("header", 1)), (BLOB, ("header", 2)), (BLOB, ("masked", 1))])
def test_whatever_differs_is_another_picture(tmp_path: Path, blob: str, name: object) -> None:
    shelf = Thumbnails(tmp_path)
    shelf.get(BLOB, ("header", 1), lambda: b"picture")
    assert shelf.get(blob, name, lambda: b"another") == b"another"


@pytest.mark.parametrize("left", [0, 10, 35])
def test_a_file_that_was_cut_off_is_made_again(tmp_path: Path, left: int) -> None:
    shelf = Thumbnails(tmp_path)
    shelf.get(BLOB, 1, lambda: b"picture")
    [path] = files(tmp_path)
    os.truncate(path, left)
    assert shelf.get(BLOB, 1, lambda: b"anew") == b"anew"
    assert shelf.get(BLOB, 1, never) == b"anew"


def test_the_last_used_stay(tmp_path: Path) -> None:
    shelf = Thumbnails(tmp_path, most=3 * 1032)
    for number in range(6):
        shelf.get(BLOB if number % 2 else OTHER, number, lambda: bytes(1000))
    for age, path in enumerate(files(tmp_path)):
        os.utime(path, (age, age))
    shelf.get(OTHER, 0, never)
    shelf.tidy()
    assert sum(path.stat().st_size for path in files(tmp_path)) == 3 * 1032
    shelf.get(OTHER, 0, never)


def test_it_tidies_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs.store.thumbnails._BETWEEN", 5)
    shelf = Thumbnails(tmp_path, most=2 * 1032)
    for number in range(20):
        shelf.get(BLOB, number, lambda: bytes(1000))
    assert len(files(tmp_path)) == 2


def test_dropped_is_gone_and_the_others_stay(tmp_path: Path) -> None:
    shelf = Thumbnails(tmp_path)
    shelf.get(BLOB, 1, lambda: b"one")
    shelf.get(OTHER, 1, lambda: b"two")
    shelf.drop(BLOB)
    shelf.drop(BLOB)
    assert shelf.get(OTHER, 1, never) == b"two"
    assert len(files(tmp_path)) == 1
    shelf.clear()
    shelf.clear()
    assert files(tmp_path) == []


def test_errors_are_not_kept_and_a_folder_that_can_not_be_written_does_no_harm(tmp_path: Path) -> None:
    shelf = Thumbnails(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"in the way")
    assert shelf.get(BLOB, 1, lambda: b"picture") == b"picture"

    def missing() -> bytes:
        raise NotFound("no such frame")

    good = Thumbnails(tmp_path / "good")
    with pytest.raises(NotFound):
        good.get(BLOB, 1, missing)
    assert good.get(BLOB, 1, lambda: b"now") == b"now"


@pytest.mark.parametrize("blob", ["", "../../etc/passwd", "AB" * 32, "ab" * 31])
def test_no_path_is_made_of_anything_but_a_digest(tmp_path: Path, blob: str) -> None:
    with pytest.raises(AssertionError, match="digest"):
        Thumbnails(tmp_path).get(blob, 1, lambda: b"")
