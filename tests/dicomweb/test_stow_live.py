"""Store over real sockets: chunked, Expect, slow and vanishing senders, constant memory."""

from __future__ import annotations

import asyncio
import http.client
import io
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pydicom
import pytest
import uvicorn
from pydicom.data import get_testdata_file
from starlette.requests import Request
from starlette.testclient import TestClient

from dicomweb.stow import transaction
from pacs.store.archive import Archive
from tests.blobs import blob_folder

JSON = "application/dicom+json"


def sample(**keywords: str) -> bytes:
    path = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(path, str)
    ds = pydicom.dcmread(path)
    for keyword, value in keywords.items():
        setattr(ds, keyword, value)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


class Served:
    """The application on a port of its own, with a coordinator's credential."""

    def __init__(self, client: TestClient) -> None:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.authorization = client.headers["authorization"]
        config = uvicorn.Config(client.app, http="httptools", loop="uvloop", lifespan="off", log_config=None)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]})
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def headers(self, **more: str) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": self.authorization, "Content-Type": "application/dicom", "Accept": JSON, **named}

    def raw(self, *lines: str, body: bytes = b"") -> socket.socket:
        """A connection on which the head of a store request was sent, and so much of its body."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        head = ["POST /dicomweb/studies HTTP/1.1", "Host: test", *lines]
        head += [f"{name}: {value}" for name, value in self.headers().items()]
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        return connection

    def post(self, body: Any, **headers: str) -> tuple[int, bytes]:
        connection = self.connect()
        try:
            connection.request("POST", "/dicomweb/studies", body, self.headers(**headers))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@pytest.fixture
def live(client: TestClient) -> Iterator[Served]:
    served = Served(client)
    try:
        yield served
    finally:
        served.stop()


def incoming(archive: Archive) -> list[Path]:
    return list((blob_folder(archive) / "incoming").iterdir())


def settles(archive: Archive) -> bool:
    """Whether nothing half-written is left, as soon as the server knows that the sender is gone."""
    for _ in range(500):
        if not incoming(archive):
            return True
        time.sleep(0.02)
    return False


def answer(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    found = b""
    while data := connection.recv(65_536):
        found += data
    return found


def test_a_chunked_body_of_any_cuts_is_stored(live: Served, archive: Archive) -> None:
    data = sample()

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(data), 997):
            yield data[start : start + 997]

    status, _ = live.post(chunks())
    assert status == 200
    (digest,) = archive.blobs.digests()
    assert archive.blobs.read(digest) == data


def test_expect_100_continue_is_answered_before_the_body_and_not_for_what_is_refused(live: Served) -> None:
    data = sample()
    connection = live.raw(f"Content-Length: {len(data)}", "Expect: 100-continue")
    assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
    connection.sendall(data)
    assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    connection.close()
    for bad in ("Accept: text/html", "Content-Encoding: gzip"):
        connection = live.raw(bad, f"Content-Length: {1 << 40}", "Expect: 100-continue")
        assert connection.recv(1000).startswith(b"HTTP/1.1 4")
        connection.close()


def test_a_sender_that_vanishes_leaves_nothing(live: Served, archive: Archive) -> None:
    data = sample()
    for _ in range(3):
        connection = live.raw("Content-Length: 4000000000")
        connection.sendall(data + bytes(1 << 20))
        while not incoming(archive):
            time.sleep(0.01)
        connection.close()
        assert settles(archive)
    assert list(archive.blobs.digests()) == []
    assert live.post(data)[0] == 200


def test_a_sender_that_trickles_is_cut_off(live: Served, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    patience = transaction._PATIENCE
    monkeypatch.setattr(transaction, "_PATIENCE", 0.4)
    connection = live.raw("Content-Length: 4000000000")
    connection.sendall(sample()[:20_000])
    for _ in range(30):
        try:
            connection.sendall(b"x")
        except OSError:
            break
        time.sleep(0.05)
    try:
        told = answer(connection)
    except ConnectionResetError:
        told = b"HTTP/1.1 408 reset while it was still sending"
    connection.close()
    assert told.startswith(b"HTTP/1.1 408 ")
    assert settles(archive)
    # On a busy machine an honest sender may well pause for so long.
    monkeypatch.setattr(transaction, "_PATIENCE", patience)
    assert live.post(sample())[0] == 200


def test_a_silent_sender_gets_408_and_a_closed_connection(
    live: Served, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "_PATIENCE", 0.2)
    with live.raw("Content-Length: 4000000000") as connection:
        told = answer(connection)
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in told.lower()
    assert incoming(archive) == []


def test_no_request_takes_longer_than_the_limit() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": bytes(20_000), "more_body": True}

    async def read() -> int:
        return len([chunk async for chunk in transaction._chunks(Request({"type": "http"}, receive), 0.1)])

    with pytest.raises(transaction.TooSlow):
        asyncio.run(read())


@pytest.mark.parametrize("length", ["-1", "x", "1e9", "99999999999999999999999999"])
def test_a_length_that_is_none_is_refused(live: Served, archive: Archive, length: str) -> None:
    with live.raw(f"Content-Length: {length}") as connection:
        assert answer(connection).startswith(b"HTTP/1.1 400 ")
    assert incoming(archive) == []


def test_two_ways_to_say_where_the_body_ends_are_refused(live: Served) -> None:
    smuggled = b"0\r\n\r\nGET /dicomweb/studies HTTP/1.1\r\nHost: test\r\n\r\n"
    with live.raw("Content-Length: 5", "Transfer-Encoding: chunked", body=smuggled) as connection:
        told = answer(connection)
    assert told.startswith(b"HTTP/1.1 400 ")
    assert told.count(b"HTTP/1.1 ") == 1


def test_a_long_body_passes_in_constant_memory(live: Served, archive: Archive) -> None:
    header, size, chunk = sample(), 192 << 20, bytes(1 << 20)
    process = psutil.Process(os.getpid())
    before, peak = process.memory_info().rss, 0

    def body() -> Iterator[bytes]:
        nonlocal peak
        # A private element of this length at the end: explicit little endian UN.
        yield header + b"\xff\x7f\x01\x10UN\0\0" + size.to_bytes(4, "little")
        for _ in range(size >> 20):
            yield chunk
            peak = max(peak, process.memory_info().rss)

    status, told = live.post(body())
    assert status == 200, told
    # The mapped file counts as resident while its header is walked; what is written is not held.
    assert peak - before < 48 << 20
    (digest,) = archive.blobs.digests()
    assert sum(map(len, archive.blobs.stream(digest, 0, 1 << 20))) == 1 << 20


def test_of_many_that_send_one_uid_at_once_one_wins(live: Served, archive: Archive) -> None:
    bodies = [sample(PatientComments=f"version {number % 4}") for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda body: live.post(body)[0], bodies))
    assert sorted(set(statuses)) == [200, 409]
    assert statuses.count(200) == 3, "the same bytes are the same instance, however often they come"
    assert incoming(archive) == []
