"""Rectangles of a sequential JPEG frame blanked in its coefficients (ITU-T T.81), so that no other sample changes.

Blocks that a rectangle touches become black; the differences between the DC values (F.1.1.5.1) are made anew around
them, and all other coefficients are written again as they were read. Where colour is subsampled, a block of colour
covers several of brightness: the area grows to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from pacs.pixels.errors import refuse

Box = tuple[int, int, int, int]

#: Table class (0: DC, 1: AC) and destination.
Place = tuple[int, int]
#: BITS and HUFFVAL of each (B.2.4.2).
Tables = dict[Place, tuple[bytes, bytes]]
#: Which table, the symbol, the bits that follow it, and how many they are.
Token = tuple[Place, int, int, int]

_MARKERS = re.compile(rb"\xff+([\xd0-\xd7])")
_END = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_MOST_BLOCKS = 4_000_000


class _Component(NamedTuple):
    identifier: int
    horizontal: int
    vertical: int
    quantiser: int


@dataclass(slots=True)
class _Frame:
    precision: int
    rows: int
    columns: int
    components: list[_Component]

    @property
    def widest(self) -> tuple[int, int]:
        return max(c.horizontal for c in self.components), max(c.vertical for c in self.components)


def blank(frame: bytes, boxes: Iterable[Box], *, brightest: bool = False) -> bytes:
    """Blank the blocks that `boxes` (left, top, width, height in pixels) touch, black or, if asked, `brightest`.

    Application and comment segments stay where they are. Raises CannotDecode for anything but a complete sequential
    Huffman frame of 8 or 12 bits.
    """
    boxes = list(boxes)
    out = [b"\xff\xd8"]
    tables: Tables = {}
    steps: dict[int, int] = {}
    found: _Frame | None = None
    interval = 0
    pos = 2
    if frame[:2] != b"\xff\xd8":
        raise refuse("a frame is not JPEG.")
    while True:
        pos = _skip_fill(frame, pos)
        marker, length = frame[pos + 1], int.from_bytes(frame[pos + 2 : pos + 4], "big")
        if marker == 0xD9:
            return b"".join([*out, b"\xff\xd9"])
        after = pos + 2 + length
        payload = frame[pos + 4 : after]
        if length < 2 or after > len(frame) or (0xC2 <= marker <= 0xCF and marker != 0xC4) or marker == 0xDC:
            raise refuse("a frame is damaged, or not of the sequential process.")
        if marker == 0xC4:
            _read_tables(payload, tables)
        else:
            if marker in (0xC0, 0xC1):
                found = _read_frame(payload)
            elif marker == 0xDB:
                _read_quantisers(payload, steps)
            elif marker == 0xDD:
                interval = int.from_bytes(payload[:2], "big")
            if marker != 0xDA:
                out.append(frame[pos:after])
        pos = after
        if marker == 0xDA:
            if found is None:
                raise refuse("a frame has no header.")
            closing = _END.search(frame, pos)
            if closing is None:
                raise refuse("a frame has no end.")
            scan = _Scan(found, payload, tables, steps, interval, boxes, brightest)
            used, coded = scan.recode(frame[pos : closing.start()])
            out += [_write_tables(used), frame[after - length - 2 : after], coded]
            pos = closing.start()


def _skip_fill(frame: bytes, pos: int) -> int:
    while pos + 4 <= len(frame) and frame[pos] == 0xFF and frame[pos + 1] == 0xFF:
        pos += 1
    if pos + 2 > len(frame) or frame[pos] != 0xFF:
        raise refuse("a frame is damaged.")
    return pos


def _read_frame(payload: bytes) -> _Frame:
    """B.2.2."""
    if len(payload) < 6 or len(payload) != 6 + 3 * payload[5]:
        raise refuse("a frame's header is damaged.")
    components = [
        _Component(payload[at], payload[at + 1] >> 4, payload[at + 1] & 15, payload[at + 2])
        for at in range(6, len(payload), 3)
    ]
    rows, columns = int.from_bytes(payload[1:3], "big"), int.from_bytes(payload[3:5], "big")
    fits = all(1 <= c.horizontal <= 4 and 1 <= c.vertical <= 4 for c in components)
    if not (fits and rows and columns and 1 <= len(components) <= 4 and payload[0] in (8, 12)):
        raise refuse("a frame's header is damaged.")
    if rows * columns // 64 * sum(c.horizontal * c.vertical for c in components) > _MOST_BLOCKS:
        raise refuse("a frame is too large.")
    return _Frame(payload[0], rows, columns, components)


def _read_quantisers(payload: bytes, steps: dict[int, int]) -> None:
    """Keep every table's first entry, the DC step (B.2.4.1)."""
    at = 0
    while at < len(payload):
        wide = payload[at] >> 4
        steps[payload[at] & 15] = int.from_bytes(payload[at + 1 : at + 2 + wide], "big") or 1
        at += 1 + 64 * (2 if wide else 1)


