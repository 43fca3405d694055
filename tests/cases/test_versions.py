"""A report after it was signed: sent back, corrected, added to, recalled; who reads what, and who is told."""

from __future__ import annotations

import io
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pydicom
import pytest
from pydicom.uid import BasicTextSRStorage, EncapsulatedPDFStorage
from sqlalchemy import delete, select, update

from cases import access, report_pdf
from cases.licence_models import Licence
from cases.models import Case, Program, Report
from cases.report_states import ReportKind
from cases.repository import reports_of
from cases.service import intake, read, reporting, signers, versions
from cases.version_models import Signer
from cases.views import PatientCase, ReportView
from overread.kit import clock
from overread.kit.audit import AuditRow
from overread.kit.errors import Conflict, NotFound, Unprocessable
from pacs.index import query
from pacs.index.scope import ORIGINAL, Scope, originals
from pacs.serve import retrieve
from tests.cases.world import NAME, World, proof
from viewer_bridge import grants


def states(world: World, case_id: UUID) -> list[tuple[str, str]]:
    with world.db.transaction() as tx:
        return [(r.kind.value, r.state.value) for r in reports_of(tx, case_id)]


def text(found: ReportView) -> str:
    """What the PDF of a version is set from, its lines joined."""
    return " ".join(report_pdf.html(found).split())


def archived(world: World, report: Report, kind: str = EncapsulatedPDFStorage) -> pydicom.Dataset:
    """The object of a kind that a version has in the archive, beside the one of the other kind."""
    assert report.study_uid
    with world.db.transaction() as tx:
        both = retrieve.locate(tx, Scope(ORIGINAL, unreleased=True, withheld=True), report.study_uid)
    assert len(both) == 2
    read = [pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(world.archive.blobs, one.parts)))) for one in both]
    [found] = [ds for ds in read if ds.SOPClassUID == kind]
    return found


def told(world: World, words: str) -> list[str]:
    """The addresses of mails that say something."""
    return sorted(
        line.removeprefix("To: ")
        for mail in world.mails()
        if words in " ".join(mail.split())
        for line in mail.splitlines()
        if line.startswith("To: ")
    )


def test_what_was_sent_back_stays_and_a_new_version_starts_from_it(world: World) -> None:
    case_id = world.signed()
    with world.db.transaction() as tx, pytest.raises(Unprocessable, match="guards"):
        reporting.send_back(tx, world.coordinator, case_id, "  ")
    with world.db.transaction() as tx:
        digest = reporting.read(tx, world.coordinator, case_id).digest
        reporting.send_back(tx, world.coordinator, case_id, f"{NAME} asks: which side?")
    world.drain()
    assert world.state(case_id) == "in_review"
    assert states(world, case_id) == [("report", "returned"), ("report", "draft")]
    assert len(told(world, "sent back before it was published")) == 1
    with world.db.transaction() as tx:
        draft = reporting.draft(tx, world.specialist, case_id)
        assert draft is not None
        assert draft.texts[1].text == "All is well."
        # As everything that comes from coordinators.
        assert draft.reason.endswith("asks: which side?")
        assert not any(name in draft.reason for name in ("María", "Oyelaran"))
        old = reporting.read(tx, world.coordinator, case_id, 1)
        assert (old.digest, old.intact) == (digest, True)
        assert old.mark is not None
        assert "never published" in old.mark.text
        # The images are open still.
        assert access.scope(tx, world.specialist, case_id).view_id
        with pytest.raises(NotFound):
            reporting.read(tx, world.patient, case_id)
        reporting.save_draft(tx, world.specialist, case_id, {}, {"impression": "Left: well."}, draft.studies_read)
    world.sign(case_id)
    world.publish(case_id)
    assert states(world, case_id) == [("report", "returned"), ("report", "published")]
    with world.db.transaction() as tx:
        shown = reporting.read(tx, world.patient, case_id)
        assert (shown.version, shown.texts[1].text, shown.mark) == (2, "Left: well.", None)
        # What was never given to them is not theirs to know of.
        assert [one.number for one in versions.listed(tx, world.patient, case_id)] == [2]
        with pytest.raises(NotFound):
            reporting.read(tx, world.patient, case_id, 1)


