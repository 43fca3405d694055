"""The event channel (PS3.18 8.10.4, 8.10.5, 11.13): a WebSocket by which a subscriber gets event reports.

Reports wait in the database, so any web process may serve a channel, and what happens while it is closed is not lost.
A report is taken away when it was sent: after a broken connection the last ones may come twice.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import anyio
from anyio.to_thread import run_sync
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from dicomweb import payload
from dicomweb.context import Context
from dicomweb.ups import ae_title
from overread.kit import looks
from overread.kit.errors import OverreadError, Unavailable
from overread.kit.http import principal, problem
from overread.kit.language import Phrase
from overread.kit.principals import Principal
from pacs.ups import subscriptions

#: Seconds between looks for new reports.
LOOK = 1.0
#: Seconds that the subscriber has to take the sentence that ends a channel.
_FAREWELL = 1.0
_MOST_CHANNELS = 256
#: RFC 6455 7.4.1: policy violation; 7.4.2 with IANA: try again later.
_REFUSED, _BUSY = 1008, 1013


class UpgradeRequired(OverreadError):
    """The resource is a WebSocket (RFC 9110 15.5.22)."""

    status = 426
    title = Phrase("Upgrade required")
    default_safe = Phrase("Open this resource as a WebSocket.")


def no_channel(context: Context, request: Request) -> Response:
    """A plain GET: the channel is a WebSocket, and says so."""
    who = principal(request, context.archive.db)
    subscriptions.visible(who)
    ae_title(request)
    response = problem(UpgradeRequired("a plain GET of an event channel"))
    response.headers.update({"Upgrade": "websocket", "Connection": "Upgrade"})
    return response


class Channels:
    """The event channels of one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open = 0

    async def serve(self, socket: WebSocket) -> None:
        """Serve one channel until either side ends it."""
        try:
            who = await run_sync(self._who, socket)
            subscriber = ae_title(socket)
        except OverreadError as error:
            # Before it is accepted, the client gets a 403 (ASGI); the sentence goes where closing codes carry one.
            await socket.close(_REFUSED, error.safe)
            return
        if self._open >= _MOST_CHANNELS:
            await socket.close(_BUSY, "Too many event channels are open.")
            return
        self._open += 1
        try:
            await socket.accept()
            closed = asyncio.Event()
            sending = asyncio.create_task(self._send(socket, who, subscriber, closed))
            listening = asyncio.create_task(_until_closed(socket))
            # Beside the sending, which waits as long as the subscriber takes nothing.
            watching = asyncio.create_task(self._until_ended(socket))
            try:
                await asyncio.wait({sending, listening, watching}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                # What was sent is taken away before the channel ends, however it ends.
                closed.set()
                listening.cancel()
                if not watching.cancel():
                    sending.cancel()
                with anyio.CancelScope(shield=True):
                    await asyncio.gather(sending, listening, watching, return_exceptions=True)
            if not watching.cancelled():
                with suppress(TimeoutError):
                    await asyncio.wait_for(socket.close(_REFUSED, watching.result()), _FAREWELL)
                return
            sending.result()
        except OverreadError as error:
            await socket.close(_BUSY, error.safe)
        except (WebSocketDisconnect, OSError, RuntimeError):
            # The subscriber went away while something was sent to it.
            return
        finally:
            self._open -= 1

    async def _send(self, socket: WebSocket, who: Principal, subscriber: str, closed: asyncio.Event) -> None:
        while not closed.is_set():
            waiting = await run_sync(self._pending, who, subscriber)
            for _, report in waiting:
                await socket.send_text(payload.to_json(report).decode())
            if waiting:
                await run_sync(self._delivered, who, [pk for pk, _ in waiting])
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(closed.wait(), LOOK)

    async def _until_ended(self, socket: WebSocket) -> str:
        """Wait until the subscriber's access has ended; the sentence that says so."""
        while True:
            await asyncio.sleep(looks.LOOK)
            try:
                await run_sync(self._who, socket)
            except Unavailable:
                continue
            except OverreadError as error:
                return error.safe

    def _who(self, request: HTTPConnection) -> Principal:
        who = principal(request, self._context.archive.db)
        subscriptions.visible(who)
        return who

    def _pending(self, who: Principal, subscriber: str) -> list[tuple[int, dict[str, object]]]:
        with self._context.archive.db.transaction() as tx:
            return subscriptions.pending(tx, who, subscriber)

    def _delivered(self, who: Principal, pks: list[int]) -> None:
        with self._context.archive.db.transaction() as tx:
            subscriptions.delivered(tx, who, pks)


async def _until_closed(socket: WebSocket) -> None:
    """Nothing that a subscriber says means anything; only that it goes away."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
