"""Which host may stand in a link: ours, never one that only a header names."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from overread.kit import hosts
from overread.kit.hosts import TOLD, Origin, named
from overread.kit.slashes import shortened


def asked(
    host: str | None, *, server: tuple[str, int] | None = ("192.0.2.7", 8042), told: str | None = None
) -> Request:
    scope: dict[str, Any] = {"type": "http", "scheme": "http", "method": "GET", "path": "/", "query_string": b""}
    scope |= {"headers": [] if host is None else [(b"host", host.encode("latin-1"))], "server": server}
    return Request(scope | ({} if told is None else {TOLD: told}))


EVERYWHERE, ALONE = "http://0.0.0.0:8042", "http://127.0.0.1:8042"


@pytest.mark.parametrize(
    ("base", "host", "expected"),
    [
        # This machine's own names and the connection's own address, by whatever port a tunnel or a container has.
        (ALONE, "127.0.0.1:8042", "http://127.0.0.1:8042"),
        (ALONE, "localhost:8042", "http://localhost:8042"),
        (ALONE, "LOCALHOST:9000", "http://LOCALHOST:9000"),
        (ALONE, "[::1]:8042", "http://[::1]:8042"),
        (EVERYWHERE, "192.0.2.7:8042", "http://192.0.2.7:8042"),
        (EVERYWHERE, "192.0.2.7", "http://192.0.2.7"),
        (EVERYWHERE, f"{socket.gethostname()}:8042", f"http://{socket.gethostname()}:8042"),
        (EVERYWHERE, "pacs.example:80", "http://pacs.example:80"),
        # dicomweb-client leaves the port out.
        (ALONE, "127.0.0.1", "http://127.0.0.1:8042"),
        # Anybody else's.
        (ALONE, "evil.example", ALONE),
        (ALONE, "evil.example:8042", ALONE),
        (ALONE, "203.0.113.1:8042", ALONE),
        (ALONE, "127.0.0.1.evil.example", ALONE),
        (ALONE, "localhost.evil.example:8042", ALONE),
        (ALONE, "evil.example/127.0.0.1", ALONE),
        (ALONE, "evil.example#@127.0.0.1", ALONE),
        (ALONE, "127.0.0.1@evil.example", ALONE),
        (ALONE, None, ALONE),
        (ALONE, "", ALONE),
        # All addresses are no address.
        (EVERYWHERE, "evil.example", "http://192.0.2.7:8042"),
        (EVERYWHERE, "0.0.0.0:8042", "http://192.0.2.7:8042"),
        ("http://[::]:8042", "evil.example", "http://192.0.2.7:8042"),
    ],
)  # fmt: skip
def test_a_link_names_a_host_of_ours(base: str, host: str | None, expected: str) -> None:
    assert Origin(base, names=["PACS.example"]).of(asked(host)) == expected


def test_the_public_address_is_the_only_one_where_it_is_set() -> None:
    public = Origin("https://pacs.example/", public=True)
    for host in ("pacs.example", "localhost", "192.0.2.7:8042", "evil.example", None):
        assert public.of(asked(host)) == "https://pacs.example"
    assert public.of(asked("other.example", told="other.example")) == "https://pacs.example"


def test_what_a_trusted_proxy_told_counts() -> None:
    assert Origin(ALONE).of(asked("pacs.example:8443", told="pacs.example:8443")) == "http://pacs.example:8443"
    assert Origin(ALONE).of(asked("evil.example", told="pacs.example")) == ALONE


def test_an_address_of_version_6_is_bracketed() -> None:
    there = ("2001:db8::7", 8042)
    assert Origin(EVERYWHERE).of(asked("evil.example", server=there)) == "http://[2001:db8::7]:8042"
    assert Origin(EVERYWHERE).of(asked("[2001:DB8:0::7]:80", server=there)) == "http://[2001:DB8:0::7]:80"
    # A socket of version 6 tells addresses of version 4 mapped.
    assert Origin(EVERYWHERE).of(asked("192.0.2.7", server=("::ffff:192.0.2.7", 80))) == "http://192.0.2.7"


def test_the_setting_is_a_list() -> None:
    assert named(" pacs.example, [2001:db8::7] ,,10.0.0.1") == ["pacs.example", "2001:db8::7", "10.0.0.1"]
    assert named("") == []


@given(st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=60))
def test_no_header_becomes_more_than_a_host(text: str) -> None:
    found = Origin(ALONE).of(asked(text))
    assert found == ALONE or hosts.NAMED.fullmatch(found.removeprefix("http://"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/cases/", "/cases"),
        ("/cases/?a=%2F&b", "/cases?a=%2F&b"),
        ("/in/studies/", "/in/studies"),
        ("/in/a%20b/", "/in/a%20b"),
        ("/nothing/", None),
        ("//evil.example/", None),
        ("//evil.example/%2e%2e/", None),
        ("/cases", None),
    ],
)
def test_a_slash_too_many_leads_to_the_path_alone(path: str, expected: str | None) -> None:
    def ok(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("ok")

    inner = [Route("/studies", ok), Route("/{one}", ok)]
    app = shortened(Starlette(routes=[Route("/cases", ok), Mount("/in", routes=inner)]))
    with TestClient(app, base_url="http://evil.example", follow_redirects=False) as client:
        assert client.get("http://evil.example" + path).headers.get("location") == expected