def test_a_correction_takes_the_place_of_the_report_once_it_is_published(world: World) -> None:
    case_id = world.published()
    with world.db.transaction() as tx:
        reporting.read(tx, world.patient, case_id)
        reporting.read(tx, world.coordinator, case_id)
        number = versions.open_version(tx, world.specialist, case_id, ReportKind.CORRECTION)
        assert number == 2
        # Another change has to wait.
        with pytest.raises(Unprocessable) as waits:
            versions.open_version(tx, world.specialist, case_id, ReportKind.ADDENDUM)
        assert "Version 2 is being written already" in waits.value.safe
        with pytest.raises(Unprocessable, match="guards") as why:
            reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
        assert why.value.safe == "Please say what is changed or added, and why."
        with pytest.raises(Unprocessable) as open_one:
            reporting.close(tx, world.coordinator, case_id)
        assert "being written" in open_one.value.safe
    world.change(case_id, {"impression": "All is well on the left."}, "The side was missing.")
    with world.db.transaction() as tx:
        # Meanwhile the old one is read, and questions go on.
        assert reporting.read(tx, world.patient, case_id).texts[1].text == "All is well."
        intake.follow_up(tx, world.patient, case_id, "May I swim?")
    world.sign(case_id)
    world.digest()
    assert told(world, "a correction or addition is signed: publish it") == ["coordinator@example.org"]
    with world.db.transaction() as tx:
        assert reporting.read(tx, world.patient, case_id).version == 1
    world.publish(case_id)
    assert world.state(case_id) == "published"
    assert states(world, case_id) == [("report", "replaced"), ("correction", "published")]
    assert len(told(world, "Your report was corrected or added to")) == 1
    # It was the coordinator who published it, and knows.
    assert told(world, "A report that you have opened") == []
    with world.db.transaction() as tx:
        now = reporting.read(tx, world.patient, case_id)
        assert (now.version, now.change, now.texts[1].text) == (2, "The side was missing.", "All is well on the left.")
        newer, older = versions.listed(tx, world.patient, case_id)
        assert (newer.status, older.status, older.readable) == ("In force", "Replaced", True)
        assert older.mark.startswith("Replaced by version 2 on ")
        name, pdf = reporting.pdf(tx, world.patient, case_id, 1)
        assert pdf.startswith(b"%PDF-1.7")
        assert text(reporting.read(tx, world.patient, case_id, 1)).count("Replaced by version 2 on") == 2
        assert "version-2" in reporting.pdf(tx, world.patient, case_id)[0]
        assert "version" not in name


def test_whoever_has_read_the_old_version_is_told_of_the_new_one(world: World) -> None:
    case_id = world.published()
    with world.db.transaction() as tx:
        tx.execute(update(Program).values(publish_by_policy=True))
        reporting.read(tx, world.coordinator, case_id)
        versions.open_version(tx, world.specialist, case_id, ReportKind.ADDENDUM)
    world.change(case_id, {"addition": "The older images show the same."}, "They came later.")
    world.sign(case_id)
    assert states(world, case_id) == [("report", "published"), ("addendum", "published")]
    assert told(world, "A report that you have opened") == ["coordinator@example.org"]


