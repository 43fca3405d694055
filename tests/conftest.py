"""Fixtures that every test may use: a real PostgreSQL, an archive in a folder, the corpus of real files."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import hypothesis
import psycopg
import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from playwright.sync_api import expect
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from billing.stripe_gateway import StripeGateway
from overread.kit import db
from overread.kit.db import Database, Session, libpq_url
from overread.kit.local_blobs import LocalBlobStore
from overread.kit.postgres import start
from overread.kit.sealed import Sealer
from overread.kit.settings import Settings
from overread.migrations import migrate
from pacs.store.archive import Archive
from tests.cases.world import populate
from tests.fakes.payments import Sandbox
from tests.fakes.reactor import steady

# A machine that is busy is no failure: tests assert what is right, `make bench` measures how fast it is.
hypothesis.settings.register_profile("overread", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("overread")
# Whoever names no timeout of its own waits longer than the five seconds of httpx and of Playwright.
expect.set_options(timeout=60_000)
for _phase in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, _phase, 60.0)


# Every test's database has an engine of its own, which would compile each statement anew: a tenth of all the time.
# By this one dialect is as good as another as a key to what is compiled.
setattr(PGDialect_psycopg, "__hash__", lambda _self: hash(PGDialect_psycopg))  # noqa: B010
setattr(PGDialect_psycopg, "__eq__", lambda self, other: type(self) is type(other))  # noqa: B010
setattr(db, "create_engine", partial(create_engine, execution_options={"compiled_cache": {}}))  # noqa: B010


steady()


_TEMPORARY = "PYTEST_DEBUG_TEMPROOT"
_own_folder = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """A folder for this run's temporary files alone.

    pytest has one for all runs of a user, and closes it to all others whenever another run begins: to PostgreSQL's user
    too, who works in it at that moment.
    """
    if _TEMPORARY not in os.environ and not hasattr(config, "workerinput"):
        config.stash[_own_folder] = folder = Path(tempfile.mkdtemp(prefix="overread-pytest-"))
        folder.chmod(0o755)
        os.environ[_TEMPORARY] = str(folder)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove it, unless a test failed whose files may tell why."""
    folder = session.config.stash.get(_own_folder, None)
    if folder is not None and not session.testsfailed:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of this test process."""
    folder = Path(tempfile.mkdtemp(prefix="overread-test-"))
    uri, server = start(Settings(data_dir=folder, database_url=None))
    assert server is not None
    try:
        yield uri
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """The name of a database that the migrations built, from which each test's is copied."""
    name = "overread_template"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    migrate(_named(postgres, name))
    return name


@pytest.fixture(scope="session")
def peopled(postgres: str, template: str) -> str:
    """The name of another, in which the people of `tests.cases.world` live already."""
    name = "overread_peopled"
    _copy(postgres, template, name)
    database = Database(_named(postgres, name))
    with database.transaction() as tx:
        populate(tx)
    database.close()
    return name


@contextmanager
def new_database(postgres: str, template: str) -> Iterator[str]:
    """The URL of an empty database, for as long as the block lasts."""
    name = f"test_{uuid.uuid4().hex}"
    _copy(postgres, template, name)
    yield _named(postgres, name)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(request: pytest.FixtureRequest, postgres: str, template: str) -> Iterator[str]:
    """The URL of a database of this test's own: empty, or with the world's people where the test has a `world`."""
    if "world" in request.fixturenames:
        template = request.getfixturevalue("peopled")
    with new_database(postgres, template) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """That database, every table made by the migrations."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def tx(database: Database) -> Iterator[Session]:
    """A transaction in it, committed at the end of the test."""
    with database.transaction() as session:
        yield session


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    """An empty archive."""
    database.ended = tmp_path / "keys"
    return Archive(database, LocalBlobStore(tmp_path / "blobs"), Sealer(bytes(32), "pacs.view", tmp_path / "keys"))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real files; tests that need it are skipped where there is none."""
    folder = os.environ.get("OVERREAD_CORPUS")
    if not folder or not (Path(folder) / "manifest.csv").is_file():
        pytest.skip("OVERREAD_CORPUS names no folder with a manifest.csv: the corpus is not here")
    return Path(folder)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """The payment sandbox, sending no webhooks."""
    served = Sandbox()
    yield served
    served.stop()


@pytest.fixture
def gateway(sandbox: Sandbox) -> Iterator[StripeGateway]:
    """The real SDK, pointed at the sandbox."""
    made = sandbox.gateway()
    yield made
    made.close()


def _copy(postgres: str, template: str, name: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        # A log of its pages, which takes longer than a copy of its files, would save nobody here.
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")


def _named(uri: str, name: str) -> str:
    return libpq_url(uri).replace("/postgres?", f"/{name}?", 1)
