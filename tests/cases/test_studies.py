"""Studies in a case: matched by upload, by reference and by hand; quarantined, confirmed, revoked, grown."""

from __future__ import annotations

import io
from uuid import UUID

import pydicom
import pytest
from pydicom.uid import generate_uid

from cases import access, consents, imaging
from cases.models import CONSENTS
from cases.repository import studies_of
from cases.service import assignment, inboxes, intake, read, studies, viewing
from cases.service.intake import Changes
from cases.states import ImagesBy, StudyState
from cases.views import CoordinatorCase, PatientCase, SpecialistCase
from overread.kit import audit
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from pacs.index.events import StudyStable
from tests.cases.world import BORN, World, study
from viewer_bridge import grants


def states(world: World, case_id: UUID) -> list[str]:
    with world.db.transaction() as tx:
        return [s.state.value for s in studies_of(tx, case_id)]


def coordinators(world: World, case_id: UUID) -> CoordinatorCase:
    with world.db.transaction() as tx:
        seen = read.show(tx, world.coordinator, case_id)
    assert isinstance(seen, CoordinatorCase)
    return seen


def more_of(data: bytes) -> bytes:
    """Another instance of the same study."""
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.InstanceNumber = 2
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize("where", ["AccessionNumber", "PatientID", "StudyDescription", "called AE title"])
def test_a_hospital_s_study_finds_its_case_by_the_reference(world: World, where: str) -> None:
    case_id = world.submitted("free")
    number = coordinators(world, case_id).reference
    written = number.replace("-", "").lower() if where == "PatientID" else number
    if where == "called AE title":
        uid = world.upload(None, who=world.hospital, called_ae=written)
    else:
        uid = world.upload(None, who=world.hospital, dicom=study(**{where: written}))
    world.settle(uid)
    assert states(world, case_id) == ["deid_review", "deid_review"]
    assert coordinators(world, case_id).studies[1].found_by == "reference"


def test_another_person_s_study_is_quarantined(world: World) -> None:
    case_id = world.draft("free")
    mine = world.upload(case_id)
    theirs = world.upload(case_id, dicom=study("SOMEBODY^ELSE", "19500101"))
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    world.settle(mine)
    world.settle(theirs)
    seen = coordinators(world, case_id)
    assert [s.state for s in seen.studies] == ["deid_review", "mismatch"]
    assert seen.studies[1].reason == "The birth dates differ. The names differ."
    assert [row.equal for row in seen.studies[1].identity][:2] == [False, False]
    assert seen.studies[1].view_study_uid is None
    assert "2 of 2 studies are not released yet." in seen.blocked
    with world.db.transaction() as tx:
        with pytest.raises(Conflict):
            studies.release(tx, world.coordinator, case_id, theirs)
        with pytest.raises(Conflict):
            studies.confirm(tx, world.coordinator, case_id, mine, "no need")
        studies.confirm(tx, world.coordinator, case_id, theirs, "married name, seen on the passport")
    world.drain()
    assert states(world, case_id) == ["deid_review", "deid_review"]


def test_studies_are_released_together_or_not_at_all(world: World) -> None:
    case_id = world.draft("free")
    mine, also, other = (
        world.upload(case_id),
        world.upload(case_id),
        world.upload(case_id, dicom=study("SOMEBODY^ELSE")),
    )
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    for uid in (mine, also, other):
        world.settle(uid)
    assert states(world, case_id) == ["deid_review", "deid_review", "mismatch"]
    for wrong in ([mine, also, other], [mine, "1.2.3"], [mine, "none"], []):
        with pytest.raises((Conflict, NotFound, Unprocessable)), world.db.transaction() as tx:
            studies.release_all(tx, world.coordinator, case_id, wrong)
        assert states(world, case_id) == ["deid_review", "deid_review", "mismatch"]
    for key in ("patient", "specialist", "hospital", "admin", "auditor"):
        with world.db.transaction() as tx, pytest.raises((Forbidden, NotFound)):
            studies.release_all(tx, world.who[key], case_id, [mine])
    with world.db.transaction() as tx:
        # Twice the same is once.
        studies.release_all(tx, world.coordinator, case_id, [mine, also, mine])
    assert states(world, case_id) == ["released", "released", "mismatch"]
    with world.db.transaction() as tx:
        lines = [line for line in audit.read(tx, world.coordinator, case_id=case_id) if line.action == "study.release"]
        assert {line.object_id for line in lines} == {mine, also}
        assert len(lines) == 2


def test_a_wrong_study_never_shows_to_the_patient_whom_a_hospital_sent_it(world: World) -> None:
    case_id = world.submitted("free")
    number = coordinators(world, case_id).reference
    wrong = world.upload(None, who=world.hospital, dicom=study("SOMEBODY^ELSE", "19500101", AccessionNumber=number))
    world.settle(wrong)
    with world.db.transaction() as tx:
        assert wrong not in (access.scope(tx, world.patient, case_id).study_uids or ())
        seen = read.show(tx, world.patient, case_id)
    assert isinstance(seen, PatientCase)
    assert len(seen.studies) == 1


