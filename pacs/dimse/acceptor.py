"""The door: accepts connections and waits for what they ask, all in one thread that blocks in `select`.

A connection costs a descriptor and what it has sent, no more, until its whole A-ASSOCIATE-RQ is here; then it is
handed over. Silent ones are closed when the ARTIM timer (PS3.8 9.1.5) would expire, or sooner when others need the
room. The same thread waits for peers to close what has ended (PS3.8 9.2, Sta13), so that a last PDU isn't lost to a
reset of the connection.
"""

from __future__ import annotations

import errno
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from overread.kit import log
from pacs.dimse import wire
from pacs.dimse.limits import PENDING_CONNECTIONS, REQUEST_BYTES, Limits
from pacs.dimse.wire import ProtocolError

_logger = log.get(__name__)
_BACKLOG = 1024
#: Connections taken in a row before others are looked at.
_ACCEPTS = 64
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
#: Seconds that a peer gets to close a connection that has ended.
_LINGER = 2.0
#: Connections that wait to be closed; a further one closes the oldest.
_LINGERING = 256
#: Bytes held of incomplete requests, all together.
_HELD_BYTES = 32 << 20

#: A lack of descriptors is logged no more often than this.
_COMPLAINT_SECONDS = 10.0

#: What is done with a complete request: connection, peer's address, PDU.
Start = Callable[[socket.socket, tuple[Any, ...], bytes], None]


@dataclass(eq=False)
class _Pending:
    """A connection that has not asked yet, or one that has ended and lingers."""

    sock: socket.socket
    address: tuple[Any, ...]
    deadline: float
    handshaking: bool = False
    lingering: bool = False
    data: bytearray = field(default_factory=bytearray)
    needed: int = wire.HEADER


