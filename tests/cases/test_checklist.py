"""The checklist of a kind of opinion: written by admins, ticked by coordinators before a specialist is asked."""

from __future__ import annotations

from uuid import UUID

import pytest

from cases.service import assignment, checklist, kinds, read
from cases.service.kinds import KindFields
from cases.states import CaseState
from cases.views import CoordinatorCase
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from tests.cases.world import World


def listed(world: World, *items: str) -> None:
    with world.db.transaction() as tx:
        fields = KindFields("Written report", checklist=items)
        kinds.change(tx, world.admin, "msk", "report", fields)


def shown(world: World, case_id: UUID) -> CoordinatorCase:
    with world.db.transaction() as tx:
        case = read.show(tx, world.coordinator, case_id)
    assert isinstance(case, CoordinatorCase)
    return case


def tick(world: World, case_id: UUID, item: str, *, done: bool = True) -> None:
    with world.db.transaction() as tx:
        checklist.tick(tx, world.coordinator, case_id, item, done=done)


def test_no_specialist_is_asked_before_everything_is_ticked(world: World) -> None:
    case_id = world.released("msk")
    listed(world, " In  scope ", "", "Both sides compared", "In scope")
    assert shown(world, case_id).blocked == ("Not ticked on the checklist yet: In scope; Both sides compared",)
    with pytest.raises(Unprocessable, match="guards"), world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
    tick(world, case_id, "In scope")
    tick(world, case_id, "In scope")
    tick(world, case_id, "Both sides compared")
    [first, second] = shown(world, case_id).checklist
    assert (first.text, first.ticked_by) == ("In scope", world.coordinator.name)
    assert second.ticked_at is not None
    tick(world, case_id, "In scope", done=False)
    assert shown(world, case_id).blocked == ("Not ticked on the checklist yet: In scope",)
    tick(world, case_id, "In scope")
    # Other words are another item.
    listed(world, "In scope", "All sides compared")
    assert shown(world, case_id).blocked == ("Not ticked on the checklist yet: All sides compared",)
    tick(world, case_id, "All sides compared")
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
    assert shown(world, case_id).state == CaseState.READY
    with pytest.raises(Conflict), world.db.transaction() as tx:
        checklist.tick(tx, world.coordinator, case_id, "In scope", done=False)
    tick(world, case_id, "In scope")


def test_who_may_write_and_tick_and_what_can_be_no_list(world: World) -> None:
    case_id = world.submitted()
    listed(world, "In scope")
    for bad in (["x" * 301], [f"{n}" for n in range(31)]):
        with pytest.raises(Unprocessable, match="checklist"):
            listed(world, *bad)
    with pytest.raises(Forbidden), world.db.transaction() as tx:
        kinds.change(tx, world.coordinator, "msk", "report", KindFields("Written report"))
    with pytest.raises(Forbidden), world.db.transaction() as tx:
        checklist.tick(tx, world.patient, case_id, "In scope", done=True)
    with pytest.raises(NotFound), world.db.transaction() as tx:
        checklist.tick(tx, world.coordinator, case_id, "Nothing of the kind", done=True)
    with world.db.transaction() as tx:
        assert kinds.checklist_of(tx, world.coordinator, "msk", "report") == ["In scope"]
