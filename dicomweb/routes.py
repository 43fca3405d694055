"""The resources of one DICOMweb root, and what answers each (PS3.18 Table 10.3-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send

from dicomweb import changes, commitment, non_patient, qido, rendered, ups, ups_events
from dicomweb.bulk_resources import all_bulk_data, all_pixel_data
from dicomweb.bulkdata import bulk_data
from dicomweb.capabilities import with_capabilities
from dicomweb.context import Context
from dicomweb.delete import delete
from dicomweb.frames import frames
from dicomweb.instances import instances
from dicomweb.metadata import metadata
from dicomweb.stow import transaction
from dicomweb.wado_uri import retrieve_uri
from pacs.index.query import Level
from pacs.store.non_patient import CATEGORIES

_STUDY = "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"

_WORKITEM = "/workitems/{workitem}"

Handler = Callable[[Context, Request], Response]
AsyncHandler = Callable[[Context, Request], Awaitable[Response]]


def routes(context: Context) -> list[BaseRoute]:
    """The routes below a root over one view."""
    return with_capabilities(_studies(context), context.root)


def archive_routes(context: Context) -> list[BaseRoute]:
    """The routes below the root over the originals: the studies', and those of services that no case has."""

    found = [
        *_studies(context),
        *(_plain(context, "DELETE", level, delete) for level in (_STUDY, _SERIES, _INSTANCE)),
        _streamed(context, "POST", "/commitment-requests/{transaction}", commitment.request),
        _plain(context, "GET", "/commitment-requests/{transaction}", commitment.result),
        *_worklist(context),
        *_non_patient(context),
    ]
    return with_capabilities(found, context.root)


def at(path: str, found: Sequence[BaseRoute]) -> list[BaseRoute]:
    """Routes below a path. The root itself is answered without a slash at its end, too, as clients write it."""
    return [Route(path, _Unslashed(found)), Mount(path, routes=found)]


class _Unslashed:
    def __init__(self, found: Sequence[BaseRoute]) -> None:
        self._router = Router(found, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._router({**scope, "root_path": scope["path"], "path": scope["path"] + "/"}, receive, send)


def _worklist(context: Context) -> list[BaseRoute]:
    """The worklist service's (PS3.18 Table 11.3-1)."""
    subscribers = _WORKITEM + "/subscribers/{aetitle}"
    return [
        _streamed(context, "POST", "/workitems", ups.create),
        _plain(context, "GET", "/workitems", ups.find),
        _plain(context, "GET", _WORKITEM, ups.retrieve),
        _streamed(context, "POST", _WORKITEM, ups.update),
        _streamed(context, "PUT", _WORKITEM + "/state", ups.change_state),
        _streamed(context, "POST", _WORKITEM + "/cancelrequest", ups.request_cancel),
        _plain(context, "POST", subscribers, ups.subscribe),
        _plain(context, "DELETE", subscribers, ups.unsubscribe),
        _plain(context, "POST", subscribers + "/suspend", ups.suspend),
        WebSocketRoute("/subscribers/{aetitle}", ups_events.Channels(context).serve),
        _plain(context, "GET", "/subscribers/{aetitle}", ups_events.no_channel),
    ]


def _non_patient(context: Context) -> list[BaseRoute]:
    """The non-patient instances' (PS3.18 Table 12.1.1-1)."""
    return [
        route
        for category in CATEGORIES
        for route in (
            _streamed(context, "POST", f"/{category}", non_patient.store),
            _plain(context, "GET", f"/{category}", non_patient.search),
            _plain(context, "GET", f"/{category}/{{instance}}", non_patient.retrieve),
            _streamed(context, "POST", f"/{category}/{{instance}}", non_patient.store),
        )
    ]


def _plain(context: Context, method: str, path: str, answer: Handler) -> Route:
    def handler(request: Request) -> Response:
        return answer(context, request)

    return Route(path, handler, methods=[method])


def _streamed(context: Context, method: str, path: str, answer: AsyncHandler) -> Route:
    async def handler(request: Request) -> Response:
        return await answer(context, request)

    return Route(path, handler, methods=[method])


def _studies(context: Context) -> list[BaseRoute]:

    def get(path: str, answer: Handler) -> Route:
        return _plain(context, "GET", path, answer)

    def search(level: Level) -> Handler:
        def answer(context: Context, request: Request) -> Response:
            return qido.search(context, level, request)

        return answer

    return [
        # Routes are tried in this order, and this is what viewers ask for most.
        get(_INSTANCE + "/frames/{frames}", frames),
        _streamed(context, "POST", "/studies", transaction.store),
        _streamed(context, "POST", _STUDY, transaction.store),
        get("/studies", search(Level.STUDY)),
        get("/series", search(Level.SERIES)),
        get("/instances", search(Level.INSTANCE)),
        get(_STUDY + "/series", search(Level.SERIES)),
        get(_STUDY + "/instances", search(Level.INSTANCE)),
        get(_SERIES + "/instances", search(Level.INSTANCE)),
        *(get(level, instances) for level in (_STUDY, _SERIES, _INSTANCE)),
        *(get(level + "/metadata", metadata) for level in (_STUDY, _SERIES, _INSTANCE)),
        *(get(level + "/rendered", rendered.rendered) for level in (_STUDY, _SERIES, _INSTANCE)),
        *(get(level + "/thumbnail", rendered.thumbnail) for level in (_STUDY, _SERIES, _INSTANCE)),
        *(get(level + "/bulkdata", all_bulk_data) for level in (_STUDY, _SERIES, _INSTANCE)),
        *(get(level + "/pixeldata", all_pixel_data) for level in (_STUDY, _SERIES, _INSTANCE)),
        get(_INSTANCE + "/frames/{frames}/rendered", rendered.rendered),
        get(_INSTANCE + "/frames/{frames}/thumbnail", rendered.thumbnail),
        get(_INSTANCE + "/bulkdata/{path:path}", bulk_data),
        get("/wado", retrieve_uri),
        # Some clients (dicomweb-client) take the root for the address of WADO-URI, too.
        get("/", retrieve_uri),
        get("/changes", changes.feed),
    ]
