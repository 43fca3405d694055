"""Proofs are checked again, secrets destroyed, profiles chosen, and derived objects brought back."""

from __future__ import annotations

import io
import uuid
from struct import pack

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from sqlalchemy import select, update

from overread.kit.db import Database
from overread.kit.errors import Forbidden, NotFound, Unprocessable
from overread.kit.principals import Role
from pacs.deid.profile import BASIC, SECOND_OPINION, Profile
from pacs.deid.proof import joint_root
from pacs.dicom import part10
from pacs.index.models import Instance, Review, Study, View
from pacs.index.scope import ORIGINAL, Scope
from pacs.serve import retrieve
from pacs.store.archive import Archive
from pacs.store.ingest import Source, Stored
from pacs.views import pixel_review, profiles, reidentify, sealing, view_proofs, views
from tests.pacs.deid.planted import EXPLICIT, El, skeleton, text
from tests.pacs.deid.planted import part10 as written
from tests.pacs.store.test_ingest import put
from tests.pacs.views.test_pixel_review import NOBODY, pending_view
from tests.pacs.views.test_views import LEADING, NAMES, person, sender, stored_study, view_of


def test_a_view_s_proofs_hold(archive: Archive, database: Database) -> None:
    study_uid, _ = stored_study(archive)
    view = view_of(archive)
    views.deidentify(archive, view, LEADING, study_uid)
    (checked,) = view_proofs.check(archive)
    assert (checked.view_id, checked.instances, checked.problems) == (view, 3, ())
    with database.transaction() as tx:
        assert sealing.seal(tx, view) == checked.root
        (kept,) = tx.scalars(select(Study.proof_root).where(Study.view_id == view))
    assert kept is not None
    assert checked.root == joint_root([kept])


def test_masks_are_in_the_proof_and_the_root(archive: Archive, database: Database) -> None:
    view, _, (uid,) = pending_view(archive)
    (before,) = view_proofs.check(archive)
    pixel_review.mask(archive, person(database, Role.COORDINATOR), view, [uid], [(1, 2, 3, 4)], NOBODY)
    (after,) = view_proofs.check(archive)
    assert before.root != after.root
    assert after.problems == ()
    with database.transaction() as tx:
        (proof,) = tx.scalars(select(Instance.proof).where(Instance.view_id == view))
    assert proof["masks"] == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trailer": b"more"}, "not what was proved"),
        ({"ranges": [0, 100]}, "not what was proved"),
        ({"proof": {}}, "no proof"),
    ],
)
def test_what_was_altered_is_found(archive: Archive, database: Database, change: dict[str, object], said: str) -> None:
    study_uid, _ = stored_study(archive, count=2)
    view = view_of(archive)
    views.deidentify(archive, view, LEADING, study_uid)
    with database.transaction() as tx:
        first = tx.scalars(select(Instance.pk).where(Instance.view_id == view).order_by(Instance.pk)).first()
        tx.execute(update(Instance).where(Instance.pk == first).values(**change))
    (checked,) = view_proofs.check(archive)
    assert any(said in problem for problem in checked.problems)


def test_an_altered_proof_does_not_fit_the_root(archive: Archive, database: Database) -> None:
    study_uid, _ = stored_study(archive, count=1)
    view = view_of(archive)
    views.deidentify(archive, view, LEADING, study_uid)
    with database.transaction() as tx:
        one = tx.scalars(select(Instance).where(Instance.view_id == view)).one()
        one.proof = {**one.proof, "withheld": ["something else"]}
    (checked,) = view_proofs.check(archive)
    assert checked.problems == ("the proofs are not those that the root was made of",)


