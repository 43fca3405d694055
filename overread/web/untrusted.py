"""Files that came from people, given back: nothing in them is run, and nothing of them stays in a cache."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

_HEADERS = {"Cache-Control": "no-store", "Content-Security-Policy": "sandbox; default-src 'none'"}


def shown(content: bytes, media_type: str) -> Response:
    """A picture that we made of such a file."""
    return Response(content, media_type=media_type, headers=_HEADERS)


def saved(content: bytes, media_type: str, name: str) -> Response:
    """A file to be saved: a browser shows nothing of it. Its name may be of any language (RFC 6266 5, RFC 8187)."""
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Response(content, media_type=media_type, headers={**_HEADERS, "Content-Disposition": disposition})
