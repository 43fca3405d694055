"""ASGI middleware around the portal: security headers."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overread.kit import http
from overread.kit.settings import Settings

#: Pages run only our own scripts and talk to nobody else; the payment page is a place that one navigates to.
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self' {elsewhere}"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # Addresses hold opaque identifiers only, and even those are nobody else's business.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    # What depends on who asks is kept by nobody but the browser that asked.
    "Cache-Control": "private, no-cache",
}


class Guard:
    """Adds the headers that every answer of the portal carries, where it has no other values of them."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._public_url = settings.public_url
        # A form's answer may lead to the payment page or the viewer; browsers check redirects against form-action too.
        sandbox = settings.stripe_api_base if settings.demo else None
        elsewhere = f"{sandbox or 'https://checkout.stripe.com'} {settings.viewer_base_url}"
        headers = {**_HEADERS, "Content-Security-Policy": _POLICY.format(elsewhere=elsewhere)}
        if settings.base_url.startswith("https://"):
            headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        # As they are sent: they go with every frame.
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app({**scope, http.PUBLIC_URL: self._public_url}, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] += [header for header in self._headers if header[0] not in given]
            await send(message)

        await self._app({**scope, http.PUBLIC_URL: self._public_url}, receive, guarded)
