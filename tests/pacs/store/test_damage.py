"""Blobs that are missing or damaged: found, told once, forgotten when they are whole again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from overread.commands import admin
from overread.kit import clock
from overread.kit.db import Database
from pacs.index.models import Instance, Review
from pacs.serve import retrieve
from pacs.store import commitment, damage
from pacs.store.archive import Archive
from pacs.store.commitment import Failure, Reference
from pacs.store.damage import DamagedBlob
from pacs.views import view_proofs, views
from tests.blobs import blob_folder
from tests.pacs.views.test_views import LEADING, stored_study, view_of

Damage = Callable[[Archive, str], None]


def blob_of(archive: Archive, sop_uid: str) -> str:
    """The digest of an instance's blob."""
    with archive.db.transaction() as tx:
        return tx.scalars(select(Instance.blob).where(Instance.sop_uid == sop_uid)).one()


def file_of(archive: Archive, sop_uid: str) -> Path:
    digest = blob_of(archive, sop_uid)
    return blob_folder(archive) / digest[:2] / digest


def _missing(archive: Archive, sop_uid: str) -> None:
    file_of(archive, sop_uid).unlink()


def _truncated(archive: Archive, sop_uid: str) -> None:
    file = file_of(archive, sop_uid)
    file.write_bytes(file.read_bytes()[:-100])


def _empty(archive: Archive, sop_uid: str) -> None:
    file_of(archive, sop_uid).write_bytes(b"")


#: What may happen to a blob that a look at the folder tells.
DAMAGES: dict[str, Damage] = {"missing": _missing, "truncated": _truncated, "empty": _empty}


def altered(archive: Archive, sop_uid: str) -> None:
    """One bit of the blob's last byte is another."""
    file = file_of(archive, sop_uid)
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def known(archive: Archive) -> set[str]:
    with archive.db.transaction() as tx:
        return set(tx.scalars(select(DamagedBlob.blob)))


def told(archive: Archive) -> int:
    """How many events say that blobs are damaged."""
    with archive.db.transaction() as tx:
        count = tx.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'event' = 'pacs.blobs_damaged'"))
        return int(count or 0)


def test_somebody_is_told_once_however_often_it_is_asked_for(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    study, sent = stored_study(archive)
    uids = [str(ds.SOPInstanceUID) for ds in sent]
    _missing(archive, uids[0])
    with archive.db.transaction() as tx:
        located = retrieve.locate(tx, LEADING, study)
    for _ in range(3):
        assert [one.sop_uid for one in damage.here(archive, located)] == uids[1:]
    # Another one soon after is kept, and counted, but not told.
    _truncated(archive, uids[1])
    assert [one.sop_uid for one in damage.here(archive, located)] == uids[2:]
    assert known(archive) == {blob_of(archive, uid) for uid in uids[:2]}
    assert told(archive) == 1
    with archive.db.transaction() as tx:
        tx.execute(text("UPDATE pacs_damaged_blob SET found_at = :then"), {"then": clock.now() - timedelta(hours=2)})
    damage.here(archive, located)
    assert told(archive) == 1
    _missing(archive, uids[2])
    with pytest.raises(damage.Lost):
        damage.here(archive, located)
    assert told(archive) == 2


def test_what_is_whole_again_or_gone_for_good_is_forgotten(archive: Archive, database: Database) -> None:
    study, sent = stored_study(archive)
    uids = [str(ds.SOPInstanceUID) for ds in sent]
    data = file_of(archive, uids[0]).read_bytes()
    files = [file_of(archive, uid) for uid in uids]
    for uid in uids:
        _missing(archive, uid)
    with database.transaction() as tx:
        located = retrieve.locate(tx, LEADING, study)
    with pytest.raises(damage.Lost):
        damage.here(archive, located)
    assert damage.look_again(archive) == 3
    files[0].write_bytes(data)
    files[1].write_bytes(bytes(located[1].blob_size))
    # What has the right size only is not whole.
    assert damage.look_again(archive) == 2
    assert known(archive) == {located[1].blob, located[2].blob}
    with database.transaction() as tx:
        tx.execute(text("DELETE FROM pacs_instance WHERE sop_uid = :uid"), {"uid": uids[2]})
    assert damage.look_again(archive) == 1


def test_a_commitment_that_finds_other_bytes_tells_of_them(archive: Archive) -> None:
    study, [ds, other, _] = stored_study(archive)
    altered(archive, str(ds.SOPInstanceUID))
    asked = [
        Reference(str(one.SOPClassUID), str(one.SOPInstanceUID), study, str(one.SeriesInstanceUID))
        for one in (ds, other)
    ]
    assert commitment.examine(archive, LEADING, asked) == [Failure.PROCESSING_FAILURE, None]
    assert known(archive) == {blob_of(archive, str(ds.SOPInstanceUID))}


@pytest.mark.parametrize("harm", DAMAGES.values(), ids=DAMAGES)
def test_of_a_study_with_a_missing_original_the_others_are_derived(archive: Archive, harm: Damage) -> None:
    study, sent = stored_study(archive)
    harm(archive, str(sent[1].SOPInstanceUID))
    view = view_of(archive)
    derived = views.deidentify(archive, view, LEADING, study)
    assert derived.instances == 3
    [(reason, count)] = derived.withheld_reasons.items()
    assert count == 1
    assert "missing or damaged on our side" in reason
    with archive.db.transaction() as tx:
        states = tx.scalars(select(Instance.review).where(Instance.view_id == view)).all()
    assert sorted(states) == sorted([Review.CLEAN, Review.CLEAN, Review.UNUSABLE])
    assert told(archive) == 1


@pytest.mark.parametrize("held", [1, 2, 3, 1000])
def test_verify_tells_of_what_it_finds_however_few_rows_it_holds(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], held: int
) -> None:
    monkeypatch.setattr(admin, "_CHUNK", held)
    monkeypatch.setattr(view_proofs, "_ROWS", held)
    study, sent = stored_study(archive)
    views.deidentify(archive, view_of(archive), LEADING, study)
    altered(archive, str(sent[0].SOPInstanceUID))
    _missing(archive, str(sent[1].SOPInstanceUID))
    bad = {blob_of(archive, str(ds.SOPInstanceUID)) for ds in sent[:2]}

    class Services:
        db = archive.db

    Services.archive = archive  # type: ignore[attr-defined]
    monkeypatch.setattr(admin, "build", lambda _settings: Services)
    # Two blobs, and a copy whose original can't be read.
    assert admin.verify(None) == 3  # type: ignore[arg-type]
    assert known(archive) == bad
    said = capsys.readouterr().err
    assert all(said.count(f"blob {digest} is missing or altered") == 1 for digest in bad)
    assert "3 blobs read, 2 bad" in said
    assert "3 proofs, root " in said
