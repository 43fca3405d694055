"""What a hospital is to send: the clock begins when it is here. And what a patient takes out of a draft."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest

from cases.repository import load_unasked, studies_of
from cases.service import deadlines, intake, read, studies
from cases.states import ImagesBy
from cases.views import PatientCase
from overread.kit.errors import Conflict, Forbidden, NotFound
from tests.cases.world import World, study


def due(world: World, case_id: UUID) -> datetime | None:
    with world.db.transaction() as tx:
        case = load_unasked(tx, case_id)
        assert case is not None
        return case.due_at


def waiting(world: World) -> tuple[UUID, str]:
    case_id = world.draft("free", images_by=ImagesBy.HOSPITAL)
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
        seen = read.show(tx, world.patient, case_id)
    assert isinstance(seen, PatientCase)
    assert (seen.due_at, seen.next_title) == (None, "We wait for your images")
    assert "counts from when" in seen.next_text
    world.drain()
    return case_id, seen.reference


def told(world: World, words: str) -> int:
    return sum(words in mail for mail in world.mails())


def test_the_clock_begins_when_the_hospitals_images_are_here_and_are_the_patients(world: World) -> None:
    case_id, reference = waiting(world)
    assert told(world, "but for what your hospital is to send") == 1
    other = world.upload(None, who=world.hospital, dicom=study("LEE^ANNA", "19500101", AccessionNumber=reference))
    world.settle(other)
    assert due(world, case_id) is None, "somebody else's images begin nothing"
    world.settle(world.upload(None, who=world.hospital, dicom=study(AccessionNumber=reference)))
    began = due(world, case_id)
    assert began is not None
    assert told(world, "What your hospital was to send is here.") == 1
    # What comes later moves nothing, and is told of once.
    with world.db.transaction() as tx:
        studies.confirm(tx, world.coordinator, case_id, other, "Her maiden name")
    world.drain()
    assert due(world, case_id) == began
    assert told(world, "What your hospital was to send is here.") == 1


def test_images_that_come_while_the_clock_stands_begin_it_when_it_goes_on(world: World) -> None:
    case_id, reference = waiting(world)
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, case_id, "Which hospital?")
    world.settle(world.upload(None, who=world.hospital, dicom=study(AccessionNumber=reference)))
    assert due(world, case_id) is None
    with world.db.transaction() as tx:
        intake.answer_info(tx, world.patient, case_id, "The one in town")
    assert due(world, case_id) is not None
    with world.db.transaction() as tx:
        with pytest.raises(NotFound):
            deadlines.resume(tx, world.other_patient, case_id)
        deadlines.resume(tx, world.coordinator, case_id)


def test_images_that_are_here_are_chosen_whatever_was_said(world: World) -> None:
    for images_by in (None, ImagesBy.HOSPITAL):
        case_id = world.draft("free", images_by=images_by)
        world.upload(case_id)
        with world.db.transaction() as tx:
            intake.submit(tx, world.patient, case_id)
        assert due(world, case_id) is not None


def test_a_patient_takes_a_study_out_of_a_draft_and_sends_it_again(world: World) -> None:
    case_id = world.draft("free")
    data = study("LEE^ANNA", "19500101")
    uid = world.upload(case_id, dicom=data)
    world.settle(uid)
    with world.db.transaction() as tx:
        for who, refusal in ((world.other_patient, NotFound), (world.specialist, NotFound), (world.hospital, NotFound)):
            with pytest.raises((refusal, Forbidden)):
                studies.take_out(tx, who, case_id, uid)
        studies.take_out(tx, world.patient, case_id, uid)
        studies.take_out(tx, world.patient, case_id, uid)
        studies.take_out(tx, world.patient, case_id, "1.2.3")
        assert not studies_of(tx, case_id)
        seen = read.show(tx, world.patient, case_id)
        assert isinstance(seen, PatientCase)
        assert (seen.studies, seen.images_here) == ((), False)
    assert world.upload(case_id, dicom=data) == uid
    world.settle(uid)
    with world.db.transaction() as tx:
        assert [one.study_uid for one in studies_of(tx, case_id)] == [uid]
    sent = world.submitted("free")
    with pytest.raises(Conflict), world.db.transaction() as tx:
        studies.take_out(tx, world.patient, sent, world.first(sent))


def test_what_a_hospital_sent_for_a_draft_is_not_the_patients_to_remove(world: World) -> None:
    case_id = world.draft("free", images_by=ImagesBy.HOSPITAL)
    with world.db.transaction() as tx:
        case = load_unasked(tx, case_id)
        assert case is not None
        reference = case.reference
    uid = world.upload(None, who=world.hospital, dicom=study(AccessionNumber=reference))
    world.settle(uid)
    with pytest.raises(Conflict), world.db.transaction() as tx:
        studies.take_out(tx, world.patient, case_id, uid)


def test_images_of_somebody_else_at_submission_begin_no_clock(world: World) -> None:
    case_id = world.draft("free", images_by=ImagesBy.HOSPITAL)
    with world.db.transaction() as tx:
        case = load_unasked(tx, case_id)
        assert case is not None
        reference = case.reference
    world.settle(world.upload(None, who=world.hospital, dicom=study("LEE^ANNA", "19500101", AccessionNumber=reference)))
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    world.drain()
    assert due(world, case_id) is None
    with world.db.transaction() as tx:
        seen = read.show(tx, world.patient, case_id)
    assert isinstance(seen, PatientCase)
    assert seen.next_title == "We wait for your images"
