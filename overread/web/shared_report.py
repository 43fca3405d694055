"""What a treating physician opens by the mailed link: a form for the code, then the report. No account is needed.

The form is the same for every link, and so is what is said of a link or a code that opens nothing. The code is sent
with each request: nothing that opens the report stays in the browser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cases.service import physicians
from cases.service.physicians import NOTHING
from overread.kit import attempts, http
from overread.kit.db import Session
from overread.kit.errors import NotFound, OverreadError
from overread.kit.language import gettext
from overread.services import Services
from overread.web import forms, render, reports, session
from overread.web.forms import Check, Form, errors_of

_PATH = "/physician/{token}"
_T = TypeVar("_T")


def routes(services: Services) -> list[BaseRoute]:
    """The form, the report, and the report as a file."""

    def code_page(request: Request) -> Response:
        """Asks for the code of a mailed link, of whatever link."""
        return _form(request, services, {})

    async def read(request: Request) -> Response:
        """The report in force, for whoever has a link and its code."""
        form = await forms.read(request)
        return await run_in_threadpool(_answered, request, services, form, _report)

    async def download(request: Request) -> Response:
        """The same as PDF."""
        form = await forms.read(request)
        return await run_in_threadpool(_answered, request, services, form, _pdf)

    return [
        Route(_PATH, code_page, methods=["GET"]),
        Route(_PATH, read, methods=["POST"]),
        Route(f"{_PATH}/report.pdf", download, methods=["POST"]),
    ]


def _answered(
    request: Request, services: Services, form: Form, give: Callable[[Request, Services, str, str], Response]
) -> Response:
    http.refuse_cross_site(request)
    check = Check(form)
    code = check.text("code", gettext("Please type the code that the patient gave you."), 100)
    try:
        check.done()
        answer = give(request, services, _token(request), code)
    except OverreadError as error:
        if not session.told_by_form(error):
            raise
        answer = _form(request, services, errors_of(error), error.status)
        answer.headers.update(http.error_headers(error))
    return answer


def _report(request: Request, services: Services, token: str, code: str) -> Response:
    shared = _opened(request, services, token, lambda tx: physicians.opened(tx, token, code))
    shown = render.page(
        request,
        services,
        "public/shared_report.html",
        reference=shared.reference,
        physician=shared.physician,
        ends=render.moment(shared.ends_at),
        identity=shared.report.patient if shared.report else "",
        report=reports.shown(shared.report) if shared.report else None,
        pdf_action=f"/physician/{token}/report.pdf",
        code=code,
    )
    shown.headers["Cache-Control"] = "no-store"
    return shown


def _pdf(request: Request, services: Services, token: str, code: str) -> Response:
    name, content = _opened(request, services, token, lambda tx: physicians.pdf(tx, token, code))
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/pdf", headers=headers)


def _opened(request: Request, services: Services, token: str, work: Callable[[Session], _T | None]) -> _T:
    """What a link and a code open. Raises NotFound, and TooManyRequests where too many were tried."""
    budgets = attempts.opening_by_code(token, session.address(request))
    attempts.spend(services.db, *budgets, safe=gettext("Too many codes were tried."))
    with services.db.transaction() as tx:
        found = work(tx)
    if found is None:
        raise NotFound("a link and a code that open nothing", safe=gettext(NOTHING))
    attempts.give_back(services.db, *budgets)
    return found


def _form(request: Request, services: Services, errors: dict[str, str], status: int = 200) -> Response:
    shown = render.page(
        request,
        services,
        "public/shared_code.html",
        status=status,
        action=f"/physician/{_token(request)}",
        errors=errors,
    )
    shown.headers["Cache-Control"] = "no-store"
    return shown


def _token(request: Request) -> str:
    return str(request.path_params["token"])[:100]
