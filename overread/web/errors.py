"""An error as a page. It needs no database, so that it also tells that there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from overread.kit import http
from overread.kit.errors import OverreadError
from overread.kit.language import Phrase, gettext
from overread.kit.principals import Principal
from overread.web.render import HOMES, NAV, base_context, environment

_ADVICE: Mapping[int, tuple[str, ...]] = {
    400: (Phrase("Go back to where you came from and try again."),),
    401: (
        Phrase("Sign in by the button: it opens another window."),
        Phrase(
            "Then come back to this window and load it again: what you typed is still there, and is sent once more."
        ),
        Phrase("If you go on elsewhere in this window, nothing of it is kept."),
    ),
    403: (
        Phrase("Go back to where you came from and try again."),
        Phrase("If you have several accounts, sign in with the one that this page belongs to."),
    ),
    404: (
        Phrase("Check the address."),
        Phrase("Sign in, if you have an account: most pages are only shown to their owner."),
    ),
    405: (Phrase("Go back and use the buttons of the page."),),
    409: (Phrase("Go back and load the page again: something has changed since you opened it."),),
    413: (Phrase("Go back and send less at once."),),
    422: (Phrase("Go back, change what it says, and try again."),),
    429: (Phrase("Wait a few minutes, then try again."),),
    500: (Phrase("Go back and try once more."), Phrase("If it happens again, tell us the number below.")),
    503: (Phrase("Wait a minute, then load this page again."),),
}
#: The same for somebody who is signed in.
_ADVICE_SIGNED_IN: Mapping[int, tuple[str, ...]] = {
    404: (Phrase("Check the address."), Phrase("It may belong to another account, or be gone by now.")),
}
#: What is said to programs otherwise.
_TEXTS: Mapping[int, str] = {401: Phrase("Your session has ended, or was never begun: nothing of this form was saved.")}
_TITLES: Mapping[int, str] = {404: Phrase("This page is not here"), 500: Phrase("Something went wrong on our side")}


def error_page(request: Request, error: OverreadError, who: Principal | None = None) -> Response:
    """The page of an error, with its status, in the look of `who` is signed in (None: nobody, or it is not known).

    Who is not signed in is sent to sign in, and back afterwards.
    """
    if error.status == 401 and request.method in ("GET", "HEAD"):
        return RedirectResponse(f"/sign-in?next={quote(local_path(_asked(request)), safe='/')}", 303)
    advice = _ADVICE.get(error.status, ())
    if who is not None:
        links: list[dict[str, Any]] = [
            {"label": gettext("Go to: %(page)s", page=NAV[who.role][0][0]), "href": HOMES[who.role]}
        ]
        advice = _ADVICE_SIGNED_IN.get(error.status, advice)
    else:
        links = [{"label": gettext("Home"), "href": "/"}]
        if error.status in (401, 403, 404):
            # What was typed is kept by the window that shows this page, as long as it goes nowhere else.
            beside = {"beside": True} if error.status == 401 else {}
            links.insert(0 if error.status == 401 else 1, {"label": gettext("Sign in"), "href": "/sign-in", **beside})
    context = base_context(request.url.path, "", who) | {
        "title": _TITLES.get(error.status, error.title),
        "text": _TEXTS.get(error.status, error.safe),
        "advice": list(advice),
        "links": links,
        "request_id": structlog.contextvars.get_contextvars().get("request"),
    }
    body = environment().get_template("public/notice.html").render(context)
    # A browser would ask for a password in a window of its own; the page says it better.
    headers = {name: value for name, value in http.error_headers(error).items() if name != "WWW-Authenticate"}
    return HTMLResponse(body, error.status, {**headers, "Cache-Control": "no-store"})


def local_path(target: str, otherwise: str = "/") -> str:
    """A path on this site, or `otherwise`: what a browser could take for another host is never redirected to.

    Browsers read a backslash as a slash and drop tabs and line ends (WHATWG URL 4.4).
    """
    good = target.startswith("/") and not target.startswith(("//", "/\\")) and len(target) <= 1000
    return target if good and "\\" not in target and target.isprintable() and target.isascii() else otherwise


def _asked(request: Request) -> str:
    # Where sign-in itself refuses, there is no page to come back to.
    path = request.url.path
    return "/" if path.startswith("/sign-") else path
