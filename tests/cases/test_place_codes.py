"""Places are codes: what is none is refused wherever one is written, and never shown to visitors."""

from __future__ import annotations

from datetime import date

import pytest

from cases.place_codes import norm_place
from cases.service import people
from cases.states import LicenceRequirement
from overread.kit.errors import Unprocessable
from tests.cases.world import World


@pytest.mark.parametrize(
    ("typed", "code"), [("us-ca", "US-CA"), (" DE ", "DE"), ("gb-eng", "GB-ENG"), ("FR-75", "FR-75")]
)
def test_what_is_a_place(typed: str, code: str) -> None:
    assert norm_place(typed) == code


@pytest.mark.parametrize(
    "typed", ["", "U", "USA", "12", "US-", "-US", "US--CA", "US-CALI", "RECORDS", "%(name)s", "ſé"]
)
def test_what_is_none(world: World, typed: str) -> None:
    admin, reader = world.who["admin"], world.specialist.id
    with world.db.transaction() as tx:
        for refused in (
            lambda: norm_place(typed),
            lambda: people.add_rule(tx, admin, typed, LicenceRequirement.DIRECT, "a statute"),
            lambda: people.set_licence(tx, admin, reader, typed, date(2099, 1, 1)),
        ):
            with pytest.raises(Unprocessable):
                refused()
