"""ASGI middleware around both origins: one identifier, one log line and one duration a request."""

from __future__ import annotations

import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overread.kit import log, observed
from overread.kit.observed import Latencies

_logger = log.get(__name__)


class Access:
    """Tells of every request what it cost, and nothing of whom it was about."""

    def __init__(self, app: ASGIApp, latencies: Latencies) -> None:
        self._app = app
        self.latencies = latencies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        with structlog.contextvars.bound_contextvars(request=uuid.uuid4().hex):
            if scope["type"] == "http":
                await self._serve(scope, receive, send)
            else:
                await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = observed.watch(scope, self.latencies)
        status = sent = declared = 0
        whole = False

        async def watched(message: Message) -> None:
            nonlocal status, sent, declared, whole
            kind = message["type"]
            await send(message)
            if kind == "http.response.start":
                status = message["status"]
                declared = next((int(v) for n, v in message["headers"] if n.lower() == b"content-length"), 0)
            elif kind == "http.response.body":
                sent += len(message.get("body", b""))
                whole = not message.get("more_body", False)
            else:
                # A file that the server sends by itself (ASGI's Path Send extension).
                sent, whole = declared, True

        self.latencies.add(1)
        began = time.perf_counter()
        try:
            await self._app(scope, receive, watched)
        finally:
            took = time.perf_counter() - began
            self.latencies.add(-1)
            self.latencies.took(scope["method"], seen.template, took)
            _logger.info(
                "request",
                method=scope["method"] if scope["method"] in observed.METHODS else observed.OTHER,
                route=seen.template,
                status=status,
                ms=round(took * 1000, 1),
                bytes=sent,
                # One that its client left, or that was cut, is none that was served.
                **({} if whole else {"cut": True}),
                **({"role": seen.role, "via": seen.via} if seen.role else {}),
            )