def test_a_destroyed_secret_opens_nothing_again(archive: Archive, database: Database) -> None:
    study_uid, sent = stored_study(archive)
    view, coordinator = view_of(archive), person(database, Role.COORDINATOR)
    views.deidentify(archive, view, LEADING, study_uid)
    with database.transaction() as tx:
        with pytest.raises(Forbidden):
            views.destroy_secret(tx, person(database, Role.SPECIALIST), view)
        views.destroy_secret(tx, coordinator, view)
        views.destroy_secret(tx, None, view)
        assert tx.scalars(select(View.sealed_secret)).one() is None
    put(archive, Source(person(database, Role.HOSPITAL), "stow"), _more(sent[0]))
    with pytest.raises(NotFound, match="destroyed"):
        views.deidentify(archive, view, LEADING, study_uid)
    with database.transaction() as tx:
        view_study = views.review(tx, view)[0].view_study_uid
        # What was made stays readable; the way back is gone.
        assert len(retrieve.locate(tx, Scope(view, unreleased=True), view_study)) == 3
    with pytest.raises(NotFound, match="destroyed"):
        reidentify.reidentified(archive, coordinator, view, report(view_study, "1.2.3", "19700101"))
    assert view_proofs.check(archive).__next__().problems == ()


def _more(ds: Dataset) -> bytes:
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def test_a_program_s_profile_counts_for_new_views_alone(archive: Archive, database: Database) -> None:
    study_uid, sent = stored_study(archive, count=1)
    admin, program = person(database, Role.ADMIN), uuid.uuid4()
    seen: list[Dataset] = []
    with database.transaction() as tx:
        old = views.open_view(tx, archive, uuid.uuid4(), profiles.of_owner(tx, program))
        with pytest.raises(Forbidden):
            profiles.change(tx, person(database, Role.COORDINATOR), program, BASIC.stored())
        with pytest.raises(Unprocessable):
            profiles.change(tx, admin, program, {"retain_everything": True})
        with pytest.raises(Unprocessable):
            profiles.change(tx, admin, program, {"modified_dates": "yes"})
        with pytest.raises(Unprocessable, match="dates"):
            profiles.change(tx, admin, program, {"full_dates": True})
        with pytest.raises(Unprocessable, match="cap"):
            profiles.change(tx, admin, program, {"age_cap": 120})
        assert profiles.read(tx, admin, program) == SECOND_OPINION
        options = {"modified_dates": False, "full_dates": True, "patient_characteristics": False}
        assert profiles.change(tx, admin, program, options) == Profile("second-opinion", **options)
        new = views.open_view(tx, archive, uuid.uuid4(), profiles.of_owner(tx, program))
    for view in (old, new):
        derived = views.deidentify(archive, view, LEADING, study_uid)
        with database.transaction() as tx:
            located = retrieve.locate(tx, Scope(view, unreleased=True), derived.study_uid)[0]
        seen.append(pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(archive.blobs, located.parts)))))
    moved, full = seen
    assert moved.StudyDate != sent[0].StudyDate == full.StudyDate
    assert (moved.LongitudinalTemporalInformationModified, full.LongitudinalTemporalInformationModified) == (
        "MODIFIED",
        "UNMODIFIED",
    )
    assert moved.PatientSex == sent[0].PatientSex != full.PatientSex
    codes = [[item.CodeValue for item in ds.DeidentificationMethodCodeSequence] for ds in seen]
    assert "113107" in codes[0]
    assert "113106" in codes[1]
    assert "113108" not in codes[1]


