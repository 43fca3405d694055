"""How an answer to a retrieval is sent: as one body or as many, with its validator, in large pieces.

RFC 9110 8.8.3 and 13 (ETag, If-None-Match), 14 (ranges); RFC 2387 and PS3.18 8.6.1.2 (multipart/related).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from dicomweb import ranges
from dicomweb.media import MULTIPART
from overread.kit.blobs import BlobStore
from pacs.serve import retrieve
from pacs.serve.retrieve import Part

_BATCH = 1 << 20
_PATHSEND = "http.response.pathsend"
#: What depends on who asks is kept by nobody but the client that asked, and asked for again each time.
HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}


#: Parts whose sizes are known, or a stream of bytes.
Content = Sequence[Part] | Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Body:
    """One part of an answer, and its headers."""

    headers: Mapping[str, str]
    content: Content


def etag(*names: object) -> str:
    """A strong validator made of what decides about every byte (RFC 9110 8.8.3)."""
    return f'"{hashlib.sha256(repr(names).encode()).hexdigest()[:32]}"'


def unchanged(request: Request, validator: str) -> Response | None:
    """304 where the client has it already (RFC 9110 13.1.2), else None."""
    asked = request.headers.get("if-none-match", "")
    known = {one.strip().removeprefix("W/") for one in asked.split(",")}
    if validator in known or "*" in known:
        return Response(status_code=304, headers={**HEADERS, "ETag": validator})
    return None


def picture(request: Request, body: bytes, kind: str) -> Response:
    """A picture that was made of what is stored.

    Whoever keeps it asks each time: it may have been masked meanwhile, or be no longer theirs to see.
    """
    validator = etag("picture", kind, hashlib.sha256(body).digest())
    if same := unchanged(request, validator):
        return same
    return Response(body, media_type=kind, headers={**HEADERS, "ETag": validator})


def single_part(
    request: Request,
    blobs: BlobStore,
    body: Body,
    validator: str,
    *,
    ranged: bool = False,
) -> Response:
    """One body; `ranged`: or the ranges of it that are asked for. Raises RangeNotSatisfiable."""
    headers = {**HEADERS, "ETag": validator, **body.headers}
    if not isinstance(body.content, Sequence):
        return _sent(request, body.content, headers, None)
    size = retrieve.size(body.content)
    if ranged:
        headers["Accept-Ranges"] = "bytes"
        wanted = _ranges(request, validator, size)
        if len(wanted) == 1:
            [(start, length)] = wanted
            headers["Content-Range"] = _content_range(start, length, size)
            return _sent(request, retrieve.stream(blobs, ranges.cut(body.content, start, length)), headers, length, 206)
        if wanted:
            return _many(request, blobs, body.content, wanted, headers)
    if (file := _file(request, blobs, body.content)) is not None:
        return _File(file, headers={**headers, "Content-Length": str(size)})
    return _sent(request, retrieve.stream(blobs, body.content), headers, size)


def _file(request: Request, blobs: BlobStore, content: Sequence[Part]) -> Path | None:
    """The file that is the whole content, where the server can send one by itself.

    Only what is sent at once: nobody looks at the access again while the server sends.
    """
    if request.method != "GET" or _PATHSEND not in request.scope.get("extensions", {}) or len(content) != 1:
        return None
    [part] = content
    if retrieve.size(content) > _BATCH:
        return None
    return blobs.path(part.digest, part.length) if isinstance(part, retrieve.BlobRange) and not part.start else None


class _File(Response):
    """A file that the server sends (ASGI's Path Send extension)."""

    def __init__(self, path: Path, headers: Mapping[str, str]) -> None:
        super().__init__(headers=headers)
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": _PATHSEND, "path": str(self._path)})


def multipart(
    request: Request, blobs: BlobStore, kind: str, bodies: Iterable[Body], validator: str | None, *, status: int = 200
) -> Response:
    """A multipart/related answer (PS3.18 8.6.1.2): each body with headers of its own.

    Its length is told where all bodies are given with theirs.
    """
    boundary = secrets.token_hex(16)
    headers = {**HEADERS, "Content-Type": f'{MULTIPART}; type="{kind}"; boundary={boundary}'}
    if validator is not None:
        headers["ETag"] = validator
    length = _length(bodies, boundary) if isinstance(bodies, Sequence) else None
    return _sent(request, _joined(blobs, bodies, boundary), headers, length, status)


def ranged_part(request: Request, blobs: BlobStore, kind: str, body: Body, validator: str) -> Response:
    """A multipart/related answer of one part, which is only a range of its value where one is asked for."""
    assert isinstance(body.content, Sequence)
    size = retrieve.size(body.content)
    wanted = _ranges(request, validator, size)
    if not wanted:
        return multipart(request, blobs, kind, [body], validator)
    pieces = [
        Body({**body.headers, "Content-Range": _content_range(*one, size)}, ranges.cut(body.content, *one))
        for one in wanted
    ]
    return multipart(request, blobs, kind, pieces, validator, status=206)


def _ranges(request: Request, validator: str, size: int) -> list[tuple[int, int]]:
    # If-Range: parts of something else would not fit together (RFC 9110 13.1.5).
    if request.headers.get("if-range", validator) != validator:
        return []
    return ranges.read(request.headers.get("range"), size)


def _content_range(start: int, length: int, size: int) -> str:
    return f"bytes {start}-{start + length - 1}/{size}"


def _many(
    request: Request,
    blobs: BlobStore,
    content: Sequence[Part],
    wanted: list[tuple[int, int]],
    headers: dict[str, str],
) -> Response:
    """multipart/byteranges (RFC 9110 14.6)."""
    size = retrieve.size(content)
    boundary = secrets.token_hex(16)
    own = {"Content-Type": headers["Content-Type"]}
    bodies = [Body({**own, "Content-Range": _content_range(*one, size)}, ranges.cut(content, *one)) for one in wanted]
    headers = {**headers, "Content-Type": f"multipart/byteranges; boundary={boundary}"}
    return _sent(request, _joined(blobs, bodies, boundary), headers, _length(bodies, boundary), 206)


def _head(boundary: str, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"--{boundary}\r\n{lines}\r\n".encode()


def _joined(blobs: BlobStore, bodies: Iterable[Body], boundary: str) -> Iterator[bytes]:
    for body in bodies:
        yield _head(boundary, body.headers)
        yield from retrieve.stream(blobs, body.content) if isinstance(body.content, Sequence) else body.content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _length(bodies: Sequence[Body], boundary: str) -> int | None:
    total = len(boundary) + 6
    for body in bodies:
        if not isinstance(body.content, Sequence):
            return None
        total += len(_head(boundary, body.headers)) + retrieve.size(body.content) + 2
    return total


def _sent(
    request: Request, chunks: Iterator[bytes], headers: dict[str, str], length: int | None, status: int = 200
) -> Response:
    if length is not None:
        headers["Content-Length"] = str(length)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    if length is not None and length <= _BATCH:
        return Response(b"".join(chunks), status, headers)
    batches = _batches(chunks)
    # What can't be read fails here, where it still can be said.
    first = next(batches, [])
    return StreamingResponse(_flowing(chain([first], batches)), status, headers)


def _batches(chunks: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Chunks together until they are worth a thread's turn."""
    batch: list[bytes] = []
    size = 0
    for chunk in chunks:
        batch.append(chunk)
        size += len(chunk)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


async def _flowing(batches: Iterator[list[bytes]]) -> AsyncIterator[bytes]:
    while (batch := await run_in_threadpool(next, batches, None)) is not None:
        for chunk in batch:
            yield chunk
