"""Sixty people who sign in at once, each from an address of their own: nobody else notices, and memory has a bound."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import psutil
import pytest

from overread.demo.people import PASSWORD
from overread.kit import passwords
from tests.live.server import Server

pytestmark = pytest.mark.live
CROWD = 60
#: Of one hash (RFC 9106 4: m = 64 MiB), and of sixty connections with their threads.
HASH, REST = 64 << 20, 192 << 20


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("signing-in") / "demo", "demo") as running:
        yield running


class Watch(threading.Thread):
    """Asks for the server's health, and how much memory its web process has, as long as the block lasts."""

    def __init__(self, demo: Server) -> None:
        super().__init__()
        assert demo.process
        self._url, self._over = demo.url, threading.Event()
        self._processes = psutil.Process(demo.process.pid).children()
        self.before = self.peak = self.memory()
        self.healthy: list[int] = []

    def memory(self) -> int:
        found = 0
        for one in self._processes:
            with suppress(psutil.Error):
                found += one.memory_full_info().pss
        return found

    def run(self) -> None:
        while not self._over.is_set():
            self.healthy.append(httpx.get(f"{self._url}/healthz").status_code)
            self.peak = max(self.peak, self.memory())
            time.sleep(0.02)

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def test_a_crowd_of_sign_ins(demo: Server) -> None:
    def sign_in(number: int) -> httpx.Response:
        transport = httpx.HTTPTransport(local_address=f"127.0.2.{number + 1}")
        headers = {"Origin": demo.url, "Accept": "text/html"}
        with httpx.Client(base_url=demo.url, transport=transport, headers=headers, timeout=180) as client:
            return client.post("/sign-in", data={"email": "specialist@example.org", "password": PASSWORD})

    assert sign_in(CROWD).status_code == 303
    with Watch(demo) as watch, ThreadPoolExecutor(CROWD) as pool:
        answers = list(pool.map(sign_in, range(CROWD)))
    statuses = Counter(one.status_code for one in answers)
    grown = watch.peak - watch.before
    print(f"{CROWD} sign-ins at once: {dict(statuses)}, {grown >> 20} MiB more, {len(watch.healthy)} times healthy")
    # On a machine that is busy some are asked to come again.
    assert set(statuses) <= {303, 503}
    assert statuses[303]
    for one in answers:
        if one.status_code == 503:
            assert int(one.headers["Retry-After"]) == passwords.PATIENCE
            assert "then try again" in one.text
    assert set(watch.healthy) == {200}
    assert grown < passwords.AT_ONCE * HASH + REST
