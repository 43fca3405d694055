"""POST /webhooks/stripe: the payment provider's events. Without a signing secret the route does not exist."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from billing import webhooks
from billing.gateway import Gateway
from overread.kit import http, log, whole_body
from overread.kit.db import Database
from overread.kit.errors import BadInput, OverreadError
from overread.kit.settings import Settings

MAX_BODY = 1 << 20  # events are a few kilobytes
_log = log.get(__name__)


def routes(settings: Settings, db: Database, gateway: Gateway | None) -> list[Route]:
    """The webhook's route; none without a gateway or with an empty signing secret."""
    secret = settings.stripe_webhook_secret
    if gateway is None or secret is None or not secret.get_secret_value():
        return []

    def take(raw: bytes, signature: str) -> None:
        with db.transaction() as tx:
            webhooks.record_webhook(tx, gateway, raw, signature)

    async def stripe_webhook(request: Request) -> Response:
        try:
            raw = await whole_body.read(request, MAX_BODY)
            await run_in_threadpool(take, raw, request.headers.get("stripe-signature", ""))
        except BadInput as error:
            _log.warning("webhook_refused", reason=str(error), client=request.client.host if request.client else "")
            return http.problem(error)
        except OverreadError as error:  # the provider will try again
            _log.error("webhook_not_recorded", reason=str(error))
            return http.problem(error)
        return Response(status_code=204)

    return [Route("/webhooks/stripe", stripe_webhook, methods=["POST"], name="stripe_webhook")]
