"""Addresses with a slash too many lead to those without, by their path alone.

Starlette's own redirect names the host that the request named, whoever wrote it there (`overread.kit.hosts`).
"""

from __future__ import annotations

from urllib.parse import quote

from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import Match, Mount, Router
from starlette.types import Receive, Scope, Send

#: What a path may hold as it is (RFC 3986 3.3): frames are listed with commas.
_AS_THEY_ARE = "/:@!$&'()*+,;="


def shortened(app: Starlette) -> Starlette:
    """The application, with redirects that name no host."""
    _shorten(app.router)
    return app


def _shorten(router: Router) -> None:
    router.redirect_slashes = False
    for route in router.routes:
        if isinstance(route, Mount) and isinstance(route.app, Router):
            _shorten(route.app)
    otherwise = router.default

    async def shorter(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].rstrip("/")
        # Two slashes at the beginning would name another host (RFC 3986 4.2).
        if scope["type"] == "http" and path != scope["path"] and path and not path.startswith("//"):
            asked = {**scope, "path": path}
            if any(route.matches(asked)[0] is not Match.NONE for route in router.routes):
                query = scope["query_string"].decode("latin-1")
                await RedirectResponse(quote(path, safe=_AS_THEY_ARE) + (f"?{query}" if query else ""))(
                    scope, receive, send
                )
                return
        await otherwise(scope, receive, send)

    router.default = shorter
