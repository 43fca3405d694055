"""Whether we can help, asked of a visitor before an account and before anything is typed."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from cases.service import eligibility, programs
from cases.service.eligibility import Answer
from cases.views import ProgramView
from overread.kit import attempts, http
from overread.kit.db import Session
from overread.kit.errors import NotFound, OverreadError
from overread.kit.language import gettext
from overread.services import Services
from overread.web import forms, labels, places, session
from overread.web.forms import Check, Form, errors_of
from overread.web.render import page

_PATH = "/eligibility"
_EMERGENCY = ("no", "yes")


def routes(services: Services) -> list[BaseRoute]:
    """The questions and their answer; and an address that wants to hear when the answer changes."""

    def ask(request: Request) -> Response:
        """Whether we can help, asked before an account and before anything is typed."""
        return _page(request, services)

    async def wait(request: Request) -> Response:
        """Leave an address, to hear once when we can."""
        form = await forms.read(request)
        return await run_in_threadpool(_wait, request, services, form)

    return [Route(_PATH, ask, methods=["GET"]), Route(_PATH, wait, methods=["POST"])]


def _page(
    request: Request,
    services: Services,
    form: Form | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    asked = {name: request.query_params.get(name, "")[:64] for name in ("program", "subject", "place", "emergency")}
    with services.db.transaction() as tx:
        offered = programs.on_offer(tx)
        program = _program(offered, asked["program"])
        asked["program"] = program.slug if program else ""
        found = dict(errors or {})
        answer = None
        if any(asked[name] for name in ("subject", "place", "emergency")):
            missing = _missing(asked, offered)
            found = {**missing, **found}
            answer = None if missing else _answer(tx, asked)
    asked_about = program.subjects if program else tuple(labels.SUBJECTS)
    return page(
        request,
        services,
        "public/eligibility.html",
        who=session.visitor(request, services),
        status=status,
        kinds=[{"value": one.slug, "label": one.name, "hint": one.tagline} for one in offered],
        subjects=labels.options({key: labels.SUBJECTS[key] for key in asked_about}),
        unsuited=program.unsuited if program else "",
        places=places.everywhere(),
        places_told=places.told(programs.places(offered)),
        emergency=asked["emergency"] == "yes",
        answer=answer
        and {
            "can_help": answer.can_help,
            "reasons": answer.reasons,
            "emergency": asked["emergency"] == "yes",
            "wish_action": f"{_PATH}?{urlencode(asked)}" if answer.may_wait else "",
            "place": places.name(asked["place"]),
        },
        start_url=f"/start?{urlencode({name: asked[name] for name in ('program', 'subject', 'place')})}",
        values={**asked, **(form.values() if form else {})},
        errors=found,
    )


def _wait(request: Request, services: Services, form: Form) -> Response:
    """Keep the address; what is said depends on nothing that is known of it."""
    http.refuse_cross_site(request)
    check = Check(form)
    email = check.email("email")
    query = request.query_params
    try:
        check.done()
        budgets = (*attempts.mailing(email), *attempts.asking(session.address(request)))
        attempts.spend(services.db, *budgets, safe=gettext("This was asked for very often just now."))
        with services.db.transaction() as tx:
            eligibility.wait(tx, query.get("program", ""), query.get("place", ""), email)
    except OverreadError as error:
        if not session.told_by_form(error):
            raise
        refused = _page(request, services, form, errors_of(error), error.status)
        refused.headers.update(http.error_headers(error))
        return refused
    return RedirectResponse(f"{_PATH}?done=waiting", 303)


def _program(offered: list[ProgramView], slug: str) -> ProgramView | None:
    if len(offered) == 1:
        return offered[0]
    return next((one for one in offered if one.slug == slug), None)


def _missing(asked: dict[str, str], offered: list[ProgramView]) -> dict[str, str]:
    found = {}
    if asked["program"] not in [one.slug for one in offered]:
        found["program"] = gettext("Please choose an opinion.")
    if asked["subject"] not in labels.SUBJECTS:
        found["subject"] = gettext("Please choose what it is about.")
    if asked["place"] not in places.NAMES:
        found["place"] = gettext("Please say where the patient is now.")
    if asked["emergency"] not in _EMERGENCY:
        found["emergency"] = gettext("Please say whether it is an emergency.")
    return found


def _answer(tx: Session, asked: dict[str, str]) -> Answer:
    try:
        return eligibility.check(
            tx, asked["program"], asked["place"], asked["subject"], emergency=asked["emergency"] == "yes"
        )
    except NotFound as error:
        # It was closed between two looks at it.
        return Answer((error.safe,), may_wait=False)
