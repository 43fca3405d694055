"""The hosted viewer's own origin: OHIF's files, the launch page, and one case's DICOMweb beside them.

    /open#CODE  ->  POST /launch {code}  ->  sessionStorage  ->  /viewer?StudyInstanceUIDs=…  (#CODE.fused: /tmtv?…)
                                                                  |  /app-config.js sets the bearer from sessionStorage
                                                                  v
                                                      /cases/{case}/dicomweb/… on this very origin: no CORS

The token is never part of an address: not of the address bar, the history, a log or a Referer.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from overread.kit import errors, http, whole_body
from overread.kit.db import Database
from overread.kit.observed import named
from overread.kit.settings import Settings
from overread.kit.slashes import shortened
from viewer_bridge import files, launch, policies
from viewer_bridge.ohif.build import DIST, HERE

PAGES = Path(__file__).parent / "pages"
_MOST_BODY = 4096  # bytes of a launch request; a code has 43
# OHIF's own pages, drawn by its script; everything else that is no file is a 404 of ours.
_OHIF_PAGES = ("/viewer", "/tmtv", "/segmentation", "/notfoundstudy", "/notfoundserver")
_FRESH = {"Cache-Control": "no-cache"}


def viewer_app(
    settings: Settings, db: Database, case_dicomweb_routes: Sequence[BaseRoute], *, folder: Path = DIST
) -> ASGIApp:
    """The application of the viewer's origin (ASGI); the given routes answer below `/cases/{case}/dicomweb`.

    Where the viewer was not built into this installation, its pages say so with a 503; DICOMweb works all the same.
    """
    site = _Site(settings, db, folder)
    routes: list[BaseRoute] = [
        Route("/open", site.open_page),
        Route("/launch", site.exchange, methods=["POST"]),
        Route("/ended", site.ended),
        Route("/", site.home),
        Route("/app-config.js", site.config),
        *(Route(path, site.viewer) for path in _OHIF_PAGES),
        Mount("/cases/{case}/dicomweb", routes=list(case_dicomweb_routes)),
        Route("/{path:path}", site.file),
    ]
    # Around everything, so that what Starlette says of a failure is guarded too.
    return policies.Guard(
        shortened(
            named(
                Starlette(
                    routes=routes,
                    exception_handlers={errors.OverreadError: _problem, HTTPException: _problem, Exception: _problem},
                )
            )
        )
    )


class _Site:
    """What the pages are made of, read once at the start."""

    def __init__(self, settings: Settings, db: Database, folder: Path) -> None:
        self._db = db
        self._public_url = settings.viewer_url
        self._portal = html.escape(settings.base_url, quote=True)
        self._files = files.scan(folder) | files.scan(PAGES)
        self._message = Template((PAGES / "message.html").read_text())
        self._open, self._ended = (
            Template((PAGES / name).read_text()).substitute(portal=self._portal) for name in ("open.html", "ended.html")
        )
        version = json.loads((HERE / "package.json").read_text())["dependencies"]["@ohif/app"]
        self._config = (PAGES / "app-config.js").read_text().replace("__OHIF_VERSION__", version)
        index = folder / "index.html"
        self._policy = policies.viewer(index.read_text()) if index.exists() else None
        # Served by routes of their own, or not at all.
        for path in ("/message.html", "/open.html", "/ended.html", "/index.html", "/app-config.js"):
            found = self._files.pop(path, None)
            if path == "/index.html":
                self._index = found

    async def open_page(self, request: Request) -> Response:  # noqa: ARG002  the code is in the fragment
        """The page that a launch link leads to."""
        return HTMLResponse(self._open, headers=_FRESH | {"Content-Security-Policy": policies.PAGE})

    async def exchange(self, request: Request) -> Response:
        """Exchange a launch code for a viewer's token; 404 where it can't be used any more."""
        http.refuse_cross_site(request, self._public_url)
        body = await whole_body.read(request, _MOST_BODY)
        try:
            code = orjson.loads(body)["code"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise errors.BadInput("launch request without a code") from error
        if not isinstance(code, str) or not code.isascii():
            raise errors.BadInput("launch code is no ASCII string")
        opened = await run_in_threadpool(self._redeem, code)
        content = {
            "token": opened.token,
            "studyInstanceUIDs": opened.study_uids,
            "dicomwebRoot": f"/cases/{opened.case_id}/dicomweb",
            "expiresAt": opened.until,
        }
        return http.JSON(content, headers={"Cache-Control": "no-store"})

    def _redeem(self, code: str) -> launch.Launch:
        with self._db.transaction() as tx:
            return launch.redeem(tx, code)

    async def viewer(self, request: Request) -> Response:
        """OHIF's page."""
        if self._index is None or self._policy is None:
            text = (
                "This server was installed without the hosted viewer. You can still use a DICOMweb viewer of your own."
            )
            return self._say("The viewer is not installed", text, 503)
        answer = files.serve(request, self._index)
        answer.headers["Content-Security-Policy"] = self._policy
        return answer

    async def config(self, request: Request) -> Response:  # noqa: ARG002  the same for everybody
        """OHIF's configuration; what belongs to one session it reads from the browser's session storage."""
        return Response(self._config, headers=_FRESH, media_type="text/javascript")

    async def ended(self, request: Request) -> Response:  # noqa: ARG002  a plain page
        """Where the viewer goes when its token is no longer good, or a study that it shows is no longer there."""
        return HTMLResponse(self._ended, headers=_FRESH | {"Content-Security-Policy": policies.PAGE})

    async def home(self, request: Request) -> Response:  # noqa: ARG002  a plain page
        """What stands at the bare address."""
        return self._say("The viewer opens from a case", "Sign in, choose a case, and open its images from there.", 200)

    async def file(self, request: Request) -> Response:
        """One of the viewer's files, or a page that says that there is nothing here."""
        found = self._files.get(request.url.path)
        if found is None:
            return self._say("There is nothing here", "Go back to the case and open the viewer from there.", 404)
        answer = files.serve(request, found)
        if found.path.suffix == ".js":
            answer.headers["Content-Security-Policy"] = policies.WORKER
        return answer

    def _say(self, title: str, text: str, status: int) -> Response:
        content = self._message.substitute(title=html.escape(title), text=html.escape(text), portal=self._portal)
        return HTMLResponse(content, status, headers=_FRESH | {"Content-Security-Policy": policies.PAGE})


async def _problem(request: Request, error: Exception) -> Response:
    known = http.as_overread_error(error)
    http.log_error(request, known, error)
    return http.problem(known)
