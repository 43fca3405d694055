"""Deleting by the resources of PS3.18 Table 10.1-1."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.uid import generate_uid
from sqlalchemy import select
from starlette.testclient import TestClient

from overread.kit.audit import AuditRow
from overread.kit.principals import Role
from pacs.index.models import Instance, Series, Study
from pacs.store.archive import Archive
from pacs.store.sweep import sweep
from tests.conformance.conftest import As
from tests.conformance.samples import path, sample, store


def count(archive: Archive) -> tuple[int, ...]:
    with archive.db.transaction() as tx:
        return tuple(len(tx.scalars(select(kind)).all()) for kind in (Study, Series, Instance))


def found(client: TestClient, resource: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = client.get(resource).json()
    return answer


def test_10_an_instance_is_deleted_and_counts_follow(client: TestClient, archive: Archive) -> None:
    first, second = store(client), store(client)
    assert client.delete(path(first)).status_code == 204
    (study,) = found(client, "studies")
    assert study["00201208"]["Value"] == [1]
    assert study["00201206"]["Value"] == [1]
    assert client.get(path(first)).status_code == 404
    assert client.get(path(second)).status_code == 200
    assert client.delete(path(first)).status_code == 404
    with archive.db.transaction() as tx:
        rows = tx.scalars(select(AuditRow).where(AuditRow.action == "instance.delete")).all()
    assert [(row.object_id, row.role) for row in rows] == [(first.SOPInstanceUID, "coordinator")]


def test_10_a_series_is_deleted_with_its_modality(client: TestClient, archive: Archive) -> None:
    first = store(client)
    store(client, SeriesInstanceUID=str(generate_uid()), Modality="MR")
    assert found(client, "studies")[0]["00080061"]["Value"] == ["CT", "MR"]
    assert client.delete(path(first, "series")).status_code == 204
    (study,) = found(client, "studies")
    assert study["00080061"]["Value"] == ["MR"]
    assert study["00201206"]["Value"] == [1]
    assert count(archive) == (1, 1, 1)


def test_10_the_last_instance_takes_its_study_with_it(client: TestClient, archive: Archive) -> None:
    ds = store(client)
    assert client.delete(path(ds)).status_code == 204
    assert count(archive) == (0, 0, 0)
    assert found(client, "studies") == []


def test_10_a_study_is_deleted_and_its_blobs_are_swept(client: TestClient, archive: Archive) -> None:
    ds, other = store(client), store(client, StudyInstanceUID=str(generate_uid()))
    assert client.delete(path(ds, "study")).status_code == 204
    assert sweep(archive, young=-1).orphans == 1
    assert client.get(path(other)).status_code == 200
    # The same may come again.
    assert store(client, SOPInstanceUID=ds.SOPInstanceUID).SOPInstanceUID == ds.SOPInstanceUID


def test_a_series_that_lost_an_instance_has_changed(client: TestClient, archive: Archive) -> None:
    first = store(client)
    store(client)
    with archive.db.transaction() as tx:
        before = tx.scalars(select(Series.changed_at)).one()
    client.delete(path(first))
    with archive.db.transaction() as tx:
        assert tx.scalars(select(Series.changed_at)).one() > before


@pytest.mark.parametrize("role", [Role.HOSPITAL, Role.PATIENT, Role.SPECIALIST, Role.AUDITOR])
def test_only_coordinators_and_admins_delete(client: TestClient, as_: As, role: Role) -> None:
    ds = store(client)
    assert client.delete(path(ds), headers=as_(role)).status_code == 403
    assert client.delete(path(ds), headers={"Authorization": ""}).status_code == 401
    assert client.get(path(ds)).status_code == 200


def test_an_admin_deletes(client: TestClient, as_: As) -> None:
    assert client.delete(path(store(client)), headers=as_(Role.ADMIN)).status_code == 204


def test_a_bad_uid_is_a_bad_request(client: TestClient) -> None:
    response = client.delete("studies/..%2F..%2Fetc")
    assert response.status_code in (400, 404)
    assert client.delete("studies/1.2.x").status_code == 400
    assert client.delete(f"studies/{generate_uid()}").status_code == 404


def test_an_instance_of_another_study_is_not_found(client: TestClient) -> None:
    ds = store(client)
    response = client.delete(f"studies/{generate_uid()}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}")
    assert response.status_code == 404
    assert client.get(path(ds)).status_code == 200


def test_two_instances_of_the_same_bytes_share_nothing_that_is_lost(client: TestClient, archive: Archive) -> None:
    ds = store(client, sample("MR_small.dcm"))
    before = client.get(path(ds), headers={"Accept": "application/dicom"}).content
    other = store(client)
    client.delete(path(other))
    sweep(archive, young=-1)
    assert client.get(path(ds), headers={"Accept": "application/dicom"}).content == before
