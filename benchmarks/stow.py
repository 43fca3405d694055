"""A STOW-RS sender that is not the bottleneck: bodies prepared beforehand, one kept connection."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

BOUNDARY = "bench"
HEADERS = {
    "Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}',
    "Accept": "application/dicom+json",
}


def body(files: Sequence[bytes]) -> bytes:
    """The multipart/related body that stores these Part 10 files (PS3.18 10.5.1)."""
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join([*(head + data + b"\r\n" for data in files), f"--{BOUNDARY}--\r\n".encode()])


class Client:
    """One connection to a DICOMweb service; `base` is its address, `headers` go with every request."""

    def __init__(self, base: str, headers: Mapping[str, str], *, timeout: float = 120.0) -> None:
        parts = urlsplit(base)
        if not parts.hostname:
            raise ValueError(f"{base!r} is no address")
        self._path = f"{parts.path.rstrip('/')}/studies"
        self._headers = {**HEADERS, **headers}
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)

    def post(self, prepared: bytes) -> tuple[int, bytes]:
        """Send a body; status and answer. Raises OSError or http.client.HTTPException where the peer is gone."""
        self._connection.request("POST", self._path, prepared, self._headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def stored(answer: bytes) -> set[str]:
    """The SOP Instance UIDs of the answer's Referenced SOP Sequence: what the server says that it holds (10.5.3)."""
    try:
        references = json.loads(answer).get("00081199", {}).get("Value", [])
    except ValueError:
        return set()
    return {reference["00081155"]["Value"][0] for reference in references}
