"""The published report in the archive: an Encapsulated PDF (PS3.3 A.45.1) under the patient's original identity.

It is a study of its own, not a series of the images': their hospital's study stays as the hospital sent it.
"""

from __future__ import annotations

import io
from uuid import UUID, uuid5

import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from cases import imaging, report_pdf
from cases.models import Case, Report
from cases.repository import load_unasked, studies_of
from cases.service import reporting
from cases.states import StudyState
from overread.kit.errors import OverreadError
from overread.kit.principals import PrincipalRow
from pacs.dicom import part10
from pacs.store import ingest
from pacs.store.archive import Archive
from pacs.store.ingest import Prepared, Refused, Source


def archive_report(archive: Archive, case_id: UUID, report_id: UUID) -> None:
    """Store a published report as DICOM. Idempotent: its UIDs are made of the report's id.

    Raises OverreadError where the archive refuses it, Unavailable and StorageFull where it can't take it now.
    """
    with archive.db.transaction() as tx:
        case, report = load_unasked(tx, case_id, lock=True), tx.get(Report, report_id)
        if case is None or report is None or report.published_at is None:
            return
        study_uid = report.study_uid = f"2.25.{report.id.int}"
        if imaging.sent(tx, case.patient_id, study_uid) is not None:
            return
        patient = tx.get(PrincipalRow, case.patient_id)
        assert patient is not None
        pdf = report_pdf.render(reporting.document(tx, case, report))
        released = [s for s in studies_of(tx, case_id) if s.state is StudyState.RELEASED]
        known = imaging.original(tx, *released)
        source = Source(patient.as_principal(via="system"), "report", made_for=case_id)
        data = encapsulated(case, report, pdf, next(iter(known.values()), None))
    with ingest.receive(archive, source) as incoming:
        incoming.write(data)
        prepared = incoming.finish()
    outcome = ingest.store(archive, source, [prepared])[0] if isinstance(prepared, Prepared) else prepared
    if isinstance(outcome, Refused):
        raise OverreadError(f"report {report_id} was refused by the archive: {outcome.reason}")


def encapsulated(case: Case, report: Report, pdf: bytes, images: imaging.StudySummary | None) -> bytes:
    """The Part 10 file. `images`: one of the studies that were read, whose patient attributes are taken over."""
    assert report.published_at is not None
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(f"2.25.{uuid5(report.id, 'instance').int}")
    meta.ImplementationClassUID = pydicom.uid.UID(part10.IMPLEMENTATION_CLASS_UID)
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.PatientName = images.patient_name if images and images.patient_name else case.patient_name
    ds.PatientID = images.patient_id if images else ""
    ds.PatientBirthDate = f"{case.birth_date:%Y%m%d}" if case.birth_date else ""
    ds.PatientSex = case.sex
    ds.StudyInstanceUID = f"2.25.{report.id.int}"
    ds.SeriesInstanceUID = f"2.25.{uuid5(report.id, 'series').int}"
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = f"{report.published_at:%Y%m%d}"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = f"{report.published_at:%H%M%S}"
    ds.AcquisitionDateTime = f"{report.published_at:%Y%m%d%H%M%S}+0000"
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = "", case.reference, ""
    ds.StudyDescription = ds.SeriesDescription = "Second opinion"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "DOC", 1, report.number
    # WSD: made on a workstation, not scanned (PS3.3 C.8.6.1).
    ds.ConversionType, ds.BurnedInAnnotation, ds.Manufacturer = "WSD", "YES", "Overread"
    ds.DocumentTitle = f"Second opinion {case.reference}"
    ds.VerificationFlag, ds.ConceptNameCodeSequence = "VERIFIED", [_code("11528-7", "LN", "Radiology Report")]
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    # PS3.3 C.24.2: OB has an even length; the length without the padding stands beside it.
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    ds.EncapsulatedDocumentLength = len(pdf)
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _code(value: str, scheme: str, meaning: str) -> pydicom.Dataset:
    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
