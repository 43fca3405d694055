"""The web process: every room's routes assembled into two origins, the portal's and the viewer's."""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from billing import routes as billing_routes
from cases import access
from cases import routes as case_routes
from cases.allowance import Allowance, limits
from dicomweb.context import Context, Upload
from dicomweb.routes import archive_routes, at
from dicomweb.routes import routes as dicomweb_routes
from overread.access import Access
from overread.connections import Connection, Limits, Table
from overread.cors import Cors
from overread.guard import Guard
from overread.kit import errors, hosts, http, permissions
from overread.kit.db import Session
from overread.kit.hosts import Origin
from overread.kit.language import gettext
from overread.kit.observed import Latencies, named
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role
from overread.kit.settings import Settings, address
from overread.kit.slashes import shortened
from overread.kit.standing import Standing
from overread.languages import Languages
from overread.metrics import metrics
from overread.processes import announce_ready, raise_descriptors
from overread.proxy import TrustedProxies
from overread.services import Services
from overread.web import pages, session
from overread.web.errors import error_page
from pacs.index.scope import Scope as ViewScope
from pacs.index.scope import originals, sent_by
from viewer_bridge.site import viewer_app

#: One a connection, and those of files, of the database and of decoding workers.
_DESCRIPTORS = 8192


def archive_context(services: Services) -> Context:
    """`/dicomweb`: the originals that the caller may see."""

    def scope_of(who: Principal, _request: Request) -> ViewScope:
        return originals(who)

    def upload_to(_tx: Session, who: Principal, _request: Request) -> Upload:
        permissions.require(who, Permission.IMAGES_SEND)
        if who.role is Role.PATIENT:
            # What belongs to no case would be nobody's, and without an end.
            safe = gettext("Send your images to your request: its page has the address.")
            raise errors.Forbidden(f"patient {who.id} sent images to no case", safe=safe)
        return Upload()

    settings = services.settings
    limit = settings.max_request_seconds
    return Context(services.archive, scope_of, upload_to, portal_origin(settings), limit, _may_delete)


def portal_origin(settings: Settings) -> Origin:
    """Where clients reach the portal."""
    return Origin(settings.base_url, public=settings.public_url is not None, names=hosts.named(settings.host_names))


def viewer_origin(settings: Settings) -> Origin:
    """Where clients reach the hosted viewer."""
    public = settings.viewer_url is not None
    return Origin(settings.viewer_base_url, public=public, names=hosts.named(settings.host_names))


def sender_context(services: Services) -> Context:
    """`/senders/{sender}/dicomweb`: the originals as one sender sent them, for coordinators and admins.

    Where several sent a study, this tells what each did, also before it is joined or when it never is.
    """

    def scope_of(who: Principal, request: Request) -> ViewScope:
        permissions.require(who, Permission.IMAGES_OF_SENDER)
        return sent_by(http.path_uuid(request, "sender"))

    def upload_to(_tx: Session, who: Principal, _request: Request) -> Upload:
        raise errors.Forbidden(
            f"{who.role} {who.id} sent to a sender's root", safe=gettext("Send to /dicomweb or to a case instead.")
        )

    settings = services.settings
    limit = settings.max_request_seconds
    return Context(services.archive, scope_of, upload_to, portal_origin(settings), limit, _may_delete)


def _may_delete(tx: Session, who: Principal, scope: ViewScope, study_uid: str) -> None:
    """Whether originals of a scope may be deleted. Raises Forbidden, Conflict."""
    permissions.require(who, Permission.IMAGES_DELETE)
    access.unneeded(tx, scope, study_uid)


def case_context(services: Services, origin: Origin) -> Context:
    """`/cases/{case}/dicomweb`: one case's view as its caller may see it."""

    def scope_of(who: Principal, request: Request) -> ViewScope:
        case_id = http.path_uuid(request, "case")
        if who.role is Role.SPECIALIST:
            return services.db.at_once(lambda connection: access.of_specialist(connection, who, case_id))
        with services.db.transaction() as tx:
            return access.scope(tx, who, case_id)

    def upload_to(tx: Session, who: Principal, request: Request) -> Upload:
        case_id = http.path_uuid(request, "case")
        view = access.may_upload(tx, who, case_id)
        counted = who.role is Role.PATIENT
        return Upload(case_id, view, Allowance(services.db, case_id, limits(settings)) if counted else None)

    settings = services.settings
    return Context(services.archive, scope_of, upload_to, origin, settings.max_request_seconds)


