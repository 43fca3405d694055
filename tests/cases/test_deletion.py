"""Deleting a study that a case uses, or used."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from cases import access
from cases.service import assignment, studies
from overread.kit.errors import Conflict
from pacs.index import changes
from pacs.index.models import Instance, Study
from pacs.index.scope import originals
from pacs.store import deletion
from pacs.store.sweep import sweep
from tests.cases.world import World, study


def test_a_study_that_a_case_uses_is_not_deleted(world: World) -> None:
    case_id = world.released()
    with world.db.transaction() as tx, pytest.raises(Conflict) as refused:
        access.unneeded(tx, originals(world.coordinator), world.first(case_id))
    assert "Take the study out first" in refused.value.safe


def test_a_study_that_was_taken_out_goes_with_its_copies(world: World) -> None:
    case_id = world.released()
    uid = world.first(case_id)
    with world.db.transaction() as tx:
        studies.reject(tx, world.coordinator, case_id, uid, "It is somebody else's.")
    with world.db.transaction() as tx:
        access.unneeded(tx, originals(world.coordinator), uid)
        done = deletion.remove(tx, world.coordinator, originals(world.coordinator), uid)
    assert (done.instances, done.copies) == (1, 1)
    with world.db.transaction() as tx:
        assert tx.scalars(select(Instance)).all() == []
        assert tx.scalars(select(Study)).all() == []
    assert sweep(world.archive, young=-1).orphans == 1


def test_a_study_of_a_case_that_ended_may_go(world: World) -> None:
    case_id = world.released()
    uid = world.first(case_id)
    with world.db.transaction() as tx:
        assignment.decline(tx, world.coordinator, case_id, "We can't help.")
    with world.db.transaction() as tx:
        access.unneeded(tx, originals(world.coordinator), uid)


def test_the_feed_tells_of_arrival_release_and_revocation(world: World) -> None:
    case_id = world.released()
    uid = world.first(case_id)
    with world.db.transaction() as tx:
        told = changes.read(tx, originals(world.coordinator), 0, 100)
        assert [(one.kind, one.study_uid, one.instances) for one in told] == [("stable", uid, 1)]
        mine = changes.read(tx, originals(world.patient), 0, 100)
        assert [one.number for one in mine] == [one.number for one in told]
        assert changes.read(tx, originals(world.other_patient), 0, 100) == []
        view = changes.read(tx, access.scope(tx, world.coordinator, case_id), 0, 100)
        assert [one.kind for one in view] == ["released"]
        assert view[0].study_uid != uid


@pytest.mark.parametrize("erased", [False, True])
def test_who_sees_all_hears_of_the_study_that_leads_after_another(world: World, erased: bool) -> None:
    """What another sender has under the same UID was not to be seen while the first one's was there."""
    case_id = world.released()
    uid = world.first(case_id)
    world.upload(None, who=world.other_patient, dicom=study(StudyInstanceUID=uid))
    world.settle(uid)
    everything = originals(world.coordinator)
    with world.db.transaction() as tx:
        studies.reject(tx, world.coordinator, case_id, uid, "It is somebody else's.")
        before = changes.read(tx, everything, 0, 100)[-1].number
        [led] = tx.scalars(select(Study).where(Study.study_uid == uid, Study.leads))
        if erased:
            deletion.erase(tx, case_id, led.pk, frozenset((led.pk,)))
        else:
            deletion.remove(tx, world.coordinator, everything, uid)
    with world.db.transaction() as tx:
        told = changes.read(tx, everything, before, 100)
        [leads] = tx.scalars(select(Study).where(Study.study_uid == uid, Study.leads))
    assert leads.sender_id == world.other_patient.id
    # An erasure tells nobody of what was erased.
    assert [one.kind for one in told] == (["stable"] if erased else ["deleted", "stable"])
    assert (told[-1].study_pk, told[-1].instances) == (leads.pk, 1)
