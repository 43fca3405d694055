"""One log line and one duration a request: by the route's template, and nothing of whom it was about."""

from __future__ import annotations

import os
import string
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from overread import access
from overread.access import Access
from overread.app import application
from overread.kit import http, tokens
from overread.kit.observed import BOUNDS, METHODS, OTHER, Latencies
from overread.services import Services
from tests.cases.world import World
from tests.web.conftest import BASE, sandbox, services, world

__all__ = ["sandbox", "services", "world"]

STUDY, NAME = "1.2.840.99.4471902", "MARIGOLD"
SECONDS = "overread_http_request_seconds"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The log's lines, with what is bound to them."""
    found: list[dict[str, Any]] = []

    class Logger:
        def info(self, event: str, **facts: Any) -> None:
            found.append({"event": event, **structlog.contextvars.get_contextvars(), **facts})

        error = info

    for module in (access, http):
        monkeypatch.setattr(module, "_logger", Logger())
    return found


@pytest.fixture
def app(services: Services) -> Access:
    return application(services)


def client(app: Access) -> TestClient:
    return TestClient(app, base_url=BASE, follow_redirects=False, raise_server_exceptions=False)


#: A request, and its line: route, status.
REQUESTS: dict[str, tuple[str, str, str, int]] = {
    "health": ("GET", "/healthz", "/healthz", 200),
    "search": ("GET", f"/dicomweb/studies?PatientName={NAME}", "/dicomweb/studies", 200),
    "study": ("GET", f"/dicomweb/studies/{STUDY}/series", "/dicomweb/studies/{study}/series", 200),
    "nothing there": ("GET", f"/dicomweb/studies/{STUDY}/metadata", "/dicomweb/studies/{study}/metadata", 404),
    "no such page": ("GET", f"/{NAME}/{STUDY}", OTHER, 404),
    "no such resource": ("GET", f"/dicomweb/{NAME}", OTHER, 404),
    "a slash too many": ("GET", f"/dicomweb/studies/{STUDY}/series/", OTHER, 307),
    "static": ("GET", f"/static/{NAME}.css", "/static", 404),
    "a case": ("GET", "/cases/0192d0a8-0000-7000-8000-000000000000", "/cases/{case}", 403),
    "another method": ("DELETE", f"/confirm/{NAME}", "/confirm/{token}", 405),
    "no method": (NAME, f"/dicomweb/studies/{STUDY}", "/dicomweb/studies/{study}", 405),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_one_line_that_names_nobody(
    app: Access, world: World, lines: list[dict[str, Any]], name: str
) -> None:
    method, path, route, status = REQUESTS[name]
    with world.db.transaction() as tx:
        token = tokens.issue(tx, world.coordinator.id)
    with client(app) as browser:
        answer = browser.request(method, path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status
    [line] = [line for line in lines if line["event"] == "request"]
    assert line["route"] == route
    assert (line["method"], line["status"]) == (OTHER if method == NAME else method, status)
    assert line["bytes"] == len(answer.content)
    assert line["ms"] >= 0
    assert "cut" not in line
    assert len(str(line["request"])) == 32
    # The lines of what was refused neither.
    written = repr(lines)
    assert NAME not in written
    assert STUDY not in written
    assert token not in written
    if name == "search":
        assert (line["role"], line["via"]) == ("coordinator", "api")
    if name == "health":
        assert "role" not in line


def test_what_breaks_off_is_told_as_such(lines: list[dict[str, Any]]) -> None:
    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"123", "more_body": True})
        raise OSError("gone")

    latencies = Latencies()
    client(Access(broken, latencies)).get("/")
    [line] = lines
    assert (line["status"], line["bytes"], line["cut"]) == (200, 3, True)
    assert latencies.under_way == 0
    assert [(method, template) for method, template, _, _ in latencies.rows()] == [("GET", OTHER)]


def samples(text: str) -> dict[tuple[str, str, str], dict[str, float]]:
    """Of each method and route the buckets by their bounds, count and sum, as Prometheus reads them."""
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples if family.name == SECONDS else ():
            key = (sample.name.removeprefix(SECONDS), sample.labels["method"], sample.labels["route"])
            found.setdefault(key, {})[sample.labels.get("le", "")] = sample.value
    return found


def test_durations_are_a_histogram_a_route_and_strangers_make_no_series(app: Access, world: World) -> None:
    with client(app) as browser:
        for _ in range(3):
            browser.get("/healthz")
        text = browser.get("/metrics").text
        before = samples(text)
        assert before["_count", "GET", "/healthz"] == {"": 3}
        assert before["_sum", "GET", "/healthz"][""] > 0
        buckets = before["_bucket", "GET", "/healthz"]
        assert [float(bound) for bound in buckets] == [*BOUNDS, float("inf")]
        assert list(buckets.values()) == sorted(buckets.values())
        assert buckets["+Inf"] == 3
        assert "overread_http_requests_under_way 1.0" in text
        for number in range(100):
            browser.request(f"M{number}", f"/{NAME}{number}/{STUDY}.{number}")
            browser.get(f"/dicomweb/studies/{STUDY}.{number}")
        after = samples(browser.get("/metrics").text)
    new = {key[1:] for key in after} - {key[1:] for key in before}
    assert len(new) <= 3
    assert sum(one[""] for key, one in after.items() if key[0] == "_count") == 3 + 200 + 1
    assert NAME not in repr(after)


@given(st.lists(st.floats(0, 200) | st.sampled_from(BOUNDS), max_size=40))
def test_a_duration_is_in_every_bucket_whose_bound_it_does_not_exceed(seconds: list[float]) -> None:
    latencies = Latencies()
    for one in seconds:
        latencies.took("GET", OTHER, one)
    found = list(latencies.rows())
    if not seconds:
        assert not found
        return
    [(method, template, buckets, total)] = found
    assert (method, template) == ("GET", OTHER)
    assert buckets == [sum(one <= bound for one in seconds) for bound in (*BOUNDS, float("inf"))]
    assert total == pytest.approx(sum(seconds))


@given(st.text(string.printable, max_size=9), st.text(string.printable, max_size=9))
def test_what_no_route_is_named_counts_as_other(method: str, template: str) -> None:
    latencies = Latencies()
    latencies.took(method, template, 1.0)
    [(kept, at, _, _)] = latencies.rows()
    assert kept in METHODS
    assert at in (OTHER, template)


def test_every_process_tells_of_all_and_one_that_comes_again_goes_on() -> None:
    latencies = Latencies(processes=3)
    for number in (1, 2, 1):
        pid = os.fork()
        if not pid:
            latencies.be(number)
            # Killed in the middle of a request.
            latencies.add(1)
            latencies.took("GET", OTHER, 0.5)
            os._exit(0)
        assert os.waitpid(pid, 0) == (pid, 0)
    [(_, _, buckets, total)] = latencies.rows()
    assert (buckets[-1], total) == (3, 1.5)
    assert latencies.under_way == 2
    latencies.be(1)
    assert latencies.under_way == 1
