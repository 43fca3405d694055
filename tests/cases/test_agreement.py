"""How a second reading compares with the first report, and the summary for the patient: asked, signed, read, kept."""

from __future__ import annotations

from html import unescape
from uuid import UUID

import pytest

from cases import report_pdf, report_sr, report_texts
from cases.models import Report
from cases.report_states import ReportKind
from cases.report_texts import AGREEMENTS
from cases.repository import latest_report
from cases.service import assignment, read, reporting, versions
from cases.states import DocumentKind
from cases.views import SpecialistCase
from overread.kit.errors import Unprocessable
from tests.cases.test_documents import add, arrived
from tests.cases.world import World, proof
from tests.fakes import papers

WORDS = {"impression": "Torn.", "summary": "A ligament is torn."}


def reading(world: World, kind: DocumentKind | None = DocumentKind.FIRST_REPORT) -> UUID:
    """A case in review, with a document of a kind among what was released."""
    case_id = world.submitted("free")
    if kind is not None:
        arrived(world, case_id, add(world, case_id, papers.pdf("One"), kind=kind))
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    world.drain()
    return case_id


def write(world: World, case_id: UUID, **texts: str) -> None:
    with world.db.transaction() as tx:
        found = read.show(tx, world.specialist, case_id)
        assert isinstance(found, SpecialistCase)
        answers = {str(q.question_id): "Yes." for q in found.questions}
        uids = [one.study_uid for one in found.studies]
        reporting.save_draft(tx, world.specialist, case_id, answers, texts, uids)


def sign(world: World, case_id: UUID) -> str:
    with world.db.transaction() as tx:
        return reporting.sign(tx, world.specialist, case_id, proof(world.specialist))


def refused(world: World, case_id: UUID) -> str:
    with pytest.raises(Unprocessable) as error:
        sign(world, case_id)
    return error.value.safe


@pytest.mark.parametrize("kind", [None, DocumentKind.LETTER])
def test_nothing_is_asked_where_there_is_no_first_report(world: World, kind: DocumentKind | None) -> None:
    case_id = reading(world, kind)
    with pytest.raises(Unprocessable, match="unknown text"):
        write(world, case_id, agreement="agree")
    write(world, case_id, impression="Torn.")
    assert sign(world, case_id)


def test_a_second_reading_says_how_it_compares_before_it_is_signed(world: World) -> None:
    case_id = reading(world)
    write(world, case_id, **WORDS)
    assert refused(world, case_id) == "Please say how your reading compares with the first report."
    for choice in ("minor", "major"):
        write(world, case_id, agreement=choice, difference=" ")
        assert refused(world, case_id) == "Please say in a word what differs from the first report."
    with pytest.raises(Unprocessable, match="no such choice"):
        write(world, case_id, agreement="perhaps")
    write(world, case_id, agreement="not_comparable")
    assert sign(world, case_id)


def test_every_word_of_it_is_signed_read_and_kept_by_versions(world: World) -> None:
    case_id = reading(world)
    write(world, case_id, **WORDS, agreement="major", difference="The tear was missed.")
    digests = set()
    for texts in ({}, {"agreement": "minor"}, {"difference": "Missed."}, {"summary": "Torn."}):
        write(world, case_id, **texts)
        with world.db.transaction() as tx:
            found = reporting.draft(tx, world.specialist, case_id)
            assert found is not None
            digests.add(found.digest)
    assert len(digests) == 4
    sign(world, case_id)
    with world.db.transaction() as tx:
        reporting.publish(tx, world.coordinator, case_id)
        shown = reporting.read(tx, world.patient, case_id)
    told = {one.key: one.text for one in shown.texts}
    assert list(told) == ["summary", "impression", "agreement", "difference"]
    assert told["agreement"] == AGREEMENTS["minor"]
    page = unescape(report_pdf.html(shown))
    for words in ("Summary for the patient", "Torn.", "Impression", AGREEMENTS["minor"], "Missed."):
        assert words in page
    with world.db.transaction() as tx:
        report = latest_report(tx, case_id)
        assert report is not None
        report.texts = report.texts | {"agreement": "agree"}
        tx.flush()
        assert not reporting.read(tx, world.patient, case_id).intact
        tx.rollback()
    with world.db.transaction() as tx:
        versions.open_version(tx, world.specialist, case_id, ReportKind.CORRECTION)
        newest = latest_report(tx, case_id)
        assert newest is not None
        assert newest.number == 2
        assert newest.texts["agreement"] == "minor"


def test_an_addition_compares_nothing(world: World) -> None:
    case_id = reading(world)
    write(world, case_id, **WORDS, agreement="agree")
    sign(world, case_id)
    with world.db.transaction() as tx:
        reporting.publish(tx, world.coordinator, case_id)
        versions.open_version(tx, world.specialist, case_id, ReportKind.ADDENDUM)
        found = reporting.draft(tx, world.specialist, case_id)
        assert found is not None
        assert [text.key for text in found.texts] == ["addition"]
        assert not found.compares
        assert tx.query(Report).filter_by(case_id=case_id).count() == 2


def test_each_text_of_a_report_has_its_codes() -> None:
    assert set(report_sr.TEXTS) == {one.key for one in (*report_texts.TEXTS, *report_texts.ADDENDUM_TEXTS)}
