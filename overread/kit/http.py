"""HTTP helpers that every room's routes share: who asks, from where, and how an error looks (RFC 9457)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from overread.kit import errors, log, observed, standing, tokens
from overread.kit.db import Database
from overread.kit.language import gettext
from overread.kit.principals import Principal

SESSION_COOKIE = "overread_session"
#: Where middleware puts the site's address by the settings, in an ASGI scope.
PUBLIC_URL = "overread.public_url"
_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
_logger = log.get(__name__)


class JSON(Response):
    """A JSON answer; datetimes are RFC 3339, UUIDs strings."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode with orjson."""
        return orjson.dumps(content, option=orjson.OPT_UTC_Z)


def credentials(request: HTTPConnection) -> tuple[str, tuple[str, ...]] | None:
    """The token that came with a request and the kinds that it may be, or None.

    A bearer token (RFC 6750 2.1), the password of HTTP Basic (RFC 7617) for viewers that know only that, or the
    browser's session cookie.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip(), (tokens.API, tokens.VIEWER)
    if scheme.lower() == "basic" and value:
        try:
            _, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return (password, (tokens.API, tokens.VIEWER)) if password else None
    cookie = request.cookies.get(SESSION_COOKIE)
    return (cookie, (tokens.SESSION,)) if cookie else None


def principal(request: HTTPConnection, db: Database) -> Principal:
    """Who asks. Raises NotSignedIn without a valid credential, Forbidden for a forged cross-site request.

    It is asked again as long as the request is answered (`overread.kit.standing`).
    """
    who = asked_again(request, db)
    structlog.contextvars.bind_contextvars(principal=str(who.id), role=who.role.value)
    # An error's page keeps the look of whoever is signed in, also while the database is away.
    request.state.principal = who
    observed.who(request.scope, who)
    standing.watch(request, lambda: asked_again(request, db))
    return who


def asked_again(request: HTTPConnection, db: Database) -> Principal:
    """Who asks, of a request that is being answered. Raises as `principal`."""
    found = credentials(request)
    if found is None:
        raise errors.NotSignedIn("no credential")
    token, kinds = found
    if tokens.SESSION in kinds:
        refuse_cross_site(request)
    return db.at_once(lambda connection: tokens.verify(connection, token, *kinds))


def refuse_cross_site(request: HTTPConnection, public_url: str | None = None) -> None:
    """Raises Forbidden where another site makes the browser send its cookie with a request that changes something.

    Browsers say where a request comes from in Sec-Fetch-Site, or (on plain HTTP, and older ones) in Origin; programs
    send neither, and they have no cookie that a stranger could borrow. `public_url`: this site's address by the
    settings, where the middleware in front has not told it (`PUBLIC_URL`).
    """
    # A WebSocket has no method, and may not be opened by another site either (RFC 6455 10.2).
    if request.scope.get("method") in _SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site in ("same-origin", "none"):
            return
        raise errors.Forbidden(
            f"cross-site request refused: {site}", safe=gettext("This request came from another site.")
        )
    origin = request.headers.get("origin")
    if origin is None:
        return
    own = _own_origin(request, public_url or request.scope.get(PUBLIC_URL))
    if not own or _origin(origin) != own:
        raise errors.Forbidden(
            f"cross-site request refused: {origin!r}", safe=gettext("This request came from another site.")
        )


def _own_origin(request: HTTPConnection, public_url: str | None) -> str:
    """The origin that the browser knows this site by: scheme, host and port (RFC 6454 4).

    Its scheme is the one by the settings where the host is: a proxy that ends TLS need not have told, and then every
    request seems to come by plain HTTP.
    """
    host = request.headers.get("host", "")
    public = urlsplit(public_url or "")
    if public.scheme and _origin(f"{public.scheme}://{host}") == _origin(f"{public.scheme}://{public.netloc}"):
        return _origin(f"{public.scheme}://{host}")
    scheme = {"ws": "http", "wss": "https"}.get(request.scope.get("scheme", ""), request.scope.get("scheme", "http"))
    return _origin(f"{scheme}://{host}")


def _origin(url: str) -> str:
    """Scheme, host and port in one spelling (RFC 6454 6.2); what is none equals no origin of ours ("null", too)."""
    scheme, _, rest = url.strip().lower().partition("://")
    if not rest or "/" in rest.rstrip("/") or "@" in rest:
        return ""
    return f"{scheme}://{rest.rstrip('/').removesuffix({'http': ':80', 'https': ':443'}.get(scheme, ' '))}"


def path_uuid(request: Request, name: str) -> UUID:
    """A path parameter as a UUID. Raises NotFound where it is none: such a thing can't exist."""
    try:
        return UUID(request.path_params[name])
    except ValueError as error:
        raise errors.NotFound(f"{name} is not a UUID") from error


def problem(error: errors.OverreadError) -> Response:
    """An application/problem+json answer (RFC 9457) that says what the client may know."""
    body = {"type": "about:blank", "title": error.title, "status": error.status, "detail": error.safe, **error.extra}
    return Response(
        orjson.dumps(body, default=str),
        error.status,
        headers=error_headers(error),
        media_type="application/problem+json",
    )


def error_headers(error: errors.OverreadError) -> Mapping[str, str]:
    """The headers that a status asks for."""
    if error.status == 401:
        # RFC 9110 11.6.1; Basic is named for viewers that can only ask their user for a password.
        return {"WWW-Authenticate": 'Bearer realm="overread", Basic realm="overread", charset="UTF-8"'}
    if isinstance(error, errors.RangeNotSatisfiable):
        return {"Content-Range": f"bytes */{error.extra['size']}"}  # RFC 9110 14.4
    if error.status in (429, 503):
        return {"Retry-After": str(error.extra.get("retry_after", 60))}  # RFC 9110 10.2.3: in seconds
    return {}


def as_overread_error(error: Exception) -> errors.OverreadError:
    """Any exception as one of ours; what was not foreseen is logged whole and shown as a plain 500."""
    if isinstance(error, errors.OverreadError):
        return error
    if isinstance(error, standing.Ended):
        return error.reason
    if isinstance(error, HTTPException):
        if error.status_code == errors.NotFound.status:
            return errors.NotFound(error.detail)
        known = errors.OverreadError(error.detail, safe=f"{error.detail}.")
        known.status, known.title = error.status_code, error.detail
        return known
    return errors.OverreadError(f"{type(error).__name__}: {error}")


def log_error(request: HTTPConnection, error: errors.OverreadError, cause: Exception) -> None:
    """One line an error; a failure of ours with its trace."""
    line = _logger.error if error.status >= 500 else _logger.info
    line(
        "request_refused" if error.status < 500 else "request_failed",
        method=request.scope.get("method"),
        # Not the path, nor its query: they may name a study or a person.
        route=observed.route(request.scope),
        status=error.status,
        reason=str(error),
        exc_info=cause if error.status == 500 else None,
    )
