"""ASGI middleware: viewers of other origins that the operator names may read DICOMweb from a browser (Fetch 3.2).

Only with a bearer token: nothing here ever lets a browser send the session's cookie.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The resources of PS3.18, at both kinds of roots.
_DICOMWEB = re.compile(r"(?:/cases/[^/]+)?/dicomweb(?:/|$)").match
_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
_ASKED = "Accept, Authorization, Content-Type, If-Match, If-None-Match, If-Range, Range"
_SHOWN = "Content-Disposition, Content-Encoding, Content-Location, Content-Range, ETag, Location, Warning"
_MAX_AGE = "600"


class Cors:
    """Answers preflights of the named origins, and lets their scripts read the answers."""

    def __init__(self, app: ASGIApp, origins: str) -> None:
        self._app = app
        self._origins = frozenset(one.strip().rstrip("/") for one in origins.split(",") if one.strip())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not self._origins or scope["type"] != "http" or not _DICOMWEB(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        known = origin if origin in self._origins else None
        if scope["method"] == "OPTIONS" and origin and "access-control-request-method" in headers:
            allowed = {
                "Access-Control-Allow-Methods": _METHODS,
                "Access-Control-Allow-Headers": _ASKED,
                "Access-Control-Max-Age": _MAX_AGE,
            }
            answer = Response(status_code=204 if known else 403, headers=allowed if known else None)
            await answer(scope, receive, self._adding(send, known))
            return
        await self._app(scope, receive, self._adding(send, known))

    def _adding(self, send: Send, known: str | None) -> Send:
        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # Also for strangers: a cache must not give them what was made for others.
                headers.add_vary_header("Origin")
                if known:
                    headers["Access-Control-Allow-Origin"] = known
                    headers["Access-Control-Expose-Headers"] = _SHOWN
                    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            await send(message)

        return adding
