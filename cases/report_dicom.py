"""The published report in the archive: an Encapsulated PDF (PS3.3 A.45.1) under the patient's original identity.

It is a study of its own, not a series of the images': their hospital's study stays as the hospital sent it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from cases import imaging, report_pdf
from cases.models import Case, Report
from cases.report_states import READABLE, ReportKind, ReportState
from cases.repository import load_unasked, reports_of, studies_of
from cases.service import reporting
from cases.states import StudyState
from overread.kit.errors import OverreadError
from overread.kit.principals import PrincipalRow
from pacs.dicom import part10
from pacs.store import ingest
from pacs.store.archive import Archive
from pacs.store.ingest import Prepared, Refused, Source

#: Instances that a document says it was made of; a series of thousands is named by its first ones.
_MOST_SOURCES = 2000
_TITLES = {
    ReportKind.REPORT: "Second opinion",
    ReportKind.CORRECTION: "Second opinion, corrected",
    ReportKind.ADDENDUM: "Addition to a second opinion",
}


@dataclass(frozen=True, slots=True)
class Images:
    """What was read: one of the studies, whose patient attributes are taken over, and the instances of all of them."""

    study: imaging.StudySummary | None
    instances: Sequence[imaging.Named]


def archive_report(archive: Archive, case_id: UUID, report_id: UUID) -> None:
    """Store a published report as DICOM. Idempotent: its UIDs are made of the report's id.

    Raises OverreadError where the archive refuses it, Unavailable and StorageFull where it can't take it now.
    """
    with archive.db.transaction() as tx:
        case, report = load_unasked(tx, case_id, lock=True), tx.get(Report, report_id)
        if case is None or report is None or report.state not in READABLE:
            return
        study_uid = report.study_uid = _study_uid(report)
        if imaging.sent(tx, case.patient_id, study_uid) is not None:
            return
        patient = tx.get(PrincipalRow, case.patient_id)
        assert patient is not None
        shown = reporting.document(tx, case, report)
        # As it was published: what became of it since is told where it is asked for.
        pdf = report_pdf.render(replace(shown, mark=None, additions=()))
        read = [s for s in studies_of(tx, case_id) if s.state is StudyState.RELEASED]
        read = [s for s in read if s.view_study_uid in report.studies_read] or read
        images = Images(next(iter(imaging.original(tx, *read).values()), None), imaging.named(tx, read, _MOST_SOURCES))
        before = next((r for r in reports_of(tx, case_id) if r.number == report.about and r.study_uid), None)
        source = Source(patient.as_principal(via="system"), "report", made_for=case_id)
        data = encapsulated(case, report, pdf, images, before)
    with ingest.receive(archive, source) as incoming:
        incoming.write(data)
        prepared = incoming.finish()
    outcome = ingest.store(archive, source, [prepared])[0] if isinstance(prepared, Prepared) else prepared
    if isinstance(outcome, Refused):
        raise OverreadError(f"report {report_id} was refused by the archive: {outcome.reason}")
    with archive.db.transaction() as tx:
        # It may have been recalled while it was stored.
        case, report = load_unasked(tx, case_id, lock=True), tx.get(Report, report_id)
        if case is not None and report is not None and report.state is ReportState.RECALLED:
            imaging.withhold(tx, case.patient_id, study_uid)


def encapsulated(case: Case, report: Report, pdf: bytes, images: Images, before: Report | None) -> bytes:
    """The Part 10 file. `before`: the version that this one corrects or adds to, where it is in the archive."""
    assert report.published_at is not None
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(_sop_uid(report))
    meta.ImplementationClassUID = pydicom.uid.UID(part10.IMPLEMENTATION_CLASS_UID)
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    study = images.study
    ds.PatientName = study.patient_name if study and study.patient_name else case.patient_name
    ds.PatientID = study.patient_id if study else ""
    ds.PatientBirthDate = f"{case.birth_date:%Y%m%d}" if case.birth_date else ""
    ds.PatientSex = case.sex
    ds.StudyInstanceUID, ds.SeriesInstanceUID = _study_uid(report), _series_uid(report)
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = f"{report.published_at:%Y%m%d}"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = f"{report.published_at:%H%M%S}"
    ds.AcquisitionDateTime = f"{report.published_at:%Y%m%d%H%M%S}+0000"
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = case.reference, case.reference, ""
    ds.StudyDescription = "Second opinion"
    ds.SeriesDescription = _TITLES[report.kind]
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "DOC", 1, report.number
    # WSD: made on a workstation, not scanned (PS3.3 C.8.6.1).
    ds.ConversionType, ds.BurnedInAnnotation, ds.Manufacturer = "WSD", "YES", "Overread"
    ds.DocumentTitle = f"{_TITLES[report.kind]} {case.reference}, version {report.number}"
    ds.VerificationFlag, ds.ConceptNameCodeSequence = "VERIFIED", [_code("11528-7", "LN", "Radiology Report")]
    # PS3.3 C.24.2: the instances that the document was made of; 1C, absent where there were none.
    if images.instances:
        ds.SourceInstanceSequence = [_reference(one.sop_class, one.sop_uid) for one in images.instances]
    # PS3.3 C.24.2: the document that this one amends, as Table C.17-3 refers to it.
    if before is not None:
        ds.PredecessorDocumentsSequence = [_predecessor(before)]
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    # PS3.3 C.24.2: OB has an even length; the length without the padding stands beside it.
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    ds.EncapsulatedDocumentLength = len(pdf)
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _study_uid(report: Report) -> str:
    return f"2.25.{report.id.int}"


def _series_uid(report: Report) -> str:
    return f"2.25.{uuid5(report.id, 'series').int}"


def _sop_uid(report: Report) -> str:
    return f"2.25.{uuid5(report.id, 'instance').int}"


def _predecessor(report: Report) -> pydicom.Dataset:
    series = pydicom.Dataset()
    series.SeriesInstanceUID = _series_uid(report)
    series.ReferencedSOPSequence = [_reference(EncapsulatedPDFStorage, _sop_uid(report))]
    study = pydicom.Dataset()
    study.StudyInstanceUID, study.ReferencedSeriesSequence = _study_uid(report), [series]
    return study


def _reference(sop_class: str, sop_uid: str) -> pydicom.Dataset:
    one = pydicom.Dataset()
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = sop_class, sop_uid
    return one


def _code(value: str, scheme: str, meaning: str) -> pydicom.Dataset:
    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
