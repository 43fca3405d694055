"""A decoding worker with codecs that do what a bad one might; run as a module, as the real one is."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np

from pacs.pixels import worker
from pacs.pixels.layout import Layout


def segfault(_head: dict[str, Any], _form: Layout, _frame: bytes) -> bytes:
    ctypes.string_at(0)
    return b""


def abort(_head: dict[str, Any], _form: Layout, _frame: bytes) -> bytes:
    os.abort()


def hang(_head: dict[str, Any], _form: Layout, _frame: bytes) -> bytes:
    time.sleep(600)
    return b""


def spin(_head: dict[str, Any], _form: Layout, _frame: bytes) -> bytes:
    while True:
        pass


def hog(_head: dict[str, Any], _form: Layout, _frame: bytes) -> bytes:
    return np.ones(worker.MAX_MEMORY, np.uint8).tobytes()


def chatter(_head: dict[str, Any], _form: Layout, _frame: bytes) -> bytes:
    return bytes(1 << 20)


def secrets(_head: dict[str, Any], _form: Layout, _frame: bytes) -> bytes:
    links = [Path(f"/proc/self/fd/{number}") for number in range(64)]
    files = [str(link.readlink()) for link in links if link.is_symlink()]
    return json.dumps([sorted(os.environ), files]).encode()


def snoop(_head: dict[str, Any], _form: Layout, frame: bytes) -> bytes:
    """Try to read the file whose name is given, and to make a connection."""
    said = []
    for attempt in (lambda: Path(frame.decode()).read_bytes(), lambda: socket.create_connection(("127.0.0.1", 9))):
        try:
            attempt()
            said.append("done")
        except OSError as error:
            said.append(type(error).__name__)
    return json.dumps(said).encode()


def echo(_head: dict[str, Any], _form: Layout, frame: bytes) -> bytes:
    return frame


def slowly(_head: dict[str, Any], _form: Layout, frame: bytes) -> bytes:
    time.sleep(1)
    return frame


def pid(_head: dict[str, Any], _form: Layout, _frame: bytes) -> bytes:
    return str(os.getpid()).encode()


for operation in (segfault, abort, hang, spin, hog, chatter, secrets, snoop, echo, slowly, pid):
    worker.OPERATIONS[operation.__name__] = operation

if __name__ == "__main__":
    worker.MAX_SECONDS = 1
    worker.IDLE_SECONDS = float(os.environ.get("IDLE", "60"))
    worker.main()
