"""Reading a series over DICOMweb: metadata, frames, rendered pictures, the whole of it, and a search."""

from __future__ import annotations

import http.client
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import blast, series
from benchmarks.blast import Load
from benchmarks.peers import Peer

JSON = "application/dicom+json"
#: Any transfer syntax: nobody has to convert what it holds.
WHOLE = 'multipart/related; type="application/dicom"; transfer-syntax=*'
FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Held:
    """A series that a server holds, and whether its metadata was read before."""

    study: str
    series: str
    instances: list[str]

    @property
    def path(self) -> str:
        """The series' resource below the service's base."""
        return f"/studies/{self.study}/series/{self.series}"


def held(peer: Peer, load: Load, run: str) -> Held:
    """A series of `load.count` instances, new to the server, which had time to do what it does with a new one."""
    sent = blast.by_stow(peer, Load(load.files, load.seed, load.count, 600.0), run, 2, 10)
    if sent.failed:
        raise RuntimeError(f"{sent.failed} instances were not stored")
    peer.rest()
    new = f"{run} 0"
    numbers = range(load.count)
    return Held(series.uid("study", new), series.uid("series", new), [series.uid("instance", new, n) for n in numbers])


#: By server's name, the series that its reads share.
_shared: dict[str, Held] = {}


def shared(peer: Peer, load: Load, run: str) -> Held:
    """The series that was stored for the first of the reads; its metadata was read once."""
    if peer.name not in _shared:
        _shared[peer.name] = held(peer, load, run)
        get(peer, _shared[peer.name].path + "/metadata", JSON)
    return _shared[peer.name]


@contextmanager
def _connection(peer: Peer) -> Iterator[tuple[http.client.HTTPConnection, str]]:
    parts = urlsplit(peer.web)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    try:
        yield connection, parts.path
    finally:
        connection.close()


def get(peer: Peer, path: str, accept: str, *, repeats: int = 1) -> tuple[float, int]:
    """Seconds that a resource takes to its last byte, the best of so many in one connection, and its bytes."""
    best, size = float("inf"), 0
    # As every viewer in a browser and every library does.
    headers = {**peer.headers, "Accept": accept, "Accept-Encoding": "gzip"}
    with _connection(peer) as (connection, root):
        for _ in range(repeats):
            begun, size = time.perf_counter(), 0
            connection.request("GET", root + path, headers=headers)
            response = connection.getresponse()
            while chunk := response.read(_CHUNK):
                size += len(chunk)
            best = min(best, time.perf_counter() - begun)
            if response.status != http.client.OK:
                raise RuntimeError(f"{path} is answered with {response.status}")
    return best, size


def requests_a_second(peer: Peer, paths: list[str], accept: str, seconds: int) -> float:
    """What `wrk` gets over 6 connections, each path in turn."""
    parts = urlsplit(peer.web)
    headers = {**peer.headers, "Accept": accept}
    script = f"local p={{{','.join(json.dumps(parts.path + path) for path in paths)}}}\nlocal i=0\n"
    script += "request=function() i=i%#p+1; return wrk.format('GET',p[i]) end\n"
    script += "".join(f"wrk.headers[{json.dumps(name)}]={json.dumps(value)}\n" for name, value in headers.items())
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", "-c6", f"-d{seconds}s", "-s", str(Path(file.name)), f"http://{parts.netloc}"]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(told)
    return next(float(line.split()[-1]) for line in told.splitlines() if line.startswith("Requests/sec"))
