"""Where the server can send files by itself, an instance that is a whole blob is given by its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from starlette.testclient import TestClient

from tests.dicomweb.test_roundtrip import path, stored

__all__ = ["stored"]

DICOM = {"Accept": "application/dicom; transfer-syntax=*"}


@pytest.fixture
def sent(client: TestClient) -> list[Path]:
    """The client's server learns to send files; the paths that it was given."""
    paths: list[Path] = []
    app: Any = client.app

    async def server(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.pathsend":
                paths.append(Path(message["path"]))
                message = {"type": "http.response.body", "body": paths[-1].read_bytes()}
            await send(message)

        await app({**scope, "extensions": {"http.response.pathsend": {}}}, receive, sending)

    client._transport.app = server  # type: ignore[attr-defined]
    return paths


def test_a_whole_blob_is_sent_by_its_path(client: TestClient, stored: pydicom.Dataset, sent: list[Path]) -> None:
    answer = client.get(path(stored), headers=DICOM)
    assert answer.status_code == 200
    assert [one.read_bytes() for one in sent] == [answer.content]
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["content-type"].startswith("application/dicom")
    again = client.get(path(stored), headers={**DICOM, "If-None-Match": answer.headers["etag"]})
    assert (again.status_code, len(sent)) == (304, 1)


def test_what_is_no_whole_blob_is_read_here(client: TestClient, stored: pydicom.Dataset, sent: list[Path]) -> None:
    assert client.head(path(stored), headers=DICOM).content == b""
    frame = client.get(path(stored) + "/frames/1", headers={"Accept": "application/octet-stream"})
    assert frame.content == stored.PixelData
    many = client.get(
        path(stored), headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    )
    assert many.status_code == 200
    assert sent == []
