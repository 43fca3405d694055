"""STOW-RS: store instances (PS3.18 10.5). The body is streamed: no instance is ever held in memory.

The event loop receives, a thread takes the body apart, writes and reads, and further threads make whole instances
durable: each works while the next bytes arrive.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from dicomweb import media
from dicomweb.context import Context, Upload
from dicomweb.media import DICOM, DICOM_JSON, DICOM_XML, MULTIPART, MediaRange, accepted, choose
from dicomweb.stow.answer import answer
from dicomweb.stow.bodies import Body, MultipartBody, SingleBody
from dicomweb.stow.metadata import JSON_TYPES, XML_TYPES, MetadataBody
from dicomweb.uids import path_uid
from overread.kit import standing
from overread.kit.errors import BadInput, UnsupportedMedia
from overread.kit.http import asked_again, principal, problem
from overread.kit.language import Phrase, gettext
from overread.kit.principals import Principal
from pacs.store.ingest import Source
from pacs.views.batch import Allowance, Batch, submit

#: Seconds in which at least so many bytes must arrive: a sender that trickles is cut off.
_PATIENCE = 30.0
_LEAST = 16_384
#: Bytes that are gathered before a thread is asked to take them, and at most while it is at work.
_GATHER = 1 << 20
_AHEAD = 4 << 20
#: Bytes of a body that are still read once its sender may store no more: enough for small clients to hear the answer.
_BEYOND = 16 << 20
_feeders = ThreadPoolExecutor(8, thread_name_prefix="stow-feed")
_OFFERS = [MediaRange(DICOM_JSON), MediaRange("application/json"), MediaRange(DICOM_XML), MediaRange("application/xml")]


class TooSlow(BadInput):
    """The body arrives too slowly, or takes longer than a request may (RFC 9110 15.5.9)."""

    status = 408
    title = Phrase("The request took too long")
    default_safe = Phrase("The body arrived too slowly. Send again what was not stored, in smaller requests.")


async def store(context: Context, request: Request) -> Response:
    """Store the instances of the body; the answer lists what became of each (10.5.3).

    Whatever can be refused is refused before the body is asked for (RFC 9110 10.1.1, `Expect: 100-continue`).
    """
    run = anyio.to_thread.run_sync
    _, offer = choose(accepted(request.headers.get("accept"), None), _OFFERS, "The answer to a store request")
    source, allowance = await run(_source, context, request)
    if allowance is not None:
        # Before the body is asked for: whoever has no room left sends nothing.
        await run(_room, allowance)
    batch = Batch(context.archive, source, allowance, lambda: _again(context, request))
    feeder = _Feeder(_body(request, batch))
    beyond = 0
    try:
        async for chunk in _chunks(request, context.max_request_seconds):
            beyond += len(chunk) if batch.full is not None else 0
            if beyond > _BEYOND:
                break
            await feeder.take(chunk)
        results = await feeder.end()
    except BaseException as error:
        # Also when the client is gone or the server stops: what was not finished leaves nothing behind.
        with anyio.CancelScope(shield=True):
            await feeder.abandon()
        if isinstance(error, TooSlow):
            response = problem(error)
            return _closing(response)
        raise
    response = answer(results, context.root(request), DICOM_XML if "xml" in offer.type else DICOM_JSON)
    return _closing(response) if beyond > _BEYOND else response


def _closing(response: Response) -> Response:
    # What the client still sends would be taken for its next request.
    response.headers["Connection"] = "close"
    return response


def _room(allowance: Allowance) -> None:
    """Raises TooLarge where nothing at all is left."""
    allowance.give_back(*allowance.take(1, 1))


def _source(context: Context, request: Request) -> tuple[Source, Allowance | None]:
    who = principal(request, context.archive.db)
    to = _to(context, request, who)
    standing.watch(request, lambda: _again(context, request))
    source = Source(who, "stow", case_id=to.case_id, study_uid=path_uid(request, "study"), view=to.view)
    return source, to.allowance


def _to(context: Context, request: Request, who: Principal) -> Upload:
    with context.archive.db.transaction() as tx:
        return context.upload_to(tx, who, request)


def _again(context: Context, request: Request) -> None:
    """Whether they may still send: while the body arrives, and before any of it is stored. Raises as `_source`."""
    _to(context, request, asked_again(request, context.archive.db))


async def _chunks(request: Request, most_seconds: float) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises TooSlow; BadInput where the client goes away.

    Only the time that is spent waiting for the client counts against its patience, all of it against `most_seconds`.
    """
    now = asyncio.get_running_loop().time
    deadline = now() + most_seconds
    waited, size, more = 0.0, 0, True
    while more:
        began = now()
        try:
            async with asyncio.timeout(min(_PATIENCE - waited, deadline - began)):
                message = await request.receive()
        except TimeoutError as error:
            raise TooSlow("the body arrives too slowly") from error
        waited += now() - began
        if message["type"] == "http.disconnect":
            raise BadInput("the client went away in the middle of the body")
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            size += len(chunk)
            if size >= _LEAST:
                waited, size = 0.0, 0
            yield chunk


