"""Access that is looked at again while an answer is sent or a body received: when, by whom, and what its end does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from overread.kit import looks, standing
from overread.kit.errors import NotSignedIn, OverreadError, Unavailable
from overread.kit.standing import CUT, Ended, Standing

App = Callable[[Any, Any, Any], Awaitable[None]]


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(standing, "time", made)
    monkeypatch.setattr(looks, "time", made)
    return made


class Access:
    """Access that stands until it is ended; counts how often it was looked at."""

    def __init__(self) -> None:
        self.looks = 0
        self.ends: list[OverreadError] = []

    def look(self) -> None:
        self.looks += 1
        if self.ends:
            raise self.ends.pop(0)


class Wire:
    """What a server sends, and whether its connection was cut."""

    def __init__(self, *bodies: bytes) -> None:
        self.sent: list[dict[str, Any]] = []
        self.cut = False
        self._bodies = list(bodies)

    async def receive(self) -> dict[str, Any]:
        body = self._bodies.pop(0) if self._bodies else b""
        return {"type": "http.request", "body": body, "more_body": bool(self._bodies)}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def _cut(self) -> None:
        self.cut = True

    def ask(self, app: App, method: str = "GET", *, cuttable: bool = True) -> None:
        extensions = {CUT: {"now": self._cut}} if cuttable else {}
        scope = {"type": "http", "method": method, "path": "/", "headers": [], "extensions": extensions}

        def problem(error: OverreadError) -> Any:
            return PlainTextResponse(error.safe, error.status)

        asyncio.run(Standing(app, problem)(scope, self.receive, self.send))  # type: ignore[arg-type]

    @property
    def body(self) -> bytes:
        return b"".join(one.get("body", b"") for one in self.sent)

    @property
    def whole(self) -> bool:
        return bool(self.sent) and not self.sent[-1].get("more_body", False)


def streaming(access: Access, steps: list[Callable[[], None]]) -> App:
    """An answer in pieces; a step is taken before each."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        standing.watch(Request(scope, receive), access.look)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number, step in enumerate(steps):
            step()
            await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def test_it_is_looked_once_a_second_and_not_within_it(clock: Clock) -> None:
    access, wire = Access(), Wire()

    def passes(seconds: float) -> Callable[[], None]:
        def step() -> None:
            clock.now += seconds

        return step

    wire.ask(streaming(access, [passes(0.4), passes(0.4), passes(0.4), passes(0.4), passes(0.9)]))
    assert (wire.body, wire.whole, wire.cut) == (b"01234", True, False)
    # After 1.2 seconds, and after 2.5.
    assert access.looks == 2


@pytest.mark.parametrize("cuttable", [True, False])
def test_what_comes_after_the_end_is_not_sent_and_the_answer_has_no_end(clock: Clock, cuttable: bool) -> None:
    access, wire = Access(), Wire()

    def end() -> None:
        clock.now += 1.0
        access.ends.append(NotSignedIn("ended"))

    app = streaming(access, [lambda: None, end, lambda: None])
    if cuttable:
        wire.ask(app)
    else:
        # The server is told by the exception, and ends the connection.
        with pytest.raises(Ended):
            wire.ask(app, cuttable=False)
    assert (wire.body, wire.whole, wire.cut) == (b"0", False, cuttable)


def test_an_answer_that_has_not_begun_is_a_refusal(clock: Clock) -> None:
    """It took long to make, and the access ended meanwhile."""
    access, wire = Access(), Wire()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        standing.watch(Request(scope, receive), access.look)
        clock.now += 5.0
        access.ends.append(NotSignedIn("ended", safe="It is over."))
        await PlainTextResponse("secret")(scope, receive, send)

    wire.ask(app)
    assert wire.sent[0]["status"] == 401
    assert (wire.body, wire.whole, wire.cut) == (b"It is over.", True, False)


