"""The way back: what a specialist made of a view's images, given to the patient whose images they are.

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

from pacs import part10
from pacs import transfer_syntaxes as ts
from pacs.deid.dates import offset_days, shift
from pacs.deid.uids import new_uid
from pacs.elements import Element, text
from pacs.part10 import Parsed

_DATES = frozenset(("DA", "DT"))
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


class WayBack:
    """What stands behind the UIDs and dates of one case's view, gathered from its originals."""

    def __init__(self, secret: bytes, *, moved_dates: bool = True) -> None:
        self._secret = secret
        self._days = offset_days(secret) if moved_dates else 0
        self._uids: dict[str, str] = {}
        self._dates: dict[str, str] = {}

    def learn(self, parsed: Parsed) -> None:
        """Take in an original: every UID and every date of its header, at any depth."""
        self._walk(parsed, parsed.elements)

    def _walk(self, parsed: Parsed, elements: Iterable[Element]) -> None:
        for element in elements:
            if element.items is not None:
                for item in element.items:
                    self._walk(parsed, item.elements)
            elif element.vr == "UI":
                for part in text(parsed.buf, element).split("\\"):
                    if part:
                        self._uids[new_uid(self._secret, part)] = part
            elif element.vr in _DATES and self._days:
                for part in text(parsed.buf, element).split("\\"):
                    moved = shift(part, element.vr, self._days)
                    if moved:
                        self._dates[moved] = part

    def knows(self, uid: str) -> bool:
        """Tell whether a UID is one of the view's."""
        return uid in self._uids

    def apply(self, derived: bytes, original: Dataset) -> bytes:
        """Give a derived object, as Part 10 bytes, as one of the patient's and study's of `original`.

        UIDs and dates of the view are put back wherever they stand; the object's own stay. Patient and study are the
        original's. Raises Unreadable where `derived` is no DICOM file.
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
        known = self._uids if element.VR == "UI" else self._dates if element.VR in _DATES else None
        if known is None or element.value is None:
            return
        if isinstance(element.value, str):
            element.value = known.get(str(element.value), element.value)
        elif isinstance(element.value, Iterable):
            element.value = [known.get(str(one), one) for one in element.value]


def _stream(out: BytesIO, implicit: bool) -> pydicom.filebase.DicomIO:
    stream = pydicom.filebase.DicomIO(out)
    stream.is_little_endian, stream.is_implicit_VR = True, implicit
    return stream
