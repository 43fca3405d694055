"""A patient's identity is corrected: recorded, told, compared anew, and said by everything that is made later."""

from __future__ import annotations

from datetime import date

import pytest

from cases.repository import steps_of, studies_of
from cases.service import corrections, inboxes, read, reporting, studies
from cases.service.corrections import Identity
from cases.service.studies import OtherPerson
from cases.states import RecordEvent
from cases.views import CoordinatorCase, PatientCase, SpecialistCase
from overread.kit.audit import AuditRow
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from tests.cases.world import BORN, NAME, World, study

RIGHT = Identity(NAME, BORN, "F")


def states(world: World, case_id: object) -> list[str]:
    with world.db.transaction() as tx:
        return [one.state.value for one in studies_of(tx, case_id)]  # type: ignore[arg-type]


def test_a_birth_date_that_was_mistyped_is_mended_and_the_study_goes_on(world: World) -> None:
    case_id = world.submitted("free", birth_date=date(1971, 3, 8))
    assert states(world, case_id) == ["mismatch"]
    wrong = Identity(NAME, date(1971, 3, 8), "F")
    with world.db.transaction() as tx:
        for who in (world.patient, world.other_patient, world.specialist, world.hospital, world.admin):
            with pytest.raises((Forbidden, NotFound)):
                corrections.correct(tx, who, case_id, RIGHT, "A typing error")
        for bad in (Identity("", BORN, "F"), Identity(NAME, date(1800, 1, 1), "F"), Identity(NAME, BORN, "X")):
            with pytest.raises(Unprocessable):
                corrections.correct(tx, world.coordinator, case_id, bad, "A typing error")
        with pytest.raises(Unprocessable):
            corrections.correct(tx, world.coordinator, case_id, RIGHT, " ")
        with pytest.raises(Conflict):
            corrections.correct(tx, world.coordinator, case_id, RIGHT, "Stale", instead_of=RIGHT)
        corrections.correct(tx, world.coordinator, case_id, RIGHT, "A typing error", instead_of=wrong)
        corrections.correct(tx, world.coordinator, case_id, RIGHT, "A typing error")
    world.drain()
    assert states(world, case_id) == ["deid_review"]
    with world.db.transaction() as tx:
        steps = [one for one in steps_of(tx, case_id) if one.event == RecordEvent.CORRECT]
        assert [one.reason for one in steps] == ["Birth date: 1971-03-08 → 1971-03-09. A typing error"]
        assert steps[0].actor_id == world.coordinator.id
        logged = tx.query(AuditRow).filter(AuditRow.action == "case.correct").one()
        assert "1971" not in f"{logged.detail}"
        shown = read.show(tx, world.patient, case_id)
        assert isinstance(shown, PatientCase)
        assert "We corrected what we have of the patient" in {entry.title for entry in shown.timeline}
    [mail] = [mail for mail in world.mails() if "corrected your details" in mail]
    assert "1971" not in mail
    assert NAME not in mail


def test_what_agreed_and_differs_now_is_frozen(world: World) -> None:
    case_id = world.in_review("free")
    with world.db.transaction() as tx:
        other = Identity(NAME, date(1980, 1, 1), "F")
        corrections.correct(tx, world.coordinator, case_id, other, "It is her sister")
    world.drain()
    assert states(world, case_id) == ["mismatch"]
    with world.db.transaction() as tx:
        seen = read.show(tx, world.specialist, case_id)
        assert isinstance(seen, SpecialistCase)
        assert seen.studies == ()


def test_another_name_makes_the_copies_anew_and_sex_and_age_are_the_specialists(world: World) -> None:
    case_id = world.released("free")
    with world.db.transaction() as tx:
        before = studies_of(tx, case_id)[0].view_study_uid
        now = Identity("Maria Angstrom Oyelaran", BORN, "O")
        corrections.correct(tx, world.coordinator, case_id, now, "As in the passport")
    world.drain()
    assert states(world, case_id) == ["deid_review"]
    with world.db.transaction() as tx:
        assert before is not None
        shown = read.show(tx, world.coordinator, case_id)
        assert isinstance(shown, CoordinatorCase)
        assert (shown.patient_name, shown.sex) == ("Maria Angstrom Oyelaran", "O")


def test_sex_alone_moves_no_study_and_is_in_the_report_that_is_made_later(world: World) -> None:
    case_id = world.signed("free")
    with world.db.transaction() as tx:
        corrections.correct(tx, world.coordinator, case_id, Identity(NAME, BORN, "O"), "As she says")
    world.drain()
    assert states(world, case_id) == ["released"]
    with world.db.transaction() as tx:
        reporting.publish(tx, world.coordinator, case_id)
        with pytest.raises(Conflict):
            corrections.correct(tx, world.coordinator, case_id, RIGHT, "Too late")
        reporting.close(tx, world.coordinator, case_id)
        with pytest.raises(Conflict):
            corrections.correct(tx, world.coordinator, case_id, RIGHT, "Too late")


def test_a_study_of_another_person_is_matched_by_nobody_without_a_reason(world: World) -> None:
    case_id = world.submitted("free")
    stray = world.upload(None, who=world.hospital, dicom=study("LEE^ANNA", "19500101"))
    world.settle(stray)
    with world.db.transaction() as tx:
        [item] = inboxes.listed(tx, world.coordinator)

    def silently() -> None:
        with world.db.transaction() as tx:
            studies.match_by_hand(tx, world.coordinator, item.id, case_id)

    with pytest.raises(OtherPerson) as refused:
        silently()
    assert "LEE ANNA, born 1950-01-01" in refused.value.safe
    assert f"{NAME}, born 1971-03-09" in refused.value.safe
    with world.db.transaction() as tx:
        [item] = inboxes.listed(tx, world.coordinator)
        assert studies.match_by_hand(tx, world.coordinator, item.id, case_id, "Her maiden name") == "mismatch"
    with world.db.transaction() as tx:
        assert any(one.reason == "Her maiden name" for one in steps_of(tx, case_id))


def test_what_a_patient_sent_of_somebody_else_waits_once_it_is_taken_out(world: World) -> None:
    case_id = world.submitted("free")
    theirs = world.upload(case_id, dicom=study("LEE^ANNA", "19500101"))
    world.settle(theirs)
    with world.db.transaction() as tx:
        studies.reject(tx, world.coordinator, case_id, theirs, "Not the patient")
        [item] = inboxes.listed(tx, world.coordinator)
        assert (item.study_uid, item.study.patient_name if item.study else "") == (theirs, "LEE^ANNA")
        assert "taken out of case" in item.reason
