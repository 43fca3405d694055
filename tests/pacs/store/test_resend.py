"""An object that is sent again: whatever its encoding, it is the one that is here; and its file meta information."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian, RLELossless, generate_uid
from sqlalchemy import select

from overread.kit.audit import AuditRow
from overread.kit.clock import uuid7
from overread.kit.db import Database
from overread.kit.errors import Unavailable
from overread.kit.principals import Principal
from pacs.dicom import part10
from pacs.dicom.status import FailureReason
from pacs.index.models import Instance, Upload
from pacs.serve import retrieve
from pacs.store import ingest
from pacs.store.archive import Archive
from pacs.store.ingest import AlreadyStored, Refused, Source, Stored
from pacs.views.batch import Batch
from tests.pacs.corpus import files, sources
from tests.pacs.store.test_ingest import ALL, changed, put, sample, someone


def written(ds: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    ds.save_as(out, implicit_vr=ds.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian, little_endian=True)
    return out.getvalue()


def implicit(data: bytes) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return written(ds)


def rle(data: bytes) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.compress(RLELossless, generate_instance_uid=False)
    return written(ds)


def meta(data: bytes, **changes: str) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.preamble = b"II*\0" + bytes(124)
    for keyword, value in changes.items():
        setattr(ds.file_meta, keyword, value)
    return written(ds)


ANEW: dict[str, Any] = {
    "implicit": implicit,
    "rle": rle,
    "rle twice": lambda data: rle(implicit(data)),
    "preamble": meta,
    "version": lambda data: meta(data, ImplementationVersionName="CD_WRITER_2"),
    "file meta": lambda data: meta(data, MediaStorageSOPInstanceUID="1.2.3", MediaStorageSOPClassUID="1.2.4"),
}


def attempts(database: Database) -> list[str]:
    with database.transaction() as tx:
        return list(tx.scalars(select(AuditRow.object_id).where(AuditRow.action == "instance.replace")))


def served(archive: Archive) -> list[bytes]:
    uid = pydicom.dcmread(io.BytesIO(sample()), stop_before_pixels=True).StudyInstanceUID
    with archive.db.transaction() as tx:
        located = retrieve.locate(tx, ALL, uid)
    return [b"".join(retrieve.stream(archive.blobs, one.parts)) for one in located]


def cases_of(database: Database, who: Principal) -> list[UUID]:
    with database.transaction() as tx:
        sent = select(Upload.case_id).join(Instance, Instance.pk == Upload.instance_pk)
        return list(tx.scalars(sent.where(Instance.sender_id == who.id).order_by(Upload.case_id)))


@pytest.mark.parametrize("how", ANEW)
def test_the_same_object_again_is_a_success_and_the_first_bytes_are_kept(
    archive: Archive, database: Database, how: str
) -> None:
    source = Source(someone(database), "stow")
    assert isinstance(put(archive, source, sample()), Stored)
    assert isinstance(put(archive, source, ANEW[how](sample())), AlreadyStored)
    assert served(archive) == [sample()]
    assert attempts(database) == []


def test_whoever_sends_it_in_another_encoding_has_sent_it(archive: Archive, database: Database) -> None:
    first, second, case_id = someone(database), someone(database), uuid7()
    put(archive, Source(first, "dimse"), sample())
    # Another sender's is an instance of its own, in the encoding that it came in.
    assert isinstance(put(archive, Source(second, "stow"), implicit(sample())), Stored)
    assert isinstance(put(archive, Source(second, "stow", case_id=case_id), sample()), AlreadyStored)
    assert cases_of(database, second) == [case_id]
    # As with the same bytes, it was sent for both cases.
    other = uuid7()
    put(archive, Source(second, "stow", case_id=other), rle(sample()))
    assert cases_of(database, second) == sorted([case_id, other])
    assert cases_of(database, first) == []


@pytest.mark.parametrize("how", ["implicit", "rle", "version"])
def test_a_changed_object_is_refused_and_audited_in_every_encoding(
    archive: Archive, database: Database, how: str
) -> None:
    source = Source(someone(database), "stow")
    put(archive, source, sample())
    other = ANEW[how](changed(sample(), PatientComments="other"))
    outcome = put(archive, source, other)
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.DUPLICATE
    assert attempts(database) == [outcome.sop_uid]
    assert served(archive) == [sample()]


def test_two_encodings_in_one_batch_are_one_instance(archive: Archive, database: Database) -> None:
    source = Source(someone(database), "stow")
    batch = Batch(archive, source)
    for data in (sample(), implicit(sample()), changed(sample(), PatientComments="other"), rle(sample())):
        batch.begin()
        batch.write(data)
        batch.finish()
    kinds = [type(result.outcome).__name__ for result in batch.end()]
    assert kinds == ["Stored", "AlreadyStored", "Refused", "AlreadyStored"]
    assert served(archive) == [sample()]


def test_objects_are_compared_while_others_commit(
    archive: Archive, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(someone(database), "stow")
    put(archive, source, sample())
    other = changed(sample(), SOPInstanceUID=generate_uid())

    def slow(*_: Any) -> bool:
        # Somebody stores in the middle of it, and is done before the comparison is.
        assert isinstance(put(archive, source, other), Stored)
        return True

    monkeypatch.setattr(ingest, "same_object", slow)
    assert isinstance(put(archive, source, implicit(sample())), AlreadyStored)


def test_who_can_t_be_told_now_is_told_to_come_again(
    archive: Archive, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(someone(database), "stow")
    put(archive, source, sample())

    def busy(*_: Any) -> bool:
        raise Unavailable("busy")

    with monkeypatch.context() as patched:
        patched.setattr(ingest, "same_object", busy)
        outcome = put(archive, source, implicit(sample()))
        assert isinstance(outcome, Refused)
        assert outcome.reason is FailureReason.OUT_OF_RESOURCES
    [prepared] = prepare(archive, source, implicit(sample()))
    committed = ingest.commit(archive, source, [prepared])
    [late] = ingest.decided(archive, source, [prepared], committed, seconds=-1.0)
    assert isinstance(late, Refused)
    assert late.reason is FailureReason.OUT_OF_RESOURCES
    assert attempts(database) == []
    assert isinstance(put(archive, source, implicit(sample())), AlreadyStored)


def prepare(archive: Archive, source: Source, *many: bytes) -> Iterator[ingest.Prepared]:
    for data in many:
        with ingest.receive(archive, source) as incoming:
            incoming.write(data)
            ready = incoming.finish()
            assert isinstance(ready, ingest.Prepared)
            yield ready


def test_what_is_deleted_while_it_is_compared_is_stored_anew(
    archive: Archive, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(someone(database), "stow")
    put(archive, source, sample())
    again = implicit(sample())

    def meanwhile(*_: Any) -> bool:
        with database.transaction() as tx:
            for row in tx.scalars(select(Instance)):
                tx.delete(row)
        return True

    monkeypatch.setattr(ingest, "same_object", meanwhile)
    assert isinstance(put(archive, source, again), Stored)
    assert served(archive) == [again]


# --- file meta information (PS3.10 7.1) -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(ANEW["file meta"](sample()), id="contradicts"),
        pytest.param(sample()[part10.read_meta(sample()).dataset_start :], id="none at all"),
        pytest.param(sample()[132:], id="no preamble"),
        pytest.param(sample().replace(b"\x02\x00\x02\x00UI", b"\x02\x00\x04\x00UI"), id="no class"),
    ],
)
def test_a_file_meta_that_contradicts_or_is_missing_is_put_right(
    archive: Archive, database: Database, sent: bytes
) -> None:
    source = Source(someone(database), "stow")
    assert isinstance(put(archive, source, sent), Stored)
    [given] = served(archive)
    ds = pydicom.dcmread(io.BytesIO(given))
    assert (ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID) == (
        ds.SOPClassUID,
        ds.SOPInstanceUID,
    )
    assert ds == pydicom.dcmread(io.BytesIO(sample()))
    start, begin = part10.read_meta(given).dataset_start, part10.read_meta(sent).dataset_start
    assert given[start:] == sent[begin:]
    # Sent again, it is put right again, and the same bytes are the same.
    with database.transaction() as tx:
        [(blob, size)] = tx.execute(select(Instance.blob, Instance.blob_size)).all()
    assert size == len(given)
    [ready] = prepare(archive, source, sent)
    assert ready.blob.digest == blob
    assert isinstance(put(archive, source, sample()), AlreadyStored)


def test_a_sound_file_is_kept_to_the_byte(archive: Archive, database: Database) -> None:
    put(archive, Source(someone(database), "stow"), sample())
    assert served(archive) == [sample()]


@pytest.mark.parametrize(("sop_class", "sop_uid"), [("1.2.840.10008.5.1.4.1.1.4", None), (None, "1.2.3")])
def test_a_data_set_that_is_not_what_the_command_names_is_refused(
    archive: Archive, database: Database, sop_class: str | None, sop_uid: str | None
) -> None:
    outcome = put(archive, Source(someone(database), "dimse", sop_class=sop_class, sop_uid=sop_uid), sample())
    assert isinstance(outcome, Refused)
    assert outcome.reason is FailureReason.MISMATCH


@pytest.mark.parametrize("source", sources())
def test_no_real_file_is_refused_for_its_file_meta_and_none_is_kept_that_contradicts(
    archive: Archive, database: Database, source: str
) -> None:
    by = Source(someone(database), "import")
    for name, data in files(source):
        with ingest.receive(archive, by) as incoming:
            incoming.write(data)
            read = incoming.read()
            if isinstance(read, Refused):
                # As before: it can't be read, or its data set itself has no UIDs that could name it.
                assert read.reason is FailureReason.CANNOT_UNDERSTAND, name
                continue
            buffer = incoming._writer.buffer()
            found = part10.read_meta(buffer)
            assert (found.sop_class_uid, found.sop_instance_uid) == (read.keys.sop_class, read.keys.sop_uid), name
            assert found.has_preamble, name
            del buffer
