"""pacs.pixels.workers: whatever a codec does, the process that asked lives on and the next frame is decoded."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from overread.kit.errors import Unavailable
from pacs.pixels import workers
from pacs.pixels.decode import decode_frame
from pacs.pixels.errors import CannotDecode
from pacs.pixels.layout import Layout
from pacs.pixels.workers import Pool
from tests.pacs.pixels.samples import header, ramp, rle

FORM = Layout(4, 4, 1, 8, 8, 7, False, False, False, "MONOCHROME2")
RLE = "1.2.840.10008.1.2.5"
BAD = "tests.pacs.pixels.bad_worker"


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(module=BAD, patience=60)
    yield made
    made.close()


def ask(pool: Pool, operation: str, frame: bytes = b"", limit: int = 1 << 16) -> bytes:
    return bytes(pool.call({"op": operation}, FORM, frame, limit=limit))


@pytest.mark.parametrize(
    ("operation", "why"), [("segfault", "ended with -11"), ("abort", "ended with -6"), ("spin", "too long")]
)
def test_a_codec_that_dies_refuses_its_frame_and_the_next_is_served(pool: Pool, operation: str, why: str) -> None:
    with pytest.raises(CannotDecode, match=why) as refused:
        ask(pool, operation)
    assert refused.value.status == 422
    assert refused.value.safe.startswith("This image can't be shown: ")
    assert ask(pool, "echo", b"next") == b"next"


def test_a_codec_that_hangs_is_ended(pool: Pool) -> None:
    pool.patience = 2
    with pytest.raises(CannotDecode, match="too long"):
        ask(pool, "hang")
    pool.patience = 60
    assert ask(pool, "echo", b"next") == b"next"


def test_memory_is_limited_and_the_worker_lives(pool: Pool) -> None:
    before = ask(pool, "pid")
    with pytest.raises(CannotDecode, match="more memory"):
        ask(pool, "hog")
    assert ask(pool, "pid") == before


def test_an_answer_larger_than_agreed_is_not_read(pool: Pool) -> None:
    with pytest.raises(CannotDecode, match="larger than was agreed"):
        ask(pool, "chatter", limit=1000)
    assert ask(pool, "echo", b"next") == b"next"


def test_the_worker_inherits_neither_environment_nor_files(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERREAD_DATABASE_URL", "postgresql://secret")
    environment, files = json.loads(ask(pool, "secrets"))
    assert not [name for name in environment if name.startswith("OVERREAD")]
    assert [file for file in files if file != "/dev/null" and not file.startswith("socket:")] == []
    assert len(files) == 3


def test_the_worker_can_open_neither_files_nor_connections(pool: Pool, tmp_path: Path) -> None:
    if not confinable():
        pytest.skip("this kernel has no Landlock")
    secret = tmp_path / "server.key"
    secret.write_text("secret")
    read, connected = json.loads(ask(pool, "snoop", str(secret).encode()))
    assert read == "PermissionError"
    assert connected != "done"


def confinable() -> bool:
    asked = "from pacs.pixels.confine import confine; raise SystemExit(0 if confine() else 1)"
    root = Path(workers.__file__).parents[2]
    return subprocess.run([sys.executable, "-c", asked], cwd=root, check=False).returncode == 0


def test_a_worker_killed_between_frames_is_replaced(pool: Pool) -> None:
    os.kill(int(ask(pool, "pid")), signal.SIGKILL)
    assert ask(pool, "echo", b"next") == b"next"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_ended_leaves_nothing_behind_though_nobody_asks_again(pool: Pool, how: signal.Signals) -> None:
    ask(pool, "echo")
    before = psutil.Process().num_fds()
    for _ in range(3):
        gone = int(ask(pool, "pid"))
        os.kill(gone, how)
        deadline = time.monotonic() + 60
        # A zombie is found there, too.
        while psutil.pid_exists(gone) or pool.pids():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert psutil.Process().num_fds() < before
    assert ask(pool, "echo", b"next") == b"next"
    assert psutil.Process().num_fds() == before


def test_a_worker_killed_in_the_middle_of_a_frame_costs_nothing_but_time(pool: Pool) -> None:
    victim = int(ask(pool, "pid"))
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(ask, pool, "slowly", b"kept")
        time.sleep(0.3)
        os.kill(victim, signal.SIGKILL)
        assert slow.result() == b"kept"
    assert int(ask(pool, "pid")) != victim


def test_without_any_worker_the_answer_is_try_again() -> None:
    broken = Pool(module="pacs.pixels.no_such_module")
    with pytest.raises(Unavailable):
        ask(broken, "echo")


def test_many_threads_share_one_worker(pool: Pool) -> None:
    with ThreadPoolExecutor(8) as threads:
        pids = set(threads.map(lambda _: ask(pool, "pid"), range(40)))
    assert len(pids) == 1
    assert len(pool.pids()) == 1


def test_an_idle_worker_goes_home_and_the_next_frame_finds_another(monkeypatch: pytest.MonkeyPatch) -> None:
    # Speaks to the worker itself, because the pool gives it no environment to make its patience shorter by.
    root = str(Path(workers.__file__).parents[2])
    parent, child = socket.socketpair()
    with parent, child:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", BAD], stdin=child.fileno(), env={"PYTHONPATH": root, "IDLE": "0.2"}
        )
        assert process.wait(20) == 0


def test_frames_are_decoded_in_a_process_that_knows_neither_headers_nor_tables() -> None:
    image = ramp(8, 10, "u1")
    np.testing.assert_array_equal(decode_frame(header(8, 10, 8), rle(image), RLE), image)
    (worker,) = workers.POOL.pids()
    loaded = Path(f"/proc/{worker}/maps").read_text()
    assert "imagecodecs" in loaded
    assert "psycopg" not in loaded
    modules = subprocess.run(
        [sys.executable, "-c", "import sys, pacs.pixels.worker; print(*sys.modules)"],
        capture_output=True, text=True, check=True, cwd=Path(workers.__file__).parents[2],
    ).stdout.split()  # fmt: skip
    assert not {"pydicom", "sqlalchemy", "psycopg", "starlette"} & set(modules)
