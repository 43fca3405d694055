"""What a specialist is told before they accept: all that is known of the images, and nobody's identity."""

from __future__ import annotations

from uuid import UUID

import pytest
from pydicom.uid import generate_uid

from cases import asked_items
from cases.models import Case
from cases.service import assignment, read
from cases.states import AskedKind
from cases.views import SpecialistCase
from overread.kit.errors import NotFound
from tests.cases.test_documents import add, arrived
from tests.cases.world import BORN, DICOM_NAME, NAME, World, study
from tests.fakes import papers


def offered(world: World, case_id: UUID) -> SpecialistCase:
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
    return seen(world, case_id)


def seen(world: World, case_id: UUID) -> SpecialistCase:
    with world.db.transaction() as tx:
        found = read.show(tx, world.specialist, case_id)
    assert isinstance(found, SpecialistCase)
    return found


def test_what_is_there_is_told_before_accepting_and_names_nobody(world: World) -> None:
    case_id = world.submitted("free")
    uids = [generate_uid(), generate_uid()]
    for uid, day, part in zip(uids, ("20110304", "20150607"), ("CHEST", "KNEE"), strict=True):
        world.upload(case_id, dicom=study(StudyInstanceUID=uid, StudyDate=day, BodyPartExamined=part))
        world.settle(uid)
    arrived(world, case_id, add(world, case_id, papers.pdf("One")))
    found = offered(world, case_id)
    assert found.studies == ()
    assert [(one.document, one.modalities) for one in found.offered] == [(False, ("CT",))] * 3 + [(True, ("DOC",))]
    newest, *rest = found.offered
    assert not newest.earlier
    assert newest.body_parts == ("KNEE",)
    assert [one.earlier for one in rest] == [True, True, False], "a document is no earlier study"
    assert {part for one in found.offered for part in one.body_parts} >= {"CHEST", "KNEE"}
    assert all(one.series == 1 and one.instances == 1 for one in found.offered)
    assert found.offered[-1].title == "First report 1, 1 page"
    assert (found.missing, found.first_report) == ((), True)
    for secret in (NAME, DICOM_NAME, BORN.isoformat(), *uids):
        assert secret not in repr(found)


def test_once_accepted_there_are_the_studies_themselves(world: World) -> None:
    case_id = world.in_review()
    found = seen(world, case_id)
    assert found.offered == ()
    assert len(found.studies) == 1


def test_what_is_missing_is_told(world: World) -> None:
    case_id = world.submitted("free", first_report_by="Zqpractice of Zqtown")
    with world.db.transaction() as tx:
        case = tx.get_one(Case, case_id)
        asked_items.put(tx, case, [asked_items.Wanted(AskedKind.STUDY, f"The old X-ray of {NAME}")])
        asked_items.rows(tx, case)[0].missing = True
    told = offered(world, case_id).missing
    assert told[:2] == ("There are no documents.", "There was a first report; it is not here.")
    assert told[2].startswith("The patient does not have: The old X-ray of ")
    assert NAME not in told[2]
    assert "Zq" not in repr(told)
    assert len(told) == 3


def test_nobody_else_is_told(world: World) -> None:
    case_id = world.offered()
    with world.db.transaction() as tx, pytest.raises(NotFound):
        read.show(tx, world.other_specialist, case_id)
    with world.db.transaction() as tx:
        assignment.refuse(tx, world.specialist, case_id, "no time")
    with world.db.transaction() as tx, pytest.raises(NotFound):
        read.show(tx, world.specialist, case_id)
