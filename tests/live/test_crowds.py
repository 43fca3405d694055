"""Crowds before the door of `overread serve`: heads without end, and thousands of connections that say nothing."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import closing, suppress

import httpx
import psutil
import pytest

from tests.live.server import Server

pytestmark = pytest.mark.live
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
#: Of many systems; half of them are for other things than connections.
DESCRIPTORS = 1024
CROWD = 3500


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("crowds") / "data") as running:
        assert running.process
        for process in psutil.Process(running.process.pid).children():
            with suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        yield running


def memory(server: Server) -> int:
    """PSS of the supervisor and its children, in bytes."""
    assert server.process
    mine = psutil.Process(server.process.pid)
    return sum(one.memory_full_info().pss for one in [mine, *mine.children()])


@pytest.mark.parametrize("origin", ["http", "viewer"])
def test_a_head_of_400_megabytes_is_cut(server: Server, origin: str) -> None:
    host, port = getattr(server, origin).split(":")
    httpx.get(f"http://{host}:{port}/healthz")
    before, taken = memory(server), 0
    piece = b"a" * (1 << 20)
    with closing(socket.create_connection((host, int(port)), timeout=30)) as sock:
        sock.sendall(GET + b"X: ")
        with suppress(ConnectionError):
            for _ in range(400):
                sock.sendall(piece)
                taken += len(piece)
    grown = memory(server) - before
    print(f"{origin}: {taken >> 20} MiB taken, PSS {before >> 20} + {grown >> 20} MiB")
    assert taken < 400 << 20
    assert grown < 32 << 20
    assert httpx.get(f"{server.url}/healthz").text == "ok"


def test_a_crowd_that_says_nothing_keeps_nobody_out(server: Server) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CROWD + 500:
        pytest.skip(f"this system has {hard} descriptors for a process")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CROWD + 500), hard))
    host, port = server.http.split(":")
    crowd: list[socket.socket] = []
    try:
        for number in range(CROWD):
            one = socket.create_connection((host, int(port)), timeout=30)
            # Half of them begin a head.
            with suppress(ConnectionError):
                one.sendall(b"" if number % 2 else GET)
            crowd.append(one)
            if number % 500 == 499:
                assert httpx.get(f"{server.url}/healthz", timeout=30).text == "ok"
        assert httpx.get(f"{server.url}/", timeout=30).status_code == 200
        assert httpx.get(f"http://{server.viewer}/", timeout=30, follow_redirects=False).status_code < 500
        assert server.process
        held = max(one.num_fds() for one in psutil.Process(server.process.pid).children())
        print(f"{CROWD} connections, {held} descriptors of {DESCRIPTORS}")
        assert held < DESCRIPTORS
    finally:
        for one in crowd:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert httpx.get(f"{server.url}/healthz", timeout=30).text == "ok"
