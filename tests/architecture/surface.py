"""The program's surface as its routers have it: every path of the portal and of the viewer, with its methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp

from billing import stripe_gateway
from cases.mail import mailer
from overread.kit.db import Database
from overread.kit.settings import Settings
from overread.services import Services
from pacs.store.archive import open_archive

#: What a mount of files answers, since it has no routes of its own.
_FILES = frozenset(("GET", "HEAD"))


def services(database: Database, folder: Path) -> Services:
    """The services of a web process whose payment webhook exists, so that all routes do."""
    settings = Settings.model_validate(
        {
            "data_dir": folder,
            "database_url": database.url,
            "stripe_secret_key": "sk_test_of_this_test",
            "stripe_webhook_secret": "whsec_of_this_test",
            # Nobody listens there: with identifiers of nothing, nobody is asked.
            "stripe_api_base": "http://127.0.0.1:9",
        }
    )
    gateway = stripe_gateway.from_settings(settings)
    assert gateway is not None
    return Services(settings, database, open_archive(settings, database), gateway, mailer(settings))


def routes_of(app: ASGIApp) -> list[tuple[str, str]]:
    """Every (method, path template) of an application, middleware or not; HEAD is left out, as GET's shadow."""
    return [(method, path) for method, path, _ in routes(app)]


def routes(app: ASGIApp) -> list[tuple[str, str, Route | None]]:
    """The same with the route itself; None for a mount of files."""
    inner: Any = app
    while not isinstance(inner, Starlette):
        inner = inner._app
    return [
        (method, path, route)
        for path, methods, route in _walk(inner.routes, "")
        for method in sorted(methods)
        if method != "HEAD"
    ]


def _walk(found: Sequence[BaseRoute], prefix: str) -> Iterator[tuple[str, frozenset[str], Route | None]]:
    for route in found:
        if isinstance(route, Mount) and route.routes:
            yield from _walk(route.routes, prefix + route.path)
        elif isinstance(route, Mount):
            yield prefix + route.path + "/{path:path}", _FILES, None
        elif isinstance(route, WebSocketRoute):
            # A plain GET of the same path stands beside it.
            continue
        elif isinstance(route, Route):
            yield prefix + route.path, frozenset(route.methods or ()), route
        else:
            raise AssertionError(f"a route of a kind that this test does not know: {route!r}")
