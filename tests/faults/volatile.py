"""A disk in memory that forgets at a power cut whatever was not fsynced.

What is durable is what POSIX promises and what ext4 and XFS keep, no more:
- a file's content and size by fsync or fdatasync of the file, which also keeps the name that the file was made with;
- every other change of names (mkdir, rename, link, unlink) by fsync of the folder; both ends of a rename at once.
Everything else since then is undone by `cut`. Owners, modes and times are not tracked: nothing here depends on them.
"""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass, field

_Place = tuple["Node", bytes]


@dataclass(eq=False, slots=True)
class Node:
    """A file, folder, link or socket. `undo`: what to put back, newest last: offset, bytes there, size of all.

    `top`: the folder at the top of the disk that it was made in.
    """

    number: int
    mode: int
    uid: int
    gid: int
    top: str = ""
    data: bytearray = field(default_factory=bytearray)
    target: bytes = b""
    entries: dict[bytes, Node] = field(default_factory=dict)
    links: int = 1
    times: list[float] = field(default_factory=lambda: [time.time()] * 3)
    undo: list[tuple[int, bytes, int]] = field(default_factory=list)
    forgotten: dict[bytes, Node | None] = field(default_factory=dict)
    partners: dict[bytes, list[_Place]] = field(default_factory=dict)
    born: _Place | None = None

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def touch(self) -> None:
        self.times[1] = self.times[2] = time.time()


class Disk:
    """The tree. `deaf`, for the control: fsync does nothing below a folder of this name ("" for everywhere)."""

    def __init__(self, deaf: str | None = None) -> None:
        self._next = 1
        self._deaf = deaf
        self.root = self._node(stat.S_IFDIR | 0o755, 0, 0)
        self._dirty: set[Node] = set()

    def make(self, folder: Node, name: bytes, mode: int, uid: int, gid: int) -> Node:
        """A new, empty node under a name that is free."""
        node = self._node(mode, uid, gid)
        node.top = folder.top or name.decode(errors="replace")
        self._note(folder, name)
        folder.entries[name] = node
        node.born = (folder, name)
        folder.touch()
        if node.is_folder:
            node.links = 2
        return node

    def link(self, node: Node, folder: Node, name: bytes) -> None:
        """Another name of a file."""
        self._note(folder, name)
        folder.entries[name] = node
        node.links += 1
        folder.touch()

    def remove(self, folder: Node, name: bytes) -> None:
        """Take a name away."""
        self._note(folder, name)
        node = folder.entries.pop(name)
        node.links = 0 if node.is_folder else node.links - 1
        folder.touch()

    def rename(self, folder: Node, name: bytes, to: Node, new: bytes) -> None:
        """Move a name, over another one where there is one."""
        node = folder.entries[name]
        if to.entries.get(new) is node:
            return
        if new in to.entries:
            self.remove(to, new)
        self._note(folder, name, (to, new))
        self._note(to, new, (folder, name))
        to.entries[new] = folder.entries.pop(name)
        folder.touch()
        to.touch()

    def write(self, node: Node, offset: int, data: bytes | memoryview) -> None:
        """Write at an offset; a gap before it is zeros."""
        self._remember(node, offset, len(data))
        if offset > len(node.data):
            node.data.extend(bytes(offset - len(node.data)))
        node.data[offset : offset + len(data)] = data
        node.touch()

    def resize(self, node: Node, size: int) -> None:
        """Cut the file, or make it longer by zeros."""
        self._remember(node, size, max(0, len(node.data) - size))
        if size < len(node.data):
            del node.data[size:]
        else:
            node.data.extend(bytes(size - len(node.data)))
        node.touch()

    def sync(self, node: Node) -> None:
        """fsync: what this node holds survives a cut from now on."""
        if self._deaf is None or self._deaf not in ("", node.top):
            self._keep(node)

    def settle(self) -> None:
        """Make everything durable, whatever is deaf."""
        for node in list(self._dirty):
            self._keep(node)

    def cut(self) -> tuple[int, int]:
        """The power fails: undo all that was not durable; how many files lost bytes, how many names changed back."""
        files = names = 0
        for node in self._dirty:
            files += bool(node.undo)
            for offset, old, size in reversed(node.undo):
                if len(node.data) < offset:
                    node.data.extend(bytes(offset - len(node.data)))
                node.data[offset : offset + len(old)] = old
                del node.data[size:]
            for name, durable in node.forgotten.items():
                names += 1
                if durable is None:
                    node.entries.pop(name, None)
                else:
                    node.entries[name] = durable
            _clean(node)
        self._dirty.clear()
        self._count_links()
        return files, names

    def _node(self, mode: int, uid: int, gid: int) -> Node:
        node = Node(self._next, mode, uid, gid)
        self._next += 1
        return node

    def _remember(self, node: Node, offset: int, length: int) -> None:
        node.undo.append((offset, bytes(node.data[offset : offset + length]), len(node.data)))
        self._dirty.add(node)

    def _note(self, folder: Node, name: bytes, partner: _Place | None = None) -> None:
        folder.forgotten.setdefault(name, folder.entries.get(name))
        if partner is not None:
            folder.partners.setdefault(name, []).append(partner)
        self._dirty.add(folder)

    def _keep(self, node: Node) -> None:
        for places in node.partners.values():
            for folder, name in places:
                folder.forgotten.pop(name, None)
        if node.born is not None:
            folder, name = node.born
            if folder.entries.get(name) is node:
                folder.forgotten.pop(name, None)
        _clean(node)
        self._dirty.discard(node)

    def _count_links(self) -> None:
        counts: dict[Node, int] = {}
        pending = [self.root]
        while pending:
            folder = pending.pop()
            for node in folder.entries.values():
                counts[node] = counts.get(node, 0) + 1
                if node.is_folder:
                    pending.append(node)
        for node, count in counts.items():
            node.links = 2 if node.is_folder else count


def _clean(node: Node) -> None:
    node.undo.clear()
    node.forgotten.clear()
    node.partners.clear()
    node.born = None
