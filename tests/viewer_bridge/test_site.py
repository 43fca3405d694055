"""The viewer's origin without a browser: what it serves, to whom, and the headers on all of it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from overread.kit import clock, http, tokens
from overread.kit.db import Database
from overread.kit.principals import Principal
from overread.kit.settings import Settings
from viewer_bridge import grants, launch, policies
from viewer_bridge.site import viewer_app

CASE = UUID("01a1ffd5-0000-7000-8000-00000000c0de")
INDEX = "<!doctype html><script>let a = 1</script><script src='/app-config.js'></script><script>let b</script>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "dist"
    (made / "assets").mkdir(parents=True)
    (made / "index.html").write_text(INDEX)
    (made / "app.bundle.0f6159c501addfe9.js").write_text("let bundle = 1;" * 100)
    (made / "app.bundle.0f6159c501addfe9.js.gz").write_bytes(gzip.compress(b"let bundle = 1;" * 100))
    (made / "0ddf166f7a343eda.wasm").write_bytes(b"\0asm")
    (made / "app.bundle.css").write_text("body {}")
    (made / ".stamp").write_text("secret")
    return made


@pytest.fixture
def client(db: Database, settings: Settings, folder: Path) -> Iterator[TestClient]:
    def who(request: Request) -> Response:
        principal = http.principal(request, db)
        return PlainTextResponse(f"{principal.id} {request.path_params['case']} {principal.case_id}")

    with TestClient(viewer_app(settings, db, [Route("/studies", who)], folder=folder)) as opened:
        yield opened


@pytest.fixture
def code(db: Database, specialist: Principal) -> str:
    with db.transaction() as tx:
        grants.grant(tx, specialist.id, CASE, uuid4(), clock.now() + timedelta(hours=1))
        return launch.create(tx, specialist, CASE, ["1.2.3", "1.2.4"])


def test_a_code_is_exchanged_once(client: TestClient, code: str) -> None:
    answer = client.post("/launch", json={"code": code})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    opened = answer.json()
    assert opened["studyInstanceUIDs"] == ["1.2.3", "1.2.4"]
    assert opened["dicomwebRoot"] == f"/cases/{CASE}/dicomweb"
    assert datetime.fromisoformat(opened["expiresAt"]) > clock.now()
    again = client.post("/launch", json={"code": code})
    assert again.status_code == 404
    assert "open the viewer again" in again.json()["detail"]


def test_the_token_opens_dicomweb_on_the_same_origin(client: TestClient, code: str, specialist: Principal) -> None:
    opened = client.post("/launch", json={"code": code}).json()
    bearer = {"Authorization": f"Bearer {opened['token']}"}
    answer = client.get(f"{opened['dicomwebRoot']}/studies", headers=bearer)
    assert answer.text == f"{specialist.id} {CASE} {CASE}"
    assert client.get(f"{opened['dicomwebRoot']}/studies").status_code == 401
    assert client.get(f"{opened['dicomwebRoot']}/nothing", headers=bearer).status_code == 404


def test_the_portal_s_cookie_counts_for_nothing_here(client: TestClient, db: Database, specialist: Principal) -> None:
    with db.transaction() as tx:
        session = tokens.issue(tx, specialist.id, tokens.SESSION)
    answer = client.get(f"/cases/{CASE}/dicomweb/studies", headers={"Cookie": f"{http.SESSION_COOKIE}={session}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"code": 7}', 400),
        ('{"code": "ä"}'.encode(), 400),
        (b'{"code": "\\u0000"}', 404),
        (b'{"code": "' + b"a" * 5000 + b'"}', 413),
    ],
)
def test_a_strange_launch_request_is_refused(client: TestClient, body: bytes, status: int) -> None:
    assert client.post("/launch", content=body).status_code == status


def test_another_site_can_t_launch(client: TestClient, code: str) -> None:
    answer = client.post("/launch", json={"code": code}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert client.post("/launch", json={"code": code}).status_code == 200
    assert client.get("/launch").status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "media_type"),
    [
        ("/", 200, "text/html"),
        ("/open", 200, "text/html"),
        ("/open.js", 200, "text/javascript"),
        ("/page.css", 200, "text/css"),
        ("/ended", 200, "text/html"),
        ("/ended.js", 200, "text/javascript"),
        ("/ended.html", 404, "text/html"),
        ("/tmtv", 200, "text/html"),
        ("/viewer", 200, "text/html"),
        ("/notfoundstudy", 200, "text/html"),
        ("/app-config.js", 200, "text/javascript"),
        ("/app.bundle.0f6159c501addfe9.js", 200, "text/javascript"),
        ("/0ddf166f7a343eda.wasm", 200, "application/wasm"),
        ("/app.bundle.css", 200, "text/css"),
        ("/index.html", 404, "text/html"),
        ("/.stamp", 404, "text/html"),
        ("/app.bundle.0f6159c501addfe9.js.gz", 404, "text/html"),
        ("/../conftest.py", 404, "text/html"),
        ("/%2e%2e/%2e%2e/etc/passwd", 404, "text/html"),
        ("/assets", 404, "text/html"),
        ("/local", 404, "text/html"),
        (f"/cases/{CASE}/dicomweb/studies", 401, "application/problem+json"),
        ("/cases/x/dicomweb/nothing", 404, "application/problem+json"),
    ],
)
def test_every_answer_has_its_type_and_is_closed(client: TestClient, path: str, status: int, media_type: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (status, media_type)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "'unsafe-inline'" not in policy.replace("style-src 'self' 'unsafe-inline'", "")
    # Only a worker's own script may make functions of strings.
    assert ("'unsafe-eval'" in policy) == (path.endswith(".js") and path != "/app-config.js")


def test_the_viewer_s_inline_scripts_are_named_by_digest(client: TestClient) -> None:
    policy = client.get("/viewer").headers["content-security-policy"]
    assert policy == policies.viewer(INDEX)
    assert policy.count("'sha256-") == 2


def test_hashed_names_are_kept_for_ever_and_others_checked(client: TestClient) -> None:
    assert "immutable" in client.get("/app.bundle.0f6159c501addfe9.js").headers["cache-control"]
    assert "immutable" in client.get("/0ddf166f7a343eda.wasm").headers["cache-control"]
    for path in ("/app.bundle.css", "/viewer", "/app-config.js", "/open"):
        assert client.get(path).headers["cache-control"] == "no-cache"


def test_gzip_is_sent_to_those_who_take_it(client: TestClient) -> None:
    path = "/app.bundle.0f6159c501addfe9.js"
    packed = client.get(path, headers={"Accept-Encoding": "br, gzip;q=0.8"})
    plain = client.get(path, headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text == "let bundle = 1;" * 100
    assert packed.headers["etag"] != plain.headers["etag"]
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    again = client.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_pages_lead_back_to_the_portal(client: TestClient) -> None:
    for path in ("/", "/open", "/ended", "/nothing"):
        assert 'href="https://portal.example"' in client.get(path).text


def test_without_the_viewer_its_page_says_so(db: Database, settings: Settings, tmp_path: Path) -> None:
    with TestClient(viewer_app(settings, db, [], folder=tmp_path / "nothing")) as opened:
        answer = opened.get("/viewer")
        assert answer.status_code == 503
        assert "not installed" in answer.text
        assert opened.get("/open").status_code == 200


def test_a_failure_of_ours_is_a_plain_problem_with_the_same_headers(
    db: Database, settings: Settings, folder: Path
) -> None:
    def fail(request: Request) -> Response:
        raise RuntimeError("a detail that nobody may read")

    app = viewer_app(settings, db, [Route("/studies", fail)], folder=folder)
    with TestClient(app, raise_server_exceptions=False) as opened:
        answer = opened.get(f"/cases/{CASE}/dicomweb/studies")
    assert answer.status_code == 500
    assert "detail that nobody" not in answer.text
    assert answer.headers["content-security-policy"] == policies.DATA
    assert answer.headers["referrer-policy"] == "no-referrer"
