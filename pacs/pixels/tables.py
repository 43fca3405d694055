"""Lookup tables in a header: Modality and VOI LUTs (PS3.3 C.11.1, C.11.2) and palettes (C.7.6.3.1.5, C.7.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs.pixels import attributes

#: The most entries that a descriptor can name: 0 stands for 65,536 (PS3.3 C.11.1.1).
MAX_ENTRIES = 65536


@dataclass(frozen=True, slots=True)
class Table:
    """A lookup table: the input that its first entry belongs to, its entries, and their bits."""

    first: int
    entries: NDArray[np.uint16]
    bits: int

    def apply(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        """Look values up; what lies before the first entry or behind the last gets that entry."""
        index = np.clip(np.rint(values) - self.first, 0, self.entries.size - 1)
        found: NDArray[np.uint16] = self.entries[index.astype(np.intp)]
        return found


def lut(item: Dataset, *, signed: bool) -> Table | None:
    """Read LUT Descriptor and LUT Data of a Modality LUT or VOI LUT item; None where they are no table.

    `signed` tells whether the inputs may be negative: the first input value, written as US, is then read as SS.
    """
    described = attributes.numbers(item, "LUTDescriptor")
    data = attributes.value(item, "LUTData")
    return _table(described, data, signed=signed)


def palette(ds: Dataset) -> tuple[Table, Table, Table] | None:
    """Read the red, green and blue palette, plain or segmented; None where one is missing or damaged."""
    signed = attributes.integer(ds, "PixelRepresentation") == 1
    found: list[Table] = []
    for colour in ("Red", "Green", "Blue"):
        described = attributes.numbers(ds, f"{colour}PaletteColorLookupTableDescriptor")
        data = attributes.value(ds, f"{colour}PaletteColorLookupTableData")
        if data is None:
            segments = attributes.value(ds, f"Segmented{colour}PaletteColorLookupTableData")
            bits = 8 if described[2:] == [8] else 16
            data = _expand(_words(segments, bits), bits)
        table = _table(described, data, signed=signed)
        if table is None:
            return None
        found.append(table)
    return found[0], found[1], found[2]


def colours(palettes: tuple[Table, Table, Table], indices: NDArray[Any]) -> NDArray[np.uint8]:
    """Turn palette indices of any shape into RGB, a last axis of 3 bytes."""
    out = np.empty((*indices.shape, 3), np.uint8)
    for channel, table in enumerate(palettes):
        # 16 bit entries are scaled to the display's 8 (PS3.3 C.7.6.3.1.5).
        entries = table.apply(indices)
        out[..., channel] = entries >> max(table.bits - 8, 0) if table.bits > 8 else entries
    return out


def spread(palettes: tuple[Table, Table, Table], levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn grey levels into RGB: black is the palettes' first entry, white their last (PS3.4 N.2.4.2)."""
    first, last = palettes[0].first, palettes[0].entries.size - 1
    return colours(palettes, (first + np.rint(np.arange(256) * last / 255)).astype(np.int64))[levels]


def _table(described: list[float], data: Any, *, signed: bool) -> Table | None:
    if len(described) != 3:
        return None
    count, first, bits = (int(number) for number in described)
    count = count % MAX_ENTRIES or MAX_ENTRIES
    if not 1 <= bits <= 16:
        return None
    first = first % 65536
    if signed and first > 32767:
        first -= 65536
    entries = _entries(data, count, bits)
    return None if entries is None else Table(first, entries, bits)


def _entries(data: Any, count: int, bits: int) -> NDArray[np.uint16] | None:
    # 8 bit entries lie one in a byte, or (also allowed) one in a word: the length tells.
    packed = isinstance(data, bytes) and bits <= 8 and len(data) < 2 * count
    entries = _words(data, 8 if packed else 16)
    return entries[:count] if entries is not None and 0 < count <= entries.size else None


def _words(data: Any, bits: int) -> NDArray[np.uint16] | None:
    if isinstance(data, bytes):
        return np.frombuffer(data, "<u1" if bits == 8 else "<u2", len(data) // (bits // 8)).astype(np.uint16)
    if data is None or isinstance(data, str):
        return None
    try:
        return np.atleast_1d(np.asarray(data, np.int64) & 0xFFFF).astype(np.uint16)
    except (TypeError, ValueError, OverflowError):
        return None


def _expand(words: NDArray[np.uint16] | None, bits: int) -> NDArray[np.uint16] | None:
    """Expand a segmented palette (PS3.3 C.7.9.2): discrete, linear and indirect segments."""
    if words is None:
        return None
    values = words.tolist()
    out: list[int] = []
    pos = 0
    try:
        while pos + 2 <= len(values):
            opcode, length = values[pos], values[pos + 1]
            if opcode != 2:
                pos = _segment(values, pos, out)
                continue
            # Where the segments to copy start, in bytes: two words, or four bytes, the least significant first.
            digits = values[pos + 2 : pos + 2 + 32 // bits]
            start = sum(digit << place * bits for place, digit in enumerate(digits)) * 8 // bits
            for _ in range(length):
                # Indirect segments may not point to indirect ones: so this ends.
                start = _segment(values, start, out)
            pos += 2 + len(digits)
    except (IndexError, ValueError, ZeroDivisionError):
        return None
    return np.array(out, np.uint16)


def _segment(values: list[int], pos: int, out: list[int]) -> int:
    """Append a discrete or linear segment's entries; give where the next one starts."""
    opcode, length = values[pos], values[pos + 1]
    if len(out) > MAX_ENTRIES:
        raise ValueError("more entries than a palette has")
    if opcode == 0:
        out += values[pos + 2 : pos + 2 + length]
        return pos + 2 + length
    if opcode == 1:
        last, to = out[-1], values[pos + 2]
        out += [round(last + (to - last) * step / length) for step in range(1, length + 1)]
        return pos + 3
    raise ValueError("an unknown kind of segment")
