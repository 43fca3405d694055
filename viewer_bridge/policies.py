"""The headers that every answer of the viewer's origin carries, and the content security policies of its parts.

Nothing here may reach another host: no policy names one. Cross-origin isolation (COEP) is left off: the viewer shares
no memory between threads.
"""

from __future__ import annotations

import base64
import hashlib
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_CLOSED = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

# Our own pages (the launch page, messages).
PAGE = f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; {_CLOSED}"
# Anything else that a browser might be led to open by itself: DICOMweb answers, problem documents.
DATA = f"default-src 'none'; sandbox; {_CLOSED}"
# A worker obeys the policy that its own script came with. The image decoders (emscripten's embind) make functions of
# strings, so they may; the page, which holds the token, may not.
WORKER = "default-src 'none'; script-src 'self' 'unsafe-eval'; connect-src 'self' blob: data:; worker-src 'self' blob:"

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": DATA,
}


def viewer(index: str) -> str:
    """The policy of OHIF's page: its two inline scripts by their digests, WebAssembly, and styles set by script.

    Decoded images and documents are shown from blobs; React libraries write `<style>` elements, hence 'unsafe-inline'
    for styles alone.
    """
    digests = {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in _INLINE_SCRIPT.findall(index)
    }
    scripts = " ".join(f"'sha256-{digest}'" for digest in sorted(digests))
    return (
        f"default-src 'none'; script-src 'self' 'wasm-unsafe-eval' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' blob: data:; font-src 'self' data:; media-src 'self' blob:; connect-src 'self' blob: data:; "
        f"worker-src 'self' blob:; object-src 'self' blob:; frame-src blob:; {_CLOSED}"
    )


class Guard:
    """ASGI middleware: takes cookies off every request, puts the headers above on every answer that lacks them.

    The portal on another port of the same host shares its cookies with this origin (RFC 6265 8.5); here only a bearer
    counts, so that no script of the viewer can borrow the session.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        without = [(name, value) for name, value in scope["headers"] if name.lower() != b"cookie"]

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app({**scope, "headers": without}, receive, send_guarded)
