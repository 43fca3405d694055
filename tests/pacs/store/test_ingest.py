"""The write path: what is stored, what is refused, and what is found afterwards."""

from __future__ import annotations

import io
import threading
import uuid
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from overread.kit import principals, tokens
from overread.kit.db import Database
from overread.kit.errors import TooLarge
from overread.kit.principals import Principal, Role
from pacs.dicom.status import FailureReason
from pacs.index import query
from pacs.index.models import Instance, Study
from pacs.index.query import Level, Query
from pacs.index.scope import ORIGINAL, Scope, originals
from pacs.serve import retrieve
from pacs.store import ingest
from pacs.store.archive import Archive
from pacs.store.ingest import AlreadyStored, Outcome, Prepared, Refused, Source, Stored
from tests.blobs import blob_folder

ALL = Scope(ORIGINAL, unreleased=True)


def someone(database: Database, role: Role = Role.HOSPITAL) -> Principal:
    with database.transaction() as tx:
        return principals.create(tx, role=role, name="Test").as_principal(via="api")


def put(archive: Archive, source: Source, data: bytes) -> Outcome:
    with ingest.receive(archive, source) as incoming:
        incoming.write(data)
        prepared = incoming.finish()
    return ingest.store(archive, source, [prepared])[0] if isinstance(prepared, Prepared) else prepared


def sample(name: str = "CT_small.dcm") -> bytes:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def changed(data: bytes, **keywords: str) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(data))
    for keyword, value in keywords.items():
        setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def leftovers(archive: Archive) -> list[str]:
    folder = blob_folder(archive) / "incoming"
    return [path.name for path in folder.iterdir()]


def test_a_stored_instance_is_found_and_read_back_to_the_byte(archive: Archive, database: Database) -> None:
    source = Source(someone(database), "stow")
    outcome = put(archive, source, sample())
    assert isinstance(outcome, Stored)
    with database.transaction() as tx:
        results, more = query.search(tx, ALL, Query(Level.INSTANCE))
        located = retrieve.locate(tx, ALL, outcome.keys.study_uid)
    assert (len(results), more) == (1, False)
    assert results[0].attributes["00100010"]["Value"] == [{"Alphabetic": "CompressedSamples^CT1"}]
    assert b"".join(retrieve.stream(archive.blobs, located[0].parts)) == sample()
    assert leftovers(archive) == []


def test_the_same_bytes_again_are_taken_quietly(archive: Archive, database: Database) -> None:
    source = Source(someone(database), "stow")
    assert isinstance(put(archive, source, sample()), Stored)
    assert isinstance(put(archive, source, sample()), AlreadyStored)
    with database.transaction() as tx:
        study = tx.scalars(select(Study)).one()
    assert (study.series_count, study.instance_count, study.modalities) == (1, 1, ["CT"])


def test_a_sender_who_is_locked_out_stores_nothing_more(archive: Archive, database: Database) -> None:
    """Neither into a study that grows, nor a new one, nor the same again; what the program makes for them goes in."""
    who = someone(database)
    source = Source(who, "stow")
    assert isinstance(put(archive, source, sample()), Stored)
    more = changed(sample(), SOPInstanceUID=generate_uid())
    other = changed(sample(), SOPInstanceUID=generate_uid(), StudyInstanceUID=generate_uid())
    with database.transaction() as tx:
        tokens.lock_out(tx, who.id)
    for data in (more, other, sample()):
        outcome = put(archive, source, data)
        assert isinstance(outcome, Refused)
        assert outcome.reason is FailureReason.NOT_AUTHORISED
    with database.transaction() as tx:
        assert tx.scalars(select(Study.instance_count)).all() == [1]
    assert isinstance(put(archive, replace(source, made_for=uuid.uuid4()), more), Stored)
    with database.transaction() as tx:
        tokens.let_in(tx, who.id)
    assert isinstance(put(archive, source, other), Stored)


def test_other_bytes_under_a_known_uid_are_refused_and_the_first_are_kept(archive: Archive, database: Database) -> None:
    source = Source(someone(database), "stow")
    put(archive, source, sample())
    outcome = put(archive, source, changed(sample(), PatientComments="other"))
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.DUPLICATE
    with database.transaction() as tx:
        located = retrieve.locate(tx, ALL, pydicom.dcmread(io.BytesIO(sample())).StudyInstanceUID)
    assert b"".join(retrieve.stream(archive.blobs, located[0].parts)) == sample()
    assert leftovers(archive) == []


def test_a_known_uid_in_another_study_is_refused_and_leaves_no_empty_study(
    archive: Archive, database: Database
) -> None:
    source = Source(someone(database), "stow")
    one = sample()
    other = changed(one, StudyInstanceUID=generate_uid())
    prepared = []
    for data in (one, other):
        with ingest.receive(archive, source) as incoming:
            incoming.write(data)
            ready = incoming.finish()
            assert isinstance(ready, Prepared)
            prepared.append(ready)
    outcomes = ingest.store(archive, source, prepared)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Refused", "Stored"]
    with database.transaction() as tx:
        assert tx.scalar(select(func.count()).select_from(Study)) == 1


