"""Instances as a ZIP archive with a DICOMDIR, written as it is sent (PS3.10 8, PS3.18 10.4.1.1.1).

Names are made of counters alone. Nothing is compressed: pixels are already, or hardly can be.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson

from overread.kit import clock
from pacs.serve import metadata, retrieve
from pacs.serve.dicomdir import Directory
from pacs.serve.retrieve import Located, Part
from pacs.store.archive import Archive

#: What an instance is given as: its transfer syntax, and its bytes.
Content = tuple[Located, str, Sequence[Part] | Iterator[bytes]]
#: An entry may be larger than 4 GB, and its size is not known before.
_LARGE = True


class _Sink:
    """A file that can't be sought, from which what was written is taken away again."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def taken(self) -> Iterator[bytes]:
        pieces, self._pieces = self._pieces, []
        return iter(pieces)


def stream(archive: Archive, contents: Iterable[Content], comment: Callable[[], str] = lambda: "") -> Iterator[bytes]:
    """The archive's bytes: instances in the order given, the DICOMDIR last, and a comment, asked for at the end."""
    sink = _Sink()
    directory = Directory()
    target: Any = sink
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as folder:
        for number, (one, syntax, content) in enumerate(contents, 1):
            # Eight capital letters and digits a component (PS3.10 8.2, PS3.12 F).
            name = f"IMAGES/I{number:07d}"
            with folder.open(_entry(name), "w", force_zip64=_LARGE) as entry:
                chunks = retrieve.stream(archive.blobs, content) if isinstance(content, Sequence) else content
                for chunk in chunks:
                    entry.write(chunk)
                    yield from sink.taken()
            _list(archive, directory, name, one, syntax)
            yield from sink.taken()
        with folder.open(_entry("DICOMDIR"), "w") as entry:
            entry.write(directory.written(f"2.25.{clock.uuid7().int}"))
        folder.comment = comment().encode()
        yield from sink.taken()
    yield from sink.taken()


def _list(archive: Archive, directory: Directory, name: str, one: Located, syntax: str) -> None:
    with archive.db.transaction() as tx:
        header = orjson.loads(metadata.of_instance(tx, one))
    directory.add(name, syntax, header)


def _entry(name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, clock.now().timetuple()[:6])
    made.external_attr = 0o644 << 16
    return made
