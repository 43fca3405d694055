"""The one read path: an instance is a list of parts, each either bytes or a range of a blob.

The original is one range. A de-identified instance is its rewritten header, the original's pixel data, and nothing else
of the original. Whatever serves an instance (WADO-RS, C-GET, C-MOVE, push, ZIP) takes parts.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

import pydicom
from psycopg.rows import dict_row

from overread.kit.blobs import BlobStore
from overread.kit.db import Connection, Session, reading
from overread.kit.errors import NotFound
from overread.kit.language import gettext
from pacs.dicom import elements, frames, part10
from pacs.index import visibility
from pacs.index.models import Instance
from pacs.index.scope import Scope
from pacs.store import damage
from pacs.store.archive import Archive


@dataclass(frozen=True, slots=True)
class BlobRange:
    """`length` bytes of a blob from `start`."""

    digest: str
    start: int
    length: int


Part = bytes | BlobRange


@dataclass(frozen=True, slots=True)
class Located:
    """An instance that a scope lets its principal see. `pk`: its row's."""

    pk: int
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    transfer_syntax: str
    modality: str
    frames: int
    blob: str
    blob_size: int
    header: bytes | None
    ranges: tuple[tuple[int, int], ...]
    trailer: bytes
    view_id: UUID

    @property
    def parts(self) -> list[Part]:
        """What the instance's bytes are made of, in order."""
        return _parts(self.header, self.blob, self.ranges, self.trailer)

    @property
    def tag(self) -> str:
        """A name for these very bytes in this view; of the blob's own digest it tells nothing."""
        found = hashlib.sha256(f"{self.view_id} {self.blob} {self.ranges} ".encode())
        found.update(self.header or b"")
        found.update(self.trailer)
        return found.hexdigest()[:32]


def parts_of(row: Instance) -> list[Part]:
    """What the bytes of an instance's row are made of; for checks inside of the archive."""
    return _parts(row.header_deflated, row.blob, _pairs(row.ranges), row.trailer)


def _parts(header: bytes | None, blob: str, ranges: Sequence[tuple[int, int]], trailer: bytes) -> list[Part]:
    start = [zlib.decompress(header)] if header is not None else []
    return [*start, *(BlobRange(blob, *r) for r in ranges), *([trailer] if trailer else [])]


def _pairs(numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def locate(
    tx: Session | Connection, scope: Scope, study_uid: str, series_uid: str | None = None, sop_uid: str | None = None
) -> list[Located]:
    """The instances of a study, of a series, or one; ordered by series and instance number.

    Raises NotFound where the scope holds none of them.
    """
    tail, values = visibility.rows(scope, study_uid, series_uid, sop_uid)
    with reading(tx).cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_LOCATE + tail + IN_ORDER, values, binary=True).fetchall()
    if not rows:
        raise NotFound(
            "no such instances in the scope", safe=gettext("There is no such study, series or instance here.")
        )
    return [Located(**{**row, "ranges": _pairs(row["ranges"])}) for row in rows]


def holds(tx: Session | Connection, scope: Scope, located: Sequence[Located]) -> bool:
    """Whether a scope still shows every one of instances that were located in it, with the bytes that they had."""
    instances = {(one.study_uid, one.sop_uid, one.blob) for one in located}
    for study_uid in {one.study_uid for one in located}:
        only = located[0].sop_uid if len(located) == 1 else None
        tail, values = visibility.rows(scope, study_uid, None, only)
        found = reading(tx).execute("SELECT s.study_uid, i.sop_uid, i.blob" + tail, values, binary=True)
        instances.difference_update(found.fetchall())
    return not instances


_LOCATE = """SELECT i.pk, s.study_uid, se.series_uid, i.sop_uid, i.sop_class, i.transfer_syntax, se.modality,
  greatest(1, i.number_of_frames) AS frames, i.blob, i.blob_size, i.header_deflated AS header, i.ranges, i.trailer,
  i.view_id"""
#: Series by their numbers, instances by theirs.
IN_ORDER = " ORDER BY se.number NULLS LAST, se.pk, i.number NULLS LAST, i.pk"