def test_the_inbox_is_matched_by_hand(world: World) -> None:
    case_id = world.submitted("free", images_by=ImagesBy.HOSPITAL)
    uid = world.upload(None, who=world.hospital)
    world.settle(uid)
    world.settle(world.upload(None, who=world.hospital, dicom=study(AccessionNumber="OV-2222-2223")))
    with world.db.transaction() as tx:
        for role in ("patient", "specialist", "hospital", "admin", "auditor"):
            with pytest.raises(Forbidden):
                inboxes.listed(tx, world.who[role])
        found = list(inboxes.listed(tx, world.coordinator))
        assert len(found) == 2
        assert found[1].study is not None
        assert found[1].study.study_uid == uid
        assert studies.match_by_hand(tx, world.coordinator, found[1].id, case_id) is StudyState.MATCHED
        # Told twice, it stands.
        assert studies.match_by_hand(tx, world.coordinator, found[1].id, case_id) is StudyState.MATCHED
        with pytest.raises(NotFound):
            studies.match_by_hand(tx, world.coordinator, case_id, case_id)
    world.drain()
    assert states(world, case_id) == ["deid_review", "deid_review"]
    world.digest()
    # What is matched by now is not told any more.
    assert sum("1 study without a request" in mail for mail in world.mails()) == 1


def test_a_half_filled_form_is_compared_again_when_it_is_submitted(world: World) -> None:
    with world.db.transaction() as tx:
        case_id = intake.create(tx, world.patient, "free", Changes(images_by=ImagesBy.HOSPITAL))
        number = read.show(tx, world.patient, case_id).reference
    world.settle(world.upload(None, who=world.hospital, dicom=study(AccessionNumber=number)))
    assert states(world, case_id) == ["mismatch"]
    world.digest()
    assert not any("another identity" in mail for mail in world.mails())
    with world.db.transaction() as tx:
        intake.update(tx, world.patient, case_id, Changes(place="DE", birth_date=BORN, subjects=["CT"]))
        intake.set_questions(tx, world.patient, case_id, ["Is it torn?"])
        for kind in CONSENTS:
            intake.consent(tx, world.patient, case_id, kind, version=consents.CURRENT[kind].version)
        intake.submit(tx, world.patient, case_id)
    world.drain()
    assert states(world, case_id) == ["deid_review"]


def test_told_twice_nothing_happens_twice(world: World) -> None:
    case_id = world.submitted("free")
    before = len(coordinators(world, case_id).steps)
    with world.db.transaction() as tx:
        for _ in range(3):
            uid = world.first(case_id)
            study_pk = imaging.sent(tx, world.patient.id, uid)
            assert study_pk is not None
            event = StudyStable(study_pk, uid, [str(case_id)], [], str(world.patient.id))
            studies.on_stable(tx, world.archive, event)
    world.drain()
    assert len(coordinators(world, case_id).steps) == before
    assert states(world, case_id) == ["deid_review"]


def test_late_images_wait_until_released_and_the_specialist_is_told(world: World) -> None:
    data = study()
    case_id = world.draft("free")
    uid = world.upload(case_id, dicom=data)
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    world.settle(uid)
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
        assignment.accept(tx, world.specialist, case_id, world.gateway)

    def seen() -> int:
        with world.db.transaction() as tx:
            shown = read.show(tx, world.specialist, case_id)
        assert isinstance(shown, SpecialistCase)
        return sum(s.instances for s in shown.studies)

    assert seen() == 1
    world.upload(case_id, dicom=more_of(data))
    other = world.upload(case_id)
    world.settle(uid)
    world.settle(other)
    assert states(world, case_id) == ["deid_review", "deid_review"]
    world.clear(case_id)
    assert seen() == 3
    assert sum("more images have come" in mail for mail in world.mails()) == 2


def test_a_study_taken_out_is_gone_at_once(world: World) -> None:
    case_id = world.in_review()
    with world.db.transaction() as tx:
        assert len(viewing.view_studies(tx, world.specialist, case_id)) == 1
        studies.reject(tx, world.coordinator, case_id, world.first(case_id), "another patient's")
    with world.db.transaction() as tx:
        assert grants.active(tx, case_id) == []
        with pytest.raises(NotFound):
            access.scope(tx, world.specialist, case_id)
        with pytest.raises(Conflict):
            studies.confirm(tx, world.coordinator, case_id, world.first(case_id), "oh no")
    world.settle(world.first(case_id))
    assert states(world, case_id) == ["revoked"]
    assert sum("incident" in mail for mail in world.mails()) == 1
    with world.db.transaction() as tx:
        assert "incident.opened" in {line.action for line in audit.read(tx, world.auditor, case_id=case_id)}


def test_nothing_is_ready_before_every_study_is_released(world: World) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        with pytest.raises(Exception, match="refused by its guards"):
            assignment.mark_ready(tx, world.coordinator, case_id)
        pending = [
            i for r in studies.review(tx, world.coordinator, case_id) for i in r.items if i.state == "pending_review"
        ]
        if pending:
            with pytest.raises(Conflict):
                studies.release(tx, world.coordinator, case_id, world.first(case_id))
    world.clear(case_id)
    assert states(world, case_id) == ["released"]
    seen = coordinators(world, case_id)
    assert seen.blocked == ()
    assert "mark_ready" in seen.actions
