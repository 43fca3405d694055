"""What a specialist makes of a view's images is kept with the case and comes back to the patient."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    ImplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    SegmentationStorage,
    generate_uid,
)
from sqlalchemy import select
from starlette.testclient import TestClient

from cases import access
from cases.repository import load_unasked, studies_of
from cases.service import reporting, viewing
from overread.app import portal_app
from overread.kit import tokens
from overread.kit.principals import Principal
from overread.kit.settings import Settings
from overread.services import Services
from pacs.dicom import sop_classes
from pacs.index.models import Instance
from pacs.index.scope import ORIGINAL, Scope, originals
from pacs.serve import retrieve
from pacs.store import deletion, ingest
from pacs.store.ingest import Source
from pacs.views import reidentify, view_proofs
from tests.cases.world import DICOM_BORN, DICOM_NAME, World, proof, study
from viewer_bridge import launch

CLASSES = (
    GrayscaleSoftcopyPresentationStateStorage,
    SegmentationStorage,
    EnhancedSRStorage,
    KeyObjectSelectionDocumentStorage,
    EncapsulatedPDFStorage,
    UID(sop_classes.uid("LabelMapSegmentationStorage")),
    UID(sop_classes.uid("HeightMapSegmentationStorage")),
)


def made_of(seen: Dataset, sop_class: str, **changes: Any) -> Dataset:
    """An object of a class, made of the image that was seen."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = UID(sop_class), generate_uid()
    ds.SeriesInstanceUID, ds.StudyInstanceUID = generate_uid(), seen.StudyInstanceUID
    ds.PatientName, ds.PatientID = seen.PatientName, seen.PatientID
    ds.PatientBirthDate, ds.StudyDate = seen.get("PatientBirthDate", ""), seen.get("StudyDate", "")
    ds.PatientIdentityRemoved, ds.Modality, ds.ContentDate = "YES", "SR", "20990101"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, seen.SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = seen.SeriesInstanceUID, [reference]
    if sop_class != EncapsulatedPDFStorage:
        ds.ReferencedSeriesSequence = [series]
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


class Reader:
    """The specialist's own viewer at the case's address."""

    def __init__(self, client: TestClient, world: World, case_id: UUID) -> None:
        self.client, self.world, self.case_id = client, world, case_id
        self.root = f"/cases/{case_id}/dicomweb"
        self.bearer = self.of(world.specialist)
        listed = client.get(f"{self.root}/instances", headers=self.bearer).json()
        path = "/".join(f"{kind}/{listed[0][tag]['Value'][0]}" for kind, tag in (
            ("studies", "0020000D"), ("series", "0020000E"), ("instances", "00080018")))  # fmt: skip
        body = client.get(f"{self.root}/{path}", headers={**self.bearer, "Accept": "application/dicom"}).content
        self.seen = pydicom.dcmread(io.BytesIO(body))

    def of(self, who: Principal) -> dict[str, str]:
        with self.world.db.transaction() as tx:
            return {"Authorization": f"Bearer {tokens.issue(tx, who.id)}"}

    def made(self, sop_class: str, **changes: Any) -> Dataset:
        return made_of(self.seen, sop_class, **changes)

    def store(self, ds: Dataset, bearer: dict[str, str] | None = None) -> Any:
        out = io.BytesIO()
        ds.save_as(out, enforce_file_format=True)
        headers = {**(bearer or self.bearer), "Content-Type": "application/dicom"}
        answer = self.client.post(f"{self.root}/studies", content=out.getvalue(), headers=headers)
        self.world.drain()
        return answer

    def original(self, sop_uid: str) -> Dataset | None:
        """The object of this UID among the originals."""
        with self.world.db.transaction() as tx:
            uid = studies_of(tx, self.case_id)[0].study_uid
            located = retrieve.locate(tx, Scope(ORIGINAL, unreleased=True), uid)
        found = next((one for one in located if one.sop_uid == sop_uid), None)
        if found is None:
            return None
        return pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(self.world.archive.blobs, found.parts))))


@pytest.fixture
def reader(world: World) -> Iterator[Reader]:
    case_id = world.in_review()
    settings = Settings.model_validate({"data_dir": world.folder, "public_url": "http://portal.example"})
    with TestClient(portal_app(Services(settings, world.db, world.archive, world.gateway, None))) as client:  # type: ignore[arg-type]
        yield Reader(client, world, case_id)


