"""What the objects of a published report have in common: whose they are, their UIDs, and what they refer to."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid5

import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, BasicTextSRStorage, EncapsulatedPDFStorage, ExplicitVRLittleEndian

from cases import imaging
from cases.models import Case, Report
from cases.report_states import ReportKind
from pacs.dicom import part10

TITLES = {
    ReportKind.REPORT: "Second opinion",
    ReportKind.CORRECTION: "Second opinion, corrected",
    ReportKind.ADDENDUM: "Addition to a second opinion",
}
#: The series of each kind of object: its number and modality.
_SERIES = {EncapsulatedPDFStorage: (1, "DOC"), BasicTextSRStorage: (2, "SR")}
#: PS3.5 6.2: a component group of a Person Name (PN), and a Long String (LO), have 64 characters at most.
_LONG = 64


@dataclass(frozen=True, slots=True)
class Images:
    """What was read: one of the studies, whose patient attributes are taken over, and the instances of all of them."""

    study: imaging.StudySummary | None
    instances: Sequence[imaging.Named]


def started(case: Case, report: Report, study: imaging.StudySummary | None, sop_class: UID) -> FileDataset:
    """An object of a published report with its patient, study, series and equipment (PS3.3 C.7.1, C.7.2, C.7.5)."""
    assert report.published_at is not None
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, UID(_sop_uid(report, sop_class))
    meta.ImplementationClassUID = UID(part10.IMPLEMENTATION_CLASS_UID)
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    # PS3.3 C.12.1.1.2: UTF-8, in which every script has a place.
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.PatientName = study.patient_name if study and study.patient_name else person_name(case.patient_name)
    ds.PatientID = study.patient_id if study else ""
    ds.PatientBirthDate = f"{case.birth_date:%Y%m%d}" if case.birth_date else ""
    ds.PatientSex = case.sex
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid(report), _series_uid(report, sop_class)
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = f"{report.published_at:%Y%m%d}"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = f"{report.published_at:%H%M%S}"
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = case.reference, case.reference, ""
    ds.StudyDescription = "Second opinion"
    ds.SeriesDescription = TITLES[report.kind]
    ds.SeriesNumber, ds.Modality = _SERIES[sop_class]
    ds.InstanceNumber, ds.Manufacturer = report.number, "Overread"
    return ds


def written(ds: FileDataset) -> bytes:
    """The Part 10 file of an object."""
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def person_name(typed: str) -> str:
    """A name that somebody typed, as a Person Name of one component; what would part it is a space."""
    return long_string("".join(" " if one in "^=\\" else one for one in typed))


def long_string(text: str) -> str:
    """What of a text there is room for in one value of 64 characters (PS3.5 6.2)."""
    return " ".join(text.replace("\\", " ").split())[:_LONG]


def code(value: str, scheme: str, meaning: str) -> pydicom.Dataset:
    """A coded concept (PS3.3 Table 8.8-1)."""
    made = pydicom.Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning
    return made


def reference(sop_class: str, sop_uid: str) -> pydicom.Dataset:
    """A reference to an instance (PS3.3 Table 10-11)."""
    made = pydicom.Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = sop_class, sop_uid
    return made


def hierarchy(instances: Sequence[imaging.Named]) -> list[pydicom.Dataset]:
    """References to instances by their studies and series (PS3.3 Table C.17-3), in the order in which they come."""
    studies: dict[str, dict[str, list[pydicom.Dataset]]] = {}
    for one in instances:
        of_study = studies.setdefault(one.study_uid, {})
        of_study.setdefault(one.series_uid, []).append(reference(one.sop_class, one.sop_uid))
    return [_of_study(uid, series) for uid, series in studies.items()]


def predecessor(before: Report, sop_class: UID) -> pydicom.Dataset:
    """The reference to an earlier version's object of a kind."""
    named = {_series_uid(before, sop_class): [reference(sop_class, _sop_uid(before, sop_class))]}
    return _of_study(study_uid(before), named)


def study_uid(report: Report) -> str:
    """The study of a version's own: made of its id, so that it is the same whenever it is asked for."""
    return f"2.25.{report.id.int}"


def _of_study(uid: str, series: dict[str, list[pydicom.Dataset]]) -> pydicom.Dataset:
    made = pydicom.Dataset()
    made.StudyInstanceUID, made.ReferencedSeriesSequence = uid, []
    for series_uid, instances in series.items():
        one = pydicom.Dataset()
        one.SeriesInstanceUID, one.ReferencedSOPSequence = series_uid, instances
        made.ReferencedSeriesSequence.append(one)
    return made


def _series_uid(report: Report, sop_class: UID) -> str:
    return f"2.25.{uuid5(report.id, f'series {sop_class}').int}"


def _sop_uid(report: Report, sop_class: UID) -> str:
    return f"2.25.{uuid5(report.id, f'instance {sop_class}').int}"
