"""The sandbox as a server: `run(...)` for a process of its own, `app(...)` for a test's thread."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from billing.sandbox import api, hosted
from billing.sandbox.webhooks import RETRY_SECONDS, Deliveries
from billing.sandbox.world import World


def app(
    *,
    mode: str,
    secret_key: str,
    webhook_secret: str,
    webhook_url: str | None = None,
    state_file: Path | None = None,
    retry: Sequence[float] = RETRY_SECONDS,
    public_url: str | None = None,
) -> Starlette:
    """The sandbox's ASGI application; `public_url` is its address as payers see it, where that differs.

    Raises ValueError unless `mode` is "demo" or "test" and the key is a test key: nobody shall run this by mistake
    where money is meant to move.
    """
    if mode not in ("demo", "test"):
        raise ValueError('the payment sandbox starts only with mode="demo" or mode="test"')
    if not secret_key.startswith("sk_test_"):
        raise ValueError("the payment sandbox takes only a key that begins with sk_test_")
    world = World(state_file)
    deliveries = Deliveries(world, webhook_url, webhook_secret, retry)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        deliveries.start()
        yield
        await deliveries.stop()
        world.save()

    async def deliver(request: Request) -> Response:
        """Hold deliveries (`{"hold": true}`), or send events now, in this order (`{"events": [id, …]}`)."""
        order = await request.json()
        if "hold" in order:
            deliveries.held = bool(order["hold"])
        sent = [await deliveries.send(world.get("event", event_id)) for event_id in order.get("events", [])]
        return JSONResponse({"held": deliveries.held, "statuses": sent})

    async def health(_request: Request) -> Response:
        return JSONResponse({"ready": True, "mode": mode})

    built = Starlette(routes=[*api.routes({"/_sandbox/webhooks": deliver}), *hosted.routes()], lifespan=lifespan)
    built.add_route("/healthz", health)
    built.state.public_url = public_url.rstrip("/") if public_url else None
    built.state.world, built.state.secret_key, built.state.faults = world, secret_key, api.Faults()
    return built


def run(
    host: str,
    port: int,
    state_file: Path | None,
    webhook_url: str | None,
    webhook_secret: str,
    secret_key: str,
    *,
    mode: str,
    public_url: str | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. Raises ValueError as `app` does."""
    application = app(
        mode=mode,
        secret_key=secret_key,
        webhook_secret=webhook_secret,
        webhook_url=webhook_url,
        state_file=state_file,
        public_url=public_url,
    )
    uvicorn.run(application, host=host, port=port, log_level="warning", access_log=False)
