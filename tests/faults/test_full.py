"""A full disk: told as 507 and A700, reads go on, it heals by itself when there is room again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import stow
from benchmarks.cstore import Association
from tests.faults.disks import small
from tests.faults.harness import CALLING, Site, folder

pytestmark = pytest.mark.live
OUT_OF_RESOURCES = 0xA700
_BATCH = 20


def send_by_web(site: Site, study: int, number: int) -> int:
    """Twenty instances in one request; the answer's HTTP status."""
    instances = [site.ledger.sending(study, number + i, "stow") for i in range(_BATCH)]
    client = stow.Client(f"{site.server.url}/dicomweb", {"Authorization": f"Bearer {site.hospital}"}, timeout=30)
    try:
        status, answer = client.post(stow.body([bytes(instance.data) for instance in instances]))
    finally:
        client.close()
    site.ledger.answered(status, stow.stored(answer) if status in (200, 202) else set())
    return status


def associate(site: Site) -> Association:
    """An association for the pictures that are sent here."""
    picture = site.ledger.pictures.make(0, 0)
    contexts = [(picture.sop_class, picture.syntax)]
    return Association(("127.0.0.1", site.server.dicom_port), "OVERREAD", CALLING, contexts, timeout=30)


def store_all(site: Site, association: Association, study: int, number: int, count: int = _BATCH) -> set[int]:
    """So many instances by an association; their statuses."""
    statuses = set()
    for i in range(count):
        instance = site.ledger.sending(study, number + i, "dimse")
        status = association.store(instance)
        statuses.add(status)
        site.ledger.answered(status, {instance.sop_uid} if status == 0 else set())
    return statuses


def send_by_store(site: Site, study: int, number: int) -> set[int]:
    """The same by an association of its own."""
    with associate(site) as association:
        return store_all(site, association, study, number)


def fill(disk: Path) -> Path:
    """Take all the room that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    assert os.statvfs(disk).f_bavail == 0
    return filler


def test_a_full_disk_is_told_and_heals_by_itself() -> None:
    with folder("full") as base, small(base / "disk", 256) as disk, Site(disk / "data") as site:
        kept = site.ledger.new_study()
        assert send_by_web(site, kept, 0) == 200
        filler = fill(disk)
        by_web, by_store = site.ledger.new_study(), site.ledger.new_study()
        assert send_by_web(site, by_web, 0) == 507
        assert send_by_store(site, by_store, 0) == {OUT_OF_RESOURCES}
        assert len(site.retrieved(kept)) == _BATCH, "reads go on"
        assert site.left_aside() == []
        filler.unlink()
        assert send_by_web(site, by_web, 0) == 200
        assert send_by_store(site, by_store, 0) == {0}
        site.check()
        blobs, named = site.disk_and_rows()
        assert blobs == named
        assert site.left_aside() == []
