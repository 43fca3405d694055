"""The directory records of a DICOMDIR: which type an instance has, and the keys of each type (PS3.3 F.4, F.5).

A key of type 1 has a value always: the instance's own where it is one of its VR, or else what comes nearest, or a
value that says nothing. What a reader of directories takes for granted is never missing then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pacs.dicom import json_values, sop_classes, tags
from pacs.dicom.dicomjson import JsonDataset
from pacs.dicom.dictionary import public_vr

_CONCEPT = tags.ConceptNameCodeSequence.key
_ITEMS = tags.ContentSequence.key
_RELATIONSHIP = tags.RelationshipType.key
_VERIFICATION = tags.VerificationDateTime.key
_VERIFYING_OBSERVERS = tags.VerifyingObserverSequence.key
_ROWS = tags.Rows.key
_DOCUMENT = tags.EncapsulatedDocument.key
_HL7 = tags.HL7InstanceIdentifier.key
_SOP_CLASS = tags.SOPClassUID.key
_SOP_INSTANCE = tags.SOPInstanceUID.key
_CONTENT = "ContentDate:1 ContentTime:1 InstanceNumber:1"
#: The Content Identification Macro (Table 10-12).
_IDENTIFICATION = "InstanceNumber:1 ContentLabel:1 ContentDescription:2 ContentCreatorName:2"
_IDENTIFIED = f"ContentDate:1 ContentTime:1 {_IDENTIFICATION}"
_TABLES = {
    "PATIENT": "PatientName:2 PatientID:1 IssuerOfPatientID:1C",  # F.5.1; the issuer is any other attribute
    "STUDY": "StudyDate:1 StudyTime:1 AccessionNumber:2 StudyDescription:2 StudyInstanceUID:1 StudyID:1",  # F.5.2
    "SERIES": "Modality:1 SeriesInstanceUID:1 SeriesNumber:1",  # F.5.3
    "IMAGE": "InstanceNumber:1",  # F.5.4
    "RT DOSE": "InstanceNumber:1 DoseComment:1C DoseSummationType:1",  # F.5.19
    "RT STRUCTURE SET": "InstanceNumber:1 StructureSetLabel:1 StructureSetDate:2 StructureSetTime:2",  # F.5.20
    "RT PLAN": "InstanceNumber:1 RTPlanLabel:1 RTPlanDate:2 RTPlanTime:2",  # F.5.21
    "RT TREAT RECORD": "InstanceNumber:1 TreatmentDate:2 TreatmentTime:2",  # F.5.22
    "PRESENTATION": f"ReferencedSeriesSequence:1C {_IDENTIFICATION} PresentationCreationDate:1 "  # F.5.23
    "PresentationCreationTime:1 BlendingSequence:1C",
    "WAVEFORM": _CONTENT,  # F.5.24
    "SR DOCUMENT": f"{_CONTENT} VerificationDateTime:1C ConceptNameCodeSequence:1 "  # F.5.25
    "CompletionFlag:1 VerificationFlag:1 ContentSequence:1C",
    "KEY OBJECT DOC": f"{_CONTENT} ConceptNameCodeSequence:1 ContentSequence:1C",  # F.5.26
    "SPECTROSCOPY": f"ImageType:1 {_CONTENT} ReferencedImageEvidenceSequence:1C "  # F.5.27
    "NumberOfFrames:1 Rows:1 Columns:1 DataPointRows:1 DataPointColumns:1",
    "RAW DATA": "ContentDate:1 ContentTime:1 InstanceNumber:2",  # F.5.28
    "REGISTRATION": _IDENTIFIED,  # F.5.29
    "FIDUCIAL": _IDENTIFIED,  # F.5.30
    "ENCAP DOC": "ContentDate:2 ContentTime:2 InstanceNumber:1 "  # F.5.32
    "ConceptNameCodeSequence:2 HL7InstanceIdentifier:1C DocumentTitle:2 MIMETypeOfEncapsulatedDocument:1",
    "VALUE MAP": _IDENTIFIED,  # F.5.34
    "STEREOMETRIC": _IDENTIFICATION,  # F.5.35: any other attribute
    "PLAN": "",  # F.5.40
    "MEASUREMENT": _IDENTIFIED,  # F.5.41
    "SURFACE": _IDENTIFIED,  # F.5.42
    "SURFACE SCAN": "ContentDate:1 ContentTime:1",  # F.5.43
    "TRACT": _IDENTIFIED,  # F.5.44
    "ASSESSMENT": "InstanceCreationDate:1 InstanceCreationTime:2 InstanceNumber:1",  # F.5.45
    "RADIOTHERAPY": "InstanceNumber:1 ContentDescription:2 ContentCreatorName:2 "  # F.5.46
    "UserContentLabel:1C UserContentLongLabel:1C",
    "PRIVATE": "",  # F.6.1
}
#: The keys of each type of record, with their own types; 1C stands for a key that is there where the instance has it.
KEYS: Mapping[str, Mapping[str, str]] = {
    kind: {tags.named(keyword).key: type_ for keyword, type_ in (key.split(":") for key in keys.split())}
    for kind, keys in _TABLES.items()
}

_CDA = sop_classes.uid("EncapsulatedCDAStorage")

#: Dates and times that say as much as one that is missing.
_DATES = (
    tags.SeriesDate.key,
    tags.AcquisitionDate.key,
    tags.ContentDate.key,
    tags.AcquisitionDateTime.key,
    tags.InstanceCreationDate.key,
    tags.StudyDate.key,
)
_TIMES = (
    tags.SeriesTime.key,
    tags.AcquisitionTime.key,
    tags.ContentTime.key,
    tags.AcquisitionDateTime.key,
    tags.InstanceCreationTime.key,
    tags.StudyTime.key,
)
#: What keys of type 1 say where the instance has nothing that fits.
_INSTEAD: dict[str, Any] = {
    tags.ImageType.key: ["ORIGINAL", "PRIMARY"],
    tags.Modality.key: ["OT"],
    _CONCEPT: [
        {
            tags.CodeValue.key: {"vr": "SH", "Value": ["74964007"]},
            tags.CodingSchemeDesignator.key: {"vr": "SH", "Value": ["SCT"]},
            tags.CodeMeaning.key: {"vr": "LO", "Value": ["Other"]},
        }
    ],
    tags.CompletionFlag.key: ["PARTIAL"],
    tags.VerificationFlag.key: ["UNVERIFIED"],
    tags.MIMETypeOfEncapsulatedDocument.key: ["application/octet-stream"],
    tags.ContentLabel.key: ["UNNAMED"],
    tags.DoseSummationType.key: ["UNKNOWN"],
    tags.StructureSetLabel.key: ["UNNAMED"],
    tags.RTPlanLabel.key: ["UNNAMED"],
}
#: What is kept of a reference: to studies, series and instances, their frames and segments.
_REFERENCES = frozenset(
    (
        tags.StudyInstanceUID.key,
        tags.SeriesInstanceUID.key,
        tags.ReferencedSeriesSequence.key,
        tags.ReferencedImageSequence.key,
        tags.ReferencedSOPClassUID.key,
        tags.ReferencedSOPInstanceUID.key,
        tags.ReferencedFrameNumber.key,
        tags.ReferencedSOPSequence.key,
        tags.ReferencedSegmentNumber.key,
    )
)
_LONGEST = {"SH": 16, "LO": 64, "CS": 16}
_SHORTEST_OF_DT = 14
_CODE = re.compile("[A-Z0-9 _]+")
_MOMENT = re.compile(r"\d{8}(\d{6}(\.\d{1,6})?([+-]\d{4})?)?", re.ASCII)
_TIME = re.compile(r"\d\d(\d\d(\d\d(\.\d{1,6})?)?)?", re.ASCII)
_MAX_IS = 1 << 31


def kind_of(ds: JsonDataset) -> str:
    """The type of an instance's record. What is neither listed nor an image has a private one (F.6.1).

    Microscopy Bulk Simple Annotations, too: one ANNOTATION record, and pydicom 3.0.2 loads nothing of the directory.
    """
    row = sop_classes.TABLE.get(json_values.uid(ds, _SOP_CLASS))
    return (row.record if row else "") or ("ENCAP DOC" if _DOCUMENT in ds else "IMAGE" if _ROWS in ds else "PRIVATE")


def attributes(kind: str, ds: JsonDataset, number: int) -> JsonDataset:
    """The keys of a record. `number` is its place among its neighbours, for what has to be numbered and is not."""
    found: JsonDataset = {}
    for tag, type_ in KEYS[kind].items():
        vr = (public_vr(int(tag, 16)) or "LO")[:2]
        values = _own(tag, vr, ds) or (_instead(tag, vr, ds, number) if type_ == "1" else [])
        if values:
            found[tag] = {"vr": vr, "Value": values}
        elif type_ != "1C":
            found[tag] = {"vr": vr}
    return found


def _own(tag: str, vr: str, ds: JsonDataset) -> list[Any]:
    """What the instance says, as far as it fits the key."""
    if tag == _VERIFICATION:
        # Of the verifications the last (F.5.25).
        observers = [one for one in json_values.values(ds, _VERIFYING_OBSERVERS) if isinstance(one, dict)]
        moments = [json_values.string(one, _VERIFICATION).strip() for one in observers]
        return [max(fitting)] if (fitting := [one for one in moments if _MOMENT.fullmatch(one)]) else []
    if tag == _HL7 and tag not in ds and json_values.uid(ds, _SOP_CLASS) == _CDA:
        # An OID of its own; PS3.3 C.24.2 wants one of every HL7 document.
        return [json_values.uid(ds, _SOP_INSTANCE)]
    values = _fitting(tag, vr, ds)
    if tag == _ITEMS:
        # What modifies the document's title, and nothing else (F.5.25, F.5.26).
        return [one for one in values if json_values.string(one, _RELATIONSHIP).strip() == "HAS CONCEPT MOD"]
    return values if vr == "SQ" or tag == tags.ImageType.key else values[:1]


def _instead(tag: str, vr: str, ds: JsonDataset, number: int) -> list[Any]:
    """What a key of type 1 says instead."""
    if vr == "DA":
        return [next(filter(None, (_day(ds, one) for one in _DATES)), "19000101")]
    if vr == "TM":
        return [next(filter(None, (_time(ds, one) for one in _TIMES)), "000000")]
    if tag in _INSTEAD:
        return list(_INSTEAD[tag])
    return [1 if vr in ("US", "UL") else str(number)]


def _fitting(tag: str, vr: str, ds: JsonDataset) -> list[Any]:
    """The values of an attribute that are values of its VR (PS3.5 6.2)."""
    if vr == "SQ":
        only = _REFERENCES if tag in _SEQUENCES_OF_REFERENCES else None
        return [_item(one, only) for one in json_values.values(ds, tag) if isinstance(one, dict)]
    if vr == "DA":
        return [day] if (day := _day(ds, tag)) else []
    if vr == "TM":
        return [time] if (time := _time(ds, tag)) else []
    check = _CHECKS.get(vr) or _text(vr)
    found = (check(one) for one in json_values.values(ds, tag) if one is not None)
    return [one for one in found if one not in (None, "")]


_SEQUENCES_OF_REFERENCES = frozenset(
    (tags.ReferencedSeriesSequence.key, tags.BlendingSequence.key, tags.ReferencedImageEvidenceSequence.key)
)


def _item(ds: JsonDataset, only: frozenset[str] | None) -> JsonDataset:
    """An item of a sequence, without what is private; of references no more than where they lead."""
    kept: JsonDataset = {}
    for tag, element in ds.items():
        vr = public_vr(int(tag, 16))
        if vr is None or (only is not None and tag not in only):
            continue
        if element["vr"] == "SQ":
            items = [_item(one, only) for one in json_values.values(ds, tag) if isinstance(one, dict)]
            kept[tag] = {"vr": "SQ", "Value": items}
        elif "BulkDataURI" not in element:
            fitting = element["vr"] in _LONGEST or element["vr"] in ("DA", "TM", "IS", "US", "PN")
            kept[tag] = {"vr": element["vr"], "Value": _fitting(tag, element["vr"], ds)} if fitting else element
    return kept


def _day(ds: JsonDataset, tag: str) -> str:
    day = json_values.day(ds, tag)
    return f"{day.year:04}{day.month:02}{day.day:02}" if day else ""


def _time(ds: JsonDataset, tag: str) -> str:
    if ds.get(tag, {}).get("vr") == "DT":
        text = json_values.string(ds, tag)
        return text[8:_SHORTEST_OF_DT] if _MOMENT.fullmatch(text) and len(text) >= _SHORTEST_OF_DT else ""
    text, clock = json_values.string(ds, tag).strip(), json_values.clock(ds, tag)
    if clock is None or _TIME.fullmatch(text):
        return text if clock else ""
    return clock.replace(":", "").removesuffix(".000000")


def _number(value: Any) -> str | None:
    number = json_values.number({"_": {"Value": [value]}}, "_")
    return str(number) if number is not None and -_MAX_IS <= number < _MAX_IS else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= 0xFFFF else None


def _code(value: Any) -> str | None:
    text = str(value).strip().upper()[: _LONGEST["CS"]].strip()
    return text if _CODE.fullmatch(text) else None


def _person(value: Any) -> dict[str, str] | None:
    """A name, of five components in up to three groups of 64 characters (PS3.5 6.2.1)."""
    if not isinstance(value, dict):
        return None
    groups = {group: "^".join(_printable(text).split("^")[:5])[:64].strip() for group, text in value.items()}
    return {group: text for group, text in groups.items() if text} or None


def _text(vr: str) -> Callable[[Any], str]:
    return lambda value: _printable(str(value)).strip()[: _LONGEST.get(vr)].strip()


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "IS": _number,
    "US": _count,
    "UL": _count,
    "CS": _code,
    "PN": _person,
}


def unlike(text: str, taken: Sequence[str]) -> str:
    """A Patient ID that no other record has: it may not appear twice (F.5.1)."""
    number, made = 1, text
    while made in taken:
        number += 1
        made = f"{text[:56]} ({number})"
    return made