def portal_app(services: Services) -> ASGIApp:
    """DICOMweb, the API, webhooks, health and the portal's pages."""
    settings = services.settings

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok")

    def readyz(_request: Request) -> Response:
        services.db.ping()
        return PlainTextResponse("ready")

    routes: list[BaseRoute] = [
        *at("/dicomweb", archive_routes(archive_context(services))),
        *at("/cases/{case}/dicomweb", dicomweb_routes(case_context(services, portal_origin(settings)))),
        *at("/senders/{sender}/dicomweb", dicomweb_routes(sender_context(services))),
        *case_routes.routes(services.db, services.archive, services.gateway, settings),
        *billing_routes.routes(settings, services.db, services.gateway),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics(services)),
        *pages.routes(services),
    ]

    def refused(request: Request, error: Exception) -> Response:
        known = http.as_overread_error(error)
        http.log_error(request, known, error)
        if not wants_page(request):
            return http.problem(known)
        return error_page(request, known, session.who_looks(request, services, known))

    kinds = (errors.OverreadError, HTTPException, Exception)
    app = Starlette(routes=routes, exception_handlers=dict.fromkeys(kinds, refused))
    return Guard(Languages(shortened(named(app))), settings)


def wants_page(request: Request) -> bool:
    """Whether a person with a browser asks, so that an error is a page and not a problem document."""
    machine = ("/dicomweb", "/api/", "/webhooks/")
    path = request.url.path
    if path.startswith(machine) or "/dicomweb/" in path:
        return False
    return "text/html" in request.headers.get("accept", "")


class Origins:
    """Sends each request to the application of the port that it came in by."""

    def __init__(self, portal: ASGIApp, viewer: ASGIApp, viewer_port: int) -> None:
        self._portal = portal
        self._viewer = viewer
        self._viewer_port = viewer_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        server = scope.get("server")
        app = self._viewer if server and server[1] == self._viewer_port else self._portal
        await app(scope, receive, send)


def application(services: Services, workers: int = 1) -> Access:
    """Both origins in one ASGI application, which `workers` processes will run."""
    settings = services.settings
    in_viewer = case_context(services, viewer_origin(settings))
    viewer = viewer_app(settings, services.db, dicomweb_routes(in_viewer))
    both = Standing(Origins(portal_app(services), viewer, address(settings.viewer)[1]), http.problem)
    outside = TrustedProxies(Cors(both, settings.cors_origins), settings.trusted_proxies)
    return Access(outside, Latencies(workers))


class Server(uvicorn.Server):
    """A web server, and the numbers that it shares with others of its kind."""

    def __init__(self, config: uvicorn.Config, latencies: Latencies) -> None:
        super().__init__(config)
        self.latencies = latencies

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell the supervisor."""
        await super().startup(sockets)
        if self.started:
            announce_ready()


def listen(host_port: str) -> socket.socket:
    """A listening socket that several worker processes may share. Raises OSError."""
    host, port = address(host_port)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.listen(1024)
    listener.set_inheritable(True)
    return listener


def listeners(settings: Settings) -> list[socket.socket]:
    """The listening sockets of both origins. Raises OSError."""
    return [listen(settings.http), listen(settings.viewer)]


def server(services: Services, limits: Limits | None = None, *, workers: int = 1) -> Server:
    """A web server with both origins, ready to run; `workers` that are forked now share what it is made of."""
    limits = limits or Limits()
    protocol: Any = partial(Connection, Table(limits))
    app = application(services, workers)
    config = uvicorn.Config(
        app,
        http=protocol,
        loop="uvloop",
        ws="wsproto",
        # Subscribers send nothing.
        ws_max_size=4096,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=int(limits.keep_alive_seconds),
        timeout_graceful_shutdown=5,
        # `TrustedProxies` reads what proxies say.
        proxy_headers=False,
    )
    config.load()
    return Server(config, app.latencies)


def run(services: Services, server: Server, sockets: list[socket.socket], number: int = 0) -> None:
    """Serve both origins until SIGTERM, on sockets that workers of one supervisor share; this is one of them."""
    server.latencies.be(number)
    raise_descriptors(_DESCRIPTORS)
    try:
        server.run(sockets=sockets)
    finally:
        services.db.close()
