"""Several senders under one Study Instance UID: strangers see nothing, and what belongs together a person joins."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any
from uuid import UUID

import pydicom
import pytest
from pydicom.uid import UID, SecondaryCaptureImageStorage, generate_uid
from sqlalchemy import func, select

from cases import access, imaging
from cases.models import CaseStudy
from cases.repository import studies_of
from cases.service import erasure, inboxes, intake, read, studies
from cases.service.intake import Changes
from cases.states import ImagesBy, StudyState
from cases.views import CoordinatorCase
from overread.kit import principals
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.principals import Principal, Role
from pacs.index import changes, query
from pacs.index.models import Instance, Joined, Study, Upload
from pacs.index.query import Level, Query
from pacs.index.scope import ORIGINAL, STAFF, Scope, originals, sent_by
from pacs.serve import retrieve
from pacs.store import commitment, deletion, ingest
from pacs.store.ingest import AlreadyStored, Outcome, Prepared, Refused, Source, Stored
from tests.cases.world import DICOM_BORN, DICOM_NAME, World, study


def put(world: World, who: Principal, data: bytes, case_id: UUID | None = None, called_ae: str = "") -> Outcome:
    source = Source(who, "stow", case_id=case_id, called_ae=called_ae)
    with ingest.receive(world.archive, source) as incoming:
        incoming.write(data)
        prepared = incoming.finish()
    assert isinstance(prepared, Prepared)
    return ingest.store(world.archive, source, [prepared])[0]


def like(data: bytes, **keywords: Any) -> bytes:
    """Another slice of a study; `None` empties an attribute."""
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    for keyword, value in keywords.items():
        setattr(ds, keyword, "" if value is None else value)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def uid_of(data: bytes, keyword: str = "StudyInstanceUID") -> str:
    return str(pydicom.dcmread(io.BytesIO(data))[keyword].value)


def found(world: World, scope: Scope, study_uid: str) -> dict[str, Any] | None:
    with world.db.transaction() as tx:
        results, _ = query.search(tx, scope, Query(Level.STUDY, study_uid=study_uid))
    return results[0].attributes if results else None


def instances(world: World, scope: Scope, study_uid: str) -> set[str]:
    with world.db.transaction() as tx:
        try:
            return {one.sop_uid for one in retrieve.locate(tx, scope, study_uid)}
        except NotFound:
            return set()


def root(world: World, who: Principal, case_id: UUID) -> Scope:
    with world.db.transaction() as tx:
        return access.scope(tx, who, case_id)


def waiting(world: World) -> list[inboxes.InboxItem]:
    with world.db.transaction() as tx:
        return list(inboxes.listed(tx, world.coordinator))


def states(world: World, case_id: UUID) -> list[str]:
    with world.db.transaction() as tx:
        return [one.state.value for one in studies_of(tx, case_id)]


NOBODY = {"PatientName": None, "PatientID": None, "PatientBirthDate": None}


@pytest.mark.parametrize("identity", [NOBODY, {}, {"PatientID": "guessed"}, {"PatientBirthDate": "19010101"}])
def test_a_stranger_under_a_known_uid_sees_their_own_object_alone(world: World, identity: dict[str, Any]) -> None:
    original = study(StudyDescription="secret", AccessionNumber="A-1")
    assert isinstance(put(world, world.hospital, original), Stored)
    put(world, world.hospital, like(original, Modality="MR", SeriesInstanceUID=generate_uid()))
    uid = uid_of(original)
    world.settle(uid)
    with world.db.transaction() as tx:
        case_id = intake.create(tx, world.other_patient, "free", Changes(images_by=ImagesBy.UPLOAD))
    mine = like(original, StudyDescription="mine", AccessionNumber=None, **identity)
    # Whatever they guess of the patient, the answer is the same.
    assert isinstance(put(world, world.other_patient, mine, case_id), Stored)
    world.settle(uid)
    for scope in (root(world, world.other_patient, case_id), originals(world.other_patient)):
        assert instances(world, scope, uid) == {uid_of(mine, "SOPInstanceUID")}
        shown = found(world, scope, uid)
        assert shown is not None
        assert shown["00201208"]["Value"] == [1]
        assert shown["00080061"]["Value"] == ["CT"]
        assert shown["00081030"]["Value"] == ["mine"]
        assert "A-1" not in str(shown)
    theirs = found(world, originals(world.hospital), uid)
    assert theirs is not None
    assert (theirs["00201208"]["Value"], theirs["00081030"]["Value"]) == ([2], ["secret"])
    leading = found(world, originals(world.coordinator), uid)
    assert leading is not None
    assert leading["00201208"]["Value"] == [2]
    assert instances(world, sent_by(world.other_patient.id), uid) == {uid_of(mine, "SOPInstanceUID")}


def test_whoever_is_first_under_a_uid_keeps_nobody_from_sending(world: World) -> None:
    original = study()
    first = like(original, PatientID="X", PatientBirthDate="19010101")
    ds = pydicom.dcmread(io.BytesIO(original))
    same_name = like(first, PatientComments="other content")
    forged = pydicom.dcmread(io.BytesIO(same_name))
    forged.SOPInstanceUID = forged.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    out = io.BytesIO()
    forged.save_as(out)
    assert isinstance(put(world, world.other_patient, out.getvalue()), Stored)
    assert isinstance(put(world, world.hospital, original), Stored)
    assert isinstance(put(world, world.hospital, original), AlreadyStored)
    changed = like(original, PatientComments="changed")
    changed_ds = pydicom.dcmread(io.BytesIO(changed))
    changed_ds.SOPInstanceUID = changed_ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    out = io.BytesIO()
    changed_ds.save_as(out)
    assert isinstance(put(world, world.hospital, out.getvalue()), Refused)
    assert isinstance(put(world, world.hospital, like(original, PatientID="another")), Refused)


def test_a_disc_and_a_hospital_become_one_study_by_a_person(world: World) -> None:
    case_id = world.draft("free")
    disc = study(PatientID="P-1")
    uid = uid_of(disc)
    put(world, world.patient, disc, case_id)
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
        number = read.show(tx, world.patient, case_id).reference
    world.settle(uid)
    assert states(world, case_id) == ["deid_review"]
    more = like(disc, AccessionNumber=number)
    put(world, world.hospital, disc)
    put(world, world.hospital, more, called_ae=number)
    world.settle(uid)
    [item] = waiting(world)
    assert (item.case_reference, item.sender) == (number, "Some Hospital")
    assert "1 image is new, 1 is there already, and 0 differ" in item.reason
    world.digest()
    assert any("kept apart" in mail for mail in world.mails())
    with world.db.transaction() as tx:
        shown = read.show(tx, world.coordinator, case_id)
        assert isinstance(shown, CoordinatorCase)
        assert shown.apart == (item.reason,)
    before = {uid_of(disc, "SOPInstanceUID")}
    both = before | {uid_of(more, "SOPInstanceUID")}
    assert instances(world, root(world, world.patient, case_id), uid) == before
    with world.db.transaction() as tx:
        copies = set(tx.scalars(select(Instance.pk).where(Instance.view_id != ORIGINAL)))
        assert studies.match_by_hand(tx, world.coordinator, item.id, case_id) is StudyState.MATCHED
    world.drain()
    assert states(world, case_id) == ["deid_review"]
    assert waiting(world) == []
    assert instances(world, root(world, world.patient, case_id), uid) == both
    joined = found(world, root(world, world.patient, case_id), uid)
    assert joined is not None
    assert joined["00201208"]["Value"] == [2]
    # What each sent stays what they sent, and what was de-identified is not made again.
    assert instances(world, originals(world.patient), uid) == before
    assert instances(world, originals(world.hospital), uid) == both
    with world.db.transaction() as tx:
        now = set(tx.scalars(select(Instance.pk).where(Instance.view_id != ORIGINAL)))
        assert copies < now
        assert len(now) == 2
    leading = found(world, originals(world.coordinator), uid)
    assert leading is not None
    assert leading["00201208"]["Value"] == [2]


def test_a_joined_study_grows_when_what_came_was_compared(world: World) -> None:
    case_id, uid, original = joined(world)
    late = like(original)
    put(world, world.hospital, late)
    assert uid_of(late, "SOPInstanceUID") not in instances(world, root(world, world.patient, case_id), uid)
    world.settle(uid)
    assert uid_of(late, "SOPInstanceUID") in instances(world, root(world, world.patient, case_id), uid)
    nobodys = like(original, **NOBODY)
    put(world, world.hospital, nobodys)
    world.settle(uid)
    assert states(world, case_id) == ["mismatch"]
    assert uid_of(nobodys, "SOPInstanceUID") not in instances(world, root(world, world.patient, case_id), uid)


def joined(world: World) -> tuple[UUID, str, bytes]:
    """A case whose patient and hospital sent one image each of a study."""
    case_id = world.draft("free")
    original = study()
    uid = uid_of(original)
    put(world, world.patient, original, case_id)
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
        number = read.show(tx, world.patient, case_id).reference
    world.settle(uid)
    put(world, world.hospital, like(original, AccessionNumber=number))
    world.settle(uid)
    [item] = waiting(world)
    with world.db.transaction() as tx:
        studies.match_by_hand(tx, world.coordinator, item.id, case_id)
    world.drain()
    return case_id, uid, original


def test_a_joined_study_is_deleted_with_what_it_was_joined_of(world: World) -> None:
    _, uid, _ = joined(world)
    apart = study(StudyInstanceUID=uid)
    put(world, world.other_patient, apart)
    with world.db.transaction() as tx:
        gone = deletion.remove(tx, world.admin, originals(world.admin), uid)
        assert (gone.instances, gone.copies) == (2, 4)
        assert tx.scalar(select(func.count()).select_from(Joined)) == 0
        assert tx.scalar(select(func.count()).select_from(Upload)) == 0
    assert instances(world, originals(world.patient), uid) == set()
    assert instances(world, originals(world.hospital), uid) == set()
    # What was kept apart stays, and answers now.
    assert instances(world, originals(world.admin), uid) == {uid_of(apart, "SOPInstanceUID")}


def test_who_loses_images_with_a_joined_study_hears_of_it(world: World) -> None:
    _, uid, _ = joined(world)
    put(world, world.hospital, study(StudyInstanceUID=uid))
    put(world, world.other_patient, study(StudyInstanceUID=uid))
    with world.db.transaction() as tx:
        [kept] = set(instances(world, originals(world.hospital), uid)) - set(
            instances(world, originals(world.admin), uid)
        )
        deletion.remove(tx, world.admin, originals(world.admin), uid)

        def last(who: Principal) -> tuple[str, int] | None:
            told = changes.read(tx, sent_by(who.id), 0, 100)
            return (told[-1].kind, told[-1].instances) if told else None

        assert last(world.patient) == ("deleted", 0)
        # What nobody had joined is still theirs.
        assert last(world.hospital) == ("stable", 1)
        assert last(world.other_patient) is None
    assert instances(world, originals(world.hospital), uid) == {kept}


def test_a_stranger_s_case_keeps_no_study_from_being_deleted(world: World) -> None:
    original = study()
    uid = uid_of(original)
    put(world, world.hospital, original)
    world.settle(uid)
    with world.db.transaction() as tx:
        case_id = intake.create(tx, world.other_patient, "free", Changes(images_by=ImagesBy.UPLOAD))
    put(world, world.other_patient, mine := like(original, **NOBODY), case_id)
    world.settle(uid)
    assert states(world, case_id) == ["mismatch"]
    everything = originals(world.coordinator)
    with world.db.transaction() as tx:
        access.unneeded(tx, everything, uid)
        assert deletion.remove(tx, world.coordinator, everything, uid).instances == 1
    assert instances(world, root(world, world.other_patient, case_id), uid) == {uid_of(mine, "SOPInstanceUID")}
    with world.db.transaction() as tx, pytest.raises(Conflict):
        access.unneeded(tx, everything, uid)


@pytest.mark.parametrize("of", ["patient", "hospital"])
def test_what_a_case_has_joined_is_not_deleted_by_its_parts(world: World, of: str) -> None:
    _, uid, _ = joined(world)
    for scope in (originals(world.coordinator), sent_by(world.who[of].id)):
        with world.db.transaction() as tx, pytest.raises(Conflict):
            access.unneeded(tx, scope, uid)


def test_an_instance_uid_that_another_sender_uses_is_committed_all_the_same(world: World) -> None:
    original = study()
    sop = uid_of(original, "SOPInstanceUID")
    other = pydicom.dcmread(io.BytesIO(study()))
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = UID(sop)
    other.SOPClassUID = other.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    out = io.BytesIO()
    other.save_as(out)
    references = []
    for who, data in ((world.hospital, original), (world.other_patient, out.getvalue())):
        assert isinstance(put(world, who, data), Stored)
        where = uid_of(data), uid_of(data, "SeriesInstanceUID")
        references += [commitment.Reference(uid_of(data, "SOPClassUID"), sop, *named) for named in (where, ())]
    everything = originals(world.coordinator)
    assert commitment.examine(world.archive, everything, references) == [None] * 4
    elsewhere = commitment.Reference(references[0].sop_class, sop, "1.2.3", "1.2.4")
    another = commitment.Reference("1.2.840.10008.5.1.4.1.1.4", sop)
    assert commitment.examine(world.archive, everything, [elsewhere, another]) == [
        commitment.Failure.NO_SUCH_OBJECT_INSTANCE,
        commitment.Failure.CLASS_INSTANCE_CONFLICT,
    ]
    assert commitment.examine(world.archive, originals(world.hospital), references[2:3]) == [
        commitment.Failure.NO_SUCH_OBJECT_INSTANCE
    ]


def test_what_stays_of_an_erased_joined_study_no_longer_says_that_it_came_for_the_case(world: World) -> None:
    case_id, uid, original = joined(world)
    other = world.draft("free")
    # The patient's image came for another case as well, so it stays.
    put(world, world.patient, original, other)
    erased(world, case_id)
    with world.db.transaction() as tx:
        assert set(tx.scalars(select(Upload.case_id))) == {other}
    assert instances(world, root(world, world.patient, other), uid) == {uid_of(original, "SOPInstanceUID")}


def test_a_joined_study_is_erased_as_far_as_it_came_for_the_case(world: World) -> None:
    case_id, uid, _ = joined(world)
    other = study(StudyInstanceUID=uid)
    put(world, world.other_patient, other)
    erased(world, case_id)
    with world.db.transaction() as tx:
        left = tx.execute(select(Study.study_uid, Study.sender_id)).all()
    assert left == [(uid, world.other_patient.id)]


def erased(world: World, case_id: UUID) -> int:
    """Erase a case; how many images that destroyed, by its plan."""
    with world.db.transaction() as tx:
        erasure.ask(tx, world.patient, case_id)
        erasure.start(tx, world.admin, case_id)
        planned = erasure.show(tx, world.admin, case_id).plan
        erasure.carry_out(tx, world.coordinator, case_id, world.gateway)
    world.drain()
    assert planned is not None
    return planned.images


@pytest.mark.parametrize("left", [False, True])
def test_what_names_a_case_and_was_kept_apart_is_erased_with_it(world: World, left: bool) -> None:
    case_id = world.submitted("free")
    uid = world.first(case_id)
    with world.db.transaction() as tx:
        number = read.show(tx, world.patient, case_id).reference
    put(world, world.hospital, study(StudyInstanceUID=uid, AccessionNumber=number))
    world.settle(uid)
    [item] = waiting(world)
    if left:
        with world.db.transaction() as tx:
            inboxes.dismiss(tx, world.coordinator, item.id, "not this patient's")
    assert erased(world, case_id) == 1 + (not left)
    assert len(instances(world, originals(world.hospital), uid)) == left
    assert waiting(world) == []


def test_more_of_what_was_taken_out_waits_on_when_the_case_is_erased(world: World) -> None:
    case_id, uid, original = joined(world)
    with world.db.transaction() as tx:
        studies.reject(tx, world.coordinator, case_id, uid, "taken out")
    put(world, world.hospital, more := like(original))
    world.settle(uid)
    assert erased(world, case_id) == 1
    assert uid_of(more, "SOPInstanceUID") in instances(world, originals(world.hospital), uid)
    [item] = waiting(world)
    assert (item.sender, item.case_id) == ("Some Hospital", None)
    assert item.study is not None


@pytest.mark.parametrize("sender", ["patient", "hospital"])
def test_more_of_a_joined_study_that_was_taken_out_waits_for_a_coordinator(world: World, sender: str) -> None:
    case_id, uid, original = joined(world)
    with world.db.transaction() as tx:
        number = read.show(tx, world.patient, case_id).reference
        studies.reject(tx, world.coordinator, case_id, uid, "taken out")
    put(world, world.who[sender], like(original), case_id if sender == "patient" else None)
    world.settle(uid)
    assert states(world, case_id) == ["revoked"]
    told = [item.reason for item in waiting(world) if item.sender_id == world.who[sender].id]
    assert told == [f"It was taken out of case {number} before, and more of it has come."]


def test_what_was_taken_out_of_a_case_is_not_erased_with_it(world: World) -> None:
    wrong = world.submitted("free", images_by=ImagesBy.HOSPITAL)
    with world.db.transaction() as tx:
        number = read.show(tx, world.patient, wrong).reference
    data = study(name="SOMEBODY^ELSE", AccessionNumber=number)
    uid = uid_of(data)
    put(world, world.hospital, data)
    world.settle(uid)
    with world.db.transaction() as tx:
        studies.reject(tx, world.coordinator, wrong, uid, "another patient's")
    assert erased(world, wrong) == 1  # the patient's own upload
    assert instances(world, originals(world.hospital), uid) == {uid_of(data, "SOPInstanceUID")}
    [item] = waiting(world)
    assert item.study is not None


@pytest.mark.parametrize("sender", ["other_patient", "hospital"])
def test_another_sender_s_slice_of_a_matched_study_is_held_apart_and_named(world: World, sender: str) -> None:
    case_id = world.released("free")
    uid = world.first(case_id)
    before = instances(world, root(world, world.patient, case_id), uid)
    forged = study(StudyInstanceUID=uid)
    put(world, world.who[sender], forged)
    world.settle(uid)
    assert states(world, case_id) == ["released"]
    assert instances(world, root(world, world.patient, case_id), uid) == before
    is_named(world, case_id, uid, world.who[sender].name)


def is_named(world: World, case_id: UUID, uid: str, sender: str) -> None:
    """The inbox, the case's page and a mail tell of another sender's study of this number, which names no case."""
    [item] = waiting(world)
    with world.db.transaction() as tx:
        shown = read.show(tx, world.coordinator, case_id)
        assert isinstance(shown, CoordinatorCase)
    assert (item.study_uid, item.case_reference, item.case_id) == (uid, shown.reference, None)
    assert shown.reference in item.reason
    [told] = shown.apart
    assert sender in told
    world.digest()
    assert any("kept apart" in mail for mail in world.mails())


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_study_that_waits_is_named_to_the_case_that_gets_one_of_its_number(world: World, by_hand: bool) -> None:
    case_id = world.submitted("free", images_by=ImagesBy.HOSPITAL)
    with world.db.transaction() as tx:
        number = read.show(tx, world.patient, case_id).reference
    original = study(AccessionNumber="" if by_hand else number)
    uid = uid_of(original)
    put(world, world.other_patient, study(StudyInstanceUID=uid))
    world.settle(uid)
    [item] = waiting(world)
    # A case that has nothing of it is not told of.
    assert (item.case_reference, item.reason) == ("", "")
    put(world, world.hospital, original)
    world.settle(uid)
    if by_hand:
        mine = next(one for one in waiting(world) if one.sender_id == world.hospital.id)
        with world.db.transaction() as tx:
            studies.match_by_hand(tx, world.coordinator, mine.id, case_id)
    is_named(world, case_id, uid, world.other_patient.name)
    with world.db.transaction() as tx:
        studies.reject(tx, world.coordinator, case_id, uid, "another patient's")
        shown = read.show(tx, world.coordinator, case_id)
        assert isinstance(shown, CoordinatorCase)
        # What was taken out of the case has nobody's beside it.
        assert shown.apart == ()


def test_an_image_of_the_same_sender_that_does_not_say_whose_it_is_waits_for_a_person(world: World) -> None:
    case_id = world.submitted("free", images_by=ImagesBy.HOSPITAL)
    with world.db.transaction() as tx:
        number = read.show(tx, world.patient, case_id).reference
    original = study(AccessionNumber=number)
    uid = uid_of(original)
    put(world, world.hospital, original)
    world.settle(uid)
    assert states(world, case_id)[-1] == "deid_review"
    silent = like(original, **NOBODY)
    put(world, world.hospital, silent)
    # Not even while it settles.
    assert instances(world, root(world, world.patient, case_id), uid) == {uid_of(original, "SOPInstanceUID")}
    world.settle(uid)
    assert states(world, case_id)[-1] == "mismatch"
    with world.db.transaction() as tx:
        assert studies_of(tx, case_id)[-1].reason.startswith("1 more image: ")
        studies.confirm(tx, world.coordinator, case_id, uid, "the hospital said so")
    world.drain()
    assert len(instances(world, root(world, world.patient, case_id), uid)) == 2
    put(world, world.hospital, like(original, **NOBODY))
    world.settle(uid)
    # Confirmed were those images, not all that say nothing.
    assert states(world, case_id)[-1] == "mismatch"


def test_what_differs_is_not_mended_by_what_agrees(world: World) -> None:
    case_id = world.submitted("free", images_by=ImagesBy.HOSPITAL)
    with world.db.transaction() as tx:
        number = read.show(tx, world.patient, case_id).reference
    wrong = study(name="SOMEBODY^ELSE", AccessionNumber=number)
    put(world, world.hospital, wrong)
    world.settle(uid_of(wrong))
    put(world, world.hospital, like(wrong, PatientName=DICOM_NAME))
    world.settle(uid_of(wrong))
    assert states(world, case_id)[-1] == "mismatch"


def test_a_study_that_is_taken_out_waits_in_the_inbox_for_the_right_case(world: World) -> None:
    wrong = world.submitted("free", images_by=ImagesBy.HOSPITAL)
    with world.db.transaction() as tx:
        number = read.show(tx, world.patient, wrong).reference
        right = intake.create(tx, world.other_patient, "free", Changes(images_by=ImagesBy.HOSPITAL))
    uid = uid_of(data := study(AccessionNumber=number))
    put(world, world.hospital, data)
    world.settle(uid)
    with world.db.transaction() as tx:
        studies.reject(tx, world.coordinator, wrong, uid, "another patient's")
    [item] = waiting(world)
    assert item.reason == f"It was taken out of case {number}."
    with pytest.raises(NotFound), world.db.transaction() as tx:
        # A draft is nobody's but its patient's.
        studies.match_by_hand(tx, world.coordinator, item.id, right)
    put(world, world.hospital, like(data))
    world.settle(uid)
    assert states(world, wrong)[-1] == "revoked"
    assert len(waiting(world)) == 1


def test_what_was_taken_out_keeps_nobody_else_s_from_coming(world: World) -> None:
    """Another hospital was first, with another patient's images under the UID; the right one's come in their place."""
    case_id = world.submitted("free", images_by=ImagesBy.HOSPITAL)
    with world.db.transaction() as tx:
        number = read.show(tx, world.patient, case_id).reference
        other = principals.create(tx, role=Role.HOSPITAL, name="another").as_principal(via="api")
    right = study(AccessionNumber=number)
    uid, sop = uid_of(right), uid_of(right, "SOPInstanceUID")
    ds = pydicom.dcmread(io.BytesIO(right))
    ds.ImageComments = "another object of this UID"
    ds.PatientName = DICOM_NAME
    out = io.BytesIO()
    ds.save_as(out)
    put(world, other, out.getvalue())
    world.settle(uid)
    assert states(world, case_id)[-1] == "deid_review"
    put(world, world.hospital, right)
    world.settle(uid)
    [item] = waiting(world)
    with world.db.transaction() as tx:
        studies.reject(tx, world.coordinator, case_id, uid, "another patient's")
        assert studies.match_by_hand(tx, world.coordinator, item.id, case_id) is StudyState.MATCHED
    world.drain()
    assert states(world, case_id)[-1] == "deid_review"
    with world.db.transaction() as tx:
        [shown] = retrieve.locate(tx, access.scope(tx, world.patient, case_id), uid)
        [own] = retrieve.locate(tx, originals(world.hospital), uid)
        assert (shown.sop_uid, shown.blob) == (sop, own.blob)
        copied = select(Instance.source_pk).join(Study, Study.pk == Instance.study_pk).where(Study.source_uid == uid)
        assert tx.scalars(copied).all() == [own.pk]
    # The first ones wait for their own case.
    assert [one.sender_id for one in waiting(world)] == [other.id]


def test_a_study_is_left_in_no_case_until_more_of_it_comes(world: World) -> None:
    uid = uid_of(data := study())
    put(world, world.hospital, data)
    world.settle(uid)
    [item] = waiting(world)
    with world.db.transaction() as tx:
        with pytest.raises(Forbidden):
            inboxes.dismiss(tx, world.hospital, item.id, "no")
        with pytest.raises(Unprocessable):
            inboxes.dismiss(tx, world.coordinator, item.id, " ")
        with pytest.raises(NotFound):
            inboxes.dismiss(tx, world.coordinator, world.patient.id, "no")
        inboxes.dismiss(tx, world.coordinator, item.id, "a test picture")
        inboxes.dismiss(tx, world.coordinator, item.id, "a test picture")
    assert waiting(world) == []
    put(world, world.hospital, like(data))
    world.settle(uid)
    assert len(waiting(world)) == 1


def test_what_a_coordinator_sends_to_a_case_joins_what_the_patient_sent(world: World) -> None:
    case_id = world.submitted("free")
    uid = world.first(case_id)
    added = study(StudyInstanceUID=uid)
    assert isinstance(put(world, world.coordinator, added, case_id), Stored)
    world.settle(uid)
    assert uid_of(added, "SOPInstanceUID") in instances(world, root(world, world.patient, case_id), uid)
    assert instances(world, sent_by(STAFF), uid) == {uid_of(added, "SOPInstanceUID")}


def test_an_address_of_a_case_shows_what_was_sent_to_this_case(world: World) -> None:
    one, two = world.draft("free"), world.draft("free")
    first = study()
    second = like(first, Modality="MR", SeriesInstanceUID=generate_uid())
    uid = uid_of(first)
    put(world, world.patient, first, one)
    put(world, world.patient, second, two)
    for case_id, data, modality in ((one, first, "CT"), (two, second, "MR")):
        scope = root(world, world.patient, case_id)
        assert instances(world, scope, uid) == {uid_of(data, "SOPInstanceUID")}
        shown = found(world, scope, uid)
        assert shown is not None
        assert (shown["00201208"]["Value"], shown["00080061"]["Value"]) == ([1], [modality])
    assert len(instances(world, originals(world.patient), uid)) == 2
    put(world, world.patient, first, two)
    assert len(instances(world, root(world, world.patient, one), uid)) == 1
    assert len(instances(world, root(world, world.patient, two), uid)) == 2


def test_a_patient_s_upload_names_no_other_case(world: World) -> None:
    """A reference number in a header opens a case to hospitals; a patient's own upload says where it goes."""
    victim = world.submitted("free")
    with world.db.transaction() as tx:
        number = read.show(tx, world.patient, victim).reference
        case_id = intake.create(tx, world.other_patient, "free", Changes(images_by=ImagesBy.UPLOAD))
    put(world, world.other_patient, data := study(DICOM_NAME, DICOM_BORN, AccessionNumber=number), case_id)
    world.settle(uid_of(data))
    with world.db.transaction() as tx:
        assert uid_of(data) not in {one.study_uid for one in studies_of(tx, victim)}
        [own] = tx.scalars(select(CaseStudy).where(CaseStudy.case_id == case_id))
        assert own.study_uid == uid_of(data)
        assert replace(imaging.scope_of(case_id, [own])).case_id == case_id
