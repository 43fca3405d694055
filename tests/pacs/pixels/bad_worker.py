"""A decoding worker with codecs that do what a bad one might; run as a module, as the real one is."""

from __future__ import annotations

import ctypes
import json
import os
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
    opened = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    # The folder itself is open while it is read.
    files = [file for file in opened if not file.startswith("/proc/")]
    return json.dumps([sorted(os.environ), files]).encode()


def echo(_head: dict[str, Any], _form: Layout, frame: bytes) -> bytes:
    return frame


def slowly(_head: dict[str, Any], _form: Layout, frame: bytes) -> bytes:
    time.sleep(1)
    return frame


def pid(_head: dict[str, Any], _form: Layout, _frame: bytes) -> bytes:
    return str(os.getpid()).encode()


for operation in (segfault, abort, hang, spin, hog, chatter, secrets, echo, slowly, pid):
    worker.OPERATIONS[operation.__name__] = operation

if __name__ == "__main__":
    worker.MAX_SECONDS = 1
    worker.IDLE_SECONDS = float(os.environ.get("IDLE", "60"))
    worker.main()