def test_an_addition_is_read_below_the_report_and_goes_with_it(world: World) -> None:
    case_id = world.correcting(kind=ReportKind.ADDENDUM)
    with world.db.transaction() as tx, pytest.raises(Unprocessable) as wrong:
        reporting.save_draft(tx, world.specialist, case_id, {}, {"impression": "x"}, [])
    assert wrong.value.safe == "The texts of a report are: addition."
    world.change(case_id, {"addition": ""}, "More images came.")
    with world.db.transaction() as tx, pytest.raises(Unprocessable) as empty:
        reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
    assert empty.value.safe == "Please write what is to be added."
    world.change(case_id, {"addition": "Unchanged since June."}, "More images came.")
    world.sign(case_id)
    world.publish(case_id)
    with world.db.transaction() as tx:
        shown = reporting.read(tx, world.patient, case_id)
        [added] = shown.additions
        assert (shown.version, added.version, added.text, added.intact) == (1, 2, "Unchanged since June.", True)
        assert added.signature.qualification == "Consultant radiologist, FRCR"
        assert reporting.read(tx, world.patient, case_id, 2).answers == ()
        assert "Unchanged since June." in text(reporting.read(tx, world.patient, case_id))
    # A correction replaces both.
    with world.db.transaction() as tx:
        versions.open_version(tx, world.specialist, case_id, ReportKind.CORRECTION)
    world.change(case_id, {}, "The side was missing.")
    world.sign(case_id)
    world.publish(case_id)
    kinds = [("report", "replaced"), ("addendum", "replaced"), ("correction", "published")]
    assert states(world, case_id) == kinds
    with world.db.transaction() as tx:
        assert reporting.read(tx, world.patient, case_id).additions == ()
        marks = [one.mark for one in versions.listed(tx, world.patient, case_id)][1:]
        assert all("Replaced by version 3" in mark for mark in marks)


def test_a_change_is_given_up_and_a_report_never_is(world: World) -> None:
    written = world.written()
    with world.db.transaction() as tx, pytest.raises(Unprocessable) as refused:
        versions.discard(tx, world.specialist, written)
    assert "can’t be given up" in refused.value.safe
    case_id = world.correcting()
    with world.db.transaction() as tx:
        versions.discard(tx, world.specialist, case_id)
        assert [one.number for one in versions.listed(tx, world.patient, case_id)] == [1]
        assert versions.open_version(tx, world.specialist, case_id, ReportKind.ADDENDUM) == 3


def test_without_access_a_change_waits_for_the_coordinators_wish(world: World) -> None:
    case_id = world.published()
    with world.db.transaction() as tx:
        grants.revoke(tx, case_id)
        with pytest.raises(Unprocessable) as ended:
            versions.open_version(tx, world.specialist, case_id, ReportKind.CORRECTION)
        assert "access to the images has ended" in ended.value.safe
    with world.db.transaction() as tx:
        versions.ask_change(tx, world.coordinator, case_id, f"Write to {NAME} which side")
        asked = versions.asked_for(tx, world.specialist, case_id)
        assert asked.endswith("which side")
        assert not any(name in asked for name in ("María", "Oyelaran"))
        assert versions.asked_for(tx, world.patient, case_id) == ""
        grant = grants.find(tx, world.specialist.id, case_id)
        assert grant is not None
        assert grant.until > clock.now() + timedelta(days=13)
        versions.open_version(tx, world.specialist, case_id, ReportKind.CORRECTION)
        assert versions.asked_for(tx, world.specialist, case_id) == ""
    world.drain()
    assert told(world, "asks you for a correction") == ["specialist@example.org"]


def test_a_closed_case_is_corrected_on_the_coordinators_wish(world: World) -> None:
    case_id = world.published()
    with world.db.transaction() as tx:
        reporting.close(tx, world.coordinator, case_id)
        versions.ask_change(tx, world.coordinator, case_id, "A typing error")
        versions.open_version(tx, world.specialist, case_id, ReportKind.CORRECTION)
    world.change(case_id, {}, "A typing error.")
    world.sign(case_id)
    world.publish(case_id)
    assert world.state(case_id) == "closed"
    assert states(world, case_id)[-1] == ("correction", "published")