def report(study_uid: str, sop_uid: str, day: str, *, charset: str = "ISO_IR 192") -> bytes:
    """A structured report of a specialist about a view's image."""
    reference = [[text(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2"), text(0x00081155, "UI", sop_uid)]]
    kept = [e for e in skeleton() if e.tag >> 16 not in (0x0028, 0x7FE0) and e.tag not in (0x00080016, 0x0020000D)]
    return written(
        [
            *(e for e in kept if e.tag not in (0x00080018, 0x0020000E)),
            text(0x00080005, "CS", charset),
            text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.88.11"),
            text(0x00080018, "UI", "1.2.826.0.1.99.1"),
            text(0x00080020, "DA", day),
            text(0x00080023, "DA", "20990101"),
            text(0x00100010, "PN", "Case^ABCDEF"),
            text(0x00100020, "LO", "PABCDEF"),
            text(0x00120062, "CS", "YES"),
            text(0x0020000D, "UI", study_uid),
            text(0x0020000E, "UI", "1.2.826.0.1.99.2"),
            El(0x00081199, "SQ", reference),
            text(0x0040A160, "UT", "Liver without lesion"),
        ],
        EXPLICIT,
    )


def test_a_report_about_a_view_comes_back_to_the_patient(archive: Archive, database: Database) -> None:
    study_uid, sent = stored_study(archive)
    view, coordinator = view_of(archive), person(database, Role.COORDINATOR)
    view_study = views.deidentify(archive, view, LEADING, study_uid).study_uid
    with database.transaction() as tx:
        located = retrieve.locate(tx, Scope(view, unreleased=True), view_study)[1]
    seen = pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(archive.blobs, located.parts))))
    made = report(view_study, located.sop_uid, seen.StudyDate)
    for role in (Role.SPECIALIST, Role.PATIENT, Role.ADMIN):
        with pytest.raises(Forbidden):
            reidentify.reidentified(archive, person(database, role), view, made)
    back = reidentify.reidentified(archive, coordinator, view, made)
    ds = pydicom.dcmread(io.BytesIO(back))
    assert (str(ds.PatientName), ds.PatientID) == (NAMES["PatientName"], NAMES["PatientID"])
    assert (ds.StudyInstanceUID, ds.StudyDate) == (study_uid, sent[1].StudyDate)
    assert ds.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == sent[1].SOPInstanceUID
    # The report's own identity and dates are its own.
    assert (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.ContentDate) == (
        "1.2.826.0.1.99.1",
        "1.2.826.0.1.99.2",
        "20990101",
    )
    assert "PatientIdentityRemoved" not in ds
    assert ds.TextValue == "Liver without lesion"
    assert isinstance(put(archive, Source(sender(database, study_uid), "report"), back), Stored)
    with database.transaction() as tx:
        assert len(retrieve.locate(tx, Scope(ORIGINAL, unreleased=True), study_uid)) == 4


