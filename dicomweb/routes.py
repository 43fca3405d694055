"""The resources of one DICOMweb root, and what answers each (PS3.18 Table 10.3-1)."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dicomweb import changes, commitment, qido, rendered, stow, wado
from dicomweb.capabilities import with_capabilities
from dicomweb.context import Context
from dicomweb.delete import delete
from pacs.query import Level

_STUDY = "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"

Handler = Callable[[Context, Request], Response]


def routes(context: Context) -> list[BaseRoute]:
    """The routes below a root over one view."""
    return with_capabilities(_studies(context), context.root)


def archive_routes(context: Context) -> list[BaseRoute]:
    """The routes below the root over the originals: the studies', and those of services that no case has."""

    async def commit(request: Request) -> Response:
        return await commitment.request(context, request)

    def committed(request: Request) -> Response:
        return commitment.result(context, request)

    found = [
        *_studies(context),
        Route("/commitment-requests/{transaction}", commit, methods=["POST"]),
        Route("/commitment-requests/{transaction}", committed, methods=["GET"]),
    ]
    return with_capabilities(found, context.root)


def _studies(context: Context) -> list[BaseRoute]:

    def on(method: str, path: str, answer: Handler) -> Route:
        def handler(request: Request) -> Response:
            return answer(context, request)

        return Route(path, handler, methods=[method])

    def get(path: str, answer: Handler) -> Route:
        return on("GET", path, answer)

    async def store(request: Request) -> Response:
        return await stow.store(context, request)

    def search(level: Level) -> Handler:
        def answer(context: Context, request: Request) -> Response:
            return qido.search(context, level, request)

        return answer

    return [
        Route("/studies", store, methods=["POST"]),
        Route(_STUDY, store, methods=["POST"]),
        get("/studies", search(Level.STUDY)),
        get("/series", search(Level.SERIES)),
        get("/instances", search(Level.INSTANCE)),
        get(_STUDY + "/series", search(Level.SERIES)),
        get(_STUDY + "/instances", search(Level.INSTANCE)),
        get(_SERIES + "/instances", search(Level.INSTANCE)),
        *(get(level, wado.instances) for level in (_STUDY, _SERIES, _INSTANCE)),
        *(get(level + "/metadata", wado.metadata) for level in (_STUDY, _SERIES, _INSTANCE)),
        *(get(level + "/rendered", rendered.rendered) for level in (_STUDY, _SERIES, _INSTANCE)),
        *(get(level + "/thumbnail", rendered.thumbnail) for level in (_STUDY, _SERIES, _INSTANCE)),
        get(_INSTANCE + "/frames/{frames}", wado.frames),
        get(_INSTANCE + "/frames/{frames}/rendered", rendered.rendered),
        get(_INSTANCE + "/frames/{frames}/thumbnail", rendered.thumbnail),
        get(_INSTANCE + "/bulkdata/{path:path}", wado.bulk_data),
        *(on("DELETE", level, delete) for level in (_STUDY, _SERIES, _INSTANCE)),
        get("/changes", changes.feed),
    ]