def test_a_recall_closes_every_way_to_it_at_once_and_keeps_its_bytes(world: World) -> None:
    case_id = world.published()
    with world.db.transaction() as tx:
        reporting.read(tx, world.patient, case_id)
        report = reports_of(tx, case_id)[0]
        assert report.study_uid
        assert [s.study_uid for s in query.summaries(tx, originals(world.patient)) if s.modalities == ["DOC", "SR"]]
    before = archived(world, report).EncapsulatedDocument
    with world.db.transaction() as tx:
        versions.recall(tx, world.coordinator, case_id, 1, "It is another patient's")
    world.drain()
    with world.db.transaction() as tx:
        for who in (world.patient, world.admin):
            scope = originals(who)
            assert report.study_uid not in {s.study_uid for s in query.summaries(tx, scope)}
            with pytest.raises(NotFound):
                retrieve.locate(tx, scope, report.study_uid)
        assert report.study_uid in {s.study_uid for s in query.summaries(tx, originals(world.coordinator))}
        for who in (world.patient, world.specialist):
            with pytest.raises(NotFound):
                reporting.read(tx, who, case_id, 1)
            with pytest.raises(NotFound):
                reporting.pdf(tx, who, case_id, 1)
        with pytest.raises(NotFound) as said:
            reporting.read(tx, world.patient, case_id)
        assert said.value.safe == "This report was taken back: it must not be used."
        seen = read.show(tx, world.patient, case_id)
        assert isinstance(seen, PatientCase)
        assert seen.recalled
        assert "taken back" in seen.next_title
        assert [(v.status, v.readable, v.reason) for v in versions.listed(tx, world.patient, case_id)] == [
            ("Recalled", False, "")
        ]
        # Coordinators alone see it, marked.
        kept = reporting.read(tx, world.coordinator, case_id)
        assert kept.mark is not None
        assert "must not be used" in kept.mark.text
        assert "must not be used" in text(kept)
        assert {(r.name, r.way) for r in versions.readers(tx, world.coordinator, case_id, 1)} >= {(NAME, "pages")}
        [incident] = tx.scalars(select(AuditRow).where(AuditRow.action == "incident.opened"))
        assert (incident.case_id, incident.detail) == (case_id, {"kind": "recalled"})
    assert archived(world, report).EncapsulatedDocument == before
    assert told(world, "Somebody of us will be in touch with you") == ["maria.oyelaran@example.org"]
    assert told(world, "incident: a report was recalled") == ["admin@example.org", "coordinator@example.org"]


def test_a_recall_is_taken_back_or_followed_by_a_correction(world: World) -> None:
    case_id = world.recalled()
    with world.db.transaction() as tx:
        report = reports_of(tx, case_id)[0]
        assert report.study_uid
        with pytest.raises(Unprocessable):
            versions.restore(tx, world.coordinator, case_id, 1, "")
        versions.restore(tx, world.coordinator, case_id, 1, "It was right")
        assert retrieve.locate(tx, originals(world.patient), report.study_uid)
        assert reporting.read(tx, world.patient, case_id).version == 1
        versions.recall(tx, world.coordinator, case_id, 1, "It was wrong after all")
        with pytest.raises(Unprocessable):
            versions.open_version(tx, world.specialist, case_id, ReportKind.ADDENDUM)
        assert versions.open_version(tx, world.specialist, case_id, ReportKind.CORRECTION) == 2
    world.drain()
    world.change(case_id, {"impression": "Of the right patient."}, "It was another patient's.")
    world.sign(case_id)
    world.publish(case_id)
    assert states(world, case_id) == [("report", "recalled"), ("correction", "published")]
    with world.db.transaction() as tx:
        assert reporting.read(tx, world.patient, case_id).version == 2
        with pytest.raises(NotFound):
            reporting.read(tx, world.patient, case_id, 1)
        with pytest.raises(Unprocessable) as late:
            versions.restore(tx, world.coordinator, case_id, 1, "It was right")
        assert "correction has taken its place" in late.value.safe


