"""One principal asks for forty large frames out of a small file at once, while others search.

It prints its figures (pytest -s; GREED_SIDE=8192 for frames of 128 MiB) and asserts no time.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from tests.greedy import greedy
from tests.live.server import Server
from tests.live.test_contracts import JSON, stow

pytestmark = pytest.mark.live
SIDE = int(os.environ.get("GREED_SIDE", "3072"))
ASKED, FRAMES = 40, 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("greed") / "data", workers=2) as running:
        yield running


class Watch:
    """The most memory that the server's processes took together, PostgreSQL's left out."""

    def __init__(self, server: Server) -> None:
        assert server.process
        self._root = psutil.Process(server.process.pid)
        self.before = self.most = self._now()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _now(self) -> int:
        total = 0
        for one in [self._root, *self._root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                total += one.memory_full_info().pss
        return total

    def _run(self) -> None:
        while not self._done.wait(0.05):
            self.most = max(self.most, self._now())

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._done.set()
        self._thread.join()


def test_forty_frames_at_once_take_a_budget_and_searches_go_on(server: Server, tmp_path: Path) -> None:
    hospital, other = server.token("hospital"), server.token("coordinator")
    ds, data = greedy(SIDE, FRAMES)
    assert stow(server, data, headers={"Authorization": f"Bearer {hospital}"}).status_code == 200
    series = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
    frames = f"{server.url}/dicomweb/{series}/instances/{ds.SOPInstanceUID}/frames"
    asked = {"Accept": f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"}
    right = [sha256(np.full(SIDE * SIDE, number, "<u2").tobytes()).hexdigest() for number in range(FRAMES)]

    def frame(number: int) -> bool:
        headers = {**asked, "Authorization": f"Bearer {hospital}"}
        found, url = sha256(), f"{frames}/{number % FRAMES + 1}"
        with httpx.stream("GET", url, headers=headers, timeout=300) as answer:
            assert answer.status_code == 200, answer.read()
            for piece in answer.iter_bytes():
                found.update(piece)
        return found.hexdigest() == right[number % FRAMES]

    took: list[float] = []
    with ThreadPoolExecutor(ASKED) as pool, Watch(server) as watch, httpx.Client(timeout=300) as searching:
        work = [pool.submit(frame, number) for number in range(ASKED)]
        while not all(one.done() for one in work):
            began = time.perf_counter()
            found = searching.get(
                f"{server.url}/dicomweb/studies?PatientID=GREED",
                headers={**JSON, "Authorization": f"Bearer {other}"},
            )
            took.append(time.perf_counter() - began)
            assert found.status_code == 200
            assert len(found.json()) == 1
            threading.Event().wait(0.01)
        assert all(one.result() for one in work)
    took.sort()
    print(
        f"{len(data) >> 10} KiB, frames of {SIDE * SIDE * 2 >> 20} MiB: PSS {watch.before >> 20} MiB, "
        f"at most {watch.most >> 20}; {len(took)} searches, p50 {took[len(took) // 2] * 1000:.0f} ms, "
        f"p99 {took[len(took) * 99 // 100] * 1000:.0f} ms"
    )
    # Two processes with a budget each, what their decoding workers take beside it, and something for everybody else.
    assert watch.most - watch.before < max(900 << 20, 12 * SIDE * SIDE * 2)
