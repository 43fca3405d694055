"""Backups and erasure: what was erased is in no backup that is made then, and no older one brings it back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update

from billing.unconfigured import Unconfigured
from cases.models import Case
from cases.service import intake
from overread import again, folders, migrations
from overread.commands import backup
from overread.kit import ended, postgres, tokens
from overread.kit.db import Database
from overread.kit.ended import Ended, EndedRow
from overread.kit.errors import NotSignedIn, OverreadError, StorageFull
from overread.kit.principals import PrincipalRow
from overread.kit.sealed import destroyed
from overread.kit.settings import Settings
from pacs.index.models import Instance, Study
from pacs.index.scope import originals
from pacs.store import deletion
from pacs.store.archive import Archive, open_archive
from tests.cases.test_erasure import PLANTED, erase, everything, told
from tests.cases.world import World, study
from tests.faults.harness import folder


@dataclass
class Place:
    """A data folder with its own PostgreSQL running, and folders beside it."""

    base: Path
    settings: Settings
    archive: Archive
    world: World = field(init=False)

    def back_up(self, name: str) -> Path:
        target = self.base / "backups" / name
        assert backup.backup(self.settings, target) == []
        return target


@contextmanager
def opened(base: Path, data: Path) -> Iterator[Place]:
    """What lies in a data folder, its database running for as long as the block lasts."""
    settings = Settings(data_dir=data, database_url=None)
    settings.server_key()
    url, server = postgres.start(settings)
    assert server is not None
    settings = settings.model_copy(update={"database_url": url})
    migrations.make_or_check(url)
    db = Database(url)
    try:
        yield Place(base, settings, open_archive(settings, db))
    finally:
        db.close()
        server.cleanup()


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    """One place for the tests of this module, which all make cases of their own."""
    with folder("backup") as base, opened(base, base / "data") as place:
        place.world = World(place.archive.db, place.archive, Unconfigured(), None, base / "data")
        yield place


@contextmanager
def restored(place: Place, source: Path, keys: Path | None = None) -> Iterator[tuple[Place, again.Again]]:
    """A backup restored into a new folder, and opened."""
    data = place.base / f"back-{source.name}-{os.urandom(4).hex()}"
    done = backup.restore(Settings(data_dir=data, database_url=None), source, keys)
    with opened(place.base, data) as back:
        yield back, done


def instances(place: Place) -> set[str]:
    """The UIDs of every instance, the copies' too."""
    with place.archive.db.transaction() as tx:
        return set(tx.scalars(select(Instance.sop_uid)))


def in_files(root: Path) -> bytes:
    """Every file below a folder, a database's dump as the SQL that it stands for, deflated columns unpacked."""
    found = []
    for path in root.rglob("*"):
        if path.is_file():
            found.append(path.name.encode())
            found.append(_sql(path) if path.name == "database.dump" else path.read_bytes())
    return b"\n".join(found)


def _sql(dump: Path) -> bytes:
    program = postgres.programs() / "pg_restore"
    sql = subprocess.run([program, "--file=-", dump], capture_output=True, check=True).stdout
    unpacked = []
    for column in re.findall(rb"\\\\x([0-9a-f]{16,})", sql):
        raw = bytes.fromhex(column.decode())
        try:
            unpacked.append(zlib.decompress(raw))
        except zlib.error:
            unpacked.append(raw)
    return sql + b"\n".join(unpacked)


def holds(root: Path, wanted: set[str]) -> set[str]:
    """Which of these words stand somewhere below a folder."""
    content = in_files(root)
    return {one for one in wanted if one.encode() in content}


def state(place: Place, case_id: UUID) -> str:
    with place.archive.db.transaction() as tx:
        return tx.get_one(Case, case_id).state


def change(place: Place, principal_id: UUID, *, active: bool) -> None:
    """Lock an account or let it in again, as the page does."""
    with place.archive.db.transaction() as tx:
        tx.execute(update(PrincipalRow).where(PrincipalRow.id == principal_id).values(active=active))
        who = [str(principal_id)]
        ended.record(tx, Ended(unlocked=who) if active else Ended(locked=who))