def test_additions_are_recalled_and_given_back_with_their_report(world: World) -> None:
    case_id = world.correcting(kind=ReportKind.ADDENDUM)
    world.change(case_id, {"addition": "Unchanged since June."}, "More images came.")
    world.sign(case_id)
    world.publish(case_id)
    with world.db.transaction() as tx:
        versions.recall(tx, world.coordinator, case_id, 1, "Another patient's")
    assert states(world, case_id) == [("report", "recalled"), ("addendum", "recalled")]
    with world.db.transaction() as tx:
        with pytest.raises(Unprocessable):
            versions.restore(tx, world.coordinator, case_id, 2, "It alone is right")
        versions.restore(tx, world.coordinator, case_id, 1, "Both are right")
    assert states(world, case_id) == [("report", "published"), ("addendum", "published")]
    world.drain()
    assert len(told(world, "it is right as it was")) == 1


def test_what_was_recalled_before_it_came_into_the_archive_stays_out_of_it(world: World) -> None:
    case_id = world.signed()
    with world.db.transaction() as tx:
        reporting.publish(tx, world.coordinator, case_id)
        versions.recall(tx, world.coordinator, case_id, 1, "Another patient's")
    world.drain()
    with world.db.transaction() as tx:
        assert reports_of(tx, case_id)[0].study_uid is None
        versions.restore(tx, world.coordinator, case_id, 1, "It was right")
    world.drain()
    with world.db.transaction() as tx:
        uid = reports_of(tx, case_id)[0].study_uid
        assert uid
        assert retrieve.locate(tx, originals(world.patient), uid)


def test_an_unread_version_that_was_replaced_is_not_nudged(world: World) -> None:
    case_id = world.signed_again()
    world.publish(case_id)
    world.drain(later=True)
    # Of two versions that nobody opened the one in force is.
    assert len(told(world, "nobody has opened it yet")) == 1


def test_each_version_stands_in_the_archive_and_names_the_one_before(world: World, tmp_path: Path) -> None:
    case_id = world.signed_again("msk")
    world.publish(case_id)
    with world.db.transaction() as tx:
        first, second = reports_of(tx, case_id)
        reference = tx.scalars(select(Case.reference).where(Case.id == case_id)).one()
    old, new = archived(world, first), archived(world, second)
    assert (old.StudyID, new.StudyID, new.AccessionNumber) == (reference, reference, reference)
    assert (old.InstanceNumber, new.InstanceNumber, new.SeriesNumber) == (1, 2, 1)
    assert "PredecessorDocumentsSequence" not in old
    [before] = new.PredecessorDocumentsSequence
    assert before.StudyInstanceUID == old.StudyInstanceUID
    [named] = before.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert named.ReferencedSOPInstanceUID == old.SOPInstanceUID
    with world.db.transaction() as tx:
        sent = retrieve.locate(tx, originals(world.patient), world.first(case_id))
    assert {one.ReferencedSOPInstanceUID for one in new.SourceInstanceSequence} == {one.sop_uid for one in sent}
    # The structured report beside it refers to the same.
    told = [archived(world, one, BasicTextSRStorage) for one in (first, second)]
    assert {(ds.StudyInstanceUID, ds.StudyID, ds.AccessionNumber) for ds in told} == {
        (ds.StudyInstanceUID, reference, reference) for ds in (old, new)
    }
    assert {ds.SeriesInstanceUID for ds in told}.isdisjoint({old.SeriesInstanceUID, new.SeriesInstanceUID})
    [[evidence], [amended]] = told[1].CurrentRequestedProcedureEvidenceSequence, told[1].PredecessorDocumentsSequence
    assert evidence.StudyInstanceUID == world.first(case_id)
    seen = [one for series in evidence.ReferencedSeriesSequence for one in series.ReferencedSOPSequence]
    assert {one.ReferencedSOPInstanceUID for one in seen} == {one.sop_uid for one in sent}
    [named] = amended.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert (amended.StudyInstanceUID, named.ReferencedSOPInstanceUID) == (old.StudyInstanceUID, told[0].SOPInstanceUID)
    assert "PredecessorDocumentsSequence" not in told[0]
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is not here (Debian: dicom3tools)")
    for number, ds in enumerate((old, new, *told)):
        path = tmp_path / f"{number}.dcm"
        ds.save_as(path)
        done = subprocess.run([tool, "-new", path], capture_output=True, check=False, timeout=120)
        said = done.stderr.decode()
        assert [line for line in said.splitlines() if line.startswith("Error")] == []


