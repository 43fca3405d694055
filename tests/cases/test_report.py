"""The report as a document: safe, whole, and in the archive under the patient's own name."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pydicom
import pypdfium2
import pytest
from pydicom.uid import BasicTextSRStorage
from sqlalchemy import select

from cases import report_dicom, report_pdf, report_sr
from cases.events import ReportPublished
from cases.models import Report
from cases.repository import studies_of
from cases.service import inboxes, reporting
from cases.views import Answer, ReportView, WrittenText
from overread.kit.errors import OverreadError
from pacs.index import query
from pacs.index.scope import ORIGINAL, Scope, originals
from pacs.serve import retrieve
from tests.cases.pdf_objects import unpacked
from tests.cases.world import DICOM_NAME, NAME, World

PLAIN = ReportView(
    report_id=uuid4(),
    case_id=uuid4(),
    reference="OV-2222-2222",
    program="Bone & joint",
    subjects=("CT",),
    patient="A Person, born 1971-03-09",
    version=1,
    answers=(Answer(uuid4(), 1, "Is it torn?", "No."),),
    texts=(WrittenText("impression", "Impression", "In short", "All is well."),),
    studies=("CT of 2026-11-21, 1 images",),
    signed_by="Dr. Some Body",
    signed_at=datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
    published_at=datetime(2026, 11, 21, 10, 0, tzinfo=UTC),
    digest="ab" * 32,
    intact=True,
    follow_ups=(),
    edition="ab" * 32,
    zone="Europe/Berlin",
)


def test_no_text_becomes_markup_and_nothing_is_fetched() -> None:
    evil = '</p><script src="https://evil.example/x.js"></script><img src="file:///etc/passwd"><style>@import url(//e)'
    answers = (Answer(uuid4(), 1, evil, evil),)
    bad = replace(
        PLAIN,
        answers=answers,
        texts=(WrittenText("impression", evil, evil, evil),),
        program=evil,
        signed_by=evil,
        studies=(evil,),
        patient=evil,
    )
    page = report_pdf.html(bad)
    assert page.count("<script") == page.count("<img") == 0
    assert page.count("<style") == 1
    assert "&lt;script" in page
    pdf = report_pdf.render(bad)
    whole = unpacked(pdf)
    assert b"/Catalog" in whole
    assert not any(key in whole for key in (b"/JavaScript", b"/URI", b"/Launch"))
    with pypdfium2.PdfDocument(pdf) as document:
        # Our own copy of the words, and nothing else.
        assert [document.get_attachment(n).get_name() for n in range(document.count_attachments())] == [
            "second-opinion-OV-2222-2222.txt"
        ]


def test_a_draft_says_that_it_is_one() -> None:
    assert "Not signed: a draft" in report_pdf.html(replace(PLAIN, signed_at=None, published_at=None, digest=None))
    assert "A Person" in report_pdf.html(PLAIN)


def test_what_is_missing_of_a_report_is_stored_by_the_next_try(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    structured = report_sr.structured
    monkeypatch.setattr(report_sr, "structured", lambda *_given: b"no DICOM")
    case_id = world.signed()
    with world.db.transaction() as tx:
        reporting.publish(tx, world.coordinator, case_id)
        report = tx.scalars(select(Report)).one()
    again = ReportPublished(str(case_id), str(report.id))
    with pytest.raises(OverreadError, match="was refused by the archive"):
        world.handlers.archive_report(again)
    monkeypatch.setattr(report_sr, "structured", structured)
    for objects in (2, 3):
        # Also what is all there already is the same when it comes again.
        monkeypatch.setattr(report_dicom, "_OBJECTS", objects)
        world.handlers.archive_report(again)
        with world.db.transaction() as tx:
            [found] = query.summaries(tx, Scope(ORIGINAL, study_uids=frozenset({f"2.25.{report.id.int}"})))
        assert found.instances == 2


def test_the_report_stands_in_the_archive_beside_the_images(world: World) -> None:
    case_id = world.published()
    with world.db.transaction() as tx:
        report = tx.scalars(select(Report)).one()
        assert report.study_uid is not None
        [found] = query.summaries(tx, Scope(ORIGINAL, study_uids=frozenset({report.study_uid})))
        mine = {s.study_uid for s in query.summaries(tx, originals(world.patient))}
        view = reporting.read(tx, world.specialist, case_id)
    assert (found.patient_name, found.modalities, found.instances) == (DICOM_NAME, ["DOC", "SR"], 2)
    assert report.study_uid in mine
    assert view.patient == ""
    assert NAME not in report_pdf.html(view)
    # The job again, and the archive's news of the study: nothing comes of either.
    world.handlers.archive_report(ReportPublished(str(case_id), str(report.id)))
    world.settle(report.study_uid)
    with world.db.transaction() as tx:
        assert inboxes.count(tx, world.coordinator) == 0
        assert len(studies_of(tx, case_id)) == 1
        both = retrieve.locate(tx, Scope(ORIGINAL, unreleased=True), report.study_uid)
    read = [pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(world.archive.blobs, one.parts)))) for one in both]
    ds, told = sorted(read, key=lambda one: int(one.SeriesNumber))
    assert (told.SOPClassUID, told.PatientName, told.CompletionFlag) == (BasicTextSRStorage, DICOM_NAME, "COMPLETE")
    assert ds.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength].startswith(b"%PDF-1.7")
    assert ds.PatientBirthDate == "19710309"
