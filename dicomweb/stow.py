"""STOW-RS: store instances (PS3.18 10.5). The body is streamed: no instance is ever held in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio.to_thread
import orjson
from multipart import MultipartError, MultipartSegment, PushMultipartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from dicomweb import media
from dicomweb.context import Context
from dicomweb.media import DICOM, DICOM_JSON, MULTIPART, MediaRange, accepted, choose
from dicomweb.uids import path_uid
from overread.kit.errors import BadInput, OverreadError, UnsupportedMedia
from overread.kit.http import principal
from pacs import ingest
from pacs.archive import Archive
from pacs.ingest import AlreadyStored, Incoming, Outcome, Prepared, Refused, Source, Stored
from pacs.status import Reason

#: Bytes of the body that are gathered before a thread is asked to write them.
_GATHER = 1 << 20
#: Instances whose rows are committed together.
_GROUP = 64
_OFFERS = [MediaRange(DICOM_JSON), MediaRange("application/json")]


async def store(context: Context, request: Request) -> Response:
    """Store the instances of the body; the answer lists what became of each (10.5.3)."""
    run = anyio.to_thread.run_sync
    choose(accepted(request.headers.get("accept"), None), _OFFERS, "The answer to a store request")
    source = await run(_source, context, request)
    body = _body(request, context.archive, source)
    try:
        async for gathered in _gathered(request):
            await run(body.feed, gathered)
        outcomes = await run(body.end)
    except BaseException:
        # Also when the client is gone or the server stops: what was not finished leaves nothing behind.
        with anyio.CancelScope(shield=True):
            await run(body.abandon)
        raise
    if not outcomes:
        raise BadInput("an empty body", safe="The body holds no DICOM object.")
    return _answer(outcomes, context.root(request))


def _source(context: Context, request: Request) -> Source:
    who = principal(request, context.archive.db)
    with context.archive.db.transaction() as tx:
        case_id = context.upload_to(tx, who, request)
    return Source(who, "stow", case_id=case_id, study_uid=path_uid(request, "study"))


async def _gathered(request: Request) -> AsyncIterator[bytes]:
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size >= _GATHER:
                yield b"".join(chunks)
                chunks, size = [], 0
    except ClientDisconnect as error:
        raise BadInput("the client went away in the middle of the body") from error
    if size:
        yield b"".join(chunks)


class _Batch:
    """The instances of one request: prepared one by one, their rows written in groups."""

    def __init__(self, archive: Archive, source: Source) -> None:
        self._archive = archive
        self._source = source
        self._current: Incoming | None = None
        self._waiting: list[Prepared] = []
        self.outcomes: list[Outcome] = []

    def begin(self) -> None:
        self._current = ingest.receive(self._archive, self._source)

    def write(self, data: bytes) -> None:
        if self._current is not None:
            self._current.write(data)

    def finish(self) -> None:
        current, self._current = self._current, None
        if current is None:
            return
        with current:
            prepared = current.finish()
        if isinstance(prepared, Prepared):
            self._waiting.append(prepared)
            if len(self._waiting) >= _GROUP:
                self.flush()
        else:
            self.outcomes.append(prepared)

    def refuse(self, sentence: str) -> None:
        """Note that a part could not be taken."""
        self.discard()
        self.outcomes.append(Refused(Reason.CANNOT_UNDERSTAND, sentence))

    def discard(self) -> None:
        if self._current is not None:
            self._current.__exit__(None, None, None)
            self._current = None

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.outcomes += ingest.store(self._archive, self._source, waiting)


class _Body:
    """A body of one instance (`application/dicom`, PS3.18 10.5.2)."""

    def __init__(self, batch: _Batch) -> None:
        self.batch = batch
        self._began = False

    def feed(self, data: bytes) -> None:
        if not self._began:
            self.batch.begin()
            self._began = True
        self.batch.write(data)

    def end(self) -> list[Outcome]:
        self.batch.finish()
        self.batch.flush()
        return self.batch.outcomes

    def abandon(self) -> None:
        # Whole instances stay: their bytes are durable, and the sender's next try finds them.
        self.batch.discard()
        self.batch.flush()


class _Parser(PushMultipartParser):  # type: ignore[misc]  # the library has no types
    """multipart/related (RFC 2387): parts have no Content-Disposition."""

    def _create_segment(self, headerlist: list[tuple[str, str]]) -> MultipartSegment:
        return MultipartSegment(headerlist)


class _MultipartBody(_Body):
    """A body of many instances (`multipart/related; type="application/dicom"`)."""

    def __init__(self, batch: _Batch, boundary: str) -> None:
        super().__init__(batch)
        self._parser = _Parser(boundary, max_header_count=16, max_header_size=4096)
        self._broken = False

    def feed(self, data: bytes) -> None:
        if self._broken:
            return
        try:
            for event in self._parser.parse(data):
                if isinstance(event, MultipartSegment):
                    self._begin(event)
                elif event is None:
                    self.batch.finish()
                else:
                    self.batch.write(bytes(event))
        except MultipartError as error:
            self._break(error)

    def end(self) -> list[Outcome]:
        if not self._broken:
            try:
                self._parser.close()
            except MultipartError as error:
                self._break(error)
        self.batch.flush()
        return self.batch.outcomes

    def _begin(self, segment: MultipartSegment) -> None:
        kind = segment.content_type
        if kind and kind.split(";", 1)[0].strip().lower() != DICOM:
            self.batch.refuse("A part of the body is not application/dicom.")
        else:
            self.batch.begin()

    def _break(self, error: MultipartError) -> None:
        self._broken = True
        self.batch.refuse(
            "The multipart body is broken or ends in the middle of a part. "
            f"Send again what this answer does not list as stored. ({error})"
        )


def _body(request: Request, archive: Archive, source: Source) -> _Body:
    batch = _Batch(archive, source)
    kind = media.parse(request.headers.get("content-type") or "application/octet-stream")
    if not kind.multipart and kind.type == DICOM:
        return _Body(batch)
    if not kind.multipart or kind.type not in (DICOM, "*/*"):
        raise UnsupportedMedia(
            f"stow with {kind.type}",
            safe=f'Send {MULTIPART}; type="{DICOM}", or a single {DICOM} body.',
        )
    boundary = kind.parameters.get("boundary", "")
    if not 1 <= len(boundary) <= 200 or not boundary.isascii() or "\n" in boundary:
        raise BadInput("no usable boundary", safe="The Content-Type names no boundary of 1 to 200 ASCII characters.")
    return _MultipartBody(batch, boundary)


def _answer(outcomes: list[Outcome], root: str) -> Response:
    """The Store Instances Response (10.5.3, I.2.2) with the status of Table 10.5.3-1."""
    stored = [outcome for outcome in outcomes if isinstance(outcome, Stored | AlreadyStored)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    if not stored and all(not refusal.sop_uid for refusal in refused):
        raise _nothing_readable(refused)
    body: dict[str, Any] = {}
    studies = {outcome.keys.study_uid for outcome in stored}
    if len(studies) == 1:
        body["00081190"] = _ur(f"{root}/studies/{studies.pop()}")
    if known := [refusal for refusal in refused if refusal.sop_uid]:
        body["00081198"] = _sq(_sop(r.sop_class, r.sop_uid) | _reason(r) for r in known)
    if stored:
        body["00081199"] = _sq(
            _sop(o.keys.sop_class, o.keys.sop_uid) | {"00081190": _ur(_url(root, o))} for o in stored
        )
    if unknown := [refusal for refusal in refused if not refusal.sop_uid]:
        body["0008119A"] = _sq(_reason(r) for r in unknown)
    sentences = dict.fromkeys(_header_safe(refusal.sentence) for refusal in refused)
    headers = {"Warning": ", ".join(f'299 overread "{s}"' for s in list(sentences)[:5])} if sentences else {}
    status = 200 if not refused else 202 if stored else 409
    return Response(orjson.dumps(body), status, headers=headers, media_type=DICOM_JSON)


def _nothing_readable(refused: list[Refused]) -> OverreadError:
    sentences = " ".join(dict.fromkeys(refusal.sentence for refusal in refused))
    return BadInput(f"nothing readable in the body: {sentences}", safe=f"Nothing was stored. {sentences}"[:1000])


def _header_safe(sentence: str) -> str:
    plain = sentence.encode("ascii", "replace").decode()
    return "".join(c for c in plain if c.isprintable() and c not in '"\\')[:300]


def _ur(url: str) -> dict[str, Any]:
    return {"vr": "UR", "Value": [url]}


def _sq(items: Any) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


def _sop(sop_class: str, sop_uid: str) -> dict[str, Any]:
    return {"00081150": {"vr": "UI", "Value": [sop_class]}, "00081155": {"vr": "UI", "Value": [sop_uid]}}


def _reason(refusal: Refused) -> dict[str, Any]:
    return {"00081197": {"vr": "US", "Value": [int(refusal.reason)]}}


def _url(root: str, outcome: Stored | AlreadyStored) -> str:
    keys = outcome.keys
    return f"{root}/studies/{keys.study_uid}/series/{keys.series_uid}/instances/{keys.sop_uid}"