class _Feeder:
    """Feeds a body in a thread, while what arrives next is gathered."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._chunks: list[bytes] = []
        self._size = 0
        self._working: asyncio.Future[Any] | None = None

    async def take(self, chunk: bytes) -> None:
        """The next chunk; waits only where the thread is far behind."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._working is not None and (self._working.done() or self._size >= _AHEAD):
            await self._rest()
        if self._working is None and self._size >= _GATHER:
            self._feed()

    async def end(self) -> Any:
        """The body is whole: the results of its instances."""
        await self._rest()
        if self._chunks:
            self._feed()
            await self._rest()
        self._working = asyncio.wrap_future(submit(_feeders, self._body.end))
        return await self._rest()

    async def abandon(self) -> None:
        """Wait for the thread, whatever it says, and leave nothing of what is not whole."""
        if self._working is not None:
            await asyncio.wait([self._working])
            # Asked for, so that an error which came second is not reported as one that nobody saw.
            self._working.exception()
        await asyncio.wrap_future(submit(_feeders, self._body.abandon))

    def _feed(self) -> None:
        gathered = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks, self._size = [], 0
        self._working = asyncio.wrap_future(submit(_feeders, self._body.feed, gathered))

    async def _rest(self) -> Any:
        """Wait until the thread has nothing to do; raises what it raised. A cancelled wait leaves it at work."""
        if self._working is None:
            return None
        result = await asyncio.shield(self._working)
        self._working = None
        return result


def _body(request: Request, batch: Batch) -> Body:
    """The body's form, by its media type (PS3.18 10.5.2). Raises UnsupportedMedia, BadInput."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        # RFC 9110 8.4: nothing is unpacked on the way in, so that nothing unpacks to more than it seems.
        raise UnsupportedMedia("a content coding", safe=gettext("Send the body without a Content-Encoding."))
    kind = media.parse(request.headers.get("content-type") or "application/octet-stream")
    boundary = kind.parameters.get("boundary", "") if kind.multipart else None
    if kind.type in JSON_TYPES | XML_TYPES:
        return MetadataBody(batch, kind.type, boundary)
    if kind.type == DICOM and boundary is None:
        return SingleBody(batch)
    if boundary is not None and kind.type in (DICOM, "*/*"):
        return MultipartBody(batch, boundary)
    raise UnsupportedMedia(
        f"stow with {kind.type}",
        safe=gettext(
            'Send %(multipart)s; type="%(dicom)s" (or "%(dicom_json)s", "%(dicom_xml)s"), or a single %(dicom)s body.',
            multipart=MULTIPART,
            dicom=DICOM,
            dicom_json=DICOM_JSON,
            dicom_xml=DICOM_XML,
        ),
    )
