"""A DICOMDIR: the Basic Directory of a folder of files (PS3.3 F, PS3.10 8.6)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from struct import pack_into

from overread.kit.errors import BadInput
from pacs.dicom import from_json, json_values, tags
from pacs.dicom.dicomjson import JsonDataset
from pacs.dicom.encode import item, put
from pacs.dicom.part10 import IMPLEMENTATION_CLASS_UID, write_meta
from pacs.dicom.sop_classes import MEDIA_DIRECTORY
from pacs.dicom.transfer_syntaxes import EXPLICIT_LITTLE_ENDIAN
from pacs.serve import directory_records

#: Media Storage Directory Storage.
_PATIENT_ID = tags.PatientID.key
_ISSUER = tags.IssuerOfPatientID.key
_NAME = tags.PatientName.key
_STUDY_UID = tags.StudyInstanceUID.key
_SERIES_UID = tags.SeriesInstanceUID.key
_PLACES = {"next": 8, "lower": 30}


@dataclass(slots=True)
class _Record:
    body: bytearray
    below: dict[str, _Record] = field(default_factory=dict)
    offset: int = 0


class Directory:
    """The directory of a folder to which files are added one by one."""

    def __init__(self) -> None:
        self._patients: dict[str, _Record] = {}
        self._ids: list[str] = []

    def add(self, name: str, transfer_syntax: str, ds: JsonDataset) -> None:
        """Add a file by its name, its transfer syntax and the DICOM JSON of its header."""
        level = self._patients
        # An ID is its issuer's (PS3.3 C.7.1.1); who has none goes by the name.
        who = [json_values.string(ds, _PATIENT_ID), json_values.string(ds, _ISSUER)]
        who = who if who[0].strip() else ["", json_values.name(ds, _NAME)]
        for kind, key in (
            ("PATIENT", "\\".join(who)),
            ("STUDY", json_values.uid(ds, _STUDY_UID)),
            ("SERIES", json_values.uid(ds, _SERIES_UID)),
        ):
            if key not in level:
                level[key] = _record(kind, self._keys(kind, ds, len(level) + 1), b"")
            level = level[key].below
        kind = directory_records.kind_of(ds)
        number = len(level) + 1
        level[str(number)] = _record(kind, self._keys(kind, ds, number), _reference(name, transfer_syntax, ds))

    def _keys(self, kind: str, ds: JsonDataset, number: int) -> JsonDataset:
        keys = directory_records.attributes(kind, ds, number)
        if kind == "PATIENT":
            [patient_id] = keys[_PATIENT_ID]["Value"]
            keys[_PATIENT_ID]["Value"] = [directory_records.unlike(patient_id, self._ids)]
            self._ids += keys[_PATIENT_ID]["Value"]
        return keys

    def written(self, uid: str) -> bytes:
        """The DICOMDIR's bytes; `uid` is the folder's own."""
        meta = write_meta(MEDIA_DIRECTORY, uid, EXPLICIT_LITTLE_ENDIAN)
        # Offsets count from the first byte of the file (PS3.3 F.3.2.2): the sequence's header is the last before the
        # items.
        head = put(tags.FileSetID, "CS", b"", True)
        start = len(meta) + len(head) + 3 * 12 - 2 + 12
        roots = list(self._patients.values())
        end = _place(roots, start)
        head += put(
            tags.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity,
            "UL",
            roots[0].offset.to_bytes(4, "little") if roots else bytes(4),
            True,
        )
        head += put(
            tags.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity,
            "UL",
            roots[-1].offset.to_bytes(4, "little") if roots else bytes(4),
            True,
        )
        head += put(tags.FileSetConsistencyFlag, "US", bytes(2), True)
        records = b"".join(item(bytes(record.body)) for record in _walk(roots))
        whole = meta + head + put(tags.DirectoryRecordSequence, "SQ", records, True)
        assert len(whole) == end, "the offsets are those of the bytes"
        return whole


def _record(kind: str, keys: JsonDataset, reference: bytes) -> _Record:
    body = put(tags.OffsetOfTheNextDirectoryRecord, "UL", bytes(4), True) + put(
        tags.RecordInUseFlag, "US", b"\xff\xff", True
    )
    body += put(tags.OffsetOfReferencedLowerLevelDirectoryEntity, "UL", bytes(4), True) + put(
        tags.DirectoryRecordType, "CS", kind.encode(), True
    )
    if kind == "PRIVATE":
        body += put(tags.PrivateRecordUID, "UI", IMPLEMENTATION_CLASS_UID.encode(), True)
    return _Record(bytearray(body + reference + _written(keys)))


def _written(keys: JsonDataset) -> bytes:
    """The keys' bytes, with a character set where they need one."""
    for codec, said in (("ascii", b""), ("utf-8", put(tags.SpecificCharacterSet, "CS", b"ISO_IR 192", True))):
        with contextlib.suppress(UnicodeEncodeError):
            return said + b"".join(from_json.written(tag, keys[tag], codec, True) for tag in sorted(keys))
    raise BadInput("a directory's keys that UTF-8 can't hold")


def _reference(name: str, transfer_syntax: str, ds: JsonDataset) -> bytes:
    return (
        put(tags.ReferencedFileID, "CS", name.replace("/", "\\").encode(), True)
        + put(tags.ReferencedSOPClassUIDInFile, "UI", json_values.uid(ds, tags.SOPClassUID.key).encode(), True)
        + put(tags.ReferencedSOPInstanceUIDInFile, "UI", json_values.uid(ds, tags.SOPInstanceUID.key).encode(), True)
        + put(tags.ReferencedTransferSyntaxUIDInFile, "UI", transfer_syntax.encode(), True)
    )


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
