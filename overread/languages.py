"""ASGI middleware: whoever asks is answered in the language that their browser likes best, of those that there are."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overread.kit import language


class Languages:
    """Chooses the language of an answer (RFC 9110 12.5.4)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or len(language.languages()) == 1:
            await self._app(scope, receive, send)
            return

        async def saying(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).add_vary_header("Accept-Language")
            await send(message)

        with language.speaking(language.preferred(Headers(scope=scope).get("accept-language", ""))):
            await self._app(scope, receive, saying)
