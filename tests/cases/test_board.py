"""The board by due time: which lane, who is next, and whose days count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from cases.models import Case
from cases.service import board, deadlines, intake
from cases.service.board import Lane, Next
from cases.states import CaseState
from overread.kit import zones
from overread.kit.errors import Forbidden
from tests.cases.conftest import MovedClock
from tests.cases.test_lists import fill
from tests.cases.world import World

# A Tuesday.
NOW = datetime(2026, 11, 24, 11, 42, tzinfo=UTC)


@pytest.mark.parametrize(
    ("due", "zone", "lane"),
    [
        ("2026-11-24T11:41", "UTC", Lane.OVERDUE),
        ("2026-11-24T11:43", "UTC", Lane.TODAY),
        ("2026-11-24T23:59", "UTC", Lane.TODAY),
        ("2026-11-25T00:00", "UTC", Lane.TOMORROW),
        ("2026-11-26T00:00", "UTC", Lane.WEEK),
        ("2026-11-29T23:59", "UTC", Lane.WEEK),
        ("2026-11-30T00:00", "UTC", Lane.LATER),
        # The same moment on other days of other people.
        ("2026-11-24T15:30", "Asia/Tokyo", Lane.TOMORROW),
        ("2026-11-25T04:30", "America/New_York", Lane.TODAY),
    ],
)
def test_the_lane_of_a_due_time(world: World, moved: MovedClock, due: str, zone: str, lane: Lane) -> None:
    moved.to(NOW)
    with world.db.transaction() as tx:
        fill(tx, world, 1, state=CaseState.SUBMITTED, due_at=datetime.fromisoformat(due + "+00:00"), paused_at=None)
    with world.db.transaction() as tx, zones.reading_in(zone):
        found = board.board(tx, world.coordinator)
    assert {key: count for key, count in found.counts.items() if count} == {lane: 1}
    assert [one.lane for one in found.cases[lane]] == [lane]


def test_at_the_end_of_a_week_tomorrow_is_not_this_week(world: World, moved: MovedClock) -> None:
    sunday = datetime(2026, 11, 29, 12, tzinfo=UTC)
    moved.to(sunday)
    with world.db.transaction() as tx:
        fill(tx, world, 1, state=CaseState.READY, due_at=sunday + timedelta(days=1), paused_at=None)
        fill(tx, world, 1, state=CaseState.READY, due_at=sunday + timedelta(days=2), paused_at=None)
    with world.db.transaction() as tx:
        counts = board.board(tx, world.coordinator).counts
    assert (counts[Lane.TOMORROW], counts[Lane.WEEK], counts[Lane.LATER]) == (1, 0, 1)


def test_who_is_next_and_why_a_clock_stands(world: World) -> None:
    stands = world.in_review()
    asked = world.submitted("free")
    waits = world.draft("free")
    with world.db.transaction() as tx:
        deadlines.pause(tx, world.coordinator, stands, "The archive is being mended.")
        intake.ask_info(tx, world.coordinator, asked, "Which knee?")
        tx.execute(update(Case).where(Case.id == waits).values(state=CaseState.SUBMITTED))
    others = {"offered": world.offered(), "reading": world.in_review(), "signed": world.signed()}
    others |= {"ready": world.ready(), "published": world.published()}
    with world.db.transaction() as tx:
        found = board.board(tx, world.coordinator)
    told: dict[UUID, tuple[Lane, Next, str, str]] = {
        one.case_id: (one.lane, one.next, one.why, one.specialist) for lane in found.cases.values() for one in lane
    }
    reader = world.specialist.name
    assert told[stands] == (Lane.STANDS, Next.US, "The archive is being mended.", reader)
    assert told[asked] == (Lane.STANDS, Next.PATIENT, "Waits for the patient’s answer", "")
    assert told[waits] == (Lane.STANDS, Next.PATIENT, "Waits for the hospital’s images", "")
    assert told[others["offered"]][1:] == (Next.SPECIALIST, "", reader)
    assert told[others["reading"]][1:] == (Next.SPECIALIST, "", reader)
    assert told[others["signed"]][1:] == (Next.US, "", reader)
    assert told[others["ready"]][1:] == (Next.US, "", "")
    assert others["published"] not in told


def test_a_long_lane_is_cut_and_counted(world: World, moved: MovedClock) -> None:
    moved.to(NOW)
    with world.db.transaction() as tx:
        fill(tx, world, board.MOST + 3, state=CaseState.READY, due_at=NOW + timedelta(days=30), paused_at=None)
    with world.db.transaction() as tx:
        found = board.board(tx, world.coordinator)
    assert (len(found.cases[Lane.LATER]), found.counts[Lane.LATER]) == (board.MOST, board.MOST + 3)


@pytest.mark.parametrize("key", ["patient", "specialist", "hospital", "admin", "auditor"])
def test_the_board_is_the_coordinators(world: World, key: str) -> None:
    with pytest.raises(Forbidden), world.db.transaction() as tx:
        board.board(tx, world.who[key])