def stream(blobs: BlobStore, parts: Sequence[Part]) -> Iterator[bytes]:
    """The bytes of parts, in chunks."""
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            yield from blobs.stream(part.digest, part.start, part.length)


def size(parts: Sequence[Part]) -> int:
    """How many bytes parts have together."""
    return sum(len(part) if isinstance(part, bytes) else part.length for part in parts)


@dataclass(frozen=True)
class Opened:
    """An instance with its structure: the header as its scope shows it, and where its pixels lie.

    `parsed` refers to the blob and is for pixels alone, because a view's blob is the original. `transfer_syntax` is
    that of `header` and of the pixels that `parsed` finds.
    """

    located: Located
    transfer_syntax: str
    parsed: part10.Parsed

    @cached_property
    def header(self) -> bytes:
        """A Part 10 file without its pixel data and what follows it."""
        return _header(self.located, self.parsed, self.transfer_syntax)

    @cached_property
    def walked(self) -> list[elements.Element]:
        """The elements of `header`."""
        start = part10.read_meta(self.header).dataset_start
        return elements.walk(self.header, start, len(self.header), explicit=self.parsed.explicit)

    @property
    def pixels(self) -> elements.Element | None:
        """The element that holds the pixels, as far as the scope shows it any, and no further."""
        pixel, located = frames.pixel_element(self.parsed), self.located
        if located.header is None or pixel is None:
            return pixel
        if not located.ranges:
            return None
        [(start, length)] = located.ranges
        return pixel._replace(start=start, length=length)

    @cached_property
    def places(self) -> frames.Frames:
        """Where each frame lies in `parsed.buf`. Raises PixelMismatch, UnalignedFrames."""
        return frames.frame_ranges(self.parsed) if self.pixels else []

    def dataset(self) -> pydicom.Dataset:
        """The header as pydicom reads it."""
        return pydicom.dcmread(io.BytesIO(self.header), force=True)

    def frame(self, index: int) -> bytes:
        """The bytes of one frame, counted from 0: a codestream, or native pixels. Raises NotFound, FrameError."""
        check_frame(index, len(self.places))
        return b"".join(bytes(self.parsed.buf[start : start + length]) for start, length in self.places[index])

    def part(self, start: int, length: int) -> Part:
        """Bytes of `parsed.buf`: a range of the blob where that is what was parsed."""
        if self.parsed.is_original_bytes:
            return BlobRange(self.located.blob, start, length)
        return bytes(self.parsed.buf[start : start + length])


def check_frame(index: int, count: int) -> None:
    """Raises NotFound where there is no frame of this index, counted from 0."""
    if not 0 <= index < count:
        raise NotFound(
            f"frame {index + 1} of {count}",
            safe=gettext(
                "There is no frame %(number)s: the object has %(count)s, counted from 1.", number=index + 1, count=count
            ),
        )


@contextmanager
def opened(archive: Archive, located: Located) -> Iterator[Opened]:
    """Open an instance's structure for the length of a block. Raises `damage.Lost` where its blob is missing."""
    damage.here(archive, [located])
    with archive.blobs.mapped(located.blob) as buffer:
        parsed = part10.parse(buffer)
        syntax = located.transfer_syntax if parsed.is_original_bytes else parsed.plain_syntax
        yield Opened(located, syntax, parsed)


def _header(located: Located, parsed: part10.Parsed, syntax: str) -> bytes:
    pixels = frames.pixel_element(parsed)
    if located.header is not None:
        header = zlib.decompress(located.header)
        # A view's header ends with the pixel element's tag, VR and length.
        return header[: len(header) - pixel_header_size(parsed)] if located.ranges else header
    end = pixels.offset if pixels else parsed.end
    if parsed.is_original_bytes:
        return bytes(parsed.buf[:end])
    meta = part10.write_meta(located.sop_class, located.sop_uid, syntax)
    return meta + bytes(parsed.buf[parsed.start : end])


def pixel_header_size(parsed: part10.Parsed) -> int:
    """Bytes of the pixel element's tag, VR and length at the end of a view's header."""
    return 12 if parsed.explicit else 8
