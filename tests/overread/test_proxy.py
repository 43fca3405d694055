"""Proxies in front: whom is believed what (RFC 7239), and origins that may read DICOMweb (Fetch 3.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from overread.cors import Cors
from overread.kit.errors import OverreadError
from overread.proxy import TrustedProxies

TRUSTED = "10.0.0.0/8, 192.0.2.7, 2001:db8::/32"
NEAR = ("10.0.0.1", 5000)


def told(request: Request) -> Response:
    return PlainTextResponse(
        f"{request.url.scheme} {request.url.netloc} {request.client.host if request.client else ''}"
    )


def seen(headers: list[tuple[str, str]], client: tuple[str, int] = NEAR) -> str:
    app = TrustedProxies(Starlette(routes=[Route("/", told)]), TRUSTED)
    with TestClient(app, base_url="http://inside:8042", client=client) as asking:
        return asking.get("/", headers=headers).text


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "http inside:8042 10.0.0.1"),
        ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "pacs.example"}, "https pacs.example 10.0.0.1"),
        ({"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}, "https inside:8042 203.0.113.9"),
        ({"X-Forwarded-Host": "pacs.example", "X-Forwarded-Port": "8443"}, "http pacs.example:8443 10.0.0.1"),
        ({"Forwarded": 'for=203.0.113.9;proto=https;host="pacs.example:8443"'}, "https pacs.example:8443 203.0.113.9"),
        ({"Forwarded": 'for="[2001:db9::1]:80";proto=https;host=pacs.example'}, "https pacs.example 2001:db9::1"),
        # Forwarded is the standard's: where it stands the others are not looked at.
        ({"Forwarded": "host=a.example", "X-Forwarded-Host": "b.example"}, "http a.example 10.0.0.1"),
        # What the client itself sent before a trusted proxy added its own is not believed.
        ({"Forwarded": "for=1.1.1.1;host=evil.example, for=203.0.113.9;host=pacs.example"},
         "http pacs.example 203.0.113.9"),
        ({"X-Forwarded-For": "1.1.1.1, 203.0.113.9", "X-Forwarded-Host": "evil.example, pacs.example"},
         "http pacs.example 203.0.113.9"),
        # Two proxies of ours, one behind the other.
        ({"Forwarded": "for=203.0.113.9;host=pacs.example;proto=https, for=10.1.1.1;host=between"},
         "https pacs.example 203.0.113.9"),
        # What is no host, scheme or address changes nothing.
        ({"X-Forwarded-Host": "pacs.example/evil", "X-Forwarded-Proto": "gopher"}, "http inside:8042 10.0.0.1"),
        ({"Forwarded": 'for=unknown;host="a b";proto=javascript'}, "http inside:8042 10.0.0.1"),
    ],
)  # fmt: skip
def test_a_trusted_proxy_is_believed(headers: dict[str, str], expected: str) -> None:
    assert seen(list(headers.items())) == expected


@pytest.mark.parametrize("client", [("203.0.113.1", 1), ("192.0.2.8", 1), ("testclient", 1)])
def test_nobody_else_is(client: tuple[str, int]) -> None:
    headers = [("Forwarded", "for=1.1.1.1;host=evil.example;proto=https"), ("X-Forwarded-Host", "evil.example")]
    assert seen(headers, client) == f"http inside:8042 {client[0]}"


def test_a_setting_that_names_no_addresses_is_refused_at_the_start() -> None:
    with pytest.raises(OverreadError, match="trusted_proxies"):
        TrustedProxies(Starlette(), "10.0.0.1, proxy")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=120))
def test_no_header_breaks_it(text: str) -> None:
    for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"):
        assert seen([(name, text)]).startswith("http")


@pytest.fixture
def viewer() -> TestClient:
    routes = [Route("/dicomweb/studies", told, methods=["GET", "POST"]), Route("/cases", told)]
    app = Cors(Starlette(routes=routes), "https://viewer.example, https://other.example/")
    return TestClient(app)


PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


def test_a_named_origin_may_ask_and_read(viewer: TestClient) -> None:
    for origin in ("https://viewer.example", "https://other.example"):
        asked = viewer.options("/dicomweb/studies", headers={"Origin": origin, **PREFLIGHT})
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == origin
        assert "Authorization" in asked.headers["access-control-allow-headers"]
        got = viewer.get("/dicomweb/studies", headers={"Origin": origin})
        assert (got.status_code, got.headers["access-control-allow-origin"]) == (200, origin)
        assert "ETag" in got.headers["access-control-expose-headers"]
        # Bearer tokens only: cookies never travel.
        assert "access-control-allow-credentials" not in {**asked.headers, **got.headers}


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://viewer.example.evil", "http://viewer.example"]
)
def test_another_origin_may_not(viewer: TestClient, origin: str) -> None:
    asked = viewer.options("/dicomweb/studies", headers={"Origin": origin, **PREFLIGHT})
    got = viewer.get("/dicomweb/studies", headers={"Origin": origin})
    assert asked.status_code == 403
    for answer in (asked, got):
        assert "access-control-allow-origin" not in answer.headers
        assert "Origin" in answer.headers["vary"]


def test_only_dicomweb_is_opened(viewer: TestClient) -> None:
    got = viewer.get("/cases", headers={"Origin": "https://viewer.example"})
    assert "access-control-allow-origin" not in got.headers


def test_nothing_is_opened_where_no_origin_is_named() -> None:
    plain = TestClient(Cors(Starlette(routes=[Route("/dicomweb/studies", told)]), ""))
    got = plain.get("/dicomweb/studies", headers={"Origin": "https://viewer.example"})
    assert "access-control-allow-origin" not in got.headers
    assert "vary" not in got.headers
