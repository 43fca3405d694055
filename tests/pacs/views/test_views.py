"""De-identified views: made, reviewed, released, revoked; and what a specialist's scope can reach."""

from __future__ import annotations

import io
import json
import uuid

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from sqlalchemy import select, update

from overread.kit import principals
from overread.kit.db import Database
from overread.kit.errors import Conflict, Forbidden, NotFound
from overread.kit.principals import Principal, Role
from pacs.index import query
from pacs.index.models import Study, View
from pacs.index.query import Level, Query
from pacs.index.scope import ORIGINAL, Scope
from pacs.serve import bulk, metadata, retrieve, transcoded
from pacs.store.archive import Archive
from pacs.store.ingest import Source, Stored
from pacs.views import views
from tests.pacs.store.test_ingest import changed, put, sample

NAMES = {"PatientName": "Okonkwo^Ngozi", "PatientID": "MRN-99881", "PatientBirthDate": "19710304"}

#: The originals as a case that has them whole.
LEADING = Scope(ORIGINAL, unreleased=True)


def person(database: Database, role: Role) -> Principal:
    with database.transaction() as tx:
        return principals.create(tx, role=role, name=f"a {role}").as_principal(via="api")


def sender(database: Database, study_uid: str) -> Principal:
    """Whoever sent a study that `stored_study` made."""
    with database.transaction() as tx:
        sender_id = tx.scalars(select(Study.sender_id).where(Study.study_uid == study_uid, Study.leads)).one()
    return Principal(sender_id, Role.HOSPITAL, "its sender")


def stored_study(
    archive: Archive, name: str = "CT_small.dcm", count: int = 3, study_uid: str = ""
) -> tuple[str, list[pydicom.Dataset]]:
    source = Source(person(archive.db, Role.HOSPITAL), "stow")
    changes = NAMES | ({"StudyInstanceUID": study_uid, "SeriesInstanceUID": generate_uid()} if study_uid else {})
    sent: list[pydicom.Dataset] = []
    for number in range(count):
        data = changed(sample(name), **changes, SOPInstanceUID=generate_uid(), InstanceNumber=str(number + 1))
        assert isinstance(put(archive, source, data), Stored)
        sent.append(pydicom.dcmread(io.BytesIO(data)))
    return str(sent[0].StudyInstanceUID), sent


def view_of(archive: Archive) -> uuid.UUID:
    with archive.db.transaction() as tx:
        return views.open_view(tx, archive, uuid.uuid4())


def test_a_clean_study_is_derived_and_seen_only_after_its_release(archive: Archive, database: Database) -> None:
    study_uid, sent = stored_study(archive)
    view = view_of(archive)
    derived = views.deidentify(archive, view, LEADING, study_uid)
    assert (derived.instances, derived.pending) == (3, 0)
    specialist = Scope(view)
    with database.transaction() as tx:
        assert query.search(tx, specialist, Query(Level.STUDY))[0] == []
        with pytest.raises(NotFound):
            retrieve.locate(tx, specialist, derived.study_uid)
        views.release(tx, person(database, Role.COORDINATOR), view, study_uid)
    with database.transaction() as tx:
        studies, _ = query.search(tx, specialist, Query(Level.STUDY))
        located = retrieve.locate(tx, specialist, derived.study_uid)
        shown = b"".join(metadata.datasets(tx, "http://test", specialist, derived.study_uid)).decode().lower()
        everything = json.dumps([one.attributes for one in query.search(tx, specialist, Query(Level.INSTANCE))[0]])
    assert [one.study_uid for one in studies] == [derived.study_uid]
    assert studies[0].attributes["00201208"]["Value"] == [3]
    originals = {uid for ds in sent for uid in (ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID)}
    for secret in ("okonkwo", "ngozi", "mrn-99881", "19710304", *originals):
        assert secret not in everything.lower()
        assert secret not in shown
        for one in located:
            assert secret.encode() not in b"".join(retrieve.stream(archive.blobs, one.parts)).lower()
    for one, before in zip(located, sent, strict=True):
        after = pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(archive.blobs, one.parts))))
        assert after.PixelData == before.PixelData
        assert (after.PatientIdentityRemoved, after.SOPInstanceUID) == ("YES", one.sop_uid)


