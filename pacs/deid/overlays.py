"""Overlay planes of the copy, groups 6000 to 601E (PS3.3 C.9.2): marks may be the finding, and may be a name.

A plane with marks is written anew from its numbers, so that nothing hides behind its bits, and has the instance wait
for a look; one without goes, as do descriptions, labels and statistics of overlays (PS3.15 E.3.3, Clean Graphics).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydicom import Dataset

from pacs.dicom.elements import Element, ints, raw, text
from pacs.dicom.encode import put
from pacs.pixels import attributes
from pacs.pixels.blank import Box
from pacs.pixels.overlay import GROUPS, origin

FIRST: Final = 0x60000000
BEHIND: Final = 0x61000000
_ROWS, _COLUMNS, _FRAMES, _TYPE, _ORIGIN, _FIRST_FRAME, _DATA = 0x10, 0x11, 0x15, 0x40, 0x50, 0x51, 0x3000
_LARGEST = 128 << 20  # bits

MARKS = "Marks are drawn over the picture in an overlay: they may be a finding, or a name."
LEFT_OUT = "Marks in an overlay are left out of the copy: they may be a finding."
DAMAGED = "An overlay can't be read and is left out: its marks may be a finding."


@dataclass(frozen=True, slots=True)
class Overlays:
    """What becomes of an instance's overlays: `written` bytes, `kept` tags, and reasons to look."""

    written: bytes
    kept: frozenset[int]
    reasons: tuple[str, ...]


def cleaned(buf: bytes, elements: Sequence[Element], *, explicit: bool, keep: bool) -> Overlays:
    """Clean the elements of groups 6000 to 60FF; with `keep` False marks are left out, and that is said."""
    written: list[bytes] = []
    kept: set[int] = set()
    reasons: list[str] = []
    for group in GROUPS:
        own = {element.tag & 0xFFFF: element for element in elements if element.tag >> 16 == group}
        data = raw(buf, own[_DATA]) if _DATA in own else b""
        if not data.strip(b"\0"):
            continue
        plane = _plane(buf, group, own, data, explicit)
        if plane is None:
            reasons.append(DAMAGED)
        elif plane and keep:
            written.append(plane)
            kept.add(group << 16 | _DATA)
            reasons.append(MARKS)
        elif plane:
            reasons.append(LEFT_OUT)
    return Overlays(b"".join(written), frozenset(kept), tuple(dict.fromkeys(reasons)))


def _plane(buf: bytes, group: int, own: dict[int, Element], data: bytes, explicit: bool) -> bytes | None:
    """Write a group's plane, of whose elements `own` has; empty where no mark is in it, None where it can't be read."""

    def number(element: int, otherwise: int) -> int:
        return (ints(buf, own.get(element)) or [otherwise])[0]

    rows, columns, frames = number(_ROWS, 0), number(_COLUMNS, 0), number(_FRAMES, 1)
    bits = rows * columns * frames
    if not (0 < rows <= 0xFFFF and 0 < columns <= 0xFFFF and frames > 0 and bits <= min(_LARGEST, 8 * len(data))):
        return None
    marks = np.unpackbits(np.frombuffer(data, np.uint8, (bits + 7) // 8), count=bits, bitorder="little")
    if not marks.any():
        return b""
    place = ints(buf, own.get(_ORIGIN)) or [1, 1]
    top, left = (_signed(one) for one in (place if len(place) == 2 else [1, 1]))
    first = number(_FIRST_FRAME, 0)
    told = [
        (_ROWS, "US", rows.to_bytes(2, "little")),
        (_COLUMNS, "US", columns.to_bytes(2, "little")),
        (_FRAMES, "IS", str(frames).encode() if _FRAMES in own else None),
        (_TYPE, "CS", b"R" if _TYPE in own and text(buf, own[_TYPE]) == "R" else b"G"),
        (_ORIGIN, "SS", top.to_bytes(2, "little", signed=True) + left.to_bytes(2, "little", signed=True)),
        (_FIRST_FRAME, "US", first.to_bytes(2, "little") if 0 < first <= 0xFFFF else None),
        (0x0100, "US", b"\1\0"),  # Overlay Bits Allocated
        (0x0102, "US", b"\0\0"),  # Overlay Bit Position
        (_DATA, "OW", _packed(marks)),
    ]
    return b"".join(put(group << 16 | number, vr, value, explicit) for number, vr, value in told if value is not None)


def blanked(ds: Dataset, boxes: Sequence[Box]) -> dict[int, tuple[str, bytes]]:
    """Give Overlay Data of a cleaned header without the marks inside of boxes of the picture: tag -> (VR, value)."""
    changes: dict[int, tuple[str, bytes]] = {}
    for group in GROUPS:
        data = attributes.at(ds, group, _DATA)
        if not isinstance(data, bytes):
            continue
        rows, columns = int(ds[group, _ROWS].value), int(ds[group, _COLUMNS].value)
        frames = int(ds[group, _FRAMES].value) if (group, _FRAMES) in ds else 1
        marks = np.unpackbits(np.frombuffer(data, np.uint8), count=rows * columns * frames, bitorder="little")
        planes = marks.reshape(frames, rows, columns)
        top, left = origin(ds, group)
        for box in boxes:
            down, right = max(box.top - top, 0), max(box.left - left, 0)
            planes[:, down : max(box.top + box.height - top, 0), right : max(box.left + box.width - left, 0)] = 0
        changes[group << 16 | _DATA] = ("OW", _packed(marks))
    return changes


def _packed(marks: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    packed = np.packbits(marks, bitorder="little").tobytes()
    return packed + bytes(len(packed) & 1)


def _signed(number: int) -> int:
    return number - 0x10000 if number > 0x7FFF else number