def _read_tables(payload: bytes, tables: Tables) -> None:
    at = 0
    while at + 17 <= len(payload):
        bits = payload[at + 1 : at + 17]
        end = at + 17 + sum(bits)
        if end > len(payload):
            break
        tables[payload[at] >> 4, payload[at] & 15] = bits, payload[at + 17 : end]
        at = end
    if at != len(payload):
        raise refuse("a frame's Huffman tables are damaged.")


def _write_tables(used: Tables) -> bytes:
    body = b"".join(
        bytes([kind << 4 | place]) + bits + values for (kind, place), (bits, values) in sorted(used.items())
    )
    return b"\xff\xc4" + (len(body) + 2).to_bytes(2, "big") + body


@lru_cache(maxsize=64)
def _decoder(bits: bytes, values: bytes) -> list[int]:
    """For every 16 bits that may come next, length << 8 | symbol; 0 where no code begins so (C.2)."""
    table: list[int] = []
    at = 0
    for size, count in enumerate(bits, 1):
        for symbol in values[at : at + count]:
            table += [size << 8 | symbol] * (1 << (16 - size))
        at += count
    if len(table) > 1 << 16:
        raise refuse("a frame's Huffman tables are damaged.")
    return table + [0] * ((1 << 16) - len(table))


def _encoder(bits: bytes, values: bytes) -> dict[int, tuple[int, int]]:
    """Symbol -> (code, its length)."""
    codes: dict[int, tuple[int, int]] = {}
    code = at = 0
    for size, count in enumerate(bits, 1):
        for symbol in values[at : at + count]:
            codes[symbol] = code, size
            code += 1
        code <<= 1
        at += count
    return codes


def _flat(symbols: set[int]) -> tuple[bytes, bytes]:
    """A table in which all symbols have codes of one length; the code of ones alone stays free (C.2)."""
    size = max(1, len(symbols).bit_length())
    return bytes(len(symbols) if length == size else 0 for length in range(1, 17)), bytes(sorted(symbols))


