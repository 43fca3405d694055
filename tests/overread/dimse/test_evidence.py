"""What a specialist's workstation made of a case's images comes back by C-STORE, as it does by the web."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, KeyObjectSelectionDocumentStorage, generate_uid
from pynetdicom import AE

from cases.repository import studies_of
from cases.service import reporting
from pacs.dicom.status import FailureReason
from pacs.index.scope import ORIGINAL, Scope
from pacs.serve import retrieve
from tests.cases.test_reidentify import made_of
from tests.cases.world import DICOM_NAME, World, proof
from tests.overread.dimse.test_roles import files


def send(port: int, calling: str, ds: Dataset) -> int:
    ae = AE(ae_title=calling)
    ae.add_requested_context(ds.SOPClassUID)
    assoc = ae.associate("127.0.0.1", port, ae_title="OVERREAD")
    assert assoc.is_established
    try:
        return int(assoc.send_c_store(ds).Status)
    finally:
        assoc.release()


def seen(world: World, case_id: UUID) -> Dataset:
    return pydicom.dcmread(io.BytesIO(next(iter(files(world, case_id).values()))))


def key_object(world: World, case_id: UUID, **changes: Any) -> Dataset:
    return made_of(seen(world, case_id), KeyObjectSelectionDocumentStorage, **changes)


def originals(world: World, case_id: UUID) -> dict[str, Dataset]:
    with world.db.transaction() as tx:
        uid = studies_of(tx, case_id)[0].study_uid
        located = retrieve.locate(tx, Scope(ORIGINAL, unreleased=True), uid)
    blobs = world.archive.blobs
    return {
        one.sop_uid: pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(blobs, one.parts))), force=True)
        for one in located
    }


def test_a_key_object_goes_to_its_case_and_back_to_the_patient(world: World, port: int) -> None:
    other, case_id = world.in_review(), world.in_review()
    made = key_object(world, case_id)
    assert send(port, "READER", made) == 0
    assert send(port, "READER", made) == 0
    world.drain()
    assert made.SOPInstanceUID in files(world, case_id)
    assert made.SOPInstanceUID not in files(world, other)
    assert originals(world, case_id)[made.SOPInstanceUID].PatientName == DICOM_NAME


def test_what_belongs_to_no_case_of_theirs_is_refused(world: World, port: int) -> None:
    case_id = world.in_review()
    before = set(files(world, case_id))
    refused = int(FailureReason.NOT_AUTHORISED)
    assert send(port, "RIVAL", key_object(world, case_id)) == refused
    assert send(port, "READER", key_object(world, case_id, StudyInstanceUID=generate_uid())) == refused
    assert send(port, "READER", seen(world, case_id)) == refused
    image = seen(world, case_id)
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    assert image.SOPClassUID == CTImageStorage
    assert send(port, "READER", image) == refused
    assert set(files(world, case_id)) == before


def test_once_the_report_is_signed_nothing_more_is_taken(world: World, port: int) -> None:
    case_id = world.written()
    made = key_object(world, case_id)
    with world.db.transaction() as tx:
        reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
    assert send(port, "READER", made) == int(FailureReason.NOT_AUTHORISED)
