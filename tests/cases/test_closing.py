"""A case closes by itself after its report: the patient is told before, and nothing may stand open."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from cases import closing
from cases.models import Case, Message, Program
from cases.report_states import ReportKind
from cases.service import intake, read, reporting, versions
from cases.states import CaseState
from overread.kit import clock
from overread.kit.errors import Unprocessable
from tests.cases.conftest import MovedClock
from tests.cases.world import World, proof

_DAY = timedelta(days=1)


def _closes(world: World, case_id: UUID) -> datetime:
    with world.db.transaction() as tx:
        found = tx.get_one(Case, case_id).closes_at
    assert found is not None
    return found


def _told(world: World, case_id: UUID, template: str) -> int:
    with world.db.transaction() as tx:
        return tx.scalar(select(func.count()).where(Message.case_id == case_id, Message.template == template)) or 0


def _pass(world: World, moved: MovedClock, at: datetime) -> None:
    """Time passes day by day, as it does where a worker runs."""
    while clock.now() < at:
        moved.to(min(at, clock.now() + _DAY))
        world.drain()


def _ask(world: World, case_id: UUID) -> UUID:
    with world.db.transaction() as tx:
        intake.follow_up(tx, world.patient, case_id, "And the other knee?")
        return tx.get_one(Case, case_id).questions[-1].id


def _answer(world: World, case_id: UUID, question: UUID) -> None:
    with world.db.transaction() as tx:
        reporting.answer_follow_up(tx, world.specialist, case_id, question, "It is well.", proof(world.specialist))
    world.drain()


def test_a_case_closes_by_itself_after_its_patient_was_told_what_ends(world: World, moved: MovedClock) -> None:
    case_id = world.published()
    at = _closes(world, case_id)
    _pass(world, moved, at - closing.TOLD_BEFORE + _DAY)
    assert (_told(world, case_id, "closing_soon"), world.state(case_id)) == (1, "published")
    mail = next(text for text in world.mails() if "closes by itself" in text.replace("\n", " "))
    assert "Your report stays" in mail.replace("\n", " ")
    _pass(world, moved, at + _DAY)
    assert world.state(case_id) == CaseState.CLOSED
    assert (_told(world, case_id, "closing_soon"), _told(world, case_id, "closed")) == (1, 1)


def test_who_hears_of_the_end_late_has_as_long_after_it(world: World, moved: MovedClock) -> None:
    case_id = world.published()
    late = _closes(world, case_id) + 5 * _DAY
    moved.to(late)
    world.drain()
    assert (_told(world, case_id, "closing_soon"), world.state(case_id)) == (1, "published")
    assert _closes(world, case_id) == late + closing.TOLD_BEFORE
    _pass(world, moved, late + closing.TOLD_BEFORE)
    assert (_told(world, case_id, "closing_soon"), world.state(case_id)) == (1, "closed")


def test_a_question_that_waits_for_its_answer_keeps_the_case_open(world: World, moved: MovedClock) -> None:
    case_id = world.published()
    at = _closes(world, case_id)
    _pass(world, moved, at - _DAY)
    question = _ask(world, case_id)
    _pass(world, moved, at + 5 * _DAY)
    assert world.state(case_id) == "published"
    _answer(world, case_id, question)
    again = _closes(world, case_id)
    assert again == clock.now() + closing.AT_LEAST
    _pass(world, moved, again)
    # Told of both times, and closed at the second.
    assert (_told(world, case_id, "closing_soon"), world.state(case_id)) == (2, "closed")


def test_an_answer_long_before_the_end_moves_nothing(world: World) -> None:
    case_id = world.published()
    at = _closes(world, case_id)
    _answer(world, case_id, _ask(world, case_id))
    assert _closes(world, case_id) == at


def test_a_version_that_is_written_keeps_the_case_open_and_begins_the_time_anew(
    world: World, moved: MovedClock
) -> None:
    case_id = world.published()
    at = _closes(world, case_id)
    with world.db.transaction() as tx:
        versions.open_version(tx, world.specialist, case_id, ReportKind.ADDENDUM)
    _pass(world, moved, at + 2 * _DAY)
    assert (_told(world, case_id, "closing_soon"), world.state(case_id)) == (0, "published")
    with world.db.transaction() as tx:
        versions.discard(tx, world.coordinator, case_id)
    assert _closes(world, case_id) == clock.now() + closing.AT_LEAST
    _pass(world, moved, _closes(world, case_id))
    assert world.state(case_id) == "closed"


def test_what_is_given_to_the_patient_begins_the_time_anew(world: World, moved: MovedClock) -> None:
    case_id = world.published()
    moved.to(clock.now() + 10 * _DAY)
    with world.db.transaction() as tx:
        versions.open_version(tx, world.specialist, case_id, ReportKind.CORRECTION)
    world.change(case_id, {"impression": "All is well on the left."}, "The side was missing.")
    world.sign(case_id)
    world.publish(case_id)
    assert _closes(world, case_id) == clock.now() + 30 * _DAY


def test_a_recalled_report_closes_neither_by_itself_nor_by_hand(world: World, moved: MovedClock) -> None:
    case_id = world.recalled()
    with pytest.raises(Unprocessable, match="refused") as refused, world.db.transaction() as tx:
        reporting.close(tx, world.coordinator, case_id)
    assert refused.value.safe == "The report was taken back: until one is in force again the case stays open."
    _pass(world, moved, _closes(world, case_id) + 10 * _DAY)
    assert (_told(world, case_id, "closing_soon"), world.state(case_id)) == (0, "published")
    with world.db.transaction() as tx:
        versions.restore(tx, world.coordinator, case_id, 1, "It was the right one")
    assert _closes(world, case_id) == clock.now() + 30 * _DAY
    _pass(world, moved, _closes(world, case_id))
    assert (_told(world, case_id, "closing_soon"), world.state(case_id)) == (1, "closed")


def test_a_program_may_leave_closing_to_its_coordinators(world: World, moved: MovedClock) -> None:
    with world.db.transaction() as tx:
        tx.execute(update(Program).values(close_days=0))
    case_id = world.published()
    with world.db.transaction() as tx:
        assert tx.get_one(Case, case_id).closes_at is None
    moved.to(clock.now() + 400 * _DAY)
    world.drain()
    assert world.state(case_id) == "published"
    with world.db.transaction() as tx:
        reporting.close(tx, world.coordinator, case_id)
    assert (world.state(case_id), _told(world, case_id, "closed")) == ("closed", 1)


def test_a_taken_back_report_is_no_report_that_is_ready_in_any_list(world: World) -> None:
    case_id, other = world.recalled(), world.published()
    for who in (world.patient, world.coordinator, world.specialist):
        with world.db.transaction() as tx:
            lines = {line.case_id: line for line in read.listing(tx, who)}
        assert (lines[case_id].status, lines[case_id].recalled) == ("Report taken back", True)
        assert (lines[other].status, lines[other].recalled) == ("Report ready to read", False)


def test_the_patient_reads_until_when_questions_can_be_asked(world: World) -> None:
    case_id = world.published()
    with world.db.transaction() as tx:
        told = read.show(tx, world.patient, case_id)
    assert "then your request closes, and your report stays here." in getattr(told, "next_text", "")