def test_what_stands_under_a_signature_is_kept_printed_and_sealed(world: World) -> None:
    case_id = world.written("msk")
    with world.db.transaction() as tx:
        tx.execute(delete(Signer).where(Signer.specialist_id == world.specialist.id))
        with pytest.raises(Unprocessable) as missing:
            reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
        assert "what stands under your signature" in missing.value.safe
        for wrong in (("", "Here"), ("x" * 201, "Here"), ("Radiologist", " \x00")):
            with pytest.raises(Unprocessable):
                signers.change(tx, world.specialist, *wrong)
        signers.change(tx, world.specialist, "Neuroradiologist,\n FRCR", "Hillside Imaging, Ghent")
        tx.execute(update(Licence).where(Licence.specialist_id == world.specialist.id).values(number="CA-4471"))
    world.sign(case_id)
    with world.db.transaction() as tx:
        signers.change(tx, world.specialist, "Retired", "Nowhere")
        shown = reporting.read(tx, world.coordinator, case_id)
        assert shown.signature is not None
        assert shown.signature.qualification == "Neuroradiologist, FRCR"
        assert shown.signature.right == "Licence for US-CA: CA-4471, until 1 January 2099"
        assert shown.intact
        said = text(shown)
    for line in ("Neuroradiologist, FRCR", "Hillside Imaging, Ghent", "Licence for US-CA: CA-4471", "SHA-256"):
        assert line in said
    with world.db.transaction() as tx:
        report = tx.scalars(select(Report).where(Report.case_id == case_id)).one()
        report.signature = {**report.signature, "qualification": "Professor"}
    with world.db.transaction() as tx, pytest.raises(Conflict):
        reporting.publish(tx, world.coordinator, case_id)


def test_an_exception_is_named_and_its_reason_kept_to_the_program(world: World) -> None:
    case_id = world.written("msk")
    with world.db.transaction() as tx:
        tx.execute(delete(Licence).where(Licence.specialist_id == world.specialist.id))
        found = tx.get_one(Case, case_id)
        found.licence_exception, found.licence_exception_for = "Zqreason", world.specialist.id
    world.sign(case_id)
    world.publish(case_id)
    with world.db.transaction() as tx:
        assert tx.scalars(select(Report.signature)).one()["exception"] == "Zqreason"
        shown = reporting.read(tx, world.patient, case_id)
        assert shown.signature is not None
        assert shown.signature.right == "By an exception that the program has recorded for US-CA"
        assert "Zqreason" not in report_pdf.html(shown)


def test_an_answer_after_the_report_is_signed_as_well(world: World) -> None:
    case_id = world.published()
    with world.db.transaction() as tx:
        intake.follow_up(tx, world.patient, case_id, "May I swim?")
        [asked] = [q for q in read.show(tx, world.specialist, case_id).questions if q.follow_up]
        digest = reporting.answer_follow_up(
            tx, world.specialist, case_id, asked.question_id, "Yes.", proof(world.specialist)
        )
    with world.db.transaction() as tx:
        [shown] = reporting.read(tx, world.patient, case_id).follow_ups
        assert shown.signature is not None
        assert (shown.digest, shown.signature.name) == (digest, "Some Specialist")
        said = text(reporting.read(tx, world.patient, case_id))
    assert digest in said