@pytest.mark.parametrize("sop_class", CLASSES, ids=lambda uid: uid.keyword or str(uid))
def test_what_a_specialist_made_comes_back_to_the_patient(reader: Reader, sop_class: str) -> None:
    world, made = reader.world, reader.made(sop_class)
    answer = reader.store(made)
    assert answer.status_code == 200, answer.text
    assert reader.store(made).status_code == 200
    # With the case, as it came.
    path = f"{reader.root}/studies/{made.StudyInstanceUID}/series/{made.SeriesInstanceUID}"
    path += f"/instances/{made.SOPInstanceUID}"
    kept = reader.client.get(path, headers={**reader.bearer, "Accept": "application/dicom"})
    assert pydicom.dcmread(io.BytesIO(kept.content)).PatientName == reader.seen.PatientName
    # And under the patient's own name, of whose image it speaks.
    back = reader.original(made.SOPInstanceUID)
    assert back is not None
    assert (back.PatientName, back.PatientBirthDate) == (DICOM_NAME, DICOM_BORN)
    assert back.PatientID != made.PatientID
    assert "PatientIdentityRemoved" not in back
    assert back.ContentDate == "20990101"
    with world.db.transaction() as tx:
        (study,) = studies_of(tx, reader.case_id)
        assert back.StudyInstanceUID == study.study_uid
        assert study.state == "released"
        images = retrieve.locate(tx, access.scope(tx, world.patient, reader.case_id), study.study_uid)
        assert made.SOPInstanceUID in {one.sop_uid for one in images}
        held = retrieve.locate(tx, originals(world.patient), study.study_uid)
        (image,) = (one for one in held if one.sop_uid != made.SOPInstanceUID)
    if sop_class != EncapsulatedPDFStorage:
        assert back.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image.sop_uid
        assert back.ReferencedSeriesSequence[0].SeriesInstanceUID == image.series_uid
    (checked,) = view_proofs.check(world.archive)
    assert (checked.instances, checked.problems) == (2, ())


def test_it_is_no_growth_of_the_study_and_no_second_copy_is_made_of_it(reader: Reader) -> None:
    world = reader.world
    reader.store(reader.made(EnhancedSRStorage))
    uid = world.first(reader.case_id)
    world.settle(uid)
    with world.db.transaction() as tx:
        assert studies_of(tx, reader.case_id)[0].state == "released"
    # More of the study comes from the hospital: the object is not de-identified once more.
    world.upload(reader.case_id, dicom=study(StudyInstanceUID=uid))
    world.settle(uid)
    world.clear(reader.case_id)
    listed = reader.client.get(f"{reader.root}/instances", headers=reader.bearer).json()
    assert sorted(one["00080016"]["Value"][0] for one in listed) == [CTImageStorage, CTImageStorage, EnhancedSRStorage]


def test_it_goes_with_the_original(reader: Reader) -> None:
    world, made = reader.world, reader.made(EnhancedSRStorage)
    reader.store(made)
    with world.db.transaction() as tx:
        uid = studies_of(tx, reader.case_id)[0].study_uid
        gone = deletion.remove(tx, world.admin, originals(world.admin), uid)
    assert (gone.instances, gone.copies) == (2, 2)


@pytest.mark.parametrize(
    ("sop_class", "changes", "sentence"),
    [
        (CTImageStorage, {}, "Only objects made of this case's images are taken here"),
        (EnhancedSRStorage, {"StudyInstanceUID": "1.2.3"}, "belongs to no study of this case"),
        (EnhancedSRStorage, {"ReferencedSeriesSequence": []}, "names no image"),
        (EnhancedSRStorage, {"PatientID": "somebody else"}, "another Patient ID"),
    ],
)
def test_what_belongs_to_no_image_of_the_case_is_refused(
    reader: Reader, sop_class: str, changes: dict[str, Any], sentence: str
) -> None:
    made = reader.made(sop_class, **changes)
    answer = reader.store(made)
    assert answer.status_code == 409
    assert sentence in answer.headers["warning"]
    assert reader.original(made.SOPInstanceUID) is None
    assert len(reader.client.get(f"{reader.root}/instances", headers=reader.bearer).json()) == 1


def test_an_object_that_names_strange_images_is_refused(reader: Reader) -> None:
    made = reader.made(KeyObjectSelectionDocumentStorage)
    made.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"
    answer = reader.store(made)
    assert (answer.status_code, "not of this case" in answer.headers["warning"]) == (409, True)


