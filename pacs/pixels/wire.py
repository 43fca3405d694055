"""What a web process and its decoding worker say to each other: a JSON head and bytes, over a socket pair.

Never pickle: a codestream may have taken the worker over, and what comes from there is read as data alone.
"""

from __future__ import annotations

import json
import socket
import time
from struct import Struct
from typing import Any

_LENGTHS = Struct("<IQ")
_MAX_HEAD = 4096


class Broken(Exception):
    """The other side is gone."""


class Garbled(Exception):
    """The other side said something that was not agreed: it is not itself any more."""


def send(sock: socket.socket, head: dict[str, Any], body: bytes | memoryview = b"", until: float | None = None) -> None:
    """Send one message; `until` is of `time.monotonic`. Raises Broken, TimeoutError."""
    said = json.dumps(head).encode()
    try:
        _hurry(sock, until)
        sock.sendall(_LENGTHS.pack(len(said), len(body)) + said)
        if body:
            sock.sendall(body)
    except TimeoutError:
        raise
    except OSError as gone:
        raise Broken(str(gone)) from gone


def receive(sock: socket.socket, limit: int, until: float | None = None) -> tuple[dict[str, Any], bytearray]:
    """Receive one message, its body at most `limit` bytes. Raises Broken, Garbled, TimeoutError."""
    said, size = _LENGTHS.unpack(_exactly(sock, _LENGTHS.size, until))
    if said > _MAX_HEAD or size > limit:
        raise Garbled("a message larger than was agreed")
    try:
        head = json.loads(_exactly(sock, said, until))
    except ValueError as garbled:
        raise Garbled("a message that is no JSON") from garbled
    if not isinstance(head, dict):
        raise Garbled("a message without a head")
    return head, _exactly(sock, size, until)


def _exactly(sock: socket.socket, count: int, until: float | None) -> bytearray:
    out = bytearray(count)
    rest = memoryview(out)
    while rest:
        try:
            _hurry(sock, until)
            got = sock.recv_into(rest)
        except TimeoutError:
            raise
        except OSError as gone:
            raise Broken(str(gone)) from gone
        if not got:
            raise Broken("the connection was closed")
        rest = rest[got:]
    return out


def _hurry(sock: socket.socket, until: float | None) -> None:
    if until is not None:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
