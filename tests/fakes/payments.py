"""The payment sandbox on a real socket, and a payer who fills in its card page."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from billing.sandbox.server import app
from billing.stripe_gateway import StripeGateway

SECRET_KEY, WEBHOOK_SECRET = "sk_test_sandbox", "whsec_sandbox"

OK, DECLINED, NO_FUNDS = "4242424242424242", "4000000000000002", "4000000000009995"
ASKS_ONCE, ASKS_ALWAYS, DISPUTES, FAILS_LATER = (
    "4000002500003155",
    "4000002760003184",
    "4000000000000259",
    "4000000000000341",
)


class Served:
    """An ASGI application served by uvicorn in a thread."""

    def __init__(self, application: Any, port: int = 0) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = uvicorn.Server(uvicorn.Config(application, log_level="error", access_log=False))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()
        limit = time.monotonic() + 20
        while not self._server.started:
            assert self._thread.is_alive()
            assert time.monotonic() < limit
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()


class Sandbox(Served):
    """The payment sandbox, its controls, and its payer."""

    def __init__(
        self,
        *,
        webhook_url: str | None = None,
        state_file: Path | None = None,
        port: int = 0,
        retry: tuple[float, ...] = (0.05, 0.05, 0.05),
        public_url: str | None = None,
    ) -> None:
        super().__init__(
            app(
                mode="test",
                secret_key=SECRET_KEY,
                webhook_secret=WEBHOOK_SECRET,
                webhook_url=webhook_url,
                state_file=state_file,
                retry=retry,
                public_url=public_url,
            ),
            port,
        )
        self.http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {SECRET_KEY}"})
        self.browser = httpx.Client()

    def stop(self) -> None:
        """Stop serving and close the clients."""
        self.http.close()
        self.browser.close()
        super().stop()

    def gateway(self, *, retries: int = 2) -> StripeGateway:
        """Our gateway, pointed at this sandbox."""
        return StripeGateway(SECRET_KEY, WEBHOOK_SECRET, api_base=self.url, retries=retries)

    def submit(self, url: str, card: str = OK, *, expiry: str = "12 / 40", cvc: str = "123") -> httpx.Response:
        """Fill in and submit a card page; redirects are not followed."""
        return self.browser.post(url, data={"number": card, "expiry": expiry, "cvc": cvc})

    def pay(self, url: str, card: str = OK) -> str:
        """Pay on a card page, passing the bank's challenge where there is one; where the browser is sent then."""
        answer = self.submit(url, card)
        assert answer.status_code == 303, answer.text
        target = answer.headers["location"]
        if "/c/3ds/" in target:
            answer = self.answer(target, passed=True)
            assert answer.status_code == 303
            target = answer.headers["location"]
        return str(target)

    def answer(self, url: str, *, passed: bool) -> httpx.Response:
        """Answer the bank's challenge."""
        return self.browser.post(url, data={"answer": "complete" if passed else "fail"})

    def advance(self, seconds: int) -> None:
        """Move the sandbox's clock."""
        self.http.post("/_sandbox/clock", json={"advance": seconds}).raise_for_status()

    def fault(self, path: str, **order: Any) -> None:
        """Have the next request to a path (a pattern) fail, before or after its work is done."""
        self.http.post("/_sandbox/faults", json={"path": path, **order}).raise_for_status()

    def hold_webhooks(self) -> None:
        """Deliver nothing by itself from now on."""
        self.http.post("/_sandbox/webhooks", json={"hold": True}).raise_for_status()

    def deliver(self, event_ids: list[str]) -> list[int]:
        """Deliver events now, in this order; the receiver's statuses."""
        answer = self.http.post("/_sandbox/webhooks", json={"events": event_ids}, timeout=60)
        statuses: list[int] = answer.raise_for_status().json()["statuses"]
        return statuses

    def listed(self, kind: str, **query: str) -> list[dict[str, Any]]:
        """The objects of a kind (`charges`, `events`, …), oldest first."""
        answer = self.http.get(f"/v1/{kind}", params={"limit": "100", **query}).raise_for_status()
        things: list[dict[str, Any]] = answer.json()["data"]
        return things[::-1]

    def post(self, path: str, form: dict[str, str], *, key: str | None = None) -> httpx.Response:
        """A raw request to the API."""
        return self.http.post(path, data=form, headers={"Idempotency-Key": key} if key else {})
