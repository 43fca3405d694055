"""The change feed as a resource (of ours, beside PS3.18)."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from overread.kit.principals import Role
from tests.conformance.conftest import As
from tests.conformance.samples import path, store


def test_what_was_deleted_is_told_once_and_in_pages(client: TestClient) -> None:
    first, second = store(client), store(client)
    client.delete(path(first))
    client.delete(path(second, "study"))
    page = client.get("changes?limit=1").json()
    (told,) = page["changes"]
    assert told["kind"] == "deleted"
    assert told["instance"] == first.SOPInstanceUID
    assert told["instances"] == 1
    assert page["more"] is True
    rest = client.get(f"changes?after={page['next']}").json()
    assert [one["instances"] for one in rest["changes"]] == [0]
    assert "instance" not in rest["changes"][0]
    end = client.get(f"changes?after={rest['next']}").json()
    assert end == {"changes": [], "next": rest["next"], "more": False}


def test_who_sent_a_study_hears_that_it_is_gone(client: TestClient, as_: As) -> None:
    hospital = as_(Role.HOSPITAL)
    with_hospital = TestClient(client.app, base_url=str(client.base_url), headers=hospital)
    ds = store(with_hospital)
    assert with_hospital.get("changes").json()["changes"] == []
    client.delete(path(ds, "study"))
    assert [one["study"] for one in with_hospital.get("changes").json()["changes"]] == [ds.StudyInstanceUID]
    assert client.get("changes", headers=as_(Role.PATIENT)).json()["changes"] == []


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=", "after=9999999999999999999"])
def test_bad_numbers_are_bad_requests(client: TestClient, query: str) -> None:
    response = client.get(f"changes?{query}")
    assert response.status_code == 400
    assert "whole number" in response.json()["detail"]


@pytest.mark.parametrize("role", [Role.SPECIALIST, Role.AUDITOR])
def test_others_are_refused(client: TestClient, as_: As, role: Role) -> None:
    assert client.get("changes", headers=as_(role)).status_code == 403
