"""Access that has to stand as long as an answer is sent, or a body received: it is looked at again every second.

Whoever lets a request in says here how to look again (`watch`): whether the credential still opens something, and what
is given is still to be seen. `Standing` does so while the answer is sent, also where its reader takes nothing, and cuts
the connection where the access has ended: an answer that ended in good order would be taken for a whole one. What is
sent within a second costs nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overread.kit import log, looks, observed
from overread.kit.errors import NotSignedIn, OverreadError, Unavailable
from overread.kit.looks import Look

#: ASGI extension: its `now` cuts the connection at once, without what still waits to be sent.
CUT = "overread.cut"
_KEY = "overread.standing"
#: Seconds for which nothing is sent where it can't be looked; then the access counts as ended.
_PATIENCE, _PAUSE = 20.0, 0.5
_BREATH = 0.01
#: Bytes that are handed to the server at once: what it has can't be kept back any more.
_PIECE = 1 << 20
_logger = log.get(__name__)
# Threads of their own: those of requests may all decode.
_lookers = ThreadPoolExecutor(4, thread_name_prefix="look")


class Ended(OSError):
    """The access under which an answer was sent has ended, and the connection with it."""

    def __init__(self, reason: OverreadError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def watch(request: HTTPConnection, look: Look) -> None:
    """Have a request's access looked at by `look` from now on, which takes the place of the look before."""
    exchange: _Exchange | None = request.scope.get(_KEY)
    if exchange is not None:
        exchange.watch(look)


class Standing:
    """ASGI middleware: ends requests whose access ends. What was said by `watch` in its application decides.

    `problem` makes the answer for access that ended before anything was answered.
    """

    def __init__(self, app: ASGIApp, problem: Callable[[OverreadError], ASGIApp]) -> None:
        self._app = app
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        scope[_KEY] = exchange
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            if exchange.error is None:
                raise
            if not exchange.began:
                await self._problem(exchange.error)(scope, receive, send)
            elif not exchange.cut:
                # The server ends what its application did not.
                raise
            else:
                # Until the server knows that the connection is gone.
                await asyncio.sleep(_BREATH)
        finally:
            exchange.close()


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        # What changes something answers what became of it: it may have ended its own access.
        self._gives = scope["method"] in ("GET", "HEAD")
        self._scope = scope
        self._cut: Callable[[], None] | None = (scope.get("extensions") or {}).get(CUT, {}).get("now")
        self._look: Look | None = None
        self._looked = 0.0
        self._looking = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None
        self._started = self._refused = False
        #: Whether the client was sent anything.
        self.began = False
        #: What the last look said, where the access has ended.
        self.error: OverreadError | None = None

    @property
    def cut(self) -> bool:
        """Whether the connection can be cut."""
        return self._cut is not None

    def watch(self, look: Look) -> None:
        """From now on this look decides; it was just answered well. From any thread."""
        self._looked = time.monotonic()
        self._look = look

    def close(self) -> None:
        """It is over."""
        # The look holds the request, and that its scope, and this: without it nobody has to find the circle.
        self._look = None
        if self._timer is not None:
            self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    async def receive(self) -> Message:
        """The next message. Raises what the look raises: the body's rest is not taken."""
        message = await self._receive()
        if message["type"] == "http.request" and not self._started and self._due():
            try:
                await self._again()
            except OverreadError:
                self._refused = True
                raise
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on. Raises Ended, where the access has, with nothing of the message sent."""
        if message["type"] == "http.response.start":
            self._started = True
            if self._refused:
                # What the client still sends would be taken for its next request.
                message["headers"] = [*message["headers"], (b"connection", b"close")]
        if self._look is None or not self._gives:
            self.began = True
            await self._send(message)
            return
        await self._check()
        if message["type"] == "http.response.body" and (self._timer is not None or self._goes_on(message)):
            await self._send_body(message)
            return
        self.began = True
        await self._send(message)

    def _goes_on(self, message: Message) -> bool:
        """Whether a body takes more than what is sent at once."""
        return message.get("more_body", False) or len(message.get("body", b"")) > _PIECE

    async def _send_body(self, message: Message) -> None:
        body = message.get("body", b"")
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(looks.LOOK, self._begin)
        while len(body) > _PIECE:
            await self._check()
            await self._send({**message, "body": bytes(body[:_PIECE]), "more_body": True})
            body = body[_PIECE:]
        await self._check()
        await self._send({**message, "body": body})
        # While it waited for the reader the connection may have been cut.
        if self.error is not None:
            raise Ended(self.error)

    def _begin(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        """Look also where the reader takes nothing and nothing new is sent."""
        while True:
            await asyncio.sleep(max(0.0, self._looked + looks.LOOK - time.monotonic()))
            try:
                await self._check()
            except Ended:
                return

    async def _check(self) -> None:
        """Raises Ended where the access has."""
        if self.error is None and self._due():
            try:
                await self._again()
            except OverreadError as error:
                self._end(error)
        if self.error is not None:
            raise Ended(self.error)

    def _end(self, error: OverreadError) -> None:
        if self.error is None:
            self.error = error
            _logger.info("access_ended", route=observed.route(self._scope), reason=str(error))
            if self._cut is not None and self.began:
                self._cut()

    def _due(self) -> bool:
        return self._look is not None and time.monotonic() - self._looked >= looks.LOOK

    async def _again(self) -> None:
        """Look, once for all who wait for it. Raises what the look raises."""
        async with self._looking:
            look = self._look
            if look is None or not self._due():
                return
            deadline = time.monotonic() + _PATIENCE
            while True:
                began = time.monotonic()
                try:
                    await _in_thread(look)
                except Unavailable:
                    # Nothing goes out meanwhile.
                    if time.monotonic() > deadline:
                        raise
                    await asyncio.sleep(_PAUSE)
                except OverreadError:
                    raise
                except Exception as error:
                    _logger.exception("look_failed", route=observed.route(self._scope))
                    raise NotSignedIn("the access could not be looked at") from error
                else:
                    self._looked = began
                    return


async def _in_thread(look: Look) -> Any:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_lookers, context.run, look)
