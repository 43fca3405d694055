"""The hosted viewer's files, served from a list made at the start: no path is ever built from what a client sent."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

# The machine's own tables differ; these are the types that the viewer is made of.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
# Names that hold a digest of the content never change it: `12.bundle.b4688cdbdd856b75.js`, `0ddf166f7a343eda.wasm`.
_HASHED = re.compile(r"(?:^|\.)[0-9a-f]{16,}\.[a-z0-9]+$")
FOREVER, CHECKED = "public, max-age=31536000, immutable", "no-cache"


@dataclass(frozen=True, slots=True)
class File:
    """One file: where it lies, plain and gzipped, and the headers that go with it."""

    path: Path
    packed: Path | None
    media_type: str
    cache_control: str
    etag: str


def scan(folder: Path) -> dict[str, File]:
    """Every file of a folder by its path in a URL (`/a/b.js`); hidden files and the `.gz` themselves are left out."""
    found: dict[str, File] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or path.suffix == ".gz" or any(part.startswith(".") for part in name.split("/")):
            continue
        packed = path.with_name(path.name + ".gz")
        found[f"/{name}"] = File(
            path=path,
            packed=packed if packed.exists() else None,
            media_type=_TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream",
            cache_control=FOREVER if _HASHED.search(path.name) else CHECKED,
            etag=hashlib.sha256(path.read_bytes()).hexdigest()[:32],
        )
    return found


def serve(request: Request, file: File) -> Response:
    """The answer for one file: gzipped where the client takes that, 304 where it has it already (RFC 9110 13.1.2)."""
    packed = file.packed if _takes_gzip(request.headers.get("accept-encoding", "")) else None
    # The two forms are different representations, so each has an entity tag of its own (RFC 9110 8.8.3).
    etag = f'"{file.etag}-gz"' if packed else f'"{file.etag}"'
    headers = {"Cache-Control": file.cache_control, "ETag": etag, "Vary": "Accept-Encoding"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return FileResponse(packed or file.path, media_type=file.media_type, headers=headers)


def _takes_gzip(accept: str) -> bool:
    for offer in accept.lower().split(","):
        name, _, parameters = offer.partition(";")
        if name.strip() in ("gzip", "*"):
            return re.fullmatch(r"\s*q=0(?:\.0*)?\s*", parameters) is None
    return False
