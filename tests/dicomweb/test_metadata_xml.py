"""Metadata as XML: one document an instance, made as it is sent, and saying what the JSON says (PS3.18 10.4.1.1.2)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import cast
from xml.etree import ElementTree

import anyio
import orjson
import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient

from dicomweb import metadata
from dicomweb.context import Context
from overread.kit.hosts import Origin
from pacs.dicom.dicomxml import NAMESPACE, to_xml
from pacs.index.scope import originals
from pacs.serve.metadata import pack
from pacs.store.archive import Archive
from tests.dicomweb.test_wado import above, series

JSON = {"Accept": "application/dicom+json"}
XML = {"Accept": 'multipart/related; type="application/dicom+xml"'}


def test_each_instance_is_a_part_that_says_what_the_json_says(client: TestClient) -> None:
    url = above(series(client, 3)[0]) + "/metadata"
    answer = client.get(url, headers=XML)
    boundary = re.search(r"boundary=(\w+)", answer.headers["content-type"])
    assert boundary
    parts = answer.content.split(b"--" + boundary[1].encode())[1:-1]
    bodies = [part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for part in parts]
    assert bodies == [to_xml(one) for one in client.get(url, headers=JSON).json()]
    assert {ElementTree.fromstring(one).tag for one in bodies} == {f"{{{NAMESPACE}}}NativeDicomModel"}
    assert client.get(url, headers={**XML, "If-None-Match": answer.headers["etag"]}).status_code == 304
    alone = client.get(url.replace("/metadata", "/instances"), headers=JSON).json()[0]["00080018"]["Value"][0]
    one = client.get(f"{above_instances(url)}/{alone}/metadata", headers={"Accept": "application/dicom+xml"})
    assert one.headers["content-length"] == str(len(one.content))
    assert one.content in bodies


def above_instances(url: str) -> str:
    return url.replace("/metadata", "/instances")


def test_documents_are_made_as_they_are_sent(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(dataset: dict[str, object]) -> bytes:
        made.append(1)
        return to_xml(cast("dict[str, dict[str, object]]", dataset))

    monkeypatch.setattr(metadata, "to_xml", counted)
    count, half = 20, "x" * (600 << 10)
    ready = pack(orjson.dumps({"00080005": {"vr": "LT", "Value": [half]}}) for _ in range(count))
    context = Context(archive, lambda who, _: originals(who), lambda *_: None, Origin("http://test"))  # type: ignore[arg-type]
    request = Request({"type": "http", "method": "GET", "headers": [], "path": "/", "query_string": b""})
    response = metadata._xml(context, request, ready, '"1"', multipart=True)
    assert isinstance(response, StreamingResponse)
    # The first megabyte, so that what can't be read is said before anything is sent.
    assert len(made) <= 2
    chunks = cast("AsyncIterator[bytes]", response.body_iterator)

    async def take() -> list[int]:
        seen, size, last = [], 0, 0
        async for chunk in chunks:
            size += len(chunk)
            if size - last > 1 << 20:
                last = size
                seen.append(len(made) * len(half) - size)
        return seen

    ahead = anyio.run(take)
    assert len(made) == count
    assert max(ahead) < 4 << 20
