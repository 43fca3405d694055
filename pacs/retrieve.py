"""The one read path: an instance is a list of parts, each either bytes or a range of a blob.

The original is one range. A de-identified instance is its rewritten header, the original's pixel data, and nothing else
of the original. Whatever serves an instance (WADO-RS, C-GET, C-MOVE, push, ZIP) takes parts.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pydicom
from sqlalchemy import select
from sqlalchemy.orm import Session

from overread.kit.blobs import BlobStore
from overread.kit.errors import NotFound
from pacs import dicomjson, elements, frames, part10, query
from pacs.archive import Archive
from pacs.models import Instance, Series, Study
from pacs.scope import Scope

_PIXEL_KEYS = frozenset(dicomjson.tag_key(tag) for tag in frames.PIXEL_TAGS)


@dataclass(frozen=True, slots=True)
class Range:
    """`length` bytes of a blob from `start`."""

    digest: str
    start: int
    length: int


Part = bytes | Range


@dataclass(frozen=True, slots=True)
class Located:
    """An instance that a scope lets its principal see."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    transfer_syntax: str
    modality: str
    frames: int
    blob: str
    header: bytes | None
    ranges: tuple[tuple[int, int], ...]
    trailer: bytes
    metadata_deflated: bytes

    @property
    def parts(self) -> list[Part]:
        """What the instance's bytes are made of, in order."""
        return _parts(self.header, self.blob, self.ranges, self.trailer)

    def metadata(self) -> bytes:
        """DICOM JSON of the header; BulkDataURIs as `bulkdata:TAG/...`, relative to the instance."""
        return zlib.decompress(self.metadata_deflated)


def parts_of(row: Instance) -> list[Part]:
    """What the bytes of an instance's row are made of; for checks inside of the archive."""
    return _parts(row.header_deflated, row.blob, _pairs(row.ranges), row.trailer)


def _parts(header: bytes | None, blob: str, ranges: Sequence[tuple[int, int]], trailer: bytes) -> list[Part]:
    start = [zlib.decompress(header)] if header is not None else []
    return [*start, *(Range(blob, *r) for r in ranges), *([trailer] if trailer else [])]


def _pairs(numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def locate(
    tx: Session, scope: Scope, study_uid: str, series_uid: str | None = None, sop_uid: str | None = None
) -> list[Located]:
    """The instances of a study, of a series, or one; ordered by series and instance number.

    Raises NotFound where the scope holds none of them.
    """
    statement = (
        select(Instance, Study.study_uid, Series.series_uid, Series.modality)
        .join(Study, Study.pk == Instance.study_pk)
        .join(Series, Series.pk == Instance.series_pk)
        .where(query.within(scope), query.may_see(scope), Study.study_uid == study_uid)
        .order_by(Series.number.nulls_last(), Series.pk, Instance.number.nulls_last(), Instance.pk)
    )
    if series_uid is not None:
        statement = statement.where(Series.series_uid == series_uid)
    if sop_uid is not None:
        statement = statement.where(Instance.sop_uid == sop_uid)
    found = [_located(row, study, series, modality) for row, study, series, modality in tx.execute(statement)]
    if not found:
        raise NotFound("no such instances in the scope", safe="There is no such study, series or instance here.")
    return found


def _located(row: Instance, study_uid: str, series_uid: str, modality: str) -> Located:
    return Located(
        study_uid=study_uid,
        series_uid=series_uid,
        sop_uid=row.sop_uid,
        sop_class=row.sop_class,
        transfer_syntax=row.transfer_syntax,
        modality=modality,
        frames=row.frames,
        blob=row.blob,
        header=row.header_deflated,
        ranges=_pairs(row.ranges),
        trailer=row.trailer,
        metadata_deflated=row.metadata_deflated,
    )


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


@dataclass(frozen=True, slots=True)
class Opened:
    """An instance with its structure: the header as its scope shows it, and where its pixels lie.

    `header` is a Part 10 file without its pixel data, in `transfer_syntax`; `parsed` refers to the blob and is for
    pixels alone, because a view's blob is the original.
    """

    located: Located
    header: bytes
    transfer_syntax: str
    parsed: part10.Parsed

    def dataset(self) -> pydicom.Dataset:
        """The header as pydicom reads it."""
        return pydicom.dcmread(io.BytesIO(self.header), force=True)

    def frame(self, index: int) -> bytes:
        """The bytes of one frame, counted from 0: a codestream, or native pixels. Raises NotFound, FrameError."""
        places = frames.frame_ranges(self.parsed)
        if not 0 <= index < len(places):
            raise NotFound(
                f"frame {index + 1} of {len(places)}",
                safe=f"There is no frame {index + 1}: the object has {len(places)}, counted from 1.",
            )
        return b"".join(bytes(self.parsed.buf[start : start + length]) for start, length in places[index])


@contextmanager
def opened(archive: Archive, located: Located) -> Iterator[Opened]:
    """Open an instance's structure for the length of a block."""
    with archive.blobs.mapped(located.blob) as buffer:
        parsed = part10.parse(buffer)
        syntax = located.transfer_syntax if parsed.is_original_bytes else part10.EXPLICIT_LITTLE_ENDIAN
        yield Opened(located, _header(located, parsed, syntax), syntax, parsed)


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


def bulk_data(opened: Opened, path: Sequence[str]) -> bytes:
    """The bytes of the attribute that a BulkDataURI names: tags and item numbers, alternating.

    Raises NotFound where there is none.
    """
    if len(path) == 1 and path[0] in _PIXEL_KEYS:
        pixels = frames.pixel_element(opened.parsed)
        if pixels is not None and dicomjson.tag_key(pixels.tag) == path[0]:
            return elements.raw(opened.parsed.buf, pixels)
        raise NotFound("no pixel data", safe="This object has no pixel data.")
    # From the header of the view, never from the blob: that may be the original's.
    buffer = opened.header
    meta = part10.read_meta(buffer)
    level = elements.walk(buffer, meta.dataset_start, len(buffer), explicit=opened.parsed.explicit)
    found = dicomjson.element_at(level, path)
    if found is None:
        raise NotFound("no such bulk data", safe="This object has no such bulk data.")
    return elements.raw(buffer, found)
