"""Files with a marker in every attribute that PS3.15 Table E.1-1 lists, written byte by byte in any encoding.

pydicom is not used for writing: it lacks some of the tags, and would put right what has to be wrong.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import date, timedelta
from struct import pack
from typing import NamedTuple

from pacs.deid.dates import MOST_DAYS
from pacs.deid.table import Row, rows
from pacs.dicom.dictionary import LONG_VRS, public_vr
from pacs.dicom.part10 import write_meta

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
CT = "1.2.840.10008.5.1.4.1.1.2"

STUDY, SERIES, SOP = (
    "1.2.826.0.1.3680043.2.1125.7",
    "1.2.826.0.1.3680043.2.1125.7.1",
    "1.2.826.0.1.3680043.2.1125.7.1.1",
)

#: Sequences without a row in E.1-1, which stay and are cleaned inside.
NESTING = (0x00082218, 0x00082220, 0x00082228)

_WORDS = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}


class El(NamedTuple):
    """An element to be written: `value` is bytes in little endian, or a list of items."""

    tag: int
    vr: str
    value: bytes | list[list[El]]


def dataset(elements: list[El], syntax: str) -> bytes:
    return b"".join(_element(element, syntax) for element in sorted(elements, key=lambda e: e.tag))


def _element(element: El, syntax: str) -> bytes:
    order = ">" if syntax == BIG else "<"
    value = element.value
    if isinstance(value, list):
        bodies = [dataset(one, syntax) for one in value]
        value = b"".join(pack(order + "HHI", 0xFFFE, 0xE000, len(body)) + body for body in bodies)
    else:
        value += (b"\0" if element.vr in ("UI", "OB", "UN") else b" ") * (len(value) % 2)
        width = _WORDS.get(element.vr, 1) if syntax == BIG else 1
        if width > 1:
            value = b"".join(value[at : at + width][::-1] for at in range(0, len(value), width))
    head = pack(order + "HH", element.tag >> 16, element.tag & 0xFFFF)
    if syntax == IMPLICIT:
        return head + pack("<I", len(value)) + value
    if element.vr in LONG_VRS:
        return head + element.vr.encode() + bytes(2) + pack(order + "I", len(value)) + value
    return head + element.vr.encode() + pack(order + "H", len(value)) + value


def part10(elements: list[El], syntax: str, *, tail: bytes = b"", preamble: bytes = b"") -> bytes:
    """Write a file; `tail` follows the data set as it is."""
    meta = write_meta(CT, SOP, syntax, source_ae="ZQAETITLE")
    body = dataset(elements, syntax) + tail
    if syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = packer.compress(body) + packer.flush()
    return preamble + meta[len(preamble) :] + body


def text(tag: int, vr: str, value: str) -> El:
    return El(tag, vr, value.encode())


def skeleton() -> list[El]:
    """Give what every CT slice has and has to keep, or to have mapped."""
    return [
        text(0x00080016, "UI", CT),
        text(0x00080018, "UI", SOP),
        text(0x00080060, "CS", "CT"),
        text(0x0020000D, "UI", STUDY),
        text(0x0020000E, "UI", SERIES),
        El(0x00280002, "US", pack("<H", 1)),
        text(0x00280004, "CS", "MONOCHROME2"),
        El(0x00280010, "US", pack("<H", 4)),
        El(0x00280011, "US", pack("<H", 4)),
        El(0x00280100, "US", pack("<H", 16)),
        El(0x00280101, "US", pack("<H", 12)),
        El(0x00280102, "US", pack("<H", 11)),
        El(0x00280103, "US", pack("<H", 0)),
        El(0x7FE00010, "OW", bytes(range(32))),
    ]


def decoys() -> list[El]:
    """Give what has to stay as it is: what a reader measures with, and words that name no one."""
    return [
        text(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        text(0x00080070, "LO", "SIEMENS"),
        text(0x00081030, "LO", "CT Chest w/o contrast"),
        text(0x0008103E, "LO", "AX T2 FLAIR 5mm"),
        text(0x00081090, "LO", "Biograph 64 mCT"),
        text(0x00100040, "CS", "F"),
        text(0x00101010, "AS", "067Y"),
        text(0x00101020, "DS", "1.71"),
        text(0x00101030, "DS", "72.5"),
        text(0x00180015, "CS", "CHEST"),
        text(0x00180050, "DS", "1.25"),
        text(0x00180060, "DS", "120"),
        text(0x00181020, "LO", "VG60A"),
        text(0x00181210, "SH", "B31f"),
        text(0x00185100, "CS", "HFS"),
        text(0x00200013, "IS", "17"),
        text(0x00200032, "DS", "-124.8\\0\\916.5"),
        text(0x00280030, "DS", "0.9765625\\0.9765625"),
        text(0x00281052, "DS", "-1024"),
        text(0x00541001, "CS", "BQML"),
        text(0x00541102, "CS", "START"),
        text(0x00190010, "LO", "SIEMENS MR HEADER"),
        text(0x0019100C, "IS", "1000"),
        text(0x70530010, "LO", "Philips PET Private Group"),
        text(0x70531000, "DS", "0.000551"),
    ]


@dataclass
class Planted:
    """One marker: where it stands, and the bytes that have to be gone."""

    row: Row
    tag: int
    vr: str
    needle: bytes
    elements: list[El] = field(default_factory=list)


def _vr(row: Row, tag: int) -> str:
    """Give the VR of a row, by its name where the dictionary does not know the tag."""
    known = public_vr(tag)
    if known and known != "UN":
        return known.split(" or ")[0]
    endings = {"DateTime": "DT", "Sequence": "SQ", "Comment": "UT", "UID": "UI", "URI": "UR", "Groups": "SQ"}
    return next((vr for ending, vr in endings.items() if row.name.endswith(ending)), "LO")


def _tag_of(row: Row) -> int:
    return int(row.tag.replace("50xxxxxx", "50023000").replace("60xx", "6002"), 16)


def plant(salt: int) -> list[Planted]:
    """Give a marker for every row but those that the file needs or that stand outside of a data set.

    Dates are 97 days apart, so that none is another one's shifted date as long as the offset is no multiple.
    """
    planted: list[Planted] = []
    apart = 0
    for number, row in enumerate(rows().values()):
        if row.tag == "PRIVATE":
            continue
        tag = _tag_of(row)
        if tag >> 16 in (0x0000, 0x0002, 0x0004, 0xFFFA, 0xFFFC) or tag in (0x00080018, 0x0020000D, 0x0020000E):
            continue
        vr = _vr(row, tag)
        mark = f"Zq{salt}x{number:04d}v"
        # Further apart than any case moves dates: none is another one, moved.
        apart += vr in ("DA", "DT")
        moved = date(1950, 1, 1) + timedelta((MOST_DAYS + 40) * apart + salt)
        day = f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"
        value: bytes | list[list[El]]
        match vr:
            case "SQ":
                value = [[text(0x00101001, "PN", mark)]]
            case "UI":
                value = f"1.2.826.0.1.3680043.9.{salt}.{number}".encode()
            case "DA":
                value = day.encode()
            case "DT":
                value = f"{day}101112".encode()
            case "TM":
                value = f"1011{number % 60:02d}.{salt}{number:04d}".encode()
            case "DS" | "IS":
                value = f"77{salt}{number:04d}9".encode()
            case "AS":
                value = b"045Y"
            case "US":
                value = pack("<H", 0x5A51)
            case "CS":
                value = mark.upper().encode()
            case "PN":
                value = f"{mark}^Anna".encode()
            case _:
                value = mark.encode()
        needle = mark.encode() if isinstance(value, list) else value[:8] if vr == "DT" else value
        planted.append(Planted(row, tag, vr, needle, [El(tag, vr, value)]))
    return planted


def nest(elements: list[El], depth: int) -> list[El]:
    for tag in NESTING[:depth]:
        elements = [El(tag, "SQ", [elements])]
    return elements