def test_what_is_erased_is_in_no_later_backup_and_no_older_one_brings_it_back(shared: Place) -> None:
    world, before = shared.world, instances(shared)
    case_id = told(world)
    uid = world.first(case_id)
    wanted = {*PLANTED, uid, *(instances(shared) - before)}
    other = world.released("free")
    kept = instances(shared) - wanted
    with world.db.transaction() as tx:
        given = [tokens.issue(tx, world.coordinator.id), tokens.issue(tx, world.patient.id, tokens.SESSION)]
        tokens.issue(tx, world.patient.id, tokens.LAUNCH, case_id=case_id)
    change(shared, world.hospital.id, active=False)
    older = shared.back_up("older")
    # Or the rest would prove nothing.
    assert holds(older, wanted) == wanted
    erase(world, case_id)
    change(shared, world.other_specialist.id, active=False)
    change(shared, world.hospital.id, active=True)
    with world.db.transaction() as tx:
        left = set(tx.scalars(select(Instance.blob)))
    assert set(shared.archive.blobs.digests()) > left, "or the sweep came, which a backup must not rely on"
    newer = shared.back_up("newer")
    assert holds(newer, wanted) == set()
    assert {path.name for path in (newer / "blobs").glob("*/*")} == left
    with restored(shared, older) as (back, done):
        assert (done.cases, done.accounts) == (1, 1)
        assert done.tokens >= len(given)
        assert holds(back.settings.blob_dir, wanted) == set()
        assert case_id in destroyed(back.settings.keys_dir)
        assert instances(back) == kept
        with back.archive.db.transaction() as tx:
            assert [word for word in wanted if word in everything(tx)] == []
            assert tx.get_one(Case, case_id).state == "erased"
            assert tx.get_one(Case, other).state == world.state(other)
            active = {one.id: one.active for one in tx.scalars(select(PrincipalRow))}
            assert (active[world.other_specialist.id], active[world.hospital.id]) == (False, True)
            for token in given:
                with pytest.raises(NotSignedIn):
                    tokens.verify(tx, token, tokens.API, tokens.SESSION)
        assert again.see_to(back.settings) is None, "it is done once"


def test_a_study_that_was_no_cases_yet_when_it_was_backed_up_is_erased_again(shared: Place) -> None:
    """The older database doesn't know that it came for the case: what was removed is known by its rows."""
    world = shared.world
    case_id = world.draft("free", images_by="hospital")
    with world.db.transaction() as tx:
        reference = tx.get_one(Case, case_id).reference
        intake.submit(tx, world.patient, case_id)
    before = instances(shared)
    uid = world.upload(None, who=world.hospital, dicom=study(AccessionNumber=reference))
    wanted = {uid, *(instances(shared) - before)}
    older = shared.back_up("unsettled")
    assert holds(older, wanted) == wanted
    world.settle(uid)
    erase(world, case_id)
    assert instances(shared) == before
    shared.back_up("after-unsettled")
    with restored(shared, older) as (back, done):
        assert (done.cases, done.images) == (1, 1)
        assert instances(back) == before
        assert holds(back.settings.blob_dir, wanted) == set()
        with back.archive.db.transaction() as tx:
            assert [word for word in wanted if word in everything(tx)] == []


def test_a_deleted_study_stays_deleted_and_one_that_was_sent_again_stays(shared: Place) -> None:
    world, before = shared.world, instances(shared)
    dicom = study()
    uid = world.upload(None, who=world.hospital, dicom=dicom)
    older = shared.back_up("before-deletion")
    with world.db.transaction() as tx:
        deletion.remove(tx, world.coordinator, originals(world.coordinator), uid)
    assert instances(shared) == before
    world.upload(None, who=world.hospital, dicom=dicom)
    again_sent = shared.back_up("sent-again")
    with restored(shared, older) as (back, done):
        assert (done.images, instances(back)) == (1, before)
    with restored(shared, again_sent) as (back, done):
        assert done.images == 0
        assert len(instances(back) - before) == 1


