"""A C-STORE sender that is not the bottleneck: encoded commands, two buffers a PDU, no data set is ever parsed.

The upper layer is PS3.8 9.3, the command set PS3.7 9.3.1. A service user of one process; `blast` starts several.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from types import TracebackType

from benchmarks.part10 import Instance

_MAX_PDU = 1 << 20
_APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
_IMPLEMENTATION = b"2.25.164532798"
_ASSOCIATE_AC, _DATA, _RELEASE_RQ, _ABORT = 0x02, 0x04, 0x05, 0x07


class Refused(Exception):
    """The peer rejected or aborted the association."""


class Association:
    """One association that stores; `with` releases it at the end, or aborts it after an error.

    `nagle`: leave Nagle's algorithm on, as DCMTK's storescu does by default.
    Raises Refused where the peer rejects it, OSError where it can't be reached.
    """

    def __init__(
        self,
        address: tuple[str, int],
        called: str,
        calling: str,
        contexts: Iterable[tuple[str, str]],
        *,
        nagle: bool = False,
        timeout: float = 60.0,
    ) -> None:
        wanted = sorted(set(contexts))
        self._ids = {pair: 2 * number + 1 for number, pair in enumerate(wanted)}
        self._message = 0
        self._socket = socket.create_connection(address, timeout)
        try:
            if not nagle:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(_associate_rq(called, calling, self._ids))
            kind, body = self._receive()
            if kind != _ASSOCIATE_AC:
                raise Refused(f"PDU {kind:#04x} {body.hex(' ')} in answer to the association request")
            accepted, self._max_pdu = _associate_ac(body)
        except BaseException:
            self._socket.close()
            raise
        self._ids = {pair: number for pair, number in self._ids.items() if number in accepted}

    def store(self, instance: Instance) -> int:
        """Send one instance and wait for its status (PS3.4 B.2.3); 0x0122 where its context was not accepted."""
        context = self._ids.get((instance.sop_class, instance.syntax))
        if context is None:
            return 0x0122
        self._message = self._message % 0xFFFF + 1
        command = _store_rq(instance, self._message)
        self._socket.sendall(_pdv(context, 3, len(command)) + command)
        # Released before the answer is waited for: a mapped file can't be closed under a view of it.
        with memoryview(instance.data) as whole, whole[instance.start :] as data:
            step = self._max_pdu - 6
            for start in range(0, len(data), step):
                with data[start : start + step] as chunk:
                    head = _pdv(context, 2 if start + step >= len(data) else 0, len(chunk))
                    sent = self._socket.sendmsg([head, chunk])
                    if sent < len(head) + len(chunk):
                        self._socket.sendall((head + bytes(chunk))[sent:])
        kind, body = self._receive()
        if kind != _DATA:
            raise Refused(f"PDU {kind:#04x} in answer to a C-STORE request")
        return _status(body)

    def release(self) -> None:
        """End the association in order (PS3.8 7.2)."""
        self._socket.sendall(struct.pack(">BBII", _RELEASE_RQ, 0, 4, 0))
        self._receive()
        self._socket.close()

    def abort(self) -> None:
        """End it at once (PS3.8 7.3)."""
        try:
            self._socket.sendall(struct.pack(">BBIBBBB", _ABORT, 0, 4, 0, 0, 0, 0))
        except OSError:
            pass
        finally:
            self._socket.close()

    def _receive(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxI", self._exactly(6))
        return kind, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        got = bytearray()
        while len(got) < size:
            more = self._socket.recv(size - len(got))
            if not more:
                raise ConnectionError("the peer closed the connection")
            got += more
        return bytes(got)

    def __enter__(self) -> Association:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.release()
        else:
            self.abort()


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def _associate_rq(called: str, calling: str, contexts: dict[tuple[str, str], int]) -> bytes:
    """PS3.8 9.3.2: the titles, one presentation context for each pair, and the user information."""
    items = _item(0x10, _APPLICATION_CONTEXT)
    for (sop_class, syntax), number in contexts.items():
        names = _item(0x30, sop_class.encode()) + _item(0x40, syntax.encode())
        items += _item(0x20, struct.pack(">BBBB", number, 0, 0, 0) + names)
    items += _item(0x50, _item(0x51, struct.pack(">I", 0)) + _item(0x52, _IMPLEMENTATION))
    fixed = struct.pack(">HH16s16s32x", 1, 0, called.ljust(16).encode(), calling.ljust(16).encode())
    return struct.pack(">BBI", 0x01, 0, len(fixed) + len(items)) + fixed + items


def _associate_ac(body: bytes) -> tuple[set[int], int]:
    """PS3.8 9.3.3: the contexts that were accepted, and the largest PDU to send."""
    accepted, largest = set(), 0
    position = 68
    while position < len(body):
        kind, length = struct.unpack_from(">BxH", body, position)
        value = body[position + 4 : position + 4 + length]
        position += 4 + length
        if kind == 0x21 and value[2] == 0:
            accepted.add(value[0])
        elif kind == 0x50:
            inner = 0
            while inner < len(value):
                sub, size = struct.unpack_from(">BxH", value, inner)
                if sub == 0x51:
                    (largest,) = struct.unpack_from(">I", value, inner + 4)
                inner += 4 + size
    # 0 means that the peer sets no limit (PS3.8 D.1).
    return accepted, min(largest or _MAX_PDU, _MAX_PDU)


def _pdv(context: int, control: int, size: int) -> bytes:
    """The head of a P-DATA-TF PDU with one presentation data value (PS3.8 9.3.5)."""
    return struct.pack(">BBIIBB", _DATA, 0, size + 6, size + 2, context, control)


def _element(number: int, value: bytes) -> bytes:
    value += b"\0" * (len(value) & 1)
    return struct.pack("<HHI", 0, number, len(value)) + value


def _store_rq(instance: Instance, message: int) -> bytes:
    """PS3.7 9.3.1.1, in implicit VR little endian."""
    body = (
        _element(0x0002, instance.sop_class.encode())
        + _element(0x0100, struct.pack("<H", 0x0001))
        + _element(0x0110, struct.pack("<H", message))
        + _element(0x0700, struct.pack("<H", 0))
        + _element(0x0800, struct.pack("<H", 1))
        + _element(0x1000, instance.sop_uid.encode())
    )
    return _element(0x0000, struct.pack("<I", len(body))) + body


def _status(body: bytes) -> int:
    """The status of a C-STORE-RSP (PS3.7 9.3.1.2): in one PDV, as every peer here sends it."""
    position = 6
    while position < len(body):
        _, element, length = struct.unpack_from("<HHI", body, position)
        if element == 0x0900:
            return int(struct.unpack_from("<H", body, position + 8)[0])
        position += 8 + length
    raise Refused("an answer without a status")