def test_a_large_body_is_handed_on_in_pieces_that_are_looked_at(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    access, wire = Access(), Wire()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        standing.watch(Request(scope, receive), access.look)
        await PlainTextResponse(bytes(5 << 20))(scope, receive, send)

    async def slowly(message: dict[str, Any]) -> None:
        clock.now += 0.6
        wire.sent.append(message)

    monkeypatch.setattr(wire, "send", slowly)
    wire.ask(app)
    sizes = [len(one["body"]) for one in wire.sent[1:]]
    assert (sum(sizes), max(sizes), wire.whole) == (5 << 20, 1 << 20, True)
    # After the head and the first piece, and after two more.
    assert access.looks == 2


def test_what_was_done_is_answered_though_it_ended_the_asker_s_own_access(clock: Clock) -> None:
    access, wire = Access(), Wire()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        standing.watch(Request(scope, receive), access.look)
        clock.now += 5.0
        access.ends.append(NotSignedIn("ended"))
        await PlainTextResponse("changed")(scope, receive, send)

    wire.ask(app, "POST")
    assert (wire.body, wire.cut, access.looks) == (b"changed", False, 0)


def test_a_body_s_rest_is_not_taken_after_the_end(clock: Clock) -> None:
    access, wire = Access(), Wire(b"a", b"b", b"c")
    taken: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        standing.watch(Request(scope, receive), access.look)
        try:
            async for piece in Request(scope, receive).stream():
                taken.append(piece)
                clock.now += 1.0
                access.ends.append(NotSignedIn("ended", safe="It is over."))
        except OverreadError as error:
            await PlainTextResponse(error.safe, error.status)(scope, receive, send)

    wire.ask(app, "POST")
    assert taken == [b"a"]
    assert (wire.sent[0]["status"], wire.body) == (401, b"It is over.")
    assert (b"connection", b"close") in wire.sent[0]["headers"]


def test_nothing_goes_out_while_it_can_t_be_looked(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that comes back lets the answer go on; one that stays away ends it."""
    monkeypatch.setattr(standing, "_PAUSE", 0.0)
    access, wire = Access(), Wire()
    seen: list[bytes] = []

    def away() -> None:
        clock.now += 1.0
        access.ends += [Unavailable("away")] * 3
        seen.append(wire.body)

    wire.ask(streaming(access, [lambda: None, away]))
    assert (seen, wire.body, access.looks, wire.whole) == ([b"0"], b"01", 4, True)
    monkeypatch.setattr(standing, "_PATIENCE", -1.0)
    wire = Wire()
    wire.ask(streaming(access, [lambda: None, away]))
    assert (wire.body, wire.whole, wire.cut) == (b"0", False, True)


def test_a_look_that_fails_itself_ends_the_access(clock: Clock) -> None:
    access, wire = Access(), Wire()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        def broken() -> None:
            raise ZeroDivisionError

        standing.watch(Request(scope, receive), broken)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        clock.now += 1.0
        await send({"type": "http.response.body", "body": b"secret", "more_body": True})

    wire.ask(app)
    assert (wire.body, wire.cut, access.looks) == (b"", True, 0)


def test_a_reader_who_takes_nothing_is_cut_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application is within `send`, which waits for the reader; nothing new would ever be looked at before."""
    monkeypatch.setattr(looks, "LOOK", 0.01)
    access, wire = Access(), Wire()
    stuck = asyncio.Event()

    async def stalled(message: dict[str, Any]) -> None:
        wire.sent.append(message)
        if message.get("body") == b"1":
            access.ends.append(NotSignedIn("ended"))
            await stuck.wait()

    def cut() -> None:
        # As a server does: who waits for the reader is let go.
        wire.cut = True
        stuck.set()

    monkeypatch.setattr(wire, "send", stalled)
    monkeypatch.setattr(wire, "_cut", cut)
    wire.ask(streaming(access, [lambda: None, lambda: None, lambda: None]))
    assert (wire.body, wire.whole, wire.cut) == (b"01", False, True)