def test_a_view_s_pixels_are_not_copied(archive: Archive) -> None:
    study_uid, _ = stored_study(archive)
    before = set(archive.blobs.digests())
    views.deidentify(archive, view_of(archive), LEADING, study_uid)
    assert set(archive.blobs.digests()) == before


def value_of(archive: Archive, instance: retrieve.Opened, tag: str) -> bytes:
    return b"".join(retrieve.stream(archive.blobs, bulk.find_bulk(instance, [tag]).parts))


def test_the_frames_metadata_and_bulk_data_of_a_view_come_from_its_own_header(
    archive: Archive, database: Database
) -> None:
    study_uid, sent = stored_study(archive, count=1)
    view = view_of(archive)
    derived = views.deidentify(archive, view, LEADING, study_uid)
    with database.transaction() as tx:
        one = retrieve.locate(tx, Scope(view, unreleased=True), derived.study_uid)[0]
    with retrieve.opened(archive, one) as instance:
        assert instance.frame(0) == sent[0].PixelData
        assert value_of(archive, instance, "7FE00010") == sent[0].PixelData
        assert "okonkwo" not in str(instance.dataset()).lower()
        for private in ("00431029", "00100010", "00400275"):
            try:
                value = value_of(archive, instance, private)
            except NotFound:
                continue
            assert b"okonkwo" not in value.lower()


def test_a_view_in_another_transfer_syntax_comes_from_its_own_header(archive: Archive, database: Database) -> None:
    study_uid, sent = stored_study(archive, "MR_small_jp2klossless.dcm", count=1)
    view = view_of(archive)
    derived = views.deidentify(archive, view, LEADING, study_uid)
    with database.transaction() as tx:
        [one] = retrieve.locate(tx, Scope(view, unreleased=True), derived.study_uid)
        [original] = retrieve.locate(tx, Scope(ORIGINAL, unreleased=True), study_uid)
    assert ExplicitVRLittleEndian in transcoded.targets(archive, one)
    given = b"".join(transcoded.stream(archive, one, ExplicitVRLittleEndian))
    after = pydicom.dcmread(io.BytesIO(given))
    assert after.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID == one.sop_uid
    assert (after.pixel_array == sent[0].pixel_array).all()
    for secret in ("okonkwo", "ngozi", "mrn-99881", "19710304", str(sent[0].SOPInstanceUID)):
        assert secret.encode() not in given.lower()
    # Its name tells nothing of the original's bytes.
    assert one.tag not in (original.tag, original.blob, original.blob[:32])


def test_what_is_ready_of_a_view_is_gone_with_its_release(archive: Archive, database: Database) -> None:
    study_uid, sent = stored_study(archive)
    view = view_of(archive)
    derived = views.deidentify(archive, view, LEADING, study_uid)
    coordinator = person(database, Role.COORDINATOR)
    with database.transaction() as tx:
        with pytest.raises(NotFound):
            metadata.version(tx, Scope(view), derived.study_uid)
        views.release(tx, coordinator, view, study_uid)
    with database.transaction() as tx:
        seen = metadata.version(tx, Scope(view), derived.study_uid)
    whole = b"".join(metadata.build(database, seen, "http://x/dicomweb", True, Scope(view), derived.study_uid).json())
    assert (seen.count, len(json.loads(whole))) == (3, 3)
    assert str(sent[0].SOPInstanceUID).encode() not in whole
    with database.transaction() as tx:
        views.revoke(tx, coordinator, view, study_uid)
        with pytest.raises(NotFound):
            metadata.version(tx, Scope(view), derived.study_uid)


def test_deriving_twice_changes_nothing(archive: Archive) -> None:
    study_uid, _ = stored_study(archive)
    view = view_of(archive)
    assert views.deidentify(archive, view, LEADING, study_uid) == views.deidentify(archive, view, LEADING, study_uid)


def test_two_cases_see_the_same_study_under_unrelated_uids(archive: Archive) -> None:
    study_uid, _ = stored_study(archive)
    first, second = (views.deidentify(archive, view_of(archive), LEADING, study_uid) for _ in range(2))
    assert first.study_uid != second.study_uid


