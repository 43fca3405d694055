"""Mounts a `volatile.Disk`: the kernel's FUSE protocol (linux/fuse.h, 7.31) spoken over /dev/fuse, one request a time.

usage: python -m tests.faults.fuse MOUNTPOINT [--deaf FOLDER]      (as root)
Prints "ready"; then obeys lines of its input and answers each with one line:
  settle  everything so far is durable        cut   the power fails: every request from now on is EIO
  sick    fsync below the folder blobs is EIO, and drops nothing by itself
  heal    the power is back, and fsync works  quit  unmount and end
No library is taken for it: the bindings from PyPI are by path and rename what is removed while it is open, and a
disk that forgets must know the nodes themselves.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import select
import stat
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.faults.volatile import Disk, Node

_MAX_WRITE = 1 << 20
_MS_NOSUID, _MS_NODEV, _MNT_DETACH = 2, 4, 2
#: FUSE_BIG_WRITES, FUSE_MAX_PAGES
_FLAGS = 1 << 5 | 1 << 22
_FORGET, _BATCH_FORGET, _INTERRUPT, _INIT, _DESTROY = 2, 42, 36, 26, 38
_RENAME_NOREPLACE = 1
_HEADER = struct.Struct("<IIQQIIIHH")
_LIBC = ctypes.CDLL(None, use_errno=True)


class _Fail(Exception):
    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.number = number


class Mount:
    """A disk at a mount point."""

    def __init__(self, disk: Disk, point: Path) -> None:
        self.disk = disk
        self.cut = False
        self.sick = False
        self._point = point
        self._nodes: dict[int, Node] = {disk.root.number: disk.root}
        self._lookups: dict[int, int] = {}
        self._listings: dict[int, list[tuple[bytes, Node]]] = {}
        self._next_listing = 1
        self._buffer = bytearray(_MAX_WRITE + 4096)
        self._calls: dict[int, Callable[[Node, memoryview, int, int], bytes]] = {
            1: self._lookup,
            3: self._getattr,
            4: self._setattr,
            5: lambda node, *_: node.target,
            6: self._symlink,
            8: self._mknod,
            9: self._mkdir,
            10: self._unlink,
            11: self._rmdir,
            12: self._rename,
            13: self._link,
            14: lambda *_: struct.pack("<QII", 0, 0, 0),
            15: self._read,
            16: self._write,
            17: lambda *_: struct.pack("<5Q4I24x", 1 << 22, 1 << 21, 1 << 21, 1 << 20, 1 << 19, 4096, 255, 4096, 0),
            18: lambda *_: b"",  # release
            20: self._fsync,
            25: lambda *_: b"",  # flush
            27: self._opendir,
            28: self._readdir,
            29: self._releasedir,
            30: self._fsync,
            35: self._create,
            45: self._rename2,
        }
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other"
        if _LIBC.mount(b"volatile", bytes(point), b"fuse", _MS_NOSUID | _MS_NODEV, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), f"can't mount at {point}")

    def unmount(self) -> None:
        _LIBC.umount2(bytes(self._point), _MNT_DETACH)

    def serve_one(self) -> bool:
        """Answer one request; False when the file system was unmounted."""
        try:
            size = os.readv(self.device, [self._buffer])
        except OSError as error:
            # ENOENT: the request was interrupted before it could be read.
            return error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN)
        _, opcode, unique, number, uid, gid, _, _, _ = _HEADER.unpack_from(self._buffer)
        body = memoryview(self._buffer)[_HEADER.size : size]
        if opcode in (_FORGET, _BATCH_FORGET):
            self._forget(opcode, number, body)
        elif opcode != _INTERRUPT:
            failure, answer = self._answer(opcode, number, body, uid, gid)
            head = struct.pack("<IiQ", 16 + len(answer), -failure, unique)
            # Where the caller was killed meanwhile nobody waits for the answer.
            with suppress(FileNotFoundError):
                os.writev(self.device, [head, answer])
        return bool(opcode != _DESTROY)

    def _answer(self, opcode: int, number: int, body: memoryview, uid: int, gid: int) -> tuple[int, bytes]:
        if opcode == _INIT:
            return 0, struct.pack(
                "<IIIIHHIIHHI28x", 7, 31, 1 << 17, _FLAGS, 64, 48, _MAX_WRITE, 1, _MAX_WRITE // 4096, 0, 0
            )
        if opcode == _DESTROY:
            return 0, b""
        if self.cut:
            return errno.EIO, b""
        call, node = self._calls.get(opcode), self._nodes.get(number)
        if call is None:
            return errno.ENOSYS, b""
        if node is None:
            return errno.ESTALE, b""
        try:
            return 0, call(node, body, uid, gid)
        except _Fail as failed:
            return failed.number, b""

    def _forget(self, opcode: int, number: int, body: memoryview) -> None:
        pairs = [(number, struct.unpack_from("<Q", body)[0])]
        if opcode == _BATCH_FORGET:
            (count,) = struct.unpack_from("<I", body)
            pairs = [struct.unpack_from("<QQ", body, 8 + 16 * i) for i in range(count)]
        for one, count in pairs:
            left = self._lookups.get(one, 0) - count
            if left > 0:
                self._lookups[one] = left
            elif one != self.disk.root.number:
                self._lookups.pop(one, None)
                self._nodes.pop(one, None)

    def _entry(self, node: Node) -> bytes:
        """fuse_entry_out; nothing is cached by the kernel, for a cut changes it behind its back."""
        self._nodes[node.number] = node
        self._lookups[node.number] = self._lookups.get(node.number, 0) + 1
        return struct.pack("<QQQQII", node.number, 0, 0, 0, 0, 0) + _attributes(node)

    def _child(self, folder: Node, name: bytes) -> Node:
        node = folder.entries.get(name)
        if node is None:
            raise _Fail(errno.ENOENT)
        return node

    def _new(self, folder: Node, name: bytes, mode: int, uid: int, gid: int) -> Node:
        if name in folder.entries:
            raise _Fail(errno.EEXIST)
        return self.disk.make(folder, name, mode, uid, gid)

    def _lookup(self, folder: Node, body: memoryview, _uid: int, _gid: int) -> bytes:
        return self._entry(self._child(folder, _name(body)))

    def _getattr(self, node: Node, _body: memoryview, _uid: int, _gid: int) -> bytes:
        return struct.pack("<QII", 0, 0, 0) + _attributes(node)

    def _setattr(self, node: Node, body: memoryview, uid: int, gid: int) -> bytes:
        valid, _, size, _, atime, mtime, _, ansec, mnsec, _, mode, _, owner, group, _ = struct.unpack_from(
            "<I4xQQQQQQIIIIIIII", body
        )
        if valid & 1:
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)
        if valid & 2:
            node.uid = owner
        if valid & 4:
            node.gid = group
        if valid & 8:
            self.disk.resize(node, size)
        if valid & 16:
            node.times[0] = atime + ansec / 1e9
        if valid & 32:
            node.times[1] = mtime + mnsec / 1e9
        return self._getattr(node, body, uid, gid)

    def _symlink(self, folder: Node, body: memoryview, uid: int, gid: int) -> bytes:
        name, target = bytes(body).split(b"\0")[:2]
        node = self._new(folder, name, stat.S_IFLNK | 0o777, uid, gid)
        node.target = target
        return self._entry(node)

    def _mknod(self, folder: Node, body: memoryview, uid: int, gid: int) -> bytes:
        (mode,) = struct.unpack_from("<I", body)
        return self._entry(self._new(folder, _name(body[16:]), mode, uid, gid))

    def _mkdir(self, folder: Node, body: memoryview, uid: int, gid: int) -> bytes:
        (mode,) = struct.unpack_from("<I", body)
        return self._entry(self._new(folder, _name(body[8:]), stat.S_IFDIR | stat.S_IMODE(mode), uid, gid))

    def _create(self, folder: Node, body: memoryview, uid: int, gid: int) -> bytes:
        _, mode = struct.unpack_from("<II", body)
        node = self._new(folder, _name(body[16:]), stat.S_IFREG | stat.S_IMODE(mode), uid, gid)
        return self._entry(node) + struct.pack("<QII", 0, 0, 0)

    def _unlink(self, folder: Node, body: memoryview, _uid: int, _gid: int) -> bytes:
        name = _name(body)
        self._child(folder, name)
        self.disk.remove(folder, name)
        return b""

    def _rmdir(self, folder: Node, body: memoryview, _uid: int, _gid: int) -> bytes:
        name = _name(body)
        if self._child(folder, name).entries:
            raise _Fail(errno.ENOTEMPTY)
        self.disk.remove(folder, name)
        return b""

    def _rename(self, folder: Node, body: memoryview, _uid: int, _gid: int) -> bytes:
        return self._move(folder, struct.unpack_from("<Q", body)[0], 0, bytes(body[8:]))

    def _rename2(self, folder: Node, body: memoryview, _uid: int, _gid: int) -> bytes:
        to, flags = struct.unpack_from("<QI", body)
        return self._move(folder, to, flags, bytes(body[16:]))

    def _move(self, folder: Node, to_number: int, flags: int, names: bytes) -> bytes:
        if flags & ~_RENAME_NOREPLACE:
            raise _Fail(errno.EINVAL)
        name, new = names.split(b"\0")[:2]
        to = self._nodes[to_number]
        self._child(folder, name)
        there = to.entries.get(new)
        if there is not None and flags & _RENAME_NOREPLACE:
            raise _Fail(errno.EEXIST)
        if there is not None and there.entries:
            raise _Fail(errno.ENOTEMPTY)
        self.disk.rename(folder, name, to, new)
        return b""

    def _link(self, folder: Node, body: memoryview, _uid: int, _gid: int) -> bytes:
        node, name = self._nodes[struct.unpack_from("<Q", body)[0]], _name(body[8:])
        if name in folder.entries:
            raise _Fail(errno.EEXIST)
        self.disk.link(node, folder, name)
        return self._entry(node)

    def _read(self, node: Node, body: memoryview, _uid: int, _gid: int) -> bytes:
        offset, size = struct.unpack_from("<8xQI", body)
        return bytes(node.data[offset : offset + size])

    def _write(self, node: Node, body: memoryview, _uid: int, _gid: int) -> bytes:
        offset, size = struct.unpack_from("<8xQI", body)
        self.disk.write(node, offset, body[40 : 40 + size])
        return struct.pack("<II", size, 0)

    def _fsync(self, node: Node, _body: memoryview, _uid: int, _gid: int) -> bytes:
        if self.sick and node.top == "blobs":
            raise _Fail(errno.EIO)
        self.disk.sync(node)
        return b""

    def _opendir(self, node: Node, _body: memoryview, _uid: int, _gid: int) -> bytes:
        handle, self._next_listing = self._next_listing, self._next_listing + 1
        self._listings[handle] = [(b".", node), (b"..", node), *node.entries.items()]
        return struct.pack("<QII", handle, 0, 0)

    def _readdir(self, _node: Node, body: memoryview, _uid: int, _gid: int) -> bytes:
        handle, offset, size = struct.unpack_from("<QQI", body)
        found = b""
        for place, (name, node) in enumerate(self._listings[handle][offset:], offset + 1):
            kind = stat.S_IFMT(node.mode) >> 12
            entry = struct.pack("<QQII", node.number, place, len(name), kind) + name
            entry += bytes(-len(entry) % 8)
            if len(found) + len(entry) > size:
                break
            found += entry
        return found

    def _releasedir(self, _node: Node, body: memoryview, _uid: int, _gid: int) -> bytes:
        self._listings.pop(struct.unpack_from("<Q", body)[0], None)
        return b""


def _name(body: memoryview) -> bytes:
    return bytes(body).split(b"\0", 1)[0]


def _attributes(node: Node) -> bytes:
    """fuse_attr."""
    size = len(node.target) or len(node.data)
    seconds = [int(moment) for moment in node.times]
    nanoseconds = [int((moment % 1) * 1e9) for moment in node.times]
    return struct.pack(
        "<6Q10I", node.number, size, -(-size // 512), *seconds, *nanoseconds, node.mode, node.links, node.uid, node.gid,
        0, 4096, 0,
    )  # fmt: skip


def _obey(mount: Mount, command: str) -> str:
    if command == "settle":
        mount.disk.settle()
        return "settled"
    if command == "cut":
        mount.cut = True
        files, names = mount.disk.cut()
        return f"{files} {names}"
    if command == "sick":
        mount.sick = True
        return "sick"
    if command == "heal":
        mount.cut = mount.sick = False
        return "healed"
    return f"{command}?"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("point", type=Path)
    parser.add_argument("--deaf", default=None)
    options = parser.parse_args()
    mount = Mount(Disk(options.deaf), options.point)
    try:
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([mount.device, 0], [], [])
            if mount.device in readable and not mount.serve_one():
                return
            if 0 in readable:
                command = sys.stdin.readline().strip()
                if command in ("quit", ""):
                    return
                print(_obey(mount, command), flush=True)
    finally:
        mount.unmount()


if __name__ == "__main__":
    main()
