"""What stands inside of encapsulated pixel data and is no pixel: found frame by frame, and blanked or a reason to look.

A frame is walked by the structure of its codec (`pacs.deid.streams`), all its fragments as one. What no decoder of
pixels reads is overwritten in place, so that lengths and offsets stay and no pixel changes; where nobody can say what
bytes are, that is a reason to withhold. Offset tables are believed only where they are the ones that the fragments
have: anything else in them is not copied.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate
from mmap import mmap

from pacs.deid.pixels import LARGEST_EXCESS
from pacs.deid.streams import Data, Found, Patch, Scan, blanked, jpeg, jpeg2000, jpegxl, rle
from pacs.dicom import frames, tags
from pacs.dicom.elements import Element, Unreadable, ints
from pacs.dicom.part10 import Parsed
from pacs.dicom.transfer_syntaxes import CODECS, DEFLATED_FRAMES, ENCAPSULATED_UNCOMPRESSED, RETIRED_JPEG, RLE, VIDEO

#: A Basic Offset Table without offsets (PS3.5 A.4).
EMPTY_TABLE = b"\xfe\xff\x00\xe0\0\0\0\0"
#: Extended Offset Table, its lengths, and the total length, which nobody needs (PS3.3 C.7.6.3.1.8).
TABLES = (tags.ExtendedOffsetTable, tags.ExtendedOffsetTableLengths, tags.EncapsulatedPixelDataValueTotalLength)

#: Of a frame in several fragments, which is put together in memory.
_LONGEST_JOINED = 1 << 30
_CHUNK = 1 << 18

_SCANS: dict[str, Scan] = {
    **{uid: jpeg.scan for uid, codec in CODECS.items() if codec in ("jpeg", "jpegls")},
    **dict.fromkeys(RETIRED_JPEG, jpeg.scan),
    **{uid: jpeg2000.scan for uid, codec in CODECS.items() if codec == "jpeg2000"},
    **{uid: jpegxl.scan for uid, codec in CODECS.items() if codec == "jpegxl"},
}


def patches(parsed: Parsed, pixel: Element | None, index: Mapping[int, Element]) -> tuple[list[Patch], list[str]]:
    """Find what is no pixel in encapsulated pixel data; `index` has the root's elements by tag.

    Gives patches in the order of their offsets, which refer to `parsed.buf`, and reasons to withhold where a patch
    would not do. Video, whose bytes are none of frames, is withheld as a whole by `pixels.risk`.
    """
    syntax = parsed.meta.transfer_syntax
    if pixel is None or not pixel.fragments or syntax in VIDEO:
        return [], []
    scan = _SCANS.get(syntax) or _bare(parsed, index)
    if scan is None:
        return [], ["The frames are compressed by a codec that is not known."]
    try:
        places = _whole(frames.fragments_of_frames(parsed, pixel.fragments), pixel.fragments)
    except Unreadable:
        return list(_lone_table(pixel)), ["The frames of the compressed pixel data can't be told apart."]
    data: Data = parsed.buf if isinstance(parsed.buf, (bytes, mmap)) else bytes(parsed.buf)
    found: list[Patch] = []
    reasons: set[str] = set()
    if sum(map(len, places)) != len(pixel.fragments) - 1:
        reasons.add("A fragment of the compressed pixel data belongs to no frame.")
    for place in places:
        for one in _walked(scan, data, place):
            if isinstance(one, str):
                reasons.add(one)
            else:
                found.append(one)
    return sorted(found), sorted(reasons)


def _whole(places: frames.Frames, fragments: tuple[frames.BlobRange, ...]) -> frames.Frames:
    """Frames of whole fragments, whatever of them a table leaves out."""
    lengths = dict(fragments[1:])
    return [[(start, lengths[start]) for start, _ in place] for place in places]


def _walked(scan: Scan, data: Data, place: list[frames.BlobRange]) -> Iterator[Found]:
    """Walk one frame where it lies, or put together, its patches then being brought back to where its bytes are."""
    if len(place) == 1:
        start, length = place[0]
        yield from scan(data, start, start + length)
        return
    lengths = [length for _, length in place]
    if sum(lengths) > _LONGEST_JOINED:
        yield "A frame is too long to be looked through."
        return
    joined = b"".join(data[start : start + length] for start, length in place)
    begins = [0, *accumulate(lengths)]
    for one in scan(joined, 0, len(joined)):
        if isinstance(one, str):
            yield one
            continue
        at, value = one
        while value:
            number = bisect_right(begins, at) - 1
            piece = value[: begins[number + 1] - at]
            yield place[number][0] + at - begins[number], piece
            at, value = at + len(piece), value[len(piece) :]


def _bare(parsed: Parsed, index: Mapping[int, Element]) -> Scan | None:
    """The walk over frames whose size the header tells: run lengths, deflated samples, samples as they are."""
    syntax = parsed.meta.transfer_syntax
    if syntax not in (RLE, DEFLATED_FRAMES, ENCAPSULATED_UNCOMPRESSED):
        return None
    numbers = [
        ints(parsed.buf, index.get(tag)) for tag in (tags.SamplesPerPixel, tags.Rows, tags.Columns, tags.BitsAllocated)
    ]
    samples, rows, columns, bits = (found[0] if found else 0 for found in numbers)
    samples = samples or 1
    if syntax == RLE:
        # PS3.5 G.2; single bits are packed first (A.4.2).
        count, size = (samples, (rows * columns + 7) // 8) if bits == 1 else (samples * bits // 8, rows * columns)
        return rle.scanner(count, size)
    size = (rows * columns * samples * bits + 7) // 8
    return _deflated(size) if syntax == DEFLATED_FRAMES else _uncompressed(size)


def _uncompressed(size: int) -> Scan:
    def scan(data: Data, start: int, end: int) -> Iterator[Found]:
        if end - start - size > LARGEST_EXCESS:
            yield "The pixel data is longer than its frames."
        elif size <= end - start:
            yield from blanked(data, start + size, end)

    return scan


def _deflated(size: int) -> Scan:
    """PS3.5 A.4.13: a deflated stream a frame, which makes as many bytes as the frame has, to an even number."""

    def scan(data: Data, start: int, end: int) -> Iterator[Found]:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        made, pos, left = 0, start, b""
        try:
            while not stream.eof and made <= size + 1:
                if not left:
                    left = data[pos : min(pos + _CHUNK, end)]
                    pos += len(left)
                piece = stream.decompress(left, _CHUNK)
                if not (piece or left or stream.eof):
                    break  # cut off
                made += len(piece)
                left = stream.unconsumed_tail
        except zlib.error:
            made = -1
        if not stream.eof or not size <= made <= size + 1:
            yield "A deflated frame can't be read, or makes more than its pixels."
            return
        yield from blanked(data, pos - len(stream.unused_data), end)

    return scan


def has_own_table(parsed: Parsed, pixel: Element) -> bool:
    """Tell whether encapsulated pixel data begins with a Basic Offset Table that is empty or that of its fragments."""
    assert pixel.fragments is not None
    return len(pixel.fragments) < 2 or frames.basic_table_holds(parsed, pixel.fragments)


def _lone_table(pixel: Element) -> Iterator[Patch]:
    """A Basic Offset Table without any fragment behind it."""
    assert pixel.fragments is not None
    if len(pixel.fragments) == 1 and pixel.fragments[0][1]:
        yield pixel.fragments[0][0], bytes(pixel.fragments[0][1])


def kept_tables(parsed: Parsed, pixel: Element | None) -> tuple[int, ...]:
    """Which of `TABLES` the frames really have, so that they may stay."""
    if pixel is None or not pixel.fragments or not frames.extended_table_holds(parsed, pixel.fragments):
        return ()
    return TABLES[:2]
