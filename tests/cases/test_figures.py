"""A program in figures: what is counted, of which month, and that nobody is named."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from cases.feedback_models import CheckIn, Survey
from cases.models import Case, Program, Question
from cases.service import deadlines, figures
from cases.states import CaseState
from overread.kit import clock
from overread.kit.errors import Forbidden, NotFound
from tests.cases.conftest import MovedClock
from tests.cases.test_lists import fill
from tests.cases.world import World

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def given(world: World, published: datetime, took: timedelta, due: timedelta, program: str = "free") -> UUID:
    """A case whose report was given at a moment, `took` after its request, and was due `due` after it."""
    with world.db.transaction() as tx:
        (case,) = fill(tx, world, 1, state=CaseState.PUBLISHED)
        case.program_id = tx.query(Program).filter_by(slug=program).one().id
        case.submitted_at, case.published_at, case.due_at = published - took, published, published - took + due
        return case.id


def test_a_month_tells_of_the_reports_that_were_given_in_it(world: World, moved: MovedClock) -> None:
    moved.to(NOW)
    day = timedelta(days=1)
    first = given(world, NOW - 40 * day, 4 * day, 5 * day)
    given(world, NOW - 41 * day, 8 * day, 5 * day)
    given(world, NOW - 42 * day, 6 * day, 7 * day)
    given(world, NOW - 400 * day, day, day)
    given(world, NOW - 40 * day, day, 2 * day, program="msk")
    with world.db.transaction() as tx:
        tx.add_all([Question(case_id=first, number=9, text="And?", follow_up=True)])
        months = {one.month: one for one in figures.months(tx, world.admin, "free")}
        every = {one.month: one for one in figures.months(tx, world.coordinator)}
    assert (len(months), min(months), max(months)) == (12, "2025-07", "2026-06")
    may = months["2026-05"]
    assert (may.published, may.turnaround_days, may.kept, may.questions) == (3, 6.0, 2, 1)
    assert (every["2026-05"].published, every["2026-05"].kept) == (4, 3)
    june = months["2026-06"]
    assert (june.published, june.turnaround_days, june.kept) == (0, None, 0)


def test_a_new_promise_is_counted_with_its_report(world: World, moved: MovedClock) -> None:
    case_id = world.in_review()
    with world.db.transaction() as tx:
        due = tx.get_one(Case, case_id).due_at
        assert due is not None
        deadlines.promise(tx, world.coordinator, case_id, due + timedelta(days=1), "The specialist fell ill.")
        tx.execute(update(Case).where(Case.id == case_id).values(published_at=clock.now()))
    with world.db.transaction() as tx:
        this = figures.months(tx, world.admin)[-1]
    assert (this.published, this.moved, this.kept, this.sent) == (1, 1, 1, 1)


def test_what_few_have_said_is_no_average(world: World, moved: MovedClock) -> None:
    moved.to(NOW)
    ids = [given(world, NOW, timedelta(days=2), timedelta(days=3)) for _ in range(figures.FEWEST)]
    with world.db.transaction() as tx:
        program = tx.query(Program).filter_by(slug="free").one().id
        for case_id, score in list(zip(ids, (5, 4, 3), strict=True))[:2]:
            tx.add(Survey(case_id=case_id, scores={"clear": score}, sent_by=world.patient.id))
        for number in range(2):
            tx.add(CheckIn(program_id=program, specialist_id=world.specialist.id, readings=number, score=number + 3,
                           answered_at=NOW))  # fmt: skip
    with world.db.transaction() as tx:
        few = figures.months(tx, world.admin)[-1]
        assert (few.surveys, few.satisfaction, few.check_ins, few.specialists) == (2, None, 2, None)
        tx.add(Survey(case_id=ids[2], scores={"clear": 3}, sent_by=world.patient.id))
        tx.add(CheckIn(program_id=program, specialist_id=world.other_specialist.id, readings=1, score=5,
                       answered_at=NOW))  # fmt: skip
    with world.db.transaction() as tx:
        enough = figures.months(tx, world.admin)[-1]
    assert (enough.surveys, enough.satisfaction, enough.check_ins, enough.specialists) == (3, 4.0, 3, 4.0)


def test_the_csv_is_the_same_and_names_nobody(world: World, moved: MovedClock) -> None:
    moved.to(NOW)
    case_id = given(world, NOW, timedelta(days=2), timedelta(days=3))
    with world.db.transaction() as tx:
        rows = figures.months(tx, world.coordinator)
        reference = tx.get_one(Case, case_id).reference
    text = figures.as_csv(rows)
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == 12
    assert (lines[-1]["month"], lines[-1]["published"], lines[-1]["turnaround_days"]) == ("2026-06", "1", "2.0")
    assert lines[0]["turnaround_days"] == ""
    assert not any(name in text for name in (reference, str(case_id), world.patient.name, world.specialist.name))


def test_figures_are_for_coordinators_and_admins(world: World) -> None:
    for who in (world.patient, world.specialist, world.hospital, world.auditor):
        with pytest.raises(Forbidden), world.db.transaction() as tx:
            figures.months(tx, who)
    with pytest.raises(NotFound), world.db.transaction() as tx:
        figures.months(tx, world.admin, "nothing")
