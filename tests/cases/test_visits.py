"""From a case to a visit at the program's clinic, and what a program does after its reports."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from cases.models import Program
from cases.nudges import NUDGES, Waits
from cases.service import after_report, visits
from overread.kit import clock
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from tests.cases.conftest import MovedClock
from tests.cases.world import World

CLINIC = "Hillside Clinic, Ghent"


@pytest.fixture
def case_id(world: World) -> UUID:
    with world.db.transaction() as tx:
        tx.execute(update(Program).values(clinic=CLINIC))
    return world.published()


def ask(world: World, case_id: UUID, wish: str = "Any Monday") -> None:
    with world.db.transaction() as tx:
        visits.ask(tx, world.patient, case_id, wish)
    world.drain()


def test_a_visit_is_asked_for_and_arranged(world: World, case_id: UUID) -> None:
    ask(world, case_id)
    ask(world, case_id)
    with world.db.transaction() as tx:
        (wish,) = visits.listed(tx, world.coordinator)
        own = visits.of_case(tx, world.patient, case_id)
    assert (wish.patient, wish.wish, wish.state) == ("María Ångström-Oyelaran", "Any Monday", "asked")
    assert (own.clinic, own.possible, [one.state for one in own.visits]) == (CLINIC, False, ["asked"])
    with pytest.raises(Conflict, match="waits"):
        ask(world, case_id, "Any Tuesday")
    world.digest()
    assert any("asks for a visit" in mail.replace("\n", " ") for mail in world.mails())
    for _ in range(2):
        with world.db.transaction() as tx:
            visits.answer(tx, world.coordinator, wish.visit_id, arranged=True, text="Monday, 9:00, room 4")
    with pytest.raises(Conflict, match="answered"), world.db.transaction() as tx:
        visits.answer(tx, world.coordinator, wish.visit_id, arranged=False, text="No room")
    world.drain()
    mails = [mail for mail in world.mails() if "You asked to be seen by the clinic" in mail.replace("\n", " ")]
    assert len(mails) == 1
    assert not any("room 4" in mail or "Any Monday" in mail or CLINIC in mail for mail in world.mails())
    with world.db.transaction() as tx:
        own = visits.of_case(tx, world.patient, case_id)
    assert (own.possible, own.visits[0].answer, own.visits[0].state) == (True, "Monday, 9:00, room 4", "arranged")


def test_a_visit_needs_a_report_and_a_clinic(world: World) -> None:
    with world.db.transaction() as tx:
        tx.execute(update(Program).values(clinic=CLINIC))
    early = world.submitted("free")
    with pytest.raises(Conflict) as refused:
        ask(world, early)
    assert refused.value.safe == "This is possible once the report is published."
    done = world.published()
    with world.db.transaction() as tx:
        tx.execute(update(Program).values(clinic=""))
    with pytest.raises(Conflict, match="no clinic"):
        ask(world, done)
    with world.db.transaction() as tx:
        assert visits.listed(tx, world.coordinator).rows == []


def test_visits_are_the_patients_to_ask_and_the_coordinators_to_answer(world: World, case_id: UUID) -> None:
    for who in (world.coordinator, world.specialist):
        with pytest.raises(Forbidden), world.db.transaction() as tx:
            visits.ask(tx, who, case_id, "")
    with pytest.raises(NotFound), world.db.transaction() as tx:
        visits.ask(tx, world.other_patient, case_id, "")
    ask(world, case_id, "")
    with world.db.transaction() as tx:
        (wish,) = visits.listed(tx, world.coordinator)
    for who in (world.patient, world.specialist, world.admin):
        with pytest.raises(Forbidden), world.db.transaction() as tx:
            visits.answer(tx, who, wish.visit_id, arranged=True, text="Monday")
    with pytest.raises(Unprocessable), world.db.transaction() as tx:
        visits.answer(tx, world.coordinator, wish.visit_id, arranged=True, text=" ")


def test_a_wish_without_an_answer_is_told_again(world: World, case_id: UUID, moved: MovedClock) -> None:
    ask(world, case_id)
    moved.to(clock.now() + 2 * NUDGES[Waits.VISIT].days * timedelta(days=1))
    world.drain()
    assert sum("a wish for a visit has no answer" in mail for mail in world.mails()) == 1


def test_a_wish_that_was_answered_is_not(world: World, case_id: UUID, moved: MovedClock) -> None:
    ask(world, case_id)
    with world.db.transaction() as tx:
        (wish,) = visits.listed(tx, world.coordinator)
        visits.answer(tx, world.coordinator, wish.visit_id, arranged=False, text="Too far")
    moved.to(clock.now() + 2 * NUDGES[Waits.VISIT].days * timedelta(days=1))
    world.drain()
    assert not any("a wish for a visit has no answer" in mail for mail in world.mails())


def change(world: World, *, by: str = "admin", **fields: Any) -> None:
    given: dict[str, Any] = {"close_days": 30, "check_in_readings": 10, "clinic": ""} | fields
    with world.db.transaction() as tx:
        after_report.change(tx, world.who[by], "free", **given)


def test_an_admin_says_what_a_program_does_after_a_report(world: World) -> None:
    change(world, close_days=60, check_in_readings=5, clinic=f" {CLINIC}\x00 ")
    with world.db.transaction() as tx:
        found = {one.slug: one for one in after_report.listed(tx, world.coordinator)}
    assert (found["free"].close_days, found["free"].check_in_readings, found["free"].clinic) == (60, 5, CLINIC)
    assert found["msk"].close_days == 30


@pytest.mark.parametrize("fields", [{"close_days": 6}, {"close_days": 366}, {"check_in_readings": 1001}])
def test_what_can_t_be_is_refused_and_changes_nothing(world: World, fields: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable):
        change(world, **fields)
    with pytest.raises(Forbidden):
        change(world, by="coordinator")
    with world.db.transaction() as tx:
        assert {(one.close_days, one.check_in_readings) for one in after_report.listed(tx, world.admin)} == {(30, 10)}