def test_objects_of_one_request_may_name_each_other(reader: Reader) -> None:
    seg, sr = reader.made(SegmentationStorage), reader.made(EnhancedSRStorage)
    named = Dataset()
    named.ReferencedSOPClassUID, named.ReferencedSOPInstanceUID = seg.SOPClassUID, seg.SOPInstanceUID
    sr.ReferencedSeriesSequence[0].ReferencedSOPSequence.append(named)
    assert reader.store(sr).status_code == 409
    assert reader.store(seg).status_code == 200
    assert reader.store(sr).status_code == 200


def test_a_changed_object_needs_a_new_uid(reader: Reader) -> None:
    made = reader.made(EnhancedSRStorage)
    assert reader.store(made).status_code == 200
    made.ContentDate = "20990102"
    assert reader.store(made).status_code == 409
    back = reader.original(made.SOPInstanceUID)
    assert back is not None
    assert back.ContentDate == "20990101"


def test_the_same_object_in_another_encoding_is_no_changed_one(reader: Reader) -> None:
    made = reader.made(EnhancedSRStorage)
    assert reader.store(made).status_code == 200
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    assert reader.store(made).status_code == 200
    path = f"{reader.root}/studies/{made.StudyInstanceUID}/series/{made.SeriesInstanceUID}"
    path += f"/instances/{made.SOPInstanceUID}"
    kept = reader.client.get(path, headers={**reader.bearer, "Accept": "application/dicom"})
    assert pydicom.dcmread(io.BytesIO(kept.content)).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_what_came_among_the_originals_by_another_way_is_found_there(reader: Reader) -> None:
    world, made = reader.world, reader.made(EnhancedSRStorage)
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    headers = {**reader.bearer, "Content-Type": "application/dicom"}
    assert reader.client.post(f"{reader.root}/studies", content=out.getvalue(), headers=headers).status_code == 200
    with world.db.transaction() as tx:
        view_id = tx.scalars(select(Instance.view_id).where(Instance.sop_uid == made.SOPInstanceUID)).one()
    back = pydicom.dcmread(io.BytesIO(reidentify.reidentified(world.archive, None, view_id, out.getvalue())))
    back.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    out = io.BytesIO()
    back.save_as(out, implicit_vr=True, little_endian=True)
    source = Source(world.patient, "derived", case_id=reader.case_id)
    with ingest.receive(world.archive, source) as incoming:
        incoming.write(out.getvalue())
        prepared = incoming.finish()
    assert isinstance(prepared, ingest.Prepared)
    [stored] = ingest.store(world.archive, source, [prepared])
    assert isinstance(stored, ingest.Stored)
    world.drain()
    with world.db.transaction() as tx:
        kept = tx.scalars(
            select(Instance).where(Instance.view_id == view_id, Instance.sop_uid == made.SOPInstanceUID)
        ).one()
        assert kept.source_pk is not None
        assert tx.get_one(Instance, kept.source_pk).blob == prepared.blob.digest


def test_who_may_store_and_when(reader: Reader) -> None:
    world, made = reader.world, reader.made(EnhancedSRStorage)
    assert reader.store(made, reader.of(world.other_specialist)).status_code == 404
    assert reader.store(made, reader.of(world.auditor)).status_code == 404
    # The hosted viewer's token, and that of the specialist's own, are for this case alone.
    with world.db.transaction() as tx:
        code = viewing.open_viewer(tx, world.specialist, reader.case_id)
        patients = viewing.open_viewer(tx, world.patient, reader.case_id)
    with world.db.transaction() as tx:
        token, other = launch.redeem(tx, code).token, launch.redeem(tx, patients).token
    assert reader.store(made, {"Authorization": f"Bearer {other}"}).status_code == 403
    assert reader.store(made, {"Authorization": f"Bearer {token}"}).status_code == 200
    with world.db.transaction() as tx:
        case = load_unasked(tx, reader.case_id)
        assert case is not None
        answers = {str(question.id): "No." for question in case.questions}
        uids = [s.view_study_uid or "" for s in studies_of(tx, reader.case_id)]
        reporting.save_draft(tx, world.specialist, reader.case_id, answers, {"impression": "Fine."}, uids)
        reporting.sign(tx, world.specialist, reader.case_id, proof(world.specialist))
    late = reader.store(reader.made(EnhancedSRStorage))
    assert (late.status_code, "signed" in late.text) == (409, True)
