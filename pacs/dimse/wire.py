"""Bytes of the upper layer protocol (PS3.8 9.3): a buffered socket, and what is checked before a PDU is decoded."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from select import POLLIN, poll
from struct import Struct
from typing import Final

from pacs.dimse.limits import REQUEST_ITEMS

#: PDU types (PS3.8 9.3.1).
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)

#: Reasons of a provider's A-ABORT (PS3.8 Table 9-26).
NOT_SPECIFIED, UNRECOGNISED_PDU, UNEXPECTED_PDU = 0, 1, 2
UNEXPECTED_PARAMETER, INVALID_PARAMETER = 5, 6

HEADER: Final = 6
#: Bytes asked of the kernel at once. More brings no speed; it is memory of every association.
_BUFFER = 256 << 10
_unpack_header = Struct(">BxL").unpack_from
_item_header = Struct(">BxH").unpack_from


class ProtocolError(Exception):
    """The peer breaks the protocol or a limit; `reason` is the one to abort with (PS3.8 Table 9-26)."""

    def __init__(self, message: str, reason: int = INVALID_PARAMETER) -> None:
        super().__init__(message)
        self.reason = reason


class Closed(Exception):
    """The peer closed or lost the connection."""


def abort_pdu(reason: int) -> bytes:
    """An A-ABORT PDU of the service provider (PS3.8 9.3.8)."""
    return bytes((ABORT, 0, 0, 0, 0, 4, 0, 0, 2, reason))


def reject_pdu(result: int, source: int, diagnostic: int) -> bytes:
    """An A-ASSOCIATE-RJ PDU (PS3.8 9.3.4)."""
    return bytes((ASSOCIATE_RJ, 0, 0, 0, 0, 4, 0, result, source, diagnostic))


def pdu_header(data: bytes | bytearray | memoryview) -> tuple[int, int]:
    """Type and length of the PDU that begins here (PS3.8 9.3.1); the length is what follows the six bytes."""
    kind, length = _unpack_header(data)
    return int(kind), int(length)


def check_request(pdu: bytes | bytearray) -> None:
    """See that the items of an A-ASSOCIATE-RQ (PS3.8 9.3.2) fill it exactly and are not too many.

    It costs little, while decoding makes objects of every item. Raises ProtocolError.
    """
    count = _count_items(pdu, HEADER + 68, len(pdu), depth=1)
    if count > REQUEST_ITEMS:
        raise ProtocolError(f"an A-ASSOCIATE-RQ has {count} items")


def _count_items(pdu: bytes | bytearray, start: int, end: int, depth: int) -> int:
    count = 0
    while start < end:
        if start + 4 > end:
            raise ProtocolError("an item of an A-ASSOCIATE-RQ is cut off")
        kind, length = _item_header(pdu, start)
        start += 4
        if start + length > end:
            raise ProtocolError("an item of an A-ASSOCIATE-RQ reaches behind its end")
        count += 1
        # Presentation contexts (PS3.8 9.3.2.2) have four bytes before their sub-items, user information none.
        if depth and kind in (0x20, 0x50):
            count += _count_items(pdu, start + (4 if kind == 0x20 else 0), start + length, depth=0)
        if count > REQUEST_ITEMS:
            break
        start += length
    return count


class Channel:
    """A connected socket with a buffer, read in large pieces. One thread uses it; `wake` is for others.

    Reading raises Closed at the end of the connection, TimeoutError after `patience` seconds without a byte or at
    the `deadline` (of time.monotonic), whichever is first.
    """

    def __init__(self, sock: socket.socket, patience: float) -> None:
        self._socket: socket.socket | None = sock
        self._view = memoryview(bytearray(_BUFFER))
        self._start = self._end = 0
        self.patience = patience
        self.deadline: float | None = None
        tune(sock)

    def pieces(self, size: int) -> Iterator[memoryview]:
        """The next `size` bytes as they come. A piece is valid until the next is asked for."""
        while size:
            if self._start == self._end:
                self._fill()
            piece = self._view[self._start : min(self._end, self._start + size)]
            self._start += len(piece)
            size -= len(piece)
            yield piece

    def take(self, size: int) -> bytes:
        """The next `size` bytes; for headers and short PDUs."""
        if self._end - self._start >= size:
            self._start += size
            return bytes(self._view[self._start - size : self._start])
        return b"".join(map(bytes, self.pieces(size)))

    def readable(self) -> bool:
        """Whether something can be read, or the end be seen, without waiting."""
        if self._start < self._end or self._socket is None:
            return True
        pending = getattr(self._socket, "pending", None)  # bytes that TLS has decrypted already
        if pending is not None and pending():
            return True
        poller = poll()
        poller.register(self._socket, POLLIN)
        return bool(poller.poll(0))

    def send(self, data: bytes | bytearray) -> None:
        """Send everything. Raises Closed where the peer takes nothing for `patience` seconds, or is gone."""
        if self._socket is None:
            raise Closed
        try:
            self._socket.settimeout(self.patience)
            self._socket.sendall(data)
        except OSError as error:
            raise Closed(str(error)) from error

    def release(self) -> socket.socket | None:
        """Hand the socket over; the channel is closed from now on."""
        sock, self._socket = self._socket, None
        return sock

    def close(self) -> None:
        """Close the connection; again does nothing."""
        sock = self.release()
        if sock is not None:
            with suppress(OSError):
                sock.close()

    def _shutdown_socket(self) -> None:
        """What pynetdicom's state machine calls where the peer closed the connection."""
        self.close()

    def wake(self) -> None:
        """End a read in another thread: it sees the connection closed. Sending goes on."""
        sock = self._socket
        if sock is not None:
            with suppress(OSError):
                # Not the method of a TLS socket, which would forget the session's keys.
                socket.socket.shutdown(sock, socket.SHUT_RD)

    def _fill(self) -> None:
        """Read what is there into the empty buffer, at least a byte."""
        if self._socket is None:
            raise Closed
        wait = self.patience
        if self.deadline is not None:
            wait = min(wait, self.deadline - time.monotonic())
            if wait <= 0:
                raise TimeoutError("a message takes too long")
        self._start = self._end = 0
        try:
            self._socket.settimeout(wait)
            self._end = self._socket.recv_into(self._view)
            quickly(self._socket)
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(str(error)) from error
        if not self._end:
            raise Closed


def tune(sock: socket.socket) -> None:
    """Answers leave at once, and a peer that vanished is noticed."""
    with suppress(OSError):  # not a TCP socket, or gone already
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def quickly(sock: socket.socket) -> None:
    """Acknowledge at once. A sender with Nagle's algorithm on (DCMTK's) else waits 40 ms for every instance's end.

    The kernel takes the option back by and by, so it is set after every read. Linux only.
    """
    if hasattr(socket, "TCP_QUICKACK"):
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
