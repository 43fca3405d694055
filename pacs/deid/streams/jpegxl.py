"""JPEG XL (ISO/IEC 18181-1): headers read up to each frame's table of contents, which tells where the frame ends.

No section is decoded. What DICOM's pictures have no use for and what can hold text (names, extensions, ICC profiles,
previews, animations, extra channels) is a reason to withhold. A permuted table stands behind a permutation that only an
entropy decoder could go past: it is believed where it is found to account for every byte up to the end. Of a container
(18181-2) the boxes that have no pixels are blanked.
"""

from __future__ import annotations

from collections.abc import Iterator

from pacs.deid.streams import Data, Found, blanked, says_nothing

#: How U32 is coded: for each value of two bits (bits that follow, what is added).
_U32 = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
_SIDE: _U32 = ((9, 1), (13, 1), (18, 1), (30, 1))
_ENUM: _U32 = ((0, 0), (0, 1), (4, 2), (6, 18))
_CUSTOM: _U32 = ((19, 0), (19, 1 << 19), (20, 1 << 20), (21, 1 << 21))
_DEPTH: _U32 = ((0, 8), (0, 10), (0, 12), (6, 1))
_COUNT: _U32 = ((0, 0), (0, 1), (4, 2), (12, 1))
_PASSES: _U32 = ((0, 1), (0, 2), (0, 3), (3, 4))
_DOWNSAMPLED: _U32 = ((0, 0), (0, 1), (0, 2), (1, 3))
_LAST_PASS: _U32 = ((0, 0), (0, 1), (0, 2), (3, 0))
_CROP: _U32 = ((8, 0), (11, 256), (14, 2304), (30, 18688))
_BLEND: _U32 = ((0, 0), (0, 1), (0, 2), (2, 3))
_NAME: _U32 = ((0, 0), (4, 0), (5, 16), (10, 48))
_SECTION: _U32 = ((10, 0), (14, 1024), (22, 17408), (30, 4211712))

_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_GREY, _XYB, _CUSTOM_VALUES = 1, 2, 2
_REGULAR, _LF, _REFERENCE = 0, 1, 2
_USE_LF = 32
_MOST_FRAMES, _MOST_SECTIONS, _LONGEST_PERMUTATION = 1000, 1 << 20, 1 << 15

