"""A document in the archive: its pages as Secondary Capture images (PS3.3 A.8.1), a PDF also as it came (A.45.1).

A study of its own under the case's patient, so that one that comes late, is taken out or is revoked moves no other. Its
UIDs are made of the case and of the file's bytes: the same file again is the same objects. It has no date: that of the
day on which it was added would tell a specialist by how many days the copy's dates were moved.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    SecondaryCaptureImageStorage,
)

from cases.states import DocumentKind
from pacs.dicom import part10
from pacs.pixels.pages import Page

#: What the study is called, in words that de-identification leaves (PS3.15 E.3.5); never a file's name.
TITLES = {
    DocumentKind.FIRST_REPORT: "First report",
    DocumentKind.LETTER: "Letter",
    DocumentKind.LABORATORY: "Laboratory",
    DocumentKind.PHOTO: "Photo",
    DocumentKind.OTHER: "Document",
}
_PAGES, _FILE = 1, 2


@dataclass(frozen=True, slots=True)
class Subject:
    """Of whom and in which case a document is. `patient_name` (PN) and `birth_date` (DA) as its objects have them."""

    case_id: UUID
    reference: str
    patient_name: str
    birth_date: str
    sex: str


@dataclass(frozen=True, slots=True)
class Paper:
    """What becomes objects: `digest` is the SHA-256 of the file, `pdf` the file itself where it is one."""

    subject: Subject
    kind: DocumentKind
    number: int
    digest: str
    pages: Sequence[Page]
    pdf: bytes | None

    @property
    def study_uid(self) -> str:
        """The Study Instance UID."""
        return study_uid(self.subject.case_id, self.digest)


def study_uid(case_id: UUID, digest: str) -> str:
    """The Study Instance UID of a file in a case (PS3.5 B.2)."""
    return f"2.25.{uuid5(case_id, digest).int}"


def page_uid(case_id: UUID, digest: str, number: int) -> str:
    """The SOP Instance UID of a page, counted from 1."""
    return _uid(case_id, digest, f"page {number}")


def file_uid(case_id: UUID, digest: str) -> str:
    """The SOP Instance UID of the PDF itself."""
    return _uid(case_id, digest, "file")


def person_name(name: str) -> str:
    """A name as people type it as a PN of one component of 64 characters (PS3.5 6.2)."""
    return "".join(" " if c in "\\^=" or not c.isprintable() else c for c in name).strip()[:64].strip()


def objects(paper: Paper) -> dict[str, bytes]:
    """The Part 10 files by their SOP Instance UIDs: the pages in order, then the PDF."""
    of = paper.subject.case_id, paper.digest
    made = {page_uid(*of, number): _page(paper, number, page) for number, page in enumerate(paper.pages, 1)}
    return made if paper.pdf is None else {**made, file_uid(*of): _file(paper, paper.pdf)}


def _page(paper: Paper, number: int, page: Page) -> bytes:
    uid = page_uid(paper.subject.case_id, paper.digest, number)
    ds = _common(paper, SecondaryCaptureImageStorage, uid, JPEGBaseline8Bit, _PAGES, "Pages")
    ds.InstanceNumber, ds.PatientOrientation, ds.Laterality = number, "", ""
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "YBR_FULL_422", 0
    ds.Rows, ds.Columns = page.rows, page.columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    # PS3.3 C.7.6.1.1.5
    ds.LossyImageCompression, ds.LossyImageCompressionMethod = "01", "ISO_10918_1"
    ds.LossyImageCompressionRatio = f"{page.rows * page.columns * 3 / len(page.jpeg):.3g}"
    ds.PixelData = encapsulate([page.jpeg])
    ds["PixelData"].is_undefined_length = True
    return _written(ds)


def _file(paper: Paper, pdf: bytes) -> bytes:
    uid = file_uid(paper.subject.case_id, paper.digest)
    ds = _common(paper, EncapsulatedPDFStorage, uid, ExplicitVRLittleEndian, _FILE, "Document")
    ds.InstanceNumber = 1
    ds.AcquisitionDateTime, ds.DocumentTitle, ds.ConceptNameCodeSequence = "", _title(paper), []
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    # PS3.3 C.24.2: OB has an even length; the length without the padding stands beside it.
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    ds.EncapsulatedDocumentLength = len(pdf)
    return _written(ds)


def _common(paper: Paper, sop_class: UID, sop_uid: str, syntax: UID, series: int, described: str) -> FileDataset:
    """Patient, study, series, SC Equipment and SOP Common (PS3.3 C.7.1.1, C.7.2.1, C.7.3.1, C.8.6.1, C.12.1)."""
    subject = paper.subject
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, UID(sop_uid)
    meta.ImplementationClassUID = UID(part10.IMPLEMENTATION_CLASS_UID)
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, UID(sop_uid)
    ds.PatientName, ds.PatientID = subject.patient_name, ""
    ds.PatientBirthDate, ds.PatientSex = subject.birth_date, subject.sex
    ds.StudyInstanceUID = paper.study_uid
    ds.SeriesInstanceUID = _uid(subject.case_id, paper.digest, f"series {series}")
    ds.StudyDate = ds.StudyTime = ds.ContentDate = ds.ContentTime = ""
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = f"{paper.number}", subject.reference, ""
    ds.StudyDescription, ds.SeriesDescription = _title(paper), described
    ds.Modality, ds.SeriesNumber, ds.Manufacturer = "DOC", series, "Overread"
    ds.ConversionType = "SD"  # a document that was scanned, or what stands for one
    ds.BurnedInAnnotation = "YES"
    return ds


def _title(paper: Paper) -> str:
    return f"{TITLES[paper.kind]} {paper.number}"


def _uid(case_id: UUID, digest: str, what: str) -> str:
    return f"2.25.{uuid5(uuid5(case_id, digest), what).int}"


def _written(ds: pydicom.dataset.FileDataset) -> bytes:
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()
