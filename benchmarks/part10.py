"""What a sender must know of a file: the UIDs and the syntax of its meta information, and where they end."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass

_LONG = (b"OB", b"UN")


@dataclass(frozen=True, slots=True)
class Instance:
    """A Part 10 file in memory, or mapped; `start` is where its data set begins."""

    sop_class: str
    sop_uid: str
    syntax: str
    data: bytes | mmap.mmap
    start: int


def parse(data: bytes | mmap.mmap) -> Instance:
    """Read the file meta information (PS3.10 7.1: explicit VR little endian). Raises ValueError where there is none."""
    if data[128:132] != b"DICM":
        raise ValueError("not a DICOM file")
    found: dict[int, str] = {}
    position = 132
    while data[position : position + 2] == b"\x02\x00":
        element, vr = struct.unpack_from("<H2s", data, position + 2)
        if vr in _LONG:
            (length,) = struct.unpack_from("<I", data, position + 8)
            position += 12
        else:
            (length,) = struct.unpack_from("<H", data, position + 6)
            position += 8
        if vr == b"UI":
            found[element] = data[position : position + length].rstrip(b"\0 ").decode()
        position += length
    return Instance(found[0x0002], found[0x0003], found[0x0010], data, position)
