"""What a connection may cost: heads, silence, bodies, readers, and how many there may be. A real server, real sockets.

The limits are shortened where time is one; nothing here asserts how long anything took.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, TextMessage
from wsproto.events import Request as Opening

from overread.connections import Connection, Limits, Table

LIMITS = Limits(connections=64)
#: Of the tests that wait for a limit's end.
SHORT = replace(LIMITS, head_seconds=0.5, body_seconds=0.5, keep_alive_seconds=0.5, reader_seconds=0.5)
#: Of those that must not meet one.
LONG = 3600.0
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@dataclass
class Running:
    """A server, and what its application met."""

    port: int
    table: Table
    server: uvicorn.Server
    #: Lets /slow answer.
    release: Callable[[], object]
    gone: threading.Event = field(default_factory=threading.Event)
    headers: list[tuple[str, str]] = field(default_factory=list)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def ask(self, sent: bytes) -> bytes:
        """Everything that is answered to these bytes until the connection is closed."""
        with closing(self.connect()) as sock:
            sock.sendall(sent)
            return rest(sock)

    def healthy(self) -> bool:
        return self.ask(GET + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def rest(sock: socket.socket) -> bytes:
    """What comes until the other side closes; a reset is an end too."""
    found = bytearray()
    try:
        while piece := sock.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return bytes(found)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@contextmanager
def running(limits: Limits) -> Iterator[Running]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)

    async def echo(request: Request) -> Response:
        try:
            size = 0
            async for chunk in request.stream():
                size += len(chunk)
        except ClientDisconnect:
            made.gone.set()
            raise
        made.headers = list(request.headers.items())
        return PlainTextResponse(f"{size}")

    async def refuse(_request: Request) -> Response:
        return PlainTextResponse("no", 403)

    async def slow(_request: Request) -> Response:
        await release.wait()
        return PlainTextResponse("late")

    async def much(_request: Request) -> Response:
        async def pieces() -> Any:
            try:
                while True:
                    yield bytes(1 << 20)
                    await asyncio.sleep(0)
            finally:
                made.gone.set()

        return StreamingResponse(pieces())

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    routes = [
        Route("/healthz", lambda _: PlainTextResponse("ok")),
        Route("/echo", echo, methods=["POST"]),
        Route("/refuse", refuse, methods=["POST"]),
        Route("/slow", slow),
        Route("/much", much),
        WebSocketRoute("/talk", talk),
    ]
    release = asyncio.Event()
    table = Table(limits)
    protocol: Any = partial(Connection, table)
    config = uvicorn.Config(
        Starlette(routes=routes), http=protocol, loop="uvloop", ws="wsproto", lifespan="off", log_config=None,
        timeout_keep_alive=int(LONG), timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    started = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        started.set()
        await server.serve([listener])

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    made = Running(listener.getsockname()[1], table, server, lambda: loops[0].call_soon_threadsafe(release.set))
    thread.start()
    started.wait(30)
    try:
        yield made
    finally:
        made.release()
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def web() -> Iterator[Running]:
    """A server whose limits of time nothing meets."""
    patient = replace(LIMITS, head_seconds=LONG, body_seconds=LONG, keep_alive_seconds=LONG, reader_seconds=LONG)
    with running(patient) as made:
        yield made


@pytest.fixture(scope="module")
def hasty() -> Iterator[Running]:
    """A server that waits for nobody."""
    with running(SHORT) as made:
        yield made


# Heads.


@pytest.mark.parametrize("size", [65_536, 1 << 20])
def test_a_head_that_never_ends_is_cut_at_its_limit(web: Running, size: int) -> None:
    answer = web.ask(GET + b"X: " + b"a" * size)
    assert status(answer) == 431
    assert b"65536 bytes" in answer
    assert web.healthy()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 70_000,
        b"\r\n" * 40_000,
        GET + b"X" * 70_000,
        GET + b"X: a\r\n" * 80 + b"Y: " + b"b" * 70_000,
    ],
    ids=["target", "empty lines", "a field's name", "a field after others"],
)
def test_so_is_every_part_of_one(web: Running, sent: bytes) -> None:
    assert b"HTTP/1.1 431 " in web.ask(sent)
    assert web.healthy()


def test_a_whole_head_above_the_limit_is_refused_too(web: Running) -> None:
    assert status(web.ask(GET + b"X: " + b"a" * 65_536 + b"\r\n\r\n")) == 431


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"a" * 400_000])
def test_so_is_one_that_is_read_together_with_the_request_before_it(web: Running, end: bytes) -> None:
    both = web.ask(GET + b"\r\n" + GET + b"X: " + b"a" * 65_536 + end)
    # What was asked before is answered, and nothing more.
    assert both.startswith(b"HTTP/1.1 200 ")
    assert both.count(b"HTTP/1.1 200 ") == 1
    assert web.healthy()


def test_a_large_head_within_the_limit_is_served_however_it_arrives(web: Running) -> None:
    head = GET + b"X: " + b"a" * 60_000 + b"\r\nConnection: close\r\n\r\n"
    assert status(web.ask(head)) == 200
    with closing(web.connect()) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(head), 1000):
            sock.sendall(head[at : at + 1000])
        assert status(rest(sock)) == 200


@pytest.mark.parametrize(("fields", "expected"), [(98, 200), (99, 431), (5000, 431)])
def test_a_head_has_a_hundred_fields(web: Running, fields: int, expected: int) -> None:
    sent = GET + b"Connection: close\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(fields)) + b"\r\n"
    assert status(web.ask(sent)) == expected


def test_a_silent_connection_is_closed(hasty: Running) -> None:
    with closing(hasty.connect()) as sock:
        assert rest(sock) == b""


def test_a_trickling_head_gets_no_more_time(hasty: Running) -> None:
    with closing(hasty.connect()) as sock:
        sock.sendall(b"GET /")
        sock.settimeout(0.1)
        answer = b""
        for _ in range(600):
            try:
                sock.sendall(b"a")
                answer = sock.recv(4096)
                break
            except TimeoutError:
                continue
        assert status(answer) == 408
    assert hasty.healthy()


def test_a_second_head_that_trickles_gets_none_either(hasty: Running) -> None:
    with closing(hasty.connect()) as sock:
        sock.sendall(GET + b"\r\nGET /hea")
        found = rest(sock)
    assert found.startswith(b"HTTP/1.1 200 ")
    assert found.count(b"HTTP/1.1 ") in (1, 2)


def test_an_idle_connection_is_closed(hasty: Running) -> None:
    with closing(hasty.connect()) as sock:
        sock.sendall(GET + b"\r\n")
        assert rest(sock).endswith(b"\r\n\r\nok")


# Bodies.


def test_a_body_that_stops_is_given_up_and_the_application_told(hasty: Running) -> None:
    answer = hasty.ask(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
    assert status(answer) == 408
    assert hasty.gone.wait(30)
    assert hasty.healthy()


def test_so_is_one_of_which_only_the_chunks_extensions_come(hasty: Running) -> None:
    with closing(hasty.connect()) as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3;")
        sock.settimeout(0.1)
        answer = b""
        for _ in range(600):
            try:
                sock.sendall(b"x")
                answer = sock.recv(4096)
                break
            except TimeoutError:
                continue
        assert status(answer) == 408


def test_the_rest_of_a_refused_body_is_not_waited_for(hasty: Running) -> None:
    answer = hasty.ask(b"POST /refuse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
    assert status(answer) == 403


def test_a_body_that_arrives_slowly_but_steadily_is_taken(hasty: Running) -> None:
    with closing(hasty.connect()) as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 12\r\n\r\n")
        for _ in range(12):
            threading.Event().wait(0.2)
            sock.sendall(b"a")
        assert rest(sock).endswith(b"12")


def test_who_waits_for_continue_is_not_hurried_while_it_is_our_turn(web: Running) -> None:
    sent = (
        b"POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n"
    )
    with closing(web.connect()) as sock:
        sock.sendall(sent + b"\r\n")
        assert status(sock.recv(4096)) == 100
        sock.sendall(b"abc")
        assert rest(sock).endswith(b"3")


def test_trailing_fields_are_bounded_and_never_a_requests(web: Running) -> None:
    begun = (
        b"POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;a=b\r\nabc\r\n0\r\n"
    )
    assert web.ask(begun + b"Authorization: Bearer x\r\nHost: evil.example\r\n\r\n").endswith(b"3")
    assert dict(web.headers)["host"] == "localhost"
    assert "authorization" not in dict(web.headers)
    assert status(web.ask(begun + b"X: a\r\n" * 101 + b"\r\n")) == 431
    assert status(web.ask(begun + b"X: " + b"a" * (1 << 20))) == 431
    assert web.healthy()


# Readers.


def test_who_reads_nothing_is_given_up(hasty: Running) -> None:
    hasty.gone.clear()
    with closing(hasty.connect()) as sock:
        sock.sendall(GET.replace(b"healthz", b"much") + b"\r\n")
        assert hasty.gone.wait(60)


# The host, and where a request ends.

HEAD = b"POST /echo HTTP/1.1\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (HEAD + b"Content-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host: a\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host: a\r\nhost: b\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host:\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host: a/b\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host: a@b\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host: a b\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host: a, b\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host: [::1\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host: a:port\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host: \xc3\xa4\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host: [::1]:80\r\nContent-Length: 0\r\n\r\n", 200),
        (HEAD + b"Host: a_b.example:80\r\nContent-Length: 0\r\n\r\n", 200),
        (b"POST /echo HTTP/1.0\r\nContent-Length: 0\r\n\r\n", 200),
        (b"POST /echo HTTP/1.0\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n", 400),
        # RFC 9112 3.2: the target's forms.
        (b"POST http://a/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200),
        (b"POST http://evil/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 400),
        (b"POST http://u@a/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 400),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 400),
        (b"GET echo HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        # RFC 9112 6.1, 6.3: where a body ends is told in one way.
        (HEAD + b"Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
        (HEAD + b"Host: a\r\nContent-Length: 1, 1\r\n\r\na", 400),
        (HEAD + b"Host: a\r\nContent-Length: +1\r\n\r\na", 400),
        (HEAD + b"Host: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (HEAD + b"Host: a\r\nTransfer-Encoding: identity\r\n\r\n", 501),
        (b"POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (HEAD + b"Host: a\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host: a\r\nX : a\r\nContent-Length: 0\r\n\r\n", 400),
        (HEAD + b"Host: a\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\nHost: a\nContent-Length: 0\n\n", 400),
    ],
)  # fmt: skip
def test_a_request_is_understood_in_one_way_or_not_at_all(web: Running, sent: bytes, expected: int) -> None:
    assert status(web.ask(sent)) == expected
    assert web.healthy()


def test_what_was_asked_before_a_fault_is_answered(web: Running) -> None:
    answer = web.ask(GET + b"\r\n" + b"GET / HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") <= 2


def test_pipelined_requests_are_answered_in_their_order(web: Running) -> None:
    sent = b"".join(
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size for size in range(20)
    )
    answer = web.ask(sent + GET + b"Connection: close\r\n\r\n")
    assert [int(one.split(b"HTTP/1.1")[0]) for one in answer.split(b"\r\n\r\n")[1:21]] == list(range(20))
    assert answer.endswith(b"ok")


def test_no_more_of_them_wait_than_is_fair(web: Running) -> None:
    answer = web.ask((GET + b"\r\n") * 5000)
    assert 0 < answer.count(b"HTTP/1.1 200 ") < 5000
    assert web.healthy()


def test_a_websocket_is_opened_as_before(hasty: Running) -> None:
    talk = WSConnection(ConnectionType.CLIENT)
    with closing(hasty.connect()) as sock:
        sock.sendall(talk.send(Opening(host="localhost", target="/talk")))
        while not any(isinstance(event, AcceptConnection) for event in talk.events()):
            talk.receive_data(sock.recv(4096))
        # It may be silent for longer than a head may take.
        threading.Event().wait(2)
        sock.sendall(talk.send(TextMessage("hello")))
        said: list[str] = []
        while not said:
            talk.receive_data(sock.recv(4096))
            said = [event.data for event in talk.events() if isinstance(event, TextMessage)]
    assert said == ["hello"]
    assert not any(hasty.table.waiting[state] for state in ("heads", "bodies"))


# How many there may be.


def test_the_oldest_silent_connection_makes_room_and_none_that_is_served(web: Running) -> None:
    with closing(web.connect()) as served:
        served.sendall(GET.replace(b"healthz", b"slow") + b"Connection: close\r\n\r\n")
        silent = [web.connect() for _ in range(300)]
        try:
            silent[-1].sendall(GET + b"Connection: close\r\n\r\n")
            assert status(rest(silent[-1])) == 200
            assert rest(silent[0]) == b""
            assert len(web.server.server_state.connections) <= 65
        finally:
            for one in silent:
                one.close()
        web.release()
        assert rest(served).endswith(b"late")


def test_where_all_are_served_a_further_one_is_told_so() -> None:
    with running(replace(LIMITS, connections=4)) as full:
        served = [full.connect() for _ in range(4)]
        for one in served:
            one.sendall(GET.replace(b"healthz", b"slow") + b"Connection: close\r\n\r\n")
        # Until each is under way.
        while len(full.server.server_state.tasks) < 4:
            threading.Event().wait(0.01)
        assert status(full.ask(GET + b"\r\n")) == 503
        full.release()
        assert all(rest(one).endswith(b"late") for one in served)
        for one in served:
            one.close()
        assert full.healthy()
