"""The sandbox's API over HTTP: keys, versions, idempotency, expansion, errors; the rows are in `endpoints`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from billing.sandbox import forms, intents, refunds, sessions
from billing.sandbox.endpoints import ENDPOINTS, Call, Endpoint
from billing.sandbox.errors import ApiError
from billing.sandbox.world import API_VERSION, World

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")
_KEPT_SECONDS = 86400  # an idempotency key is remembered for a day


def base_url(request: Request) -> str:
    """The sandbox's own address: the one it was given for people, else the one that the caller reached it by."""
    return request.app.state.public_url or f"{request.url.scheme}://{request.url.netloc}"


def _key_of(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value).decode().partition(":")[0]
        except ValueError:
            value = ""
    return value.strip()


def check_key(request: Request) -> None:
    """Raises ApiError (401) where the secret key is not the sandbox's."""
    key = _key_of(request)
    if not key:
        raise ApiError(
            401,
            "invalid_request_error",
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth.",
        )
    if not hmac.compare_digest(key.encode(), request.app.state.secret_key.encode()):
        raise ApiError(401, "invalid_request_error", f"Invalid API Key provided: {key[:8]}****")


def _check_version(request: Request) -> str:
    version = request.headers.get("stripe-version", API_VERSION)
    if not _VERSION.fullmatch(version):
        raise ApiError(400, "invalid_request_error", f"Invalid Stripe API version: {version}")
    return version


def _expand(form: forms.Form) -> list[str]:
    paths = form.pop("expand", [])
    return [str(p) for p in (paths if isinstance(paths, list) else [paths])]


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer, indented as Stripe's are."""
    return Response(json.dumps(body, indent=2), status, headers, "application/json")


def move_time(world: World) -> None:
    """Let what is due by the sandbox's clock happen."""
    if any([intents.expire_holds(world), sessions.expire_due(world), refunds.open_due(world)]):
        world.save()


class Faults:
    """Failures that a test has ordered: an answer lost before or after the work was done."""

    def __init__(self) -> None:
        self.ordered: list[dict[str, Any]] = []

    def take(self, request: Request) -> dict[str, Any] | None:
        """The failure ordered for this request, once."""
        for fault in self.ordered:
            if fault["method"] == request.method and re.search(fault["path"], request.url.path):
                self.ordered.remove(fault)
                return fault
        return None


def _run(endpoint: Endpoint, request: Request, raw: str) -> tuple[int, Any, dict[str, str]]:
    world: World = request.app.state.world
    move_time(world)
    form = forms.decode(raw)
    paths = _expand(form)
    if unknown := sorted(set(form) - endpoint.form):
        raise ApiError(
            400,
            "invalid_request_error",
            f"Received unknown parameter: {unknown[0]}",
            code="parameter_unknown",
            param=unknown[0],
        )
    call = Call(world, request.path_params.get("id", ""), form, base_url(request))
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    print_ = hashlib.sha256(f"{request.url.path}\n{raw}".encode()).hexdigest()
    if key is not None:
        kept = world.idempotency.get(key)
        if kept is not None and kept["at"] > world.now() - _KEPT_SECONDS:
            if kept["print"] != print_:
                raise ApiError(
                    400,
                    "idempotency_error",
                    "Keys for idempotent requests can only be used with the same parameters they were first used "
                    f"with. Try using a key other than '{key}' if you meant to execute a different request.",
                )
            return kept["status"], kept["body"], {"Idempotent-Replayed": "true"}
    try:
        status, body = 200, world.expanded(endpoint.run(call), paths)
    except ApiError as error:
        # As with Stripe, a request refused for its parameters is not remembered; one that was carried out is.
        if error.status != 402:
            world.save()
            raise
        status, body = 402, {"error": error.error}
    if key is not None:
        world.idempotency[key] = {"print": print_, "status": status, "body": body, "at": world.now()}
    if request.method == "POST":
        world.save()
    return status, body, {}


def _view(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def view(request: Request) -> Response:
        headers = {"Request-Id": request.app.state.world.new_id("req"), "Stripe-Version": API_VERSION}
        try:
            check_key(request)
            headers["Stripe-Version"] = _check_version(request)
            raw = (await request.body()).decode() if request.method == "POST" else request.url.query
            fault = request.app.state.faults.take(request)
            if fault and fault["when"] == "before":
                return answer(fault["status"], {"error": fault["error"]}, {**headers, **fault["headers"]})
            status, body, more = _run(endpoint, request, raw)
            if fault:
                return answer(fault["status"], {"error": fault["error"]}, {**headers, **fault["headers"]})
            if key := request.headers.get("idempotency-key"):
                more = {**more, "Idempotency-Key": key}
            return answer(status, body, {**headers, **more})
        except ApiError as error:
            return answer(error.status, {"error": error.error}, headers)

    return view


async def _clock(request: Request) -> Response:
    """Read or move the clock: a JSON body `{"advance": seconds}`."""
    world: World = request.app.state.world
    if request.method == "POST":
        world.offset += int((await request.json())["advance"])
        world.save()
        move_time(world)
    return JSONResponse({"now": world.now(), "offset": world.offset})


async def _fault(request: Request) -> Response:
    """Order a failure: `{"method", "path" (a pattern), "when": "before" | "after", "status", "error", "headers"}`."""
    ordered = await request.json()
    default = {"method": "POST", "when": "before", "status": 500, "error": {"type": "api_error"}, "headers": {}}
    request.app.state.faults.ordered.append({**default, **ordered})
    return JSONResponse({"ordered": len(request.app.state.faults.ordered)})


def _own(run: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def view(request: Request) -> Response:
        try:
            check_key(request)
            return await run(request)
        except ApiError as error:
            return answer(error.status, {"error": error.error})

    return view


async def _unknown(request: Request) -> Response:
    text = f"Unrecognized request URL ({request.method}: {request.url.path})."
    return answer(404, {"error": {"type": "invalid_request_error", "message": text}})


def routes(own: dict[str, Callable[[Request], Awaitable[Response]]]) -> list[Route]:
    """Every route of the API; `own` adds the sandbox's own controls beneath `/_sandbox/`."""
    controls = {"/_sandbox/clock": _clock, "/_sandbox/faults": _fault, **own}
    return [
        *(Route(e.path, _view(e), methods=[e.method]) for e in ENDPOINTS),
        *(Route(path, _own(run), methods=["GET", "POST"]) for path, run in controls.items()),
        Route("/v1/{rest:path}", _unknown, methods=["GET", "POST", "DELETE", "PUT", "PATCH"]),
    ]
