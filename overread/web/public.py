"""What everybody may see: the landing page, pages of words, signing in, and the static files."""

from __future__ import annotations

import os
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from cases.service import programs
from overread.kit.errors import NotFound
from overread.kit.language import Phrase, gettext
from overread.services import Services
from overread.web import forms, places, session
from overread.web import sign_up as signing_up
from overread.web.forms import Form
from overread.web.render import HOMES, STATIC, page, static_version
from overread.web.texts import FAQ, PAGES, SUITABLE, UNSUITABLE

_DESCRIPTION = Phrase(
    "A specialist radiologist reads your MRI, CT, X-ray or mammogram again and answers your own questions in plain "
    "words. Fixed price, exact due time."
)


class Static(StaticFiles):
    """The static files: those asked for by this release's name are kept for ever, the others for a day."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """A file, with how long it may be kept."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        named = scope.get("query_string", b"") == f"v={static_version()}".encode()
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if named else "public, max-age=86400"
        return response


def routes(services: Services) -> list[BaseRoute]:
    """The public routes."""

    def home(request: Request) -> Response:
        who = session.visitor(request, services)
        with services.db.transaction() as tx:
            offered = programs.on_offer(tx)
        told = places.told(programs.places(offered))
        prices = [
            {
                "label": k.name,
                "program": p.name,
                "text": k.text or p.tagline or gettext("Every question answered in a signed report."),
                "amount": {"minor": k.price, "currency": k.currency} if k.price_key else None,
                "days": k.reading_days,
            }
            for p in offered
            for k in p.kinds
        ]
        return page(
            request,
            services,
            "public/landing.html",
            who=who,
            page={
                "title": gettext("A second opinion on your scan – Overread"),
                "description": _DESCRIPTION,
                "headline": gettext("A second pair of eyes on your scan"),
                "lede": gettext(
                    "A radiologist who knows your part of the body reads your images again and answers your own "
                    "questions, in writing, by an exact day and hour."
                ),
                "path": "/",
            },
            start_url="/start" if who else "/eligibility",
            prices=prices,
            places_told=told,
            suitable=SUITABLE,
            unsuitable=UNSUITABLE,
            faq=[{"question": question, "answer": answer} for question, answer in FAQ],
            physicians_url="/for-physicians",
        )

    def words(request: Request) -> Response:
        found = PAGES.get(request.url.path)
        if found is None:
            raise NotFound(f"no page {request.url.path}")
        who = session.visitor(request, services)
        return page(request, services, "public/page.html", who=who, page=found, start_url="/start")

    def own_home(request: Request) -> Response:
        who = session.visitor(request, services)
        return RedirectResponse(HOMES[who.role] if who else "/sign-in", 303)

    def robots(_request: Request) -> Response:
        base = services.settings.base_url
        return PlainTextResponse(f"User-agent: *\nDisallow: /cases/\nAllow: /\nSitemap: {base}/sitemap.xml\n")

    def sitemap(_request: Request) -> Response:
        base = services.settings.base_url
        places = "".join(f"<url><loc>{base}{path}</loc></url>" for path in ("/", *PAGES))
        return Response(
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{places}</urlset>',
            media_type="application/xml",
        )

    def get(path: str, handler: Callable[[Request, Services], Response]) -> Route:
        return Route(path, lambda request: handler(request, services), methods=["GET"])

    def post(path: str, handler: Callable[[Request, Services, Form], Response]) -> Route:
        async def endpoint(request: Request) -> Response:
            form = await forms.read(request)
            return await run_in_threadpool(handler, request, services, form)

        return Route(path, endpoint, methods=["POST"])

    return [
        Route("/", home),
        *(Route(path, words) for path in PAGES),
        Route("/home", own_home),
        Route("/robots.txt", robots),
        Route("/sitemap.xml", sitemap),
        get("/sign-in", session.sign_in_page),
        post("/sign-in", session.sign_in),
        get("/sign-up", signing_up.sign_up_page),
        post("/sign-up", signing_up.sign_up),
        post("/sign-out", session.sign_out),
        Mount("/static", Static(directory=STATIC)),
    ]