def test_what_it_says_of_another_study_of_the_case_comes_back_too(archive: Archive, database: Database) -> None:
    """A comparison with an earlier examination (PS3.3 C.17.2.3, evidence of several studies)."""
    current, sent = stored_study(archive, count=1)
    earlier, sent_before = stored_study(archive, count=2, study_uid=generate_uid())
    stranger, sent_elsewhere = stored_study(archive, count=1, study_uid=generate_uid())
    view, other = view_of(archive), view_of(archive)
    seen = {}
    for one, uid in ((view, current), (view, earlier), (other, stranger)):
        study = views.deidentify(archive, one, LEADING, uid).study_uid
        with database.transaction() as tx:
            seen[uid] = (
                study,
                [located.sop_uid for located in retrieve.locate(tx, Scope(one, unreleased=True), study)],
            )
    ds = pydicom.dcmread(io.BytesIO(report(seen[current][0], seen[current][1][0], "")))
    evidence = [(uid, sop) for uid in (current, earlier, stranger) for sop in seen[uid][1]]
    ds.CurrentRequestedProcedureEvidenceSequence = []
    for uid, sop in evidence:
        image, item, series = Dataset(), Dataset(), Dataset()
        image.ReferencedSOPInstanceUID = sop
        series.ReferencedSOPSequence = [image]
        item.StudyInstanceUID, item.ReferencedSeriesSequence = seen[uid][0], [series]
        ds.CurrentRequestedProcedureEvidenceSequence.append(item)
    out = io.BytesIO()
    ds.save_as(out)
    back = pydicom.dcmread(
        io.BytesIO(reidentify.reidentified(archive, person(database, Role.COORDINATOR), view, out.getvalue()))
    )
    named = [
        (item.StudyInstanceUID, item.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for item in back.CurrentRequestedProcedureEvidenceSequence
    ]
    assert back.StudyInstanceUID == current
    assert set(named[:3]) == {(current, sent[0].SOPInstanceUID)} | {(earlier, ds.SOPInstanceUID) for ds in sent_before}
    # What is of another case nobody here can tell.
    assert named[3] == (seen[stranger][0], seen[stranger][1][0])
    assert sent_elsewhere[0].SOPInstanceUID not in named[3]


def test_an_object_of_another_study_has_no_way_back(archive: Archive, database: Database) -> None:
    study_uid, _ = stored_study(archive, count=1)
    view = view_of(archive)
    views.deidentify(archive, view, LEADING, study_uid)
    with pytest.raises(Unprocessable, match=r"study '1\.2\.3'"):
        reidentify.reidentified(
            archive, person(database, Role.COORDINATOR), view, report("1.2.3", "1.2.3.4", "19700101")
        )


def test_what_can_not_be_trusted_is_withheld_for_good(archive: Archive, database: Database) -> None:
    """An unknown class, contradictory character sets and a failed residual scan: nobody can approve those."""
    coordinator, hospital = person(database, Role.COORDINATOR), person(database, Role.HOSPITAL)
    bad = [
        [text(0x00080016, "UI", "1.2.3.4.5")],
        [text(0x00080005, "CS", "ISO_IR 192\\ISO 2022 IR 87")],
        [text(0x00080005, "CS", "ISO_IR 192"), El(0x00081030, "LO", b"Sch\xe4del")],
        [text(0x00080005, "CS", "KLINGON")],
        [text(0x00100010, "PN", "Okonkwo^Ngozi"), El(0x00281201, "OW", b"..Okonkwo.")],
    ]
    for number, elements in enumerate(bad, 1):
        taken = {element.tag for element in elements} | {0x00080018}
        uid = text(0x00080018, "UI", f"1.2.826.0.1.77.{number}")
        data = written([*(e for e in skeleton() if e.tag not in taken), uid, *elements], EXPLICIT)
        assert isinstance(put(archive, Source(hospital, "stow"), data), Stored)
    good = written(skeleton(), EXPLICIT)
    assert isinstance(put(archive, Source(hospital, "stow"), good), Stored)
    with database.transaction() as tx:
        study_uid = tx.scalars(select(Study.study_uid)).one()
    view = view_of(archive)
    derived = views.deidentify(archive, view, LEADING, study_uid)
    with database.transaction() as tx:
        (found,) = views.review(tx, view)
        assert (found.instances, found.withheld, found.clean) == (6, 5, 1)
        assert all(item.reasons for item in found.items)
        with pytest.raises(NotFound):
            views.set_review(tx, coordinator, view, [item.view_sop_uid for item in found.items], Review.APPROVED)
        views.release(tx, coordinator, view, study_uid)
        assert len(retrieve.locate(tx, Scope(view, unreleased=True), derived.study_uid)) == 1
    (checked,) = view_proofs.check(archive)
    assert (checked.instances, checked.problems) == (6, ())


def test_bits_that_no_pixel_uses_are_cleared(archive: Archive, database: Database) -> None:
    """PS3.5 8.1.2 (retired): an overlay in the unused bits of the pixels, of which no attribute speaks."""
    cells = [0x8000 | number for number in range(16)]
    elements = [e for e in skeleton() if e.tag != 0x7FE00010]
    data = written([*elements, El(0x7FE00010, "OW", pack("<16H", *cells))], EXPLICIT)
    assert isinstance(put(archive, Source(person(database, Role.HOSPITAL), "stow"), data), Stored)
    view = view_of(archive)
    derived = views.deidentify(archive, view, LEADING, str(pydicom.dcmread(io.BytesIO(data)).StudyInstanceUID))
    assert derived.pending == 0
    with database.transaction() as tx:
        located = retrieve.locate(tx, Scope(view, unreleased=True), derived.study_uid)[0]
        (proof,) = tx.scalars(select(Instance.proof).where(Instance.view_id == view))
    seen = b"".join(retrieve.stream(archive.blobs, located.parts))
    assert part10.parse(seen)
    assert pydicom.dcmread(io.BytesIO(seen)).PixelData == pack("<16H", *range(16))
    assert proof["cleared_bits"] == 0x8000
    assert view_proofs.check(archive).__next__().problems == ()
