"""Reidentification: what a specialist made of a view's images, given to the patient whose images they are.

A derived object (a segmentation, a presentation state, a structured report) refers to the view's UIDs and carries its
pseudonyms. With the case's secret the originals tell what stood behind each: the same function is applied to them
once more, and its results are looked up. Without the secret nothing can be looked up, for anyone.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from pacs.deid.dates import offset_days, shift
from pacs.deid.uids import new_specimen, new_uid
from pacs.dicom import part10, tags
from pacs.dicom import transfer_syntaxes as ts
from pacs.dicom.charset import DEFAULT, codecs_of, decode
from pacs.dicom.elements import Element, find, raw, text
from pacs.dicom.part10 import Parsed

_CHARACTER_SET = tags.SpecificCharacterSet
_DATES = frozenset(("DA", "DT"))
_TEXTS = frozenset(("LO", "SH", "ST", "UC", "UT"))
#: Container Identifier, Specimen Identifier.
_SPECIMENS = frozenset((tags.ContainerIdentifier, tags.SpecimenIdentifier))
#: Modules Patient, General Study and Patient Study (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2), as far as they tell whose and
#: which study it is: taken from the original as they are, or left out where it has none.
_OF_THE_PATIENT = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "OtherPatientIDsSequence",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName",
    "TimezoneOffsetFromUTC",
)
_SAID_OF_US = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)


class Reidentification:
    """What stands behind the UIDs, dates and specimens of one case's view, gathered from its originals."""

    def __init__(self, secret: bytes, *, moved_dates: bool = True) -> None:
        self._secret = secret
        self._days = offset_days(secret) if moved_dates else 0
        self._uids: dict[str, str] = {}
        self._dates: dict[str, str] = {}
        self._specimens: dict[str, str] = {}
        self._of_vr = {
            "UI": self._uids,
            **dict.fromkeys(_DATES, self._dates),
            **dict.fromkeys(_TEXTS, self._specimens),
        }

    def learn(self, parsed: Parsed) -> None:
        """Take in an original: every UID, date and specimen's identifier of its header, at any depth."""
        declared = find(parsed.elements, _CHARACTER_SET)
        self._walk(parsed, parsed.elements, codecs_of(raw(parsed.buf, declared)) if declared else DEFAULT)

    def _walk(self, parsed: Parsed, elements: Iterable[Element], codecs: tuple[str, ...]) -> None:
        for element in elements:
            if element.items is not None:
                for item in element.items:
                    self._walk(parsed, item.elements, codecs)
            elif element.vr == "UI":
                for part in text(parsed.buf, element).split("\\"):
                    if part:
                        self._uids[new_uid(self._secret, part)] = part
            elif element.tag in _SPECIMENS and element.length:
                value = decode(raw(parsed.buf, element), codecs).strip(" \0")
                self._specimens[new_specimen(self._secret, value)] = value
            elif element.vr in _DATES and self._days:
                for part in text(parsed.buf, element).split("\\"):
                    moved = shift(part, element.vr, self._days)
                    if moved:
                        self._dates[moved] = part

    def apply(self, derived: bytes, original: Dataset) -> bytes:
        """Give a derived object, as Part 10 bytes, as one of the patient's and study's of `original`.

        UIDs, dates and specimens' identifiers of the view are put back wherever they stand; the object's own stay.
        Patient and study are the original's. Raises Unreadable where `derived` is no DICOM file.
        """
        parsed = part10.parse(derived)
        ds = pydicom.dcmread(BytesIO(derived), force=True)
        ds.walk(self._put_back)
        for keyword in _OF_THE_PATIENT:
            if keyword in original:
                ds[keyword] = original[keyword]
            elif keyword in ds:
                del ds[keyword]
        ds.StudyInstanceUID = original.StudyInstanceUID
        for keyword in _SAID_OF_US:
            if keyword in ds:
                del ds[keyword]
        ds.SpecificCharacterSet = "ISO_IR 192"
        out = BytesIO()
        syntax = parsed.meta.transfer_syntax if parsed.is_original_bytes else ts.EXPLICIT_LITTLE_ENDIAN
        out.write(part10.write_meta(str(ds.SOPClassUID), str(ds.SOPInstanceUID), syntax))
        implicit = syntax == ts.IMPLICIT_LITTLE_ENDIAN
        pydicom.filewriter.write_dataset(_stream(out, implicit), ds)
        return out.getvalue()

    def _put_back(self, _: Dataset, element: DataElement) -> None:
        known = self._of_vr.get(element.VR)
        if not known or element.value is None:
            return
        if isinstance(element.value, str):
            element.value = known.get(str(element.value), element.value)
        elif isinstance(element.value, Iterable):
            element.value = [known.get(str(one), one) for one in element.value]


def _stream(out: BytesIO, implicit: bool) -> pydicom.filebase.DicomIO:
    stream = pydicom.filebase.DicomIO(out)
    stream.is_little_endian, stream.is_implicit_VR = True, implicit
    return stream
