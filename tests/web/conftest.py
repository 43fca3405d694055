"""What the portal's tests share: the cases' world behind the real application, and browsers that are signed in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import uvicorn
from starlette.testclient import TestClient

from billing.stripe_gateway import StripeGateway
from cases.mail import FolderMailer
from overread.app import portal_app
from overread.kit import clock, http, tokens
from overread.kit.db import Database
from overread.kit.settings import Settings
from overread.services import Services
from pacs.store.archive import Archive
from tests.cases.world import World
from tests.fakes.payments import Sandbox

BASE = "http://portal.example"
HTML = {"Accept": "text/html"}
SAME = {**HTML, "Origin": BASE}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """The payment sandbox, sending no webhooks."""
    served = Sandbox()
    yield served
    served.stop()


@pytest.fixture
def world(database: Database, archive: Archive, gateway: StripeGateway, sandbox: Sandbox, tmp_path: Path) -> World:
    """People, a program and an archive."""
    return World(database, archive, gateway, sandbox, tmp_path)


@pytest.fixture
def services(world: World, gateway: StripeGateway, tmp_path: Path) -> Services:
    """The services of a web process over that world."""
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "public_url": BASE, "viewer_url": "http://viewer.example"}
    )
    return Services(settings, world.db, world.archive, gateway, FolderMailer(settings.mail_dir, "a@b.example"))


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """A clock that stands: what is throttled by time does not depend on how busy the machine is."""
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    return now


@pytest.fixture
def browser(services: Services) -> Iterator[Callable[..., TestClient]]:
    """Makes a browser, for nobody or signed in as one of the world's people; redirects are not followed."""
    app = portal_app(services)
    opened: list[TestClient] = []

    def make(world: World | None = None, key: str = "") -> TestClient:
        client = TestClient(app, base_url=BASE, follow_redirects=False, headers=SAME, raise_server_exceptions=False)
        if world is not None:
            with world.db.transaction() as tx:
                token = tokens.issue(tx, world.who[key].id, tokens.SESSION, lasts=tokens.SESSION_LENGTH)
            client.cookies.set(http.SESSION_COOKIE, token)
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def served(services: Services) -> Iterator[str]:
    """The application on a port of its own, for a browser."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(portal_app(services), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