def test_the_list_comes_with_the_backup_and_from_the_server_that_is_replaced(
    shared: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erased after the dump, it is in the backup's own list; erased after the last backup, in the server's alone."""
    world = shared.world
    first, second = world.released("free"), world.released("free")
    copied = backup._copy_blobs

    def slowly(blobs: Path, into: Path, digests: list[str]) -> list[str]:
        missing = copied(blobs, into, digests)
        erase(world, first)
        return missing

    monkeypatch.setattr(backup, "_copy_blobs", slowly)
    source = shared.back_up("meanwhile")
    monkeypatch.undo()
    alone = shared.base / "elsewhere" / "meanwhile"
    alone.parent.mkdir()
    source.rename(alone)
    erase(world, second)
    with restored(shared, alone) as (back, done):
        assert done.cases == 1
        assert state(back, first) == "erased"
        assert state(back, second) != "erased"
    with restored(shared, alone, shared.settings.keys_dir) as (back, done):
        assert done.cases == 2
        assert state(back, second) == "erased"


def test_a_database_that_went_back_by_any_other_way_is_seen_to_when_it_is_opened(shared: Place) -> None:
    world = shared.world
    case_id = world.released("free")
    name = UUID(int=7 << 64)
    content = {"at": "2026-11-01T10:00:00+00:00", "cases": [str(case_id)], "of_a_later_program": [1]}
    (shared.settings.keys_dir / f"{name.hex}.ended").write_text(json.dumps(content))
    with world.db.transaction() as tx:
        token = tokens.issue(tx, world.coordinator.id)
    done = again.see_to(shared.settings)
    assert done is not None
    assert done.cases == 1
    assert world.state(case_id) == "erased"
    assert case_id in destroyed(shared.settings.keys_dir)
    with world.db.transaction() as tx, pytest.raises(NotSignedIn):
        tokens.verify(tx, token)
    assert again.see_to(shared.settings) is None
    damaged = shared.settings.keys_dir / f"{UUID(int=8 << 64).hex}.ended"
    damaged.write_text("{")
    with pytest.raises(OverreadError, match="damaged"):
        again.see_to(shared.settings)
    damaged.unlink()


def test_nobody_is_told_that_it_is_erased_before_it_is_remembered(shared: Place) -> None:
    world = shared.world
    case_id = world.draft("free")
    keys = shared.settings.keys_dir
    keys.mkdir(exist_ok=True)
    away = keys.rename(keys.with_name("keys-away"))
    keys.write_text("no folder")  # as a full disk would, this lets nothing be written there
    with pytest.raises(StorageFull) as told_so:
        erase(world, case_id)
    assert "This was done" in told_so.value.safe
    keys.unlink()
    away.rename(keys)
    with world.db.transaction() as tx:
        (row,) = [one for one in tx.scalars(select(EndedRow)) if str(case_id) in str(one.what)]
    assert row.id not in ended.written(keys)
    world.drain()
    assert row.id in ended.written(keys)
    assert ended.read(keys, row.id) == (row.at, Ended(cases=[str(case_id)], erased=[], removed=[]))
    assert case_id in destroyed(keys)


def test_what_a_savepoint_undid_is_not_remembered(shared: Place) -> None:
    db, before = shared.archive.db, ended.written(shared.settings.keys_dir)
    with db.transaction() as tx:
        undone = tx.begin_nested()
        ended.record(tx, Ended(cases=[str(UUID(int=5))]))
        undone.rollback()
    with db.transaction() as tx:
        ended.record(tx, Ended(cases=[str(UUID(int=5))]))
        tx.rollback()
    assert ended.written(shared.settings.keys_dir) == before


def test_a_backup_without_a_blob_says_so_and_is_made(shared: Place) -> None:
    uid = shared.world.upload(None, who=shared.world.hospital)
    with shared.archive.db.transaction() as tx:
        digest = tx.scalars(
            select(Instance.blob).join(Study, Study.pk == Instance.study_pk).where(Study.study_uid == uid)
        ).one()
    blob = shared.settings.blob_dir / digest[:2] / digest
    away = blob.rename(shared.base / "away")
    target = shared.base / "backups" / "without"
    assert backup.backup(shared.settings, target) == [digest]
    assert (target / "database.dump").exists()
    away.rename(blob)


def test_a_restore_touches_nothing_of_anybody_elses(shared: Place) -> None:
    source = shared.back_up("for-restores")
    data = shared.base / "theirs"
    data.mkdir()
    (data / "letter").write_text("mine")
    for names in (("letter",), ("letter", "restoring")):
        (data / names[-1]).touch()
        with pytest.raises(OverreadError, match=r"letter is none|not empty"):
            backup.restore(Settings(data_dir=data, database_url=None), source)
        assert (data / "letter").read_text() == "mine"
    with pytest.raises(OverreadError, match=r"database\.dump is missing"):
        backup.restore(Settings(data_dir=shared.base / "new", database_url=None), shared.base)
    with folders.held(shared.base / "new"):
        assert not (shared.base / "new" / "restoring").exists()