class _Scan:
    """One scan: which blocks it has, in which order (A.2), and its codes."""

    def __init__(
        self,
        frame: _Frame,
        payload: bytes,
        tables: Tables,
        steps: dict[int, int],
        interval: int,
        boxes: Sequence[Box],
        brightest: bool,
    ) -> None:
        count = payload[0] if payload else 0
        if not 1 <= count <= 4 or len(payload) != 4 + 2 * count:
            raise refuse("a frame's scan is damaged.")
        known = {c.identifier: (number, c) for number, c in enumerate(frame.components)}
        self.frame, self.tables, self.interval = frame, tables, interval
        #: For every block of an MCU: component, destinations of its tables, place within the MCU.
        self.blocks: list[tuple[int, int, int, int, int]] = []
        self.black: list[int] = []
        self.touched: list[set[tuple[int, int]]] = []
        self.sizes: list[tuple[int, int]] = []
        wide, high = frame.widest
        try:
            for at in range(count):
                number, one = known[payload[1 + 2 * at]]
                places = payload[2 + 2 * at]
                self.sizes.append((one.horizontal, one.vertical) if count > 1 else (1, 1))
                for y in range(self.sizes[at][1]):
                    self.blocks += [(at, places >> 4, places & 15, x, y) for x in range(self.sizes[at][0])]
                extreme = (1 << (frame.precision + 2)) // steps[one.quantiser]
                shade = (extreme - 1 if brightest else -extreme) if number == 0 or self._is_rgb(frame) else 0
                self.black.append(shade)
                self.touched.append(_touched(boxes, 8 * wide // one.horizontal, 8 * high // one.vertical))
        except KeyError as missing:
            raise refuse("a frame's scan names a table that is not there.") from missing
        if count > 1:
            self.across, self.down = _ceil(frame.columns, 8 * wide), _ceil(frame.rows, 8 * high)
        else:  # A.2.2: the blocks of the component alone
            self.across = _ceil(_ceil(frame.columns * one.horizontal, wide), 8)
            self.down = _ceil(_ceil(frame.rows * one.vertical, high), 8)

    @staticmethod
    def _is_rgb(frame: _Frame) -> bool:
        return bytes(c.identifier for c in frame.components) == b"RGB"

    def recode(self, data: bytes) -> tuple[Tables, bytes]:
        """Give the tables that the scan uses now, and its entropy-coded data."""
        pieces = _MARKERS.split(data)
        total = self.across * self.down
        each = self.interval or total
        if len(pieces) // 2 + 1 != _ceil(total, each):
            raise refuse("a frame has another number of restart intervals than it says.")
        symbols: dict[Place, set[int]] = {}
        runs = [
            self._decode(piece.replace(b"\xff\0", b"\xff"), number * each, min(total, (number + 1) * each), symbols)
            for number, piece in enumerate(pieces[::2])
        ]
        used: Tables = {}
        for place, needed in symbols.items():
            old = self.tables[place]
            used[place] = old if needed <= set(old[1]) else _flat(needed)
        codes = {place: _encoder(*table) for place, table in used.items()}
        coded = [_pack(run, codes) for run in runs]
        return used, b"".join(
            part if number == 0 else b"\xff" + pieces[2 * number - 1] + part for number, part in enumerate(coded)
        )

    def _decode(self, data: bytes, first: int, last: int, symbols: dict[Place, set[int]]) -> list[Token]:
        """Read the MCUs from `first` to before `last` as (table, symbol, extra bits, how many); blank on the way."""
        reader = _Bits(data)
        read = [0] * len(self.black)
        written = [0] * len(self.black)
        out: list[Token] = []
        decoders = {place: _decoder(*table) for place, table in self.tables.items()}
        for mcu in range(first, last):
            down, across = divmod(mcu, self.across)
            for at, dc, ac, x, y in self.blocks:
                width, height = self.sizes[at]
                blanked = (across * width + x, down * height + y) in self.touched[at]
                try:
                    dc_codes, ac_codes = decoders[0, dc], decoders[1, ac]
                except KeyError as missing:
                    raise refuse("a frame's scan names a table that is not there.") from missing
                size = reader.symbol(dc_codes)
                read[at] += reader.signed(size)
                value = self.black[at] if blanked else read[at]
                difference, written[at] = value - written[at], value
                size = abs(difference).bit_length()
                out.append(((0, dc), size, difference if difference >= 0 else difference + (1 << size) - 1, size))
                symbols.setdefault((0, dc), set()).add(size)
                reader.coefficients(ac_codes, None if blanked else out, (1, ac))
                if blanked:
                    out.append(((1, ac), 0, 0, 0))
        for place in {(1, block[2]) for block in self.blocks}:
            symbols[place] = {token[1] for token in out if token[0] == place} | symbols.get(place, set())
        return out


def _ceil(number: int, unit: int) -> int:
    return -(-number // unit)


def _touched(boxes: Sequence[Box], width: int, height: int) -> set[tuple[int, int]]:
    return {
        (x, y)
        for left, top, wide, high in boxes
        for x in range(left // width, _ceil(left + wide, width))
        for y in range(top // height, _ceil(top + high, height))
    }


class _Bits:
    """Entropy-coded bits, without the stuffed zeros (F.2.2.5)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = self._held = self._count = 0

    def _fill(self) -> None:
        chunk = self._data[self._at : self._at + 8]
        self._at += 8
        if self._at > len(self._data) + 16:
            raise refuse("a frame is cut off.")
        self._held = (self._held & ((1 << self._count) - 1)) << 64 | int.from_bytes(chunk.ljust(8, b"\xff"), "big")
        self._count += 64

    def symbol(self, codes: list[int]) -> int:
        """Read a Huffman code."""
        if self._count < 32:
            self._fill()
        found = codes[self._held >> (self._count - 16) & 0xFFFF]
        if not found:
            raise refuse("a frame's data is damaged.")
        self._count -= found >> 8
        return found & 0xFF

    def take(self, size: int) -> int:
        """Read `size` bits, at most 16."""
        if self._count < size:
            self._fill()
        self._count -= size
        return self._held >> self._count & ((1 << size) - 1)

    def signed(self, size: int) -> int:
        """F.2.2.1: EXTEND."""
        if size > 15:
            raise refuse("a frame's data is damaged.")
        value = self.take(size)
        return value if not size or value >> (size - 1) else value - (1 << size) + 1

    def coefficients(
        self,
        codes: list[int],
        out: list[Token] | None,
        place: Place,
    ) -> None:
        """Read the 63 AC coefficients of a block (F.2.2.2) and note them as they are written."""
        index = 1
        while index < 64:
            symbol = self.symbol(codes)
            size = symbol & 15
            extra = self.take(size) if size else 0
            if out is not None:
                out.append((place, symbol, extra, size))
            if not size and symbol != 0xF0:
                return
            index += (symbol >> 4) + 1


def _pack(run: list[Token], codes: dict[Place, dict[int, tuple[int, int]]]) -> bytes:
    """Write tokens as bytes, the last one filled with ones, a zero stuffed behind every 0xFF (F.1.2.3)."""
    out = bytearray()
    held = count = 0
    for place, symbol, extra, size in run:
        code, length = codes[place][symbol]
        held = (held << length | code) << size | extra
        count += length + size
        if count >= 512:
            rest = count & 7
            out += (held >> rest).to_bytes(count >> 3, "big")
            held &= (1 << rest) - 1
            count = rest
    if count:
        spare = -count % 8
        out += ((held << spare) | ((1 << spare) - 1)).to_bytes((count + spare) >> 3, "big")
    return bytes(out).replace(b"\xff", b"\xff\0")