class Acceptor:
    """Owns the listening socket. `start` and `stop` may be called once each; `linger` by any thread."""

    def __init__(
        self, where: tuple[str, int], limits: Limits, tls: ssl.SSLContext | None, start: Start, *, share: bool = False
    ) -> None:
        """Listen. With `share` other processes may listen there too. Raises OSError where the address is taken."""
        self._limits = limits
        self._tls = tls
        self._start = start
        self._listener = _listen(where, share=share)
        self._selector = selectors.DefaultSelector()
        self._pending: dict[_Pending, None] = {}
        self._lingering: dict[_Pending, None] = {}
        self._held = 0
        self._ended: deque[socket.socket] = deque()
        self._stopping = False
        self._complained = 0.0
        self._waker, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="dimse acceptor", daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting, and close what has not become an association."""
        self._stopping = True
        self._wake()
        self._thread.join()

    def linger(self, sock: socket.socket) -> None:
        """Close a connection over which the last word was said, as soon as the peer has read it."""
        if self._stopping:
            sock.close()
            return
        self._ended.append(sock)
        self._wake()

    def _wake(self) -> None:
        with suppress(OSError):
            self._waker.send(b"\0", socket.MSG_DONTWAIT)

    def _run(self) -> None:
        selector = self._selector
        selector.register(self._listener, selectors.EVENT_READ, self._accept)
        selector.register(self._woken, selectors.EVENT_READ, self._drain_wakes)
        try:
            while not self._stopping:
                for key, _ in selector.select(self._patience()):
                    if not isinstance(key.data, _Pending):
                        key.data()
                    elif key.data in self._pending or key.data in self._lingering:
                        self._advance(key.data)
                while self._ended:
                    self._begin_linger(self._ended.popleft())
                self._expire()
        finally:
            while self._ended:
                self._ended.popleft().close()
            for one in [*self._pending, *self._lingering]:
                self._drop(one)
            selector.close()
            for sock in (self._listener, self._waker, self._woken):
                sock.close()

    def _patience(self) -> float | None:
        """Seconds until the first connection expires. Each table is in the order of its deadlines."""
        firsts = [next(iter(table)).deadline for table in (self._pending, self._lingering) if table]
        return max(0.0, min(firsts) - time.monotonic()) if firsts else None

    def _expire(self) -> None:
        now = time.monotonic()
        for table in (self._pending, self._lingering):
            while table and (first := next(iter(table))).deadline <= now:
                self._drop(first)

    def _drain_wakes(self) -> None:
        with suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass

    def _accept(self) -> None:
        for _ in range(_ACCEPTS):
            try:
                sock, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _OUT_OF_DESCRIPTORS:
                    continue  # this one was reset before it was taken
                if time.monotonic() > self._complained + _COMPLAINT_SECONDS:
                    self._complained = time.monotonic()
                    _logger.error("connections_exhausted", reason=str(error))
                if not self._evict():
                    time.sleep(0.05)
                return
            if len(self._pending) >= PENDING_CONNECTIONS:
                self._evict()
            self._admit(sock, address)

    def _evict(self) -> bool:
        """Close the connection that has said nothing for the longest time."""
        for table in (self._lingering, self._pending):
            if table:
                self._drop(next(iter(table)))
                return True
        return False

    def _admit(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        sock.setblocking(False)
        wire.tune(sock)
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        one = _Pending(sock, address, time.monotonic() + self._limits.first, handshaking=self._tls is not None)
        self._pending[one] = None
        self._selector.register(sock, selectors.EVENT_READ, one)

    def _advance(self, one: _Pending) -> None:
        """Go on with a connection over which something came."""
        try:
            if one.handshaking:
                assert isinstance(one.sock, ssl.SSLSocket)
                one.sock.do_handshake()
                one.handshaking = False
            if one.lingering:
                # One read a turn: a peer that never stops sending gets no more of this thread than others.
                if not one.sock.recv(65536):
                    self._drop(one)
                return
            self._read(one)
        except ssl.SSLWantWriteError:
            self._selector.modify(one.sock, selectors.EVENT_WRITE, one)
        except (BlockingIOError, ssl.SSLWantReadError):
            self._selector.modify(one.sock, selectors.EVENT_READ, one)
        except ProtocolError as error:
            _logger.warning("association_aborted", address=one.address[0], why=str(error))
            self._refuse(one, wire.abort_pdu(error.reason))
        except OSError as error:
            if isinstance(error, ssl.SSLError) and one.handshaking:
                _logger.warning("tls_refused", address=one.address[0], why=error.reason)
            self._drop(one)
        except Exception:
            # One connection's failure must never end the thread that all come through.
            _logger.exception("connection_failed")
            self._drop(one)

    def _read(self, one: _Pending) -> None:
        """Read up to the end of the A-ASSOCIATE-RQ, never beyond. Raises ProtocolError, OSError."""
        while True:
            piece = one.sock.recv(min(one.needed - len(one.data), 65536))
            wire.quickly(one.sock)
            if not piece:
                self._drop(one)
                return
            one.data += piece
            self._held += len(piece)
            if len(one.data) < one.needed:
                if self._held > _HELD_BYTES:
                    raise ProtocolError("incomplete requests fill the room for them")
                continue
            if one.needed > wire.HEADER:
                break
            kind, length = wire.pdu_header(one.data)
            if kind != wire.ASSOCIATE_RQ:
                known = wire.ASSOCIATE_RQ < kind <= wire.ABORT
                reason = wire.UNEXPECTED_PDU if known else wire.UNRECOGNISED_PDU
                raise ProtocolError(f"a connection begins with PDU type {kind}", reason)
            # 68 bytes are fixed (PS3.8 9.3.2).
            if not 68 <= length <= REQUEST_BYTES:
                raise ProtocolError(f"an A-ASSOCIATE-RQ says it has {length} bytes")
            one.needed = wire.HEADER + length
        wire.check_request(one.data)
        self._forget(one)
        self._start(one.sock, one.address, bytes(one.data))

    def refuse(self, sock: socket.socket, answer: bytes) -> None:
        """Say one last thing and let the peer close; for the acceptor's own thread, in `start`."""
        with suppress(OSError):
            sock.send(answer)
        self._begin_linger(sock)

    def _refuse(self, one: _Pending, answer: bytes) -> None:
        self._forget(one)
        self.refuse(one.sock, answer)

    def _begin_linger(self, sock: socket.socket) -> None:
        """Announce the end of our side, and read what the peer still sends until it closes too."""
        try:
            sock.setblocking(False)
            if not isinstance(sock, ssl.SSLSocket):
                sock.shutdown(socket.SHUT_WR)
            if len(self._lingering) >= _LINGERING:
                self._drop(next(iter(self._lingering)))
            one = _Pending(sock, (), time.monotonic() + _LINGER, lingering=True)
            self._selector.register(sock, selectors.EVENT_READ, one)
        except (OSError, ValueError):
            sock.close()
            return
        self._lingering[one] = None

    def _forget(self, one: _Pending) -> None:
        """Take a connection out of the tables; it stays open."""
        self._held -= len(one.data)
        self._pending.pop(one, None)
        self._lingering.pop(one, None)
        with suppress(KeyError, ValueError):
            self._selector.unregister(one.sock)

    def _drop(self, one: _Pending) -> None:
        self._forget(one)
        one.sock.close()


def _listen(where: tuple[str, int], *, share: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setblocking(False)
        sock.bind(where)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