#: A container's first box; it and the type of file, which say always the same; and boxes of text.
_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_SIGNATURES = ((b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl "))
_WORDS = (b"Exif", b"xml ", b"jumb", b"uuid")

_UNREADABLE = "A JPEG XL frame can't be read."


class _Unknown(Exception):
    """What is not read here: the codestream's end can't be told."""


def scan(data: Data, start: int, end: int) -> Iterator[Found]:
    """Walk one frame of DICOM: a codestream, which may have several frames of its own, bare or in a container."""
    if data[start : start + 2] == b"\xff\x0a":
        yield from _codestream(data, start, end)
        return
    pos = start
    if data[start : start + len(_CONTAINER)] != _CONTAINER:
        yield _UNREADABLE
        return
    pixels = False
    while not pixels or not says_nothing(data, pos, end):
        length, kind = int.from_bytes(data[pos : pos + 4], "big"), data[pos + 4 : pos + 8]
        after = pos + length if length else end
        if length == 1 or pos + 8 > after or after > end:
            yield _UNREADABLE
            return
        if kind == b"jxlc" and not pixels:
            pixels = True
            yield from _codestream(data, pos + 8, after)
        elif kind in _WORDS:
            yield from blanked(data, pos + 8, after)
        elif (kind, data[pos + 8 : min(after, pos + 24)]) not in _SIGNATURES and (kind != b"jxll" or length != 9):
            yield "A JPEG XL frame is in a container, which may hold text."
            return
        pos = after


def _codestream(data: Data, start: int, end: int) -> Iterator[Found]:
    try:
        if data[start : start + 2] != b"\xff\x0a":
            raise _Unknown(_UNREADABLE)
        after = _Codestream(data, start + 2, end).end()
    except _Unknown as why:
        yield str(why)
    else:
        yield from blanked(data, after, end)


class _Bits:
    """Reads from the least significant bit of each byte on."""

    def __init__(self, data: Data, start: int, end: int) -> None:
        self._data = data
        self._last = end
        self._pos = start * 8

    def take(self, count: int) -> int:
        first, after = self._pos, self._pos + count
        if after > self._last * 8:
            raise _Unknown(_UNREADABLE)
        self._pos = after
        word = int.from_bytes(self._data[first >> 3 : (after + 7) >> 3], "little")
        return (word >> (first & 7)) & ((1 << count) - 1)

    def flag(self) -> bool:
        return self.take(1) == 1

    def u32(self, coding: _U32) -> int:
        bits, added = coding[self.take(2)]
        return self.take(bits) + added

    def u64(self) -> int:
        kind = self.take(2)
        if kind == 0:
            return 0
        if kind < 3:
            return 1 + self.take(4) if kind == 1 else 17 + self.take(8)
        value, shift = self.take(12), 12
        while self.flag():
            if shift == 60:
                return value | self.take(4) << shift
            value |= self.take(8) << shift
            shift += 8
        return value

    def byte(self) -> int:
        """The next whole byte."""
        self._pos = (self._pos + 7) & ~7
        return self._pos >> 3

    def jump(self, count: int) -> None:
        """Go on so many bytes."""
        self._pos += 8 * count
        if self._pos > self._last * 8:
            raise _Unknown(_UNREADABLE)

    def go(self, byte: int) -> None:
        """Go to a byte."""
        self._pos = 8 * byte

    def left(self) -> int:
        """Whole bytes from here to the end."""
        return self._last - (self._pos + 7 >> 3)


class _Codestream:
    """One codestream behind its signature."""

    def __init__(self, data: Data, start: int, end: int) -> None:
        self._data = data
        self._end = end
        self._bits = _Bits(data, start, end)

    def end(self) -> int:
        """The byte behind the last frame. Raises _Unknown."""
        self._size()
        self._image()
        self._bits.byte()
        for _ in range(_MOST_FRAMES):
            if self._frame():
                return self._bits.byte()
        raise _Unknown(_UNREADABLE)

    def _size(self) -> None:
        bits = self._bits
        small = bits.flag()
        self._height = 8 * (1 + bits.take(5)) if small else bits.u32(_SIDE)
        ratio = bits.take(3)
        if ratio:
            above, below = _RATIOS[ratio - 1]
            self._width = self._height * above // below
        else:
            self._width = 8 * (1 + bits.take(5)) if small else bits.u32(_SIDE)

    def _image(self) -> None:
        """ImageMetadata, all of it that a picture of DICOM may have."""
        bits = self._bits
        self._xyb = True
        if not bits.flag():
            extra = bits.flag()
            if extra:
                bits.take(3)  # orientation
                self._none(3, "A JPEG XL frame has a preview, an animation or a size besides its own.")
            if bits.flag():  # samples are floats
                bits.u32(((0, 32), (0, 16), (0, 24), (6, 1)))
                bits.take(4)
            else:
                bits.u32(_DEPTH)
            bits.take(1)
            if bits.u32(_COUNT):
                raise _Unknown("A JPEG XL frame has channels besides its colours.")
            self._xyb = bits.flag()
            self._colours()
            if extra and not bits.flag():
                self._floats(2)
                bits.take(1)
                self._floats(1)
            self._no_extensions()
        if not bits.flag():
            if self._xyb and not bits.flag():
                self._floats(16)
            weights = bits.take(3)
            self._floats(sum(count for bit, count in enumerate((15, 55, 210)) if weights >> bit & 1))

    def _colours(self) -> None:
        """ColourEncoding."""
        bits = self._bits
        if bits.flag():
            return
        self._none(1, "A JPEG XL frame has an ICC profile of its own, which may hold text.")
        space = bits.u32(_ENUM)
        if space != _XYB:
            if bits.u32(_ENUM) == _CUSTOM_VALUES:
                self._customs(2)
            if space != _GREY and bits.u32(_ENUM) == _CUSTOM_VALUES:
                self._customs(6)
            if bits.flag():
                bits.take(24)
            else:
                bits.u32(_ENUM)
        bits.u32(_ENUM)

    def _frame(self) -> bool:
        """Go past one frame: its header, its table of contents and its sections. Whether it is the last."""
        bits = self._bits
        passes, lf_level, upsampling, shift, last = 1, 0, 1, 1, True
        width, height = self._width, self._height
        if not bits.flag():
            kind, modular = bits.take(2), bits.flag()
            uses_lf = bool(bits.u64() & _USE_LF)
            ycbcr = not self._xyb and bits.flag()
            if ycbcr and not uses_lf:
                bits.take(6)
            if not uses_lf:
                upsampling = 1 << bits.take(2)
            if modular:
                shift = bits.take(2)
            elif self._xyb:
                bits.take(6)
            if kind != _REFERENCE:
                passes = self._passes()
            if kind == _LF:
                lf_level = 1 + bits.take(2)
            whole = True
            if kind != _LF and bits.flag():
                left, top = (bits.u32(_CROP), bits.u32(_CROP)) if kind != _REFERENCE else (0, 0)
                width, height = bits.u32(_CROP), bits.u32(_CROP)
                left, top = (-(corner + 1 >> 1) if corner & 1 else corner >> 1 for corner in (left, top))
                covers = left + width >= self._width and top + height >= self._height
                whole = kind == _REFERENCE or (left <= 0 and top <= 0 and covers)
            last = False
            replaces = whole
            if kind not in (_LF, _REFERENCE):
                mode = bits.u32(_BLEND)
                if mode == 4:
                    bits.take(1)
                if mode or not whole:
                    bits.take(2)
                replaces = not mode and whole
                last = bits.flag()
            if kind != _LF and not last:
                bits.take(2)
            if kind == _REFERENCE or (kind != _LF and replaces and not last):
                bits.take(1)
            if bits.u32(_NAME):
                raise _Unknown("A JPEG XL frame has a name.")
            self._filter(modular)
            self._no_extensions()
        smaller = upsampling << 3 * lf_level
        width, height = -(-width // smaller), -(-height // smaller)
        side = 128 << shift
        groups, lf_groups = (-(-width // each) * -(-height // each) for each in (side, 8 * side))
        self._sections(1 if groups == passes == 1 else 2 + lf_groups + groups * passes, last)
        return last

    def _passes(self) -> int:
        bits = self._bits
        passes = bits.u32(_PASSES)
        if passes > 1:
            downsampled = bits.u32(_DOWNSAMPLED)
            bits.take(2 * (passes - 1))
            bits.take(2 * downsampled)
            for _ in range(downsampled):
                bits.u32(_LAST_PASS)
        return passes

    def _filter(self, modular: bool) -> None:
        """RestorationFilter."""
        bits = self._bits
        if bits.flag():
            return
        if bits.flag() and bits.flag():
            self._floats(6)
        if bits.take(2):
            if not modular and bits.flag():
                self._floats(8)
            if bits.flag():
                self._floats(5)
            if bits.flag():
                self._floats(3 if modular else 4)
            if modular:
                self._floats(1)
        self._no_extensions()

    def _sections(self, count: int, last: bool) -> None:
        bits = self._bits
        permuted = bits.flag()
        if count > _MOST_SECTIONS:
            raise _Unknown(_UNREADABLE)
        if not permuted:
            bits.jump(self._table(count))
            return
        first = bits.byte()
        for at in range(first, first + min(bits.left(), _LONGEST_PERMUTATION) if last else first):
            bits.go(at)
            try:
                bits.jump(self._table(count))
            except _Unknown:
                continue
            if says_nothing(self._data, bits.byte(), self._end):
                return
        raise _Unknown("The parts of a JPEG XL frame are in an order of their own.")

    def _table(self, count: int) -> int:
        """Read a table of contents: how long its sections are together. Raises _Unknown where that is too long."""
        bits = self._bits
        bits.byte()
        total = 0
        for _ in range(count):
            total += bits.u32(_SECTION)
            if total > bits.left():
                raise _Unknown(_UNREADABLE)
        bits.byte()
        return total

    def _floats(self, count: int) -> None:
        self._bits.take(16 * count)

    def _customs(self, count: int) -> None:
        for _ in range(count):
            self._bits.u32(_CUSTOM)

    def _none(self, flags: int, why: str) -> None:
        if self._bits.take(flags):
            raise _Unknown(why)

    def _no_extensions(self) -> None:
        if self._bits.u64():
            raise _Unknown("A JPEG XL frame has extensions, which may hold text.")
