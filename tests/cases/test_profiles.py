"""The de-identification profile of a program: chosen by admins, followed by cases that are begun afterwards."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import select

from cases.models import Case
from cases.service import profiles
from overread.kit import audit
from overread.kit.errors import Forbidden, NotFound, Unprocessable
from pacs.deid.profile import SECOND_OPINION
from pacs.index.models import View
from tests.cases.world import World

OLD_DATES = {"modified_dates": False, "full_dates": True, "age_cap": 70, "clean_graphics": False}


def stored(world: World, case_id: object) -> dict[str, object]:
    with world.db.transaction() as tx:
        view = tx.scalars(select(View).join(Case, Case.view_id == View.id).where(Case.id == case_id)).one()
    return dict(view.profile)


def test_only_new_cases_follow_a_change(world: World) -> None:
    before = world.submitted("free")
    with world.db.transaction() as tx:
        found = {program.slug: (program.id, profile) for program, profile in profiles.listed(tx, world.admin)}
        assert {profile for _, profile in found.values()} == {SECOND_OPINION}
        changed = profiles.change(tx, world.admin, found["free"][0], OLD_DATES)
    after = world.submitted("free")
    assert stored(world, before) == SECOND_OPINION.stored()
    assert stored(world, after) == changed.stored()
    assert changed.full_dates
    with world.db.transaction() as tx:
        assert profiles.read(tx, world.admin, found["msk"][0])[1] == SECOND_OPINION
        assert "profile.change" in {line.action for line in audit.read(tx, world.auditor)}


def test_only_an_admin_chooses(world: World) -> None:
    with world.db.transaction() as tx:
        (program, _), *_ = profiles.listed(tx, world.admin)
        for role in ("patient", "specialist", "hospital", "auditor", "coordinator"):
            with pytest.raises(Forbidden):
                profiles.listed(tx, world.who[role])
            with pytest.raises(Forbidden):
                profiles.read(tx, world.who[role], program.id)
            with pytest.raises(Forbidden):
                profiles.change(tx, world.who[role], program.id, {})
        with pytest.raises(NotFound):
            profiles.change(tx, world.admin, uuid4(), {})
        for bad in ({"age_cap": 120}, {"full_dates": True}, {"retain_uids": True}, {"age_cap": "70"}):
            with pytest.raises(Unprocessable):
                profiles.change(tx, world.admin, program.id, bad)
        assert profiles.read(tx, world.admin, program.id)[1] == SECOND_OPINION
