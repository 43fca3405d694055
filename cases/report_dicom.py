"""The published report in the archive: an Encapsulated PDF (PS3.3 A.45.1) for people, and a Basic Text SR for programs.

Both are under the patient's original identity, in a study of their own, not in a series of the images': their
hospital's study stays as the hospital sent it.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from uuid import UUID

from pydicom.uid import EncapsulatedPDFStorage

from cases import imaging, report_pdf, report_sr
from cases.models import Case, Report
from cases.report_objects import TITLES, Images, code, predecessor, reference, started, study_uid, written
from cases.report_states import READABLE, ReportState
from cases.repository import load_unasked, reports_of, studies_of
from cases.service import reporting
from cases.states import StudyState
from overread.kit.errors import OverreadError
from overread.kit.principals import PrincipalRow
from pacs.store import ingest
from pacs.store.archive import Archive
from pacs.store.ingest import Outcome, Prepared, Refused, Source

#: Instances that a document says it was made of; a series of thousands is named by its first ones.
_MOST_SOURCES = 2000
#: The objects of a report: the document and the structured report.
_OBJECTS = 2


def archive_report(archive: Archive, case_id: UUID, report_id: UUID) -> None:
    """Store a published report as DICOM. Idempotent: all that is in it is made of the report.

    Raises OverreadError where the archive refuses it, Unavailable and StorageFull where it can't take it now.
    """
    with archive.db.transaction() as tx:
        case, report = load_unasked(tx, case_id, lock=True), tx.get(Report, report_id)
        if case is None or report is None or report.state not in READABLE:
            return
        uid = report.study_uid = study_uid(report)
        if imaging.holds(tx, case.patient_id, uid, _OBJECTS):
            return
        patient = tx.get(PrincipalRow, case.patient_id)
        assert patient is not None
        # As it was published: what became of it since is told where it is asked for.
        shown = replace(reporting.document(tx, case, report), mark=None, additions=())
        read = [s for s in studies_of(tx, case_id) if s.state is StudyState.RELEASED]
        read = [s for s in read if s.view_study_uid in report.studies_read] or read
        images = Images(next(iter(imaging.original(tx, *read).values()), None), imaging.named(tx, read, _MOST_SOURCES))
        before = next((r for r in reports_of(tx, case_id) if r.number == report.about and r.study_uid), None)
        source = Source(patient.as_principal(via="system"), "report", made_for=case_id)
        files = [
            encapsulated(case, report, report_pdf.render(shown), images, before),
            report_sr.structured(case, report, shown, images, before),
        ]
    for outcome in _stored(archive, source, files):
        if isinstance(outcome, Refused):
            raise OverreadError(f"report {report_id} was refused by the archive: {outcome.reason}")
    with archive.db.transaction() as tx:
        # It may have been recalled while it was stored.
        case, report = load_unasked(tx, case_id, lock=True), tx.get(Report, report_id)
        if case is not None and report is not None and report.state is ReportState.RECALLED:
            imaging.withhold(tx, case.patient_id, uid)


def _stored(archive: Archive, source: Source, files: list[bytes]) -> list[Outcome]:
    with ExitStack() as open_ones:
        prepared = []
        for data in files:
            incoming = open_ones.enter_context(ingest.receive(archive, source))
            incoming.write(data)
            prepared.append(incoming.finish())
        whole = [one for one in prepared if isinstance(one, Prepared)]
        refused: list[Outcome] = [one for one in prepared if isinstance(one, Refused)]
        # One without the other would be half a report; what is missing after a failure is stored by the next try.
        return refused or ingest.store(archive, source, whole)


def encapsulated(case: Case, report: Report, pdf: bytes, images: Images, before: Report | None) -> bytes:
    """The Part 10 file. `before`: the version that this one corrects or adds to, where it is in the archive."""
    assert report.published_at is not None
    ds = started(case, report, images.study, EncapsulatedPDFStorage)
    ds.AcquisitionDateTime = f"{report.published_at:%Y%m%d%H%M%S}+0000"
    # WSD: made on a workstation, not scanned (PS3.3 C.8.6.1).
    ds.ConversionType, ds.BurnedInAnnotation = "WSD", "YES"
    ds.DocumentTitle = f"{TITLES[report.kind]} {case.reference}, version {report.number}"
    ds.VerificationFlag, ds.ConceptNameCodeSequence = "VERIFIED", [code("11528-7", "LN", "Radiology Report")]
    # PS3.3 C.24.2: the instances that the document was made of; 1C, absent where there were none.
    if images.instances:
        ds.SourceInstanceSequence = [reference(one.sop_class, one.sop_uid) for one in images.instances]
    # PS3.3 C.24.2: the document that this one amends, as Table C.17-3 refers to it.
    if before is not None:
        ds.PredecessorDocumentsSequence = [predecessor(before, EncapsulatedPDFStorage)]
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    # PS3.3 C.24.2: OB has an even length; the length without the padding stands beside it.
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    ds.EncapsulatedDocumentLength = len(pdf)
    return written(ds)
