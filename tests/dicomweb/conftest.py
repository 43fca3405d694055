"""A DICOMweb root over an empty archive, spoken to over ASGI."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.testclient import TestClient

from dicomweb.context import Context, Upload
from dicomweb.routes import routes
from overread.kit import http, principals, tokens
from overread.kit.db import Session
from overread.kit.errors import OverreadError
from overread.kit.hosts import Origin
from overread.kit.principals import Principal, Role
from pacs.index.scope import Scope, originals
from pacs.store.archive import Archive

Bearer = Callable[[Role], dict[str, str]]


@pytest.fixture
def bearer(archive: Archive) -> Bearer:
    """Makes the header of a new principal of a role."""

    def make(role: Role) -> dict[str, str]:
        with archive.db.transaction() as tx:
            owner = principals.create(tx, role=role, name=f"a {role}")
            return {"Authorization": f"Bearer {tokens.issue(tx, owner.id)}"}

    return make


@pytest.fixture
def client(archive: Archive, bearer: Bearer) -> Iterator[TestClient]:
    """A coordinator's client; give other headers to be somebody else."""

    def scope_of(who: Principal, _request: Request) -> Scope:
        return originals(who)

    def upload_to(_tx: Session, who: Principal, _request: Request) -> Upload:
        who.require(Role.COORDINATOR, Role.HOSPITAL, Role.PATIENT)
        return Upload()

    def refused(_request: Request, error: Exception) -> Response:
        return http.problem(http.as_overread_error(error))

    app = Starlette(
        routes=[Mount("/dicomweb", routes=routes(Context(archive, scope_of, upload_to, Origin("http://test"))))],
        exception_handlers={OverreadError: refused, HTTPException: refused},
    )
    with TestClient(app, base_url="http://test/dicomweb/", headers=bearer(Role.COORDINATOR)) as made:
        yield made
