"""Events to the configured address, signed as https://docs.stripe.com/webhooks#verify-manually tells.

Stripe promises neither order nor once only, and repeats for three days; tests ask for both on demand.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import json
import logging
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from billing.sandbox.world import Obj, World, public

RETRY_SECONDS = (1, 3, 10, 30, 120, 600, 3600, 3 * 3600, 12 * 3600, 24 * 3600)
_log = logging.getLogger(__name__)


def signature(payload: bytes, secret: str, at: int) -> str:
    """The Stripe-Signature header of a payload: HMAC-SHA-256 over `t.payload`."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Deliveries:
    """Sends events to one address; held back where a test wants to send them itself."""

    def __init__(self, world: World, url: str | None, secret: str, retry: Sequence[float] = RETRY_SECONDS) -> None:
        self.world, self.url, self.secret, self.retry = world, url, secret, retry
        self.held = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        world.on_event = self.enqueue

    def start(self) -> None:
        """Begin delivering; what a restart interrupted is sent (again)."""
        self._loop = asyncio.get_running_loop()
        for event in self.world.all("event"):
            if event["pending_webhooks"] and event["created"] > self.world.now() - 3 * 86400:
                self.enqueue(event)

    def enqueue(self, event: Obj) -> None:
        """Deliver an event soon, unless deliveries are held or there is no address."""
        if self.url is None:
            event["pending_webhooks"] = 0
        elif self._loop is not None and not self.held:
            task = self._loop.create_task(self._insist(event))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up what is under way; it is taken up at the next start."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _insist(self, event: Obj) -> None:
        for pause in (0.0, *self.retry):
            await asyncio.sleep(pause)
            if await self.send(event) // 100 == 2:
                return
        _log.warning("event %s was given up", event["id"])

    async def send(self, event: Obj) -> int:
        """One try; returns the HTTP status, 0 where nobody answered."""
        payload = json.dumps(public(event), indent=2).encode()
        try:
            status = await asyncio.to_thread(self._post, payload)
        except (OSError, http.client.HTTPException) as error:
            _log.info("event %s was not taken: %s", event["id"], error)
            return 0
        if status // 100 == 2:
            event["pending_webhooks"] = 0
            self.world.save()
        return status

    def _post(self, payload: bytes) -> int:
        target = urlsplit(self.url or "")
        kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        connection = kind(target.netloc, timeout=10)
        try:
            connection.request(
                "POST",
                target.path + (f"?{target.query}" if target.query else ""),
                payload,
                {
                    "Content-Type": "application/json; charset=utf-8",
                    "Stripe-Signature": signature(payload, self.secret, int(time.time())),
                    "User-Agent": "Overread-Payment-Sandbox/1.0",
                },
            )
            return connection.getresponse().status
        finally:
            connection.close()
