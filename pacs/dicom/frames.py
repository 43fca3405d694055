"""Where each frame of an instance's pixel data lies (PS3.3 C.7.6.3, PS3.5 8 and A.4).

A frame is a list of byte ranges of the parsed buffer: one for native pixels, one or more fragments for
encapsulated ones, to be sent one after the other. An offset table is believed only where it agrees with the
fragments and with Number of Frames: a wrong frame must never be given for the right one.
"""

from __future__ import annotations

from struct import Struct

from overread.kit.language import Phrase
from pacs.dicom.dictionary import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, PIXEL_DATA
from pacs.dicom.elements import Element, Unreadable, find, ints, text
from pacs.dicom.part10 import Parsed
from pacs.dicom.transfer_syntaxes import ENCAPSULATED_UNCOMPRESSED, VIDEO

BlobRange = tuple[int, int]
Frames = list[list[BlobRange]]

MAX_FRAMES = 1_000_000

PIXEL_TAGS = (FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA, PIXEL_DATA)

_NUMBER_OF_FRAMES = 0x00280008
#: Colours of which two pixels share theirs; the second is retired (PS3.3 C.7.6.3.1.2, 2017).
_HALVED = ("YBR_FULL_422", "YBR_PARTIAL_422")
_EXTENDED_OFFSETS = 0x7FE00001
_EXTENDED_LENGTHS = 0x7FE00002

#: How a compressed frame begins: JPEG and JPEG-LS, JPEG 2000 and HTJ2K, JPEG XL bare and in its container.
_FRAME_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")
_FRAME_END = b"\xff\xd9"


class PixelMismatch(Unreadable):
    """The pixel data is not what Rows, Columns, Bits Allocated, Number of Frames and its tables promise."""

    title = Phrase("The pixel data does not fit its description")
    reason = "pixel_mismatch"


class UnalignedFrames(Unreadable):
    """Frames of single-bit pixels begin within a byte (PS3.5 8.1.1), so no byte range holds just one."""

    title = Phrase("The frames do not begin at whole bytes")
    reason = "unaligned_frames"


def pixel_element(parsed: Parsed) -> Element | None:
    """Give the element that holds the pixels, of whichever of the three kinds (PS3.3 C.7.6.24); None without any.

    The first one, where an object breaks the rule and has several: it is the one that de-identification keeps.
    """
    return next((element for element in parsed.elements if element.tag in PIXEL_TAGS), None)


