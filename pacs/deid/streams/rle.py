"""RLE frames (PS3.5 Annex G): a header of offsets, and a segment for each byte of each sample."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from struct import Struct

from pacs.deid.streams import Data, Found, Scan, blanked
from pacs.pixels.codecs import runs_make

_header = Struct("<16I").unpack_from
_HEADER = 64
#: Makes nothing (PS3.5 G.3.2), for readers that go on to the end of a segment.
_NO_RUN = b"\x80"
_UNREADABLE = "A run-length encoded frame can't be read."


def scanner(segments: int, size: int) -> Scan:
    """Give the walk over frames of so many segments, each of which makes `size` bytes."""

    def scan(data: Data, start: int, end: int) -> Iterator[Found]:
        # PS3.5 G.5: the number of segments, then 15 offsets, of which those that aren't used are 0.
        if end - start < _HEADER:
            yield _UNREADABLE
            return
        told, *offsets = _header(data, start)
        bounds = [_HEADER, *offsets[:segments], end - start]
        if told != segments or not 0 < told <= len(offsets) or bounds != sorted(bounds):
            yield _UNREADABLE
            return
        if any(offsets[segments:]):
            yield start + 4 + 4 * segments, bytes(_HEADER - 4 - 4 * segments)
        yield from blanked(data, start + _HEADER, start + bounds[1])
        for first, last in pairwise(bounds[1:]):
            yield from _segment(data, start + first, start + last, size)

    return scan


def _segment(data: Data, start: int, end: int, size: int) -> Iterator[Found]:
    if runs_make(data[start:end], size):
        return
    pos = _end(data[start:end], size)
    if pos is None:
        yield _UNREADABLE
    elif data[start + pos : end].strip(b"\0\x80"):
        yield start + pos, _NO_RUN * (end - start - pos)


def _end(segment: bytes, size: int) -> int | None:
    """Where the run ends that makes the last of `size` bytes; None where there are fewer, or endless runs of none."""
    pos = made = 0
    left = 2 * size + 1024
    last = len(segment)
    while made < size:
        left -= 1
        if pos >= last or not left:
            return None
        count = segment[pos]
        if count < 128:
            pos, made = pos + 2 + count, made + 1 + count
        elif count > 128:
            pos, made = pos + 2, made + 257 - count
        else:
            pos += 1
    return min(pos, last)
