"""The pages that a payer sees: the card form, the bank's challenge, and what a closed session says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from billing.sandbox import intents, methods, sessions
from billing.sandbox.api import base_url, move_time
from billing.sandbox.cards import check
from billing.sandbox.errors import ApiError
from billing.sandbox.world import Obj, World
from overread.kit.money import formatted

_PAGES = Path(__file__).with_name("pages")
_templates = Environment(loader=FileSystemLoader(_PAGES), autoescape=True, undefined=StrictUndefined)


def _page(name: str, status: int, targets: tuple[str | None, ...] = (), **values: Any) -> Response:
    # form-action covers where a form's answer redirects to, so the merchant's own addresses must be named.
    origins = sorted({f"{u.scheme}://{u.netloc}" for t in targets if t for u in [urlsplit(t)]})
    form_action = " ".join(["'self'", *origins])
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {form_action}"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(_templates.get_template(name).render(**values), status, headers, "text/html; charset=utf-8")


def _closed(heading: str, text: str, status: int, address: str | None = None, label: str = "") -> Response:
    return _page("closed.html", status, heading=heading, text=text, address=address, label=label)


async def _fields(request: Request) -> dict[str, str]:
    raw = (await request.body())[:4096].decode("utf-8", "replace")
    return {name: values[0] for name, values in parse_qs(raw, keep_blank_values=True).items()}


def _session_or_page(world: World, session_id: str) -> Obj | Response:
    session = world.objects["checkout.session"].get(session_id)
    if session is None:
        return _closed("There is no such payment page", "Check the link, or go back to where you came from.", 404)
    if session["status"] == "complete":
        address = sessions.return_address(session)
        return _closed("This is done", "Your card has already been accepted for this order.", 200, address, "Continue")
    if session["status"] == "expired":
        text = "Nothing was charged. Go back and start the payment again."
        return _closed("This payment page has expired", text, 410, session["cancel_url"], "Go back")
    return session


def _card_page(session: Obj, status: int = 200, **values: Any) -> Response:
    total = session["amount_total"]
    shown_values: dict[str, Any] = {"problem": "", "errors": {}, "values": {}, **values}
    return _page(
        "pay.html",
        status,
        (session["success_url"], session["cancel_url"]),
        id=session["id"],
        amount=formatted(total, session["currency"]) if total else "",
        lines=[
            {
                "name": line["description"] + (f" × {line['quantity']}" if line["quantity"] > 1 else ""),
                "amount": formatted(line["amount_total"], session["currency"]),
            }
            for line in session["_lines"]
        ],
        held=session["_capture_method"] == "manual",
        cancel_url=session["cancel_url"],
        **shown_values,
    )


async def _pay(request: Request) -> Response:
    world: World = request.app.state.world
    move_time(world)
    session = _session_or_page(world, request.path_params["id"])
    if isinstance(session, Response):
        return session
    if request.method == "GET":
        problem = ""
        if session["payment_intent"]:
            error = world.get("payment_intent", session["payment_intent"])["last_payment_error"]
            problem = _plain(error) if error else ""
        return _card_page(session, problem=problem)
    form = await _fields(request)
    now = datetime.fromtimestamp(world.now(), UTC)
    entered = check(form.get("number", ""), form.get("expiry", ""), form.get("cvc", ""), now)
    if isinstance(entered, dict):
        kept = {name: form.get(name, "") for name in ("number", "expiry")}
        return _card_page(session, 422, errors=entered, values=kept)
    try:
        method = methods.create_method(world, entered)
        challenge = sessions.pay(world, session, method, f"{base_url(request)}/c/3ds")
    except ApiError as error:
        world.save()
        return _card_page(session, 402, problem=_plain(error.error))
    world.save()
    return RedirectResponse(challenge or sessions.return_address(session), 303)


def _plain(error: Obj) -> str:
    """The sentence that a payer reads; the API's own is written for programmers in one case."""
    if error.get("code") == "payment_intent_authentication_failure":
        return "Your bank could not confirm that it was you."
    return str(error["message"])


def _challenged(world: World, intent_id: str) -> Obj | None:
    kind = "setup_intent" if intent_id.startswith("seti_") else "payment_intent"
    intent = world.objects[kind].get(intent_id)
    return intent if intent is not None and intent["status"] == "requires_action" else None


async def _challenge(request: Request) -> Response:
    world: World = request.app.state.world
    move_time(world)
    intent = _challenged(world, request.path_params["id"])
    if intent is None:
        return _closed("Nothing to confirm", "This confirmation is over. Go back to where you came from.", 404)
    session = sessions.of_intent(world, intent["id"])
    method = world.get("payment_method", intent["payment_method"])
    return_url = intent["next_action"]["redirect_to_url"]["return_url"]
    if request.method == "GET":
        targets = (session["success_url"], session["cancel_url"]) if session else (return_url,)
        amount = formatted(intent["amount"], intent["currency"]) if "amount" in intent else ""
        card = method["card"]
        return _page(
            "challenge.html",
            200,
            targets,
            id=intent["id"],
            amount=amount,
            brand=card["brand"].capitalize(),
            last4=card["last4"],
        )
    passed = (await _fields(request)).get("answer") == "complete"
    try:
        _settle(world, intent, method, passed)
        if passed and session:
            sessions.complete(world, session)
    except ApiError:  # the bank was content, the card's issuer was not: the card page says why
        passed = False
    world.save()
    if session is not None:
        return RedirectResponse(sessions.return_address(session) if passed else f"/c/pay/{session['id']}", 303)
    if return_url:
        query = {"payment_intent": intent["id"], "redirect_status": "succeeded" if passed else "failed"}
        return RedirectResponse(f"{return_url}{'&' if '?' in return_url else '?'}{urlencode(query)}", 303)
    return _closed("Thank you" if passed else "The payment was stopped", "You can close this page.", 200)


def _settle(world: World, intent: Obj, method: Obj, passed: bool) -> None:
    if intent["object"] == "setup_intent":
        if passed:
            methods.finish_setup(world, intent, method)
        else:
            intent.update(status="requires_payment_method", payment_method=None, next_action=None)
            world.event("setup_intent.setup_failed", intent)
    elif passed:
        intents.confirm(world, intent, method, challenge_url="", proven=True)
    else:
        intents.fail_challenge(world, intent)


def _asset(name: str, media_type: str) -> Route:
    async def view(_request: Request) -> Response:
        return FileResponse(_PAGES / name, media_type=media_type, headers={"X-Content-Type-Options": "nosniff"})

    return Route(f"/c/{name}", view)


def routes() -> list[Route]:
    """The payer's pages."""
    return [
        Route("/c/pay/{id}", _pay, methods=["GET", "POST"]),
        Route("/c/3ds/{id}", _challenge, methods=["GET", "POST"]),
        _asset("style.css", "text/css"),
        _asset("page.js", "text/javascript"),
    ]
