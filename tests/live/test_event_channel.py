"""The event channel of a running server: a WebSocket, spoken by another library's client (PS3.18 8.10.4, 11.13)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydicom.uid import generate_uid
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, RejectConnection, Request, TextMessage

from tests.conformance.test_ups import JSON, attribute, scheduled
from tests.live.server import Server

pytestmark = pytest.mark.live
#: Reports come within a second; the rest is for a busy machine.
_PATIENCE = 30.0


class Subscriber:
    """A WebSocket's client side over a plain socket."""

    def __init__(self, server: Server, token: str, name: str) -> None:
        host, port = server.http.split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=_PATIENCE)
        self._connection = WSConnection(ConnectionType.CLIENT)
        headers = [(b"Authorization", f"Bearer {token}".encode())]
        target = f"/dicomweb/subscribers/{name}"
        self._send(Request(host=server.http, target=target, extra_headers=headers))

    def _send(self, event: Event) -> None:
        self._socket.sendall(self._connection.send(event))

    def events(self) -> Iterator[Event]:
        """What comes, until the server ends it."""
        while data := self._socket.recv(1 << 16):
            self._connection.receive_data(data)
            yield from self._connection.events()

    def close(self) -> None:
        """Say that it is over, and hear the server say so."""
        self._send(CloseConnection(code=1000))
        assert any(isinstance(event, CloseConnection) for event in self.events())

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def report(events: Iterator[Event]) -> dict[str, Any]:
    """The next event report, of whose text parts may come one by one."""
    text = ""
    for event in events:
        assert isinstance(event, TextMessage), event
        text += event.data
        if event.message_finished:
            found: dict[str, Any] = json.loads(text)
            return found
    raise AssertionError("the channel was closed")


def told(found: dict[str, Any]) -> tuple[str, str]:
    """The work item and the state that a report is of (PS3.4 Table CC.2.4-1)."""
    return found["00001000"]["Value"][0], found["00741000"]["Value"][0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("events") / "data", workers=2) as running:
        yield running


def test_a_subscriber_gets_the_reports_of_a_change_of_state(server: Server) -> None:
    token = server.token("coordinator")
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{server.url}/dicomweb/", headers=headers, timeout=_PATIENCE) as client:
        uid = str(generate_uid())
        assert client.post(f"workitems?{uid}", json=scheduled(), headers=JSON).status_code == 201
        subscribed = client.post(f"workitems/{uid}/subscribers/LIVE")
        assert subscribed.status_code == 201
        assert subscribed.headers["content-location"] == f"ws://{server.http}/dicomweb/subscribers/LIVE"
        with Subscriber(server, token, "LIVE") as subscriber:
            events = subscriber.events()
            assert isinstance(next(events), AcceptConnection)
            assert told(report(events)) == (uid, "SCHEDULED")
            body = {"00741000": attribute("CS", "IN PROGRESS"), "00081195": attribute("UI", str(generate_uid()))}
            assert client.put(f"workitems/{uid}/state", json=body, headers=JSON).status_code == 200
            assert told(report(events)) == (uid, "IN PROGRESS")
            subscriber.close()


def test_a_stranger_gets_no_channel(server: Server) -> None:
    with Subscriber(server, "wrong", "LIVE") as subscriber:
        refused = next(subscriber.events())
    assert isinstance(refused, RejectConnection)
    assert refused.status_code == 403
