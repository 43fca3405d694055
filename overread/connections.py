"""The web server's connections: what a client may cost before it has asked for anything, and how long it may be silent.

uvicorn's protocol over llhttp bounds neither heads nor silence. Here a head has an end and a time, a body that stops is
given up, and so is a reader who takes nothing. A connection costs a descriptor: when there are too many, the one that
has said nothing for the longest time makes room, never one that is being served.
"""

from __future__ import annotations

import asyncio
import fcntl
import resource
import struct
import termios
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

import httptools

from overread.kit import hosts, log
from overread.protocol import Cuttable

_logger = log.get(__name__)

_TOLD = frozenset((b"host", b"transfer-encoding"))
#: Descriptors that are for files, the database and decoding workers.
_OTHERS = 512
#: Requests that wait behind one over the same connection (RFC 9112 9.3.2).
_PIPELINED = 64
#: Seconds in which a refused client may read why, and how much it may still send.
_LINGER, _UNHEARD = 2.0, 1 << 20
_LOOK_SECONDS = 1.0
#: A lack of room is logged no more often than this.
_COMPLAINT_SECONDS = 10.0

State = Literal["refused", "heads", "idle", "bodies", "readers"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may cost."""

    #: Bytes and fields of one head: request line, fields, and as much again for what trails a body.
    head_bytes: int = 64 << 10
    fields: int = 100
    #: Seconds until a head is whole, from the connection's or its own first byte on.
    head_seconds: float = 15.0
    #: Longest silence between two requests.
    keep_alive_seconds: float = 30.0
    #: Longest silence in a body while it is waited for, and the longest time for the rest of one that nobody reads.
    body_seconds: float = 30.0
    #: Longest time in which a client takes nothing of an answer.
    reader_seconds: float = 60.0
    #: Connections at once in one process; as many as there are descriptors for where it is None.
    connections: int | None = None


class Table:
    """The connections of one process by what is waited for, each kind in the order in which it began."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._seconds: dict[State, float] = {
            "refused": _LINGER,
            "heads": limits.head_seconds,
            "idle": limits.keep_alive_seconds,
            "bodies": limits.body_seconds,
            "readers": limits.reader_seconds,
        }
        self.waiting: dict[State, dict[Connection, float]] = {state: {} for state in self._seconds}
        self._most = limits.connections
        self._complained = float("-inf")
        self._looking = False

    def enter(self, one: Connection, state: State) -> None:
        """Wait for this from now on."""
        self.waiting[state][one] = time.monotonic() + self._seconds[state]
        if not self._looking:
            self._looking = True
            one.loop.call_later(_LOOK_SECONDS, self._look, one.loop)

    def leave(self, one: Connection, state: State) -> None:
        """Wait for it no longer."""
        self.waiting[state].pop(one, None)

    def admit(self, held: int) -> bool:
        """Whether there is room for one more than `held` connections; the longest silent one is closed for it."""
        if self._most is None:
            self._most = max(16, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _OTHERS)
        if held < self._most:
            return True
        if time.monotonic() > self._complained + _COMPLAINT_SECONDS:
            self._complained = time.monotonic()
            _logger.warning("connections_full", connections=held)
        for state in ("refused", "heads", "idle"):
            if silent := self.waiting[state]:
                next(iter(silent)).evict()
                return True
        return False

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give up what was waited for too long."""
        now = time.monotonic()
        for state, waiting in self.waiting.items():
            late = []
            for one, deadline in waiting.items():
                if deadline > now:
                    break
                late.append(one)
            for one in late:
                del waiting[one]
                one.late(state)
        self._looking = any(self.waiting.values())
        if self._looking:
            loop.call_later(_LOOK_SECONDS, self._look, loop)


class _Refused(Exception):
    """What is wrong with a request, as the client is told."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Connection(Cuttable):
    """One connection, of either origin."""

    def __init__(self, table: Table, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._table = table
        self._limits = table.limits
        self._state: State | None = None
        #: Whether a head is read or waited for, how many were read, and the bytes of the one that is read.
        self._in_head, self._heads, self._head_bytes = True, 0, 0
        #: Whether a request ended in this read, and whether a head began behind it, so that its bytes were not counted.
        self._ended, self._uncounted = False, False
        self._trailers = 0
        #: Bytes since the last that were a body's, and whether there were any in this read.
        self._beside, self._moved = 0, False
        self._refusal: _Refused | None = None
        self._deaf = False
        #: The Host field that was looked at last.
        self._known: tuple[bytes, bytes] | None = None
        self._drains = False
        self._unread = 0

    # From the transport.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection in, if there is room for it."""
        room = self._table.admit(len(self.connections))
        super().connection_made(transport)
        if room:
            self._wait("heads")
        else:
            self._refuse(503, "The server has too many connections: try again in a minute.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._wait(None)
        self._table.leave(self, "readers")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, never more of a head than it may have."""
        if self._deaf:
            self._beside += len(data)
            if self._beside > _UNHEARD and not self._served:
                self.transport.abort()
            return
        if self._in_head:
            room = max(0, self._limits.head_bytes - self._head_bytes)
            if len(data) > room:
                rest = data[room:]
                self._feed(data[:room])
                if self._in_head and not self._deaf and self._head_bytes >= self._limits.head_bytes:
                    self._refuse(431, f"A request's head may have at most {self._limits.head_bytes} bytes.")
                if self._deaf:
                    return
                data = rest
        self._feed(data)
        if not self._deaf:
            self._settle(moved=self._moved)

    def _feed(self, data: bytes) -> None:
        heads, in_head = self._heads, self._in_head
        self._moved, self._ended = False, False
        super().data_received(data)
        if self._heads != heads:
            self._head_bytes, self._beside = 0, 0
        elif in_head:
            self._head_bytes += len(data)
        else:
            # Trailing fields and the extensions of chunks (RFC 9112 7.1) are no body.
            self._beside = 0 if self._moved else self._beside + len(data)
            if self._beside > self._limits.head_bytes and not self._deaf:
                self._refuse(431, f"What trails a body may have at most {self._limits.head_bytes} bytes.")

    def pause_writing(self) -> None:
        """The client reads slower than it is written to."""
        super().pause_writing()
        self._unread = self._left()
        self._table.enter(self, "readers")

    def resume_writing(self) -> None:
        """It has read enough to go on."""
        super().resume_writing()
        self._table.leave(self, "readers")

    # From the parser.

    def on_message_begin(self) -> None:
        """A head begins."""
        # Pipelined ones that no answer is made for yet are held, and bounded.
        if len(self.pipeline) >= _PIPELINED:
            raise self._no(400, f"At most {_PIPELINED} requests may wait for their answers.")
        super().on_message_begin()
        self._uncounted = self._ended
        self._trailers = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or one that trails a body, which nobody asked for (RFC 9110 6.5.1)."""
        if not self._in_head:
            self._trailers += 1
            if self._trailers > self._limits.fields:
                raise self._no(431, f"A body may be trailed by at most {self._limits.fields} fields.")
            return
        # As uvicorn does it; once a field, a call more would be felt.
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if len(self.headers) > self._limits.fields:
            raise self._no(431, f"A request may have at most {self._limits.fields} header fields.")
        if self._uncounted:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self._limits.head_bytes:
                raise self._no(431, f"A request's head may have at most {self._limits.head_bytes} bytes.")
        self._check_head()
        self._in_head = False
        self._heads += 1
        super().on_headers_complete()
        if self.parser.should_upgrade() and not self._should_upgrade():
            # The parser reads nothing behind an upgrade, to whatever it is (RFC 9110 7.8).
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; what follows is the next one's head."""
        self._in_head, self._ended, self._head_bytes = True, True, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of this one's body."""
        super().on_response_complete()
        self._settle()

    def _check_head(self) -> None:
        """Raises where the host (RFC 9112 3.2) or the length of the body (6) is not told in the one way."""
        told = [one for one in self.headers if one[0] in _TOLD]
        if len(told) == 1 and told[0] == self._known and self.url[:1] == b"/":
            return  # as the request before
        named = [value for name, value in told if name == b"host"]
        encodings = [value for name, value in told if name != b"host"]
        version = self.parser.get_http_version()
        if len(named) > 1:
            raise self._no(400, "A request must have one Host field.")
        if not named:
            if version != "1.0":
                raise self._no(400, "A request must have a Host field.")
        elif not hosts.NAMED.fullmatch(named[0].decode("latin-1")):
            raise self._no(400, "The Host field holds no host.")
        else:
            self._known = b"host", named[0]
        if self.url[:1] != b"/":
            self._check_target(named)
        if encodings:
            if version == "1.0":
                raise self._no(400, "HTTP/1.0 has no Transfer-Encoding.")
            if [one.lower() for one in encodings] != [b"chunked"]:
                raise self._no(501, "The only Transfer-Encoding that is known here is chunked.")

    def _check_target(self, named: list[bytes]) -> None:
        """The absolute form names its host itself (RFC 9112 3.2.2), and the asterisk form has no path to answer by."""
        method = self.parser.get_method()
        if method == b"OPTIONS" and self.url == b"*":
            return
        try:
            told = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            raise self._no(400, "The request's target is no path.") from None
        if not told.path or told.schema is None or told.host is None or told.userinfo is not None:
            raise self._no(400, "The request's target is no path.")
        host = told.host if told.port is None else told.host + b":%d" % told.port
        if named and named[0].lower() != host.lower():
            raise self._no(400, "The request's target names another host than its Host field.")

    # What is waited for.

    def _settle(self, *, moved: bool = False) -> None:
        """Find what is waited for now; `moved`: a piece of a body came, so that its time begins anew."""
        served = self._served
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            self._wait(None)
        elif served and not (self._in_head or self._deaf):
            if moved or self._state != "bodies":
                self._wait("bodies")
        elif served:
            self._wait(None)
        elif self._deaf:
            self._wait("refused")
        elif not self._in_head:
            # Nobody reads the rest of this body: it gets no time but once.
            if not self._drains:
                self._wait("bodies")
        elif self._head_bytes or not self._heads:
            if self._state != "heads":
                self._wait("heads")
        elif self._state != "idle":
            self._wait("idle")
        self._drains = not served and not self._in_head

    def _wait(self, state: State | None) -> None:
        if self._state is not None:
            self._table.leave(self, self._state)
        self._state = state
        if state is not None:
            self._table.enter(self, state)

    def evict(self) -> None:
        """Close it: it was silent, and others need the room."""
        self._wait(None)
        # What it would still be told is not waited for.
        self.transport.abort()

    def late(self, state: State) -> None:
        """What was waited for did not come; the table has forgotten it."""
        if state == "readers":
            left = self._left()
            if left < self._unread:
                self._unread = left
                self._table.enter(self, "readers")
            else:
                _logger.info("reader_given_up", client=self._address)
                self.transport.abort()
            return
        self._state = None
        if state in ("refused", "idle") or (state == "heads" and not self._head_bytes):
            self.transport.close()
        elif state == "heads":
            self._refuse(408, "The request's head did not come in time.")
        elif self.cycle.response_complete:
            self.transport.close()
        elif self.flow.read_paused or self.cycle.waiting_for_100_continue:
            # It is our turn.
            self._wait("bodies")
        else:
            self._refuse(408, "The request's body did not come in time.")

    def _left(self) -> int:
        """Bytes that the client has not acknowledged: here, and in the kernel, which may hold megabytes."""
        try:
            told = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0
        return self.transport.get_write_buffer_size() + int(struct.unpack("i", told)[0])

    # Refusals.

    def _no(self, status: int, sentence: str) -> _Refused:
        """The exception to raise through the parser, which then calls `send_400_response`."""
        self._refusal = _Refused(status, sentence)
        return self._refusal

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser or one of ours found wrong."""
        found = self._refusal or _Refused(400, msg)
        self._refuse(found.status, str(found))

    def _refuse(self, status: int, sentence: str) -> None:
        """Say no more than this over the connection, and hear nothing more."""
        if self.transport.is_closing():
            return
        _logger.info("connection_refused", client=self._address, status=status, reason=sentence)
        self._refusal, self._deaf, self._beside = _Refused(status, sentence), True, 0
        served = self._served
        if served and not self.cycle.more_body:
            # What was asked before is answered; the fault came behind it.
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            self._wait(None)
            return
        if served:
            begun = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if begun:
                self.transport.close()
                return
        body = sentence.encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        # Closed while something is unread, a connection is reset, and the client never sees why (RFC 9112 9.6).
        self.transport.write_eof()
        self._wait("refused")

    @property
    def _served(self) -> bool:
        """Whether a request is answered just now."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""
