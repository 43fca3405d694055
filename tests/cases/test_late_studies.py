"""A study that comes after the specialist took the case is looked at before the report is signed."""

from __future__ import annotations

from uuid import UUID

import pytest

from cases.service import read, reporting, studies
from cases.views import CoordinatorCase, SpecialistCase
from overread.kit.errors import Forbidden, NotFound, Unprocessable
from tests.cases.world import World, proof, study


def late(world: World) -> UUID:
    """A case whose report is written when one more study is released."""
    case_id = world.written()
    world.settle(world.upload(case_id, dicom=study()))
    with world.db.transaction() as tx:
        shown = read.show(tx, world.coordinator, case_id)
        assert isinstance(shown, CoordinatorCase)
        [new] = [one for one in shown.studies if one.state != "released"]
        studies.release(tx, world.coordinator, case_id, new.study_uid)
    world.drain()
    return case_id


def flags(world: World, case_id: UUID) -> list[bool]:
    with world.db.transaction() as tx:
        shown = read.show(tx, world.specialist, case_id)
    assert isinstance(shown, SpecialistCase)
    return [one.late for one in shown.studies]


def test_it_is_told_and_asked_for_before_signing(world: World) -> None:
    case_id = late(world)
    assert flags(world, case_id) == [False, True]
    with pytest.raises(Unprocessable) as refused, world.db.transaction() as tx:
        reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
    assert "came in after you took the case" in refused.value.safe
    assert world.state(case_id) == "in_review"
    for _ in range(2):
        with world.db.transaction() as tx:
            reporting.see_late(tx, world.specialist, case_id)
    assert flags(world, case_id) == [False, False]
    world.sign(case_id)
    assert world.state(case_id) == "signed"


def test_what_is_ticked_as_read_was_seen(world: World) -> None:
    case_id = late(world)
    with world.db.transaction() as tx:
        seen = read.show(tx, world.specialist, case_id)
        answers = {str(q.question_id): "Yes." for q in seen.questions}
        uids = [one.study_uid for one in seen.studies]
        reporting.save_draft(tx, world.specialist, case_id, answers, {"impression": "All is well."}, uids)
    world.sign(case_id)
    assert world.state(case_id) == "signed"


def test_what_was_there_before_is_not_late(world: World) -> None:
    case_id = world.written()
    assert flags(world, case_id) == [False]
    world.sign(case_id)


@pytest.mark.parametrize("name", ["patient", "coordinator", "hospital", "other_specialist", "admin"])
def test_nobody_else_says_so(world: World, name: str) -> None:
    case_id = late(world)
    with pytest.raises((Forbidden, NotFound)), world.db.transaction() as tx:
        reporting.see_late(tx, world.who[name], case_id)
    assert flags(world, case_id) == [False, True]
