"""A case's readings as work items: they follow offers and reports, and name nobody."""

from __future__ import annotations

import orjson
from sqlalchemy import select

from cases import readings
from cases.repository import load_unasked
from cases.service import assignment, intake, viewing
from overread.kit.principals import Principal
from pacs.dicom.dicomjson import JsonDataset
from pacs.ups import service
from pacs.ups.attributes import missing_for
from pacs.ups.models import Workitem
from pacs.ups.states import StepState
from tests.cases.world import World


def items(world: World, who: Principal) -> list[JsonDataset]:
    with world.db.transaction() as tx:
        return service.find_all(tx, who, {})[0]


def states(world: World) -> list[str]:
    with world.db.transaction() as tx:
        return list(tx.scalars(select(Workitem.state).order_by(Workitem.pk)))


def test_an_offer_is_a_scheduled_reading_of_the_specialists(world: World) -> None:
    world.offered()
    (item,) = items(world, world.specialist)
    assert item["00741000"] == {"vr": "CS", "Value": ["SCHEDULED"]}
    assert item["00741204"] == {"vr": "LO", "Value": ["Second opinion on a CT"]}
    assert items(world, world.other_specialist) == []
    assert len(items(world, world.coordinator)) == 1


def test_nothing_in_it_says_whose_it_is(world: World) -> None:
    case_id = world.offered()
    original = world.first(case_id)
    (item,) = items(world, world.specialist)
    text = orjson.dumps(item).decode()
    assert original not in text
    with world.db.transaction() as tx:
        case = load_unasked(tx, case_id)
        assert case is not None
        names = [part for part in case.patient_name.replace("^", " ").split() if len(part) > 2]
        assert names
        assert not [word for word in (*names, case.reference, str(case_id), str(case.patient_id)) if word in text]
        row = tx.scalars(select(Workitem)).one()
        studies = [one["0020000D"]["Value"][0] for one in row.attributes["00404021"]["Value"]]
        assert studies == viewing.view_studies(tx, world.coordinator, case_id)


def test_accepted_read_and_signed(world: World) -> None:
    case_id = world.in_review()
    assert states(world) == ["IN PROGRESS"]
    (item,) = items(world, world.specialist)
    assert "00081195" not in item
    world.published()
    assert states(world) == ["IN PROGRESS", "COMPLETED"]
    with world.db.transaction() as tx:
        done = tx.scalars(select(Workitem).order_by(Workitem.pk.desc())).first()
        assert done is not None
        assert missing_for(done.attributes, StepState.COMPLETED) == ""
        # Bringing it up to date again changes nothing.
        before = dict(done.attributes)
        case = load_unasked(tx, case_id)
        assert case is not None
        readings.bring_up_to_date(tx, case)
    assert states(world) == ["IN PROGRESS", "COMPLETED"]
    with world.db.transaction() as tx:
        assert tx.scalars(select(Workitem.attributes).order_by(Workitem.pk.desc())).first() == before


def test_a_refused_offer_is_canceled_and_the_next_one_is_another_reading(world: World) -> None:
    case_id = world.offered()
    with world.db.transaction() as tx:
        assignment.refuse(tx, world.specialist, case_id, "No time.")
    world.drain()
    assert states(world) == ["CANCELED"]
    with world.db.transaction() as tx:
        assignment.offer(tx, world.coordinator, case_id, world.other_specialist.id)
    world.drain()
    assert states(world) == ["CANCELED", "SCHEDULED"]
    (item,) = items(world, world.other_specialist)
    assert item["00741000"] == {"vr": "CS", "Value": ["SCHEDULED"]}
    with world.db.transaction() as tx:
        canceled = tx.scalars(select(Workitem).order_by(Workitem.pk)).first()
        assert canceled is not None
        assert missing_for(canceled.attributes, StepState.CANCELED) == ""
        # The reason is free text between people: it may name the patient.
        assert "No time" not in orjson.dumps(canceled.attributes).decode()


def test_a_case_that_ends_ends_its_reading(world: World) -> None:
    case_id = world.in_review()
    with world.db.transaction() as tx:
        intake.withdraw(tx, world.patient, case_id)
    world.drain()
    assert states(world) == ["CANCELED"]