def test_a_study_of_another_patient_is_refused(archive: Archive, database: Database) -> None:
    source = Source(someone(database), "stow")
    put(archive, source, sample())
    outcome = put(archive, source, changed(sample(), SOPInstanceUID=generate_uid(), PatientID="SOMEONE-ELSE"))
    assert isinstance(outcome, Refused)
    assert "another patient" in outcome.sentence


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"%PDF-1.7 " + bytes(200), bytes(128) + b"DICM", sample()[:1001], sample()[:-200]],
    ids=["empty", "text", "pdf", "only a preamble", "cut in the header", "cut in the pixels"],
)
def test_what_is_not_whole_dicom_is_refused_and_leaves_nothing(
    archive: Archive, database: Database, data: bytes
) -> None:
    outcome = put(archive, Source(someone(database), "stow"), data)
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.CANNOT_UNDERSTAND
    assert outcome.sentence
    assert leftovers(archive) == []
    assert list(archive.blobs.digests()) == []


@pytest.mark.parametrize("uid", ["../../etc/passwd", "1.2.3/4", "1" * 70, "1.2.3\\1.2.4", "1.2\0.3", ""])
def test_a_uid_that_is_none_is_refused(archive: Archive, database: Database, uid: str) -> None:
    ds = pydicom.dcmread(io.BytesIO(sample()))
    with pydicom.config.disable_value_validation():
        ds.SOPInstanceUID = uid.split("\\") if "\\" in uid else uid
        out = io.BytesIO()
        ds.save_as(out)
    outcome = put(archive, Source(someone(database), "stow"), out.getvalue())
    assert isinstance(outcome, Refused)
    assert outcome.sop_uid == ""


def test_an_instance_above_the_limit_is_refused_while_it_arrives(archive: Archive, database: Database) -> None:
    small = Archive(archive.db, archive.blobs, archive.sealer, max_instance_bytes=10_000)
    with ingest.receive(small, Source(someone(database), "stow")) as incoming, pytest.raises(TooLarge):
        incoming.write(sample())
    assert leftovers(archive) == []


def test_sixteen_senders_of_one_uid_get_one_winner(archive: Archive, database: Database) -> None:
    source = Source(someone(database), "stow")
    versions = [changed(sample(), PatientComments=f"version {n}") for n in range(16)]
    outcomes: list[Outcome] = []

    def send(data: bytes) -> None:
        outcomes.append(put(archive, source, data))

    threads = [threading.Thread(target=send, args=(data,)) for data in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, Stored) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 15
    with database.transaction() as tx:
        assert tx.scalar(select(func.count()).select_from(Instance)) == 1
        assert tx.scalars(select(Study.instance_count)).one() == 1


def test_a_holder_sees_what_it_sent_and_nothing_else(archive: Archive, database: Database) -> None:
    hospital, patient = someone(database), someone(database, Role.PATIENT)
    first, second = sample(), changed(sample(), SOPInstanceUID=generate_uid(), InstanceNumber="2")
    put(archive, Source(hospital, "dimse"), first)
    put(archive, Source(hospital, "dimse"), second)
    put(archive, Source(patient, "stow", case_id=uuid.uuid4()), second)
    with database.transaction() as tx:
        seen = {who.id: query.search(tx, originals(who), Query(Level.INSTANCE))[0] for who in (hospital, patient)}
    assert len(seen[hospital.id]) == 2
    assert [one.sop_uid for one in seen[patient.id]] == [pydicom.dcmread(io.BytesIO(second)).SOPInstanceUID]


def test_control_characters_in_texts_are_stored_and_found(archive: Archive, database: Database) -> None:
    ds = pydicom.dcmread(io.BytesIO(sample()))
    with pydicom.config.disable_value_validation():
        ds.StudyDescription = "two\0words \x07 and \\u0000 written out"
        ds.PatientName = "Nul\0^Patient"
        out = io.BytesIO()
        ds.save_as(out)
    assert isinstance(put(archive, Source(someone(database), "stow"), out.getvalue()), Stored)
    with database.transaction() as tx:
        found, _ = query.search(tx, ALL, Query(Level.STUDY, {"00100010": "nul^patient"}))
    assert len(found) == 1


def test_one_impossible_value_does_not_refuse_the_others(archive: Archive, database: Database) -> None:
    source = Source(someone(database), "stow")
    prepared = []
    for number in range(3):
        with ingest.receive(archive, source) as incoming:
            incoming.write(changed(sample(), SOPInstanceUID=generate_uid(), InstanceNumber=str(number)))
            ready = incoming.finish()
            assert isinstance(ready, Prepared)
            prepared.append(ready)
    prepared[1].keys.study["patient_id"] = prepared[1].keys.study["patient_id"] + "\0"
    outcomes = ingest.store(archive, source, prepared)
    assert [type(outcome) for outcome in outcomes] == [Stored, Refused, Stored]


def test_a_failed_statement_names_no_patient(database: Database) -> None:
    with pytest.raises(SQLAlchemyError) as failed, database.transaction() as tx:
        tx.execute(select(Study).where(Study.pk == 1 << 80, Study.patient_name == "Okonkwo^Ngozi")).all()
    assert "Okonkwo" not in str(failed.value)