def frame_ranges(parsed: Parsed) -> Frames:
    """Give for every frame its (start, length) ranges in `parsed.buf`; none if there is no pixel data.

    A video's whole stream counts as one frame. Nothing is allocated before the promised size was compared
    with the bytes that are there. Raises PixelMismatch or UnalignedFrames.
    """
    element = pixel_element(parsed)
    if element is None:
        return []
    if element.fragments is None:
        return _native(parsed, element)
    found = fragments_of_frames(parsed, element.fragments)
    if parsed.meta.transfer_syntax == ENCAPSULATED_UNCOMPRESSED:
        there = min(sum(length for _, length in ranges) for ranges in found)
        return _unpadded(found, (_frame_bits(parsed, element, there * 8) + 7) // 8)
    return found


def _number(parsed: Parsed, tag: int, default: int) -> int:
    values = ints(parsed.buf, find(parsed.elements, tag))
    return values[0] if values else default


def frame_count(parsed: Parsed) -> int:
    """Give Number of Frames; single-frame objects have none, and some writers put 0 for 1."""
    count = _number(parsed, _NUMBER_OF_FRAMES, 1) or 1
    if not 0 < count <= MAX_FRAMES:
        raise PixelMismatch(f"Number of Frames is {count}; 1 to {MAX_FRAMES} can be served.")
    return count


def _unpadded(frames: Frames, size: int) -> Frames:
    """Frames of `size` bytes without what follows them: a fragment is padded to an even length (PS3.5 A.4)."""
    found: Frames = []
    for number, ranges in enumerate(frames, 1):
        left, kept = size, []
        for start, length in ranges:
            if left:
                kept.append((start, min(left, length)))
                left -= kept[-1][1]
        if left:
            raise PixelMismatch(f"Frame {number} needs {size} bytes, but its fragments have {size - left}.")
        found.append(kept)
    return found


def _frame_bits(parsed: Parsed, element: Element, there: int) -> int:
    """Bits of a native frame, of which `there` are there. Raises PixelMismatch where no frame can be like that."""
    rows, columns = _number(parsed, 0x00280010, 0), _number(parsed, 0x00280011, 0)
    samples = _number(parsed, 0x00280002, 1)
    bits = {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}.get(element.tag) or _number(parsed, 0x00280100, 0)
    if min(rows, columns, samples) < 1 or not (bits == 1 or (bits > 0 and bits % 8 == 0)):
        raise PixelMismatch(f"No frame can have {rows} x {columns} pixels of {samples} samples in {bits} bits.")
    frame_bits = rows * columns * samples * bits
    if there < frame_bits and samples == 3 and text(parsed.buf, find(parsed.elements, 0x00280004)) in _HALVED:
        return frame_bits // 3 * 2  # every second chrominance sample is left out (PS3.3 C.7.6.3.1.2)
    return frame_bits


def _native(parsed: Parsed, element: Element) -> Frames:
    count = frame_count(parsed)
    frame_bits = _frame_bits(parsed, element, element.length * 8 // count)
    needed = (frame_bits * count + 7) // 8
    if needed > element.length:
        raise PixelMismatch(f"{count} frames need {needed} bytes, but the pixel data has {element.length}.")
    if count > 1 and frame_bits % 8:
        raise UnalignedFrames(f"A frame has {frame_bits} bits, which is not a whole number of bytes.")
    size = (frame_bits + 7) // 8
    first = element.start
    return [[(first + index * size, size)] for index in range(count)]


def unaligned(parsed: Parsed, index: int) -> bytes:
    """One of the frames of which `frame_ranges` says UnalignedFrames, counted from 0, moved to begin at a byte.

    The first pixel is the least significant bit (PS3.5 8.1.1); the bits behind the last one are 0.
    """
    element = pixel_element(parsed)
    assert element is not None
    bits = _frame_bits(parsed, element, element.length * 8)
    first, end = index * bits // 8, ((index + 1) * bits + 7) // 8
    value = int.from_bytes(parsed.buf[element.start + first : element.start + end], "little")
    return (value >> index * bits % 8 & (1 << bits) - 1).to_bytes((bits + 7) // 8, "little")


def fragments_of_frames(parsed: Parsed, fragments: tuple[BlobRange, ...]) -> Frames:
    """Give for every frame its fragments, of which `fragments` has all, the offset table's first. Raises PixelMismatch.

    Where the Extended Offset Table counts, a fragment is as long as it says, without padding.
    """
    if len(fragments) < 2:
        raise PixelMismatch("The encapsulated pixel data has no fragments.")
    pieces = list(fragments[1:])
    if parsed.meta.transfer_syntax in VIDEO:
        return [pieces]
    count = frame_count(parsed)
    frames = _by_extended_table(parsed, pieces, count)
    if frames is None and fragments[0][1]:
        declared = count if find(parsed.elements, _NUMBER_OF_FRAMES) is not None else None
        frames = _by_basic_table(parsed, fragments[0], pieces, declared)
    if frames is not None:
        return frames
    if len(pieces) == count:
        return [[piece] for piece in pieces]
    if count == 1:
        return [pieces]
    if len(pieces) < count:
        raise PixelMismatch(f"There are {len(pieces)} fragments for {count} frames.")
    return _by_markers(parsed, pieces, count)


def _by_extended_table(parsed: Parsed, pieces: list[BlobRange], count: int) -> Frames | None:
    """Follow the Extended Offset Table (PS3.3 C.7.6.3.1.8): a fragment a frame, with its true length."""
    offsets = _table(parsed, find(parsed.elements, _EXTENDED_OFFSETS))
    lengths = _table(parsed, find(parsed.elements, _EXTENDED_LENGTHS))
    if not offsets or len(offsets) != count or len(lengths) != count:
        return None
    base = pieces[0][0] - 8  # offsets count from the first fragment's item tag
    there = {start - 8 - base: (start, length) for start, length in pieces}
    frames: Frames = []
    for offset, length in zip(offsets, lengths, strict=True):
        piece = there.get(offset)
        if piece is None or not 0 < length <= piece[1]:
            return None
        frames.append([(piece[0], length)])
    return frames if len(set(offsets)) == count else None


def extended_table_holds(parsed: Parsed, fragments: tuple[BlobRange, ...]) -> bool:
    """Tell whether the Extended Offset Table is that of these fragments, each but for a byte of padding as long as it
    says."""
    try:
        count = frame_count(parsed)
    except PixelMismatch:
        return False
    found = _by_extended_table(parsed, list(fragments[1:]), count) if len(fragments) > 1 else None
    lengths = dict(fragments)
    return found is not None and all(lengths[start] - length < 2 for [(start, length)] in found)


def basic_table_holds(parsed: Parsed, fragments: tuple[BlobRange, ...]) -> bool:
    """Tell whether the Basic Offset Table is empty, or names beginnings of fragments and nothing else."""
    return not fragments[0][1] or _by_basic_table(parsed, fragments[0], list(fragments[1:]), None) is not None


def _table(parsed: Parsed, element: Element | None) -> tuple[int, ...]:
    if element is None or element.length > MAX_FRAMES * 8:
        return ()
    return Struct(f"<{element.length // 8}Q").unpack_from(parsed.buf, element.start)


def _by_basic_table(parsed: Parsed, table: BlobRange, pieces: list[BlobRange], declared: int | None) -> Frames | None:
    """Follow the Basic Offset Table (PS3.5 A.4) if every offset is the beginning of a fragment, in order."""
    start, length = table
    if length % 4 or length > MAX_FRAMES * 4 or (declared is not None and length // 4 != declared):
        return None
    offsets = Struct(f"<{length // 4}I").unpack_from(parsed.buf, start)
    if offsets[0] != 0:
        return None
    base = pieces[0][0] - 8
    frames: Frames = []
    wanted = iter(offsets)
    upcoming: int | None = next(wanted)
    for piece in pieces:
        if piece[0] - 8 - base == upcoming:
            frames.append([])
            upcoming = next(wanted, None)
        frames[-1].append(piece)
    return frames if upcoming is None else None


def _by_markers(parsed: Parsed, pieces: list[BlobRange], count: int) -> Frames:
    """Divide more fragments than frames by the markers that compressed frames begin and end with."""
    buf = parsed.buf
    by_start: Frames = []
    by_end: Frames = [[]]
    for start, length in pieces:
        if bytes(buf[start : start + min(length, 8)]).startswith(_FRAME_STARTS):
            by_start.append([])
        if by_start:
            by_start[-1].append((start, length))
        by_end[-1].append((start, length))
        # Padding may follow the end marker; ten bytes of it are looked through, as pydicom does.
        if _FRAME_END in bytes(buf[start + max(0, length - 10) : start + length]):
            by_end.append([])
    if len(by_start) == count and by_start[0][0] == pieces[0]:
        return by_start
    if not by_end[-1]:
        by_end.pop()
    if len(by_end) == count:
        return by_end
    raise PixelMismatch(f"{len(pieces)} fragments can't be divided among {count} frames without an offset table.")