def test_what_may_have_burned_in_text_waits_until_somebody_decides(archive: Archive, database: Database) -> None:
    study_uid, _ = stored_study(archive, "examples_rgb_color.dcm", count=2)
    coordinator = person(database, Role.COORDINATOR)
    view = view_of(archive)
    derived = views.deidentify(archive, view, LEADING, study_uid)
    assert derived.pending == 2
    assert derived.withheld_reasons
    with database.transaction() as tx, pytest.raises(Conflict):
        views.release(tx, coordinator, view, study_uid)
    with database.transaction() as tx:
        pending = [item.view_sop_uid for item in views.review(tx, view)[0].items]
        with pytest.raises(Forbidden):
            views.set_review(tx, person(database, Role.SPECIALIST), view, pending, "approved")
        views.set_review(tx, coordinator, view, pending[:1], "approved")
        views.set_review(tx, coordinator, view, pending[1:], "withheld")
        views.release(tx, coordinator, view, study_uid)
    with database.transaction() as tx:
        seen = query.search(tx, Scope(view), Query(Level.INSTANCE))[0]
        study = query.search(tx, Scope(view), Query(Level.STUDY))[0][0]
        with pytest.raises(NotFound):
            retrieve.locate(tx, Scope(view), derived.study_uid, sop_uid=pending[1])
    assert [one.sop_uid for one in seen] == pending[:1]
    assert study.attributes["00201208"]["Value"] == [1]


def test_nothing_approved_is_nothing_to_release(archive: Archive, database: Database) -> None:
    study_uid, _ = stored_study(archive, "examples_rgb_color.dcm", count=1)
    coordinator = person(database, Role.COORDINATOR)
    view = view_of(archive)
    views.deidentify(archive, view, LEADING, study_uid)
    with database.transaction() as tx:
        pending = [item.view_sop_uid for item in views.review(tx, view)[0].items]
        views.set_review(tx, coordinator, view, pending, "withheld")
        with pytest.raises(Conflict):
            views.release(tx, coordinator, view, study_uid)


def test_a_revoked_study_is_gone_at_once(archive: Archive, database: Database) -> None:
    study_uid, _ = stored_study(archive)
    coordinator = person(database, Role.COORDINATOR)
    view = view_of(archive)
    derived = views.deidentify(archive, view, LEADING, study_uid)
    with database.transaction() as tx:
        views.release(tx, coordinator, view, study_uid)
    with database.transaction() as tx:
        views.revoke(tx, coordinator, view, study_uid)
    with database.transaction() as tx, pytest.raises(NotFound):
        retrieve.locate(tx, Scope(view), derived.study_uid)


def test_images_that_come_after_the_release_wait_for_a_person(archive: Archive, database: Database) -> None:
    study_uid, sent = stored_study(archive)
    coordinator = person(database, Role.COORDINATOR)
    view = view_of(archive)
    views.deidentify(archive, view, LEADING, study_uid)
    with database.transaction() as tx:
        views.release(tx, coordinator, view, study_uid)
    late = changed(sample(), **NAMES, SOPInstanceUID=generate_uid(), InstanceNumber="9")
    assert sent[0].StudyInstanceUID == pydicom.dcmread(io.BytesIO(late)).StudyInstanceUID
    put(archive, Source(sender(database, study_uid), "stow"), late)
    assert views.deidentify(archive, view, LEADING, study_uid).pending == 1
    with database.transaction() as tx:
        assert len(query.search(tx, Scope(view), Query(Level.INSTANCE))[0]) == 3


def test_without_the_case_s_secret_nothing_more_is_derived(archive: Archive, database: Database) -> None:
    study_uid, _ = stored_study(archive)
    view = view_of(archive)
    with database.transaction() as tx:
        tx.execute(update(View).where(View.id == view).values(sealed_secret=None))
    with pytest.raises(NotFound):
        views.deidentify(archive, view, LEADING, study_uid)
    with database.transaction() as tx:
        assert tx.scalars(select(Study).where(Study.view_id == view)).all() == []
