"""The disk that forgets: what POSIX promises survives a cut, and nothing else does."""

from __future__ import annotations

import stat

import pytest

from tests.faults.volatile import Disk, Node

FILE = stat.S_IFREG | 0o600
FOLDER = stat.S_IFDIR | 0o755


@pytest.fixture
def disk() -> Disk:
    return Disk()


def make(disk: Disk, name: bytes, content: bytes = b"", folder: Node | None = None) -> Node:
    node = disk.make(folder or disk.root, name, FILE, 0, 0)
    disk.write(node, 0, content)
    return node


def test_a_file_without_fsync_is_gone(disk: Disk) -> None:
    make(disk, b"a", b"bytes")
    assert disk.cut() == (1, 1)
    assert disk.root.entries == {}


def test_fsync_keeps_content_and_the_name_it_was_made_with(disk: Disk) -> None:
    node = make(disk, b"a", b"bytes")
    disk.sync(node)
    assert disk.cut() == (0, 0)
    assert bytes(disk.root.entries[b"a"].data) == b"bytes"


def test_what_was_written_after_fsync_is_undone_in_order(disk: Disk) -> None:
    node = make(disk, b"a", b"0123456789")
    disk.sync(node)
    disk.write(node, 2, b"xx")
    disk.resize(node, 4)
    disk.write(node, 8, b"later")
    disk.resize(node, 1)
    disk.cut()
    assert bytes(node.data) == b"0123456789"


def test_a_rename_needs_fsync_of_a_folder(disk: Disk) -> None:
    aside = disk.make(disk.root, b"aside", FOLDER, 0, 0)
    final = disk.make(disk.root, b"final", FOLDER, 0, 0)
    disk.settle()
    node = make(disk, b"new", b"bytes", aside)
    disk.sync(node)
    disk.rename(aside, b"new", final, b"blob")
    disk.cut()
    assert (aside.entries, final.entries) == ({b"new": node}, {})
    disk.rename(aside, b"new", final, b"blob")
    disk.sync(final)
    disk.cut()
    assert (aside.entries, final.entries) == ({}, {b"blob": node}), "both ends at once"


def test_what_a_rename_replaced_comes_back(disk: Disk) -> None:
    old = make(disk, b"a", b"old")
    disk.settle()
    new = make(disk, b"a.new", b"new")
    disk.sync(new)
    disk.rename(disk.root, b"a.new", disk.root, b"a")
    disk.cut()
    assert disk.root.entries == {b"a": old, b"a.new": new}
    assert (old.links, new.links) == (1, 1)


def test_a_folder_and_a_removal_need_fsync_of_the_folder_above(disk: Disk) -> None:
    kept = make(disk, b"kept")
    disk.settle()
    folder = disk.make(disk.root, b"folder", FOLDER, 0, 0)
    disk.sync(make(disk, b"inside", b"bytes", folder))
    disk.remove(disk.root, b"kept")
    disk.cut()
    assert disk.root.entries == {b"kept": kept}
    disk.remove(disk.root, b"kept")
    disk.sync(disk.root)
    disk.cut()
    assert disk.root.entries == {}


def test_a_deaf_disk_keeps_nothing_but_what_settled() -> None:
    disk = Disk(deaf="blobs")
    blobs = disk.make(disk.root, b"blobs", FOLDER, 0, 0)
    disk.settle()
    disk.sync(make(disk, b"lost", b"bytes", blobs))
    disk.sync(make(disk, b"kept", b"bytes"))
    disk.cut()
    assert blobs.entries == {}
    assert set(disk.root.entries) == {b"blobs", b"kept"}
