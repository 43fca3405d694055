"""A DICOMDIR: the Basic Directory of a folder of files (PS3.3 F, PS3.10 8.6), of one study's instances."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from struct import pack_into
from typing import Any

from pydicom.fileset import _FOUR_LEVEL_SOP_CLASSES

from pacs import index
from pacs.deid.encode import item, put
from pacs.dicomjson import JsonDataset
from pacs.part10 import write_meta
from pacs.transfer_syntaxes import EXPLICIT_LITTLE_ENDIAN

#: Media Storage Directory Storage.
_SOP_CLASS = "1.2.840.10008.1.3.10"
_RECORD_TYPES: dict[str, str] = {str(uid): kind for uid, kind in _FOUR_LEVEL_SOP_CLASSES.items()}
_PATIENT = ("00100010", "00100020", "00100021")
_STUDY = ("00080020", "00080030", "00080050", "00081030", "0020000D", "00200010")
_SERIES = ("00080060", "0020000E", "00200011")
#: Keys of the lowest records, of whichever kind (PS3.3 F.5): what an instance lacks is left out.
_LEAF = ("00080023", "00080033", "00200013", "0040A043", "0040A491", "0040A493", "00420010", "00420012")
#: The attributes that a directory is made of.
KEYS = ("00080016", "00080018", "00420011", *_PATIENT, *_STUDY, *_SERIES, *_LEAF)
_VRS = {"0020000D": "UI", "0020000E": "UI", "00080020": "DA", "00080030": "TM"}
_PLACES = {"next": 8, "lower": 30}


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the folder: its name, transfer syntax, and the DICOM JSON of its header."""

    name: str
    transfer_syntax: str
    metadata: JsonDataset


@dataclass(slots=True)
class _Record:
    body: bytearray
    below: dict[str, _Record] = field(default_factory=dict)
    offset: int = 0


def make(members: Sequence[Member], uid: str) -> bytes:
    """The DICOMDIR's bytes; `uid` is the folder's own."""
    patients: dict[str, _Record] = {}
    for number, member in enumerate(members):
        ds = member.metadata
        level = patients
        for kind, key, tags in (
            # An ID is its issuer's (PS3.3 C.7.1.1).
            ("PATIENT", f"{index.string(ds, '00100020')}\\{index.string(ds, '00100021')}", _PATIENT),
            ("STUDY", index.uid(ds, "0020000D"), _STUDY),
            ("SERIES", index.uid(ds, "0020000E"), _SERIES),
        ):
            if key not in level:
                level[key] = _record(kind, ds, tags, b"")
            level = level[key].below
        level[str(number)] = _record(_kind(ds), ds, _LEAF, _reference(member))
    meta = write_meta(_SOP_CLASS, uid, EXPLICIT_LITTLE_ENDIAN)
    # Offsets count from the first byte of the file (PS3.3 F.3.2.2): the sequence's header is the last before the items.
    head = put(0x00041130, "CS", b"", True)
    start = len(meta) + len(head) + 3 * 12 - 2 + 12
    end = _place(patients.values(), start)
    roots = list(patients.values())
    head += put(0x00041200, "UL", roots[0].offset.to_bytes(4, "little") if roots else bytes(4), True)
    head += put(0x00041202, "UL", roots[-1].offset.to_bytes(4, "little") if roots else bytes(4), True)
    head += put(0x00041212, "US", bytes(2), True)
    written = b"".join(item(bytes(record.body)) for record in _walk(patients.values()))
    whole = meta + head + put(0x00041220, "SQ", written, True)
    assert len(whole) == end, "the offsets are those of the bytes"
    return whole


def _kind(ds: JsonDataset) -> str:
    return _RECORD_TYPES.get(index.uid(ds, "00080016"), "ENCAP DOC" if "00420011" in ds else "IMAGE")


def _record(kind: str, ds: JsonDataset, tags: Iterable[str], reference: bytes) -> _Record:
    body = put(0x00041400, "UL", bytes(4), True) + put(0x00041410, "US", b"\xff\xff", True)
    body += put(0x00041420, "UL", bytes(4), True) + put(0x00041430, "CS", kind.encode(), True) + reference
    values = [(tag, ds.get(tag, {}).get("vr") or _VRS.get(tag, "LO"), _text(ds, tag)) for tag in tags]
    if not all(text.isascii() for _, _, text in values):
        body += put(0x00080005, "CS", b"ISO_IR 192", True)
    for tag, vr, text in values:
        if vr != "SQ" and (text or tags is not _LEAF):
            body += put(int(tag, 16), vr, text.encode(), True)
    return _Record(bytearray(body))


def _reference(member: Member) -> bytes:
    name = member.name.replace("/", "\\").encode()
    return (
        put(0x00041500, "CS", name, True)
        + put(0x00041510, "UI", index.uid(member.metadata, "00080016").encode(), True)
        + put(0x00041511, "UI", index.uid(member.metadata, "00080018").encode(), True)
        + put(0x00041512, "UI", member.transfer_syntax.encode(), True)
    )


def _text(ds: JsonDataset, tag: str) -> str:
    values: list[Any] = index.values(ds, tag)
    groups = ("Alphabetic", "Ideographic", "Phonetic")
    shown = [
        "=".join(v.get(group, "") for group in groups).rstrip("=")
        if isinstance(v, dict)
        else ""
        if v is None
        else str(v)
        for v in values
    ]
    return "\\".join(shown)


def _place(level: Iterable[_Record], at: int) -> int:
    """Give every record its offset, and its neighbours' and children's; returns the first byte behind them."""
    before: _Record | None = None
    for record in level:
        record.offset = at
        if before is not None:
            pack_into("<I", before.body, _PLACES["next"], at)
        at += 8 + len(record.body)
        if record.below:
            pack_into("<I", record.body, _PLACES["lower"], at)
            at = _place(record.below.values(), at)
        before = record
    return at


def _walk(level: Iterable[_Record]) -> Iterable[_Record]:
    for record in level:
        yield record
        yield from _walk(record.below.values())
