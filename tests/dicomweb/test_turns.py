"""Many ask for large frames at once: the budget holds, all get what is right, who can't be served is told so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from pydicom.uid import ExplicitVRLittleEndian
from starlette.testclient import TestClient

from overread.kit.principals import Role
from pacs.pixels import workers
from pacs.pixels.turns import Turns
from pacs.serve import transcoded
from tests.dicomweb.conftest import Bearer
from tests.dicomweb.test_roundtrip import JSON
from tests.dicomweb.test_wado import store
from tests.greedy import greedy

SIDE, FRAMES = 2048, 4
SIZE = SIDE * SIDE * 2
NATIVE = {"Accept": f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"}

Use = Callable[[Turns], Turns]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Have this budget be the process's."""

    def put(turns: Turns) -> Turns:
        for module in (transcoded, workers):
            monkeypatch.setattr(module, "TURNS", turns)
        return turns

    return put


@pytest.fixture
def frames(client: TestClient) -> str:
    ds, data = greedy(SIDE, FRAMES)
    store(client, data)
    return f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"


def right(number: int) -> bytes:
    return np.full(SIDE * SIDE, number, "<u2").tobytes()


def test_forty_at_once_are_answered_right_within_the_budget(client: TestClient, frames: str, use: Use) -> None:
    turns = use(Turns(3 * SIZE))

    def ask(number: int) -> bool:
        answer = client.get(f"{frames}/frames/{number % FRAMES + 1}", headers=NATIVE)
        return answer.status_code == 200 and answer.content == right(number % FRAMES)

    with ThreadPoolExecutor(40) as pool:
        work = [pool.submit(ask, number) for number in range(40)]
        # Meanwhile searches find their threads and their connections.
        assert all(client.get("studies", headers=JSON).status_code == 200 for _ in range(20))
        assert all(one.result() for one in work)
    # What was made may be counted before the next that is made is given up: a frame at most.
    assert 2 * SIZE < turns.peak <= 4 * SIZE
    assert turns.held == 0


def test_pictures_and_whole_instances_are_of_the_same_budget(
    client: TestClient, frames: str, use: Use, bearer: Bearer
) -> None:
    turns = use(Turns(3 * SIZE))
    asked = [
        (f"{frames}/rendered", {"Accept": "image/png"}),
        (f"{frames}/frames/2/rendered?viewport=64,64", {"Accept": "image/jpeg"}),
        (f"{frames}/thumbnail", {"Accept": "image/jpeg"}),
        (f"{frames}/rendered?viewport=32,32", {"Accept": "image/gif"}),
        (frames, {"Accept": f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"}),
        (f"{frames}/bulkdata/7FE00010", {"Accept": "application/octet-stream"}),
    ]
    others = bearer(Role.ADMIN)
    with ThreadPoolExecutor(12) as pool:
        work = [pool.submit(client.get, path, headers=headers | own) for own in ({}, others) for path, headers in asked]
        answers = [one.result() for one in work]
    assert [answer.status_code for answer in answers] == [200] * 12
    samples = b"".join(right(number) for number in range(FRAMES))
    for answer in (answers[4], answers[10]):
        assert answer.content.count(samples) == 1
    for answer in (answers[5], answers[11]):
        assert answer.content == samples
    assert turns.peak >= 3 * SIZE
    assert (turns.held, turns._busy, turns._waiting) == (0, {}, {})


def test_where_the_line_is_full_the_answer_says_when_to_come_again(client: TestClient, frames: str, use: Use) -> None:
    turns = use(Turns(1, line=0))
    with turns.turn(1, "somebody"):
        answers = [
            client.get(f"{frames}/frames/1", headers=NATIVE),
            client.get(f"{frames}/frames/1/rendered", headers={"Accept": "image/png"}),
            client.get(frames, headers={"Accept": f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"}),
        ]
        # What is given as it is stored needs no turn.
        plain = client.get(f"{frames}/frames/1", headers={"Accept": "application/octet-stream; transfer-syntax=*"})
    assert [(answer.status_code, "retry-after" in answer.headers) for answer in answers] == [(503, True)] * 3
    assert "busy" in answers[0].json()["detail"]
    assert plain.status_code == 200
    assert client.get(f"{frames}/frames/1", headers=NATIVE).content == right(0)


def test_the_same_frame_is_made_once_however_many_ask(
    client: TestClient, frames: str, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = use(Turns(1))
    made: list[int] = []
    call = workers.POOL.call

    def counted(*given: object, **more: object) -> bytearray:
        made.append(1)
        return call(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(workers.POOL, "call", counted)
    with ThreadPoolExecutor(10) as pool:
        with turns.turn(1, "somebody"):
            work: list[object] = [pool.submit(client.get, f"{frames}/frames/3", headers=NATIVE) for _ in range(10)]
            # All of them have come to where one waits for its turn, and the others for that one.
            for _ in range(3000):
                if turns._waiting and len(transcoded._MAKING._made) == 1:
                    break
                threading.Event().wait(0.01)
            threading.Event().wait(1)
        answers: list[httpx.Response] = [one.result() for one in work]  # type: ignore[attr-defined]
    assert all(answer.content == right(2) for answer in answers)
    assert len(made) < 10


def test_the_size_of_a_frame_counts_before_it_is_read(client: TestClient, frames: str, use: Use) -> None:
    turns = use(Turns(1 << 30))
    assert client.get(f"{frames}/frames/1/rendered", headers={"Accept": "image/png"}).status_code == 200
    assert turns.peak > 2 * SIZE + 6 * SIDE * SIDE
