"""What every readable resource looks at again while it is sent: each says no after each end that concerns it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from cases import access
from overread.app import portal_app
from overread.kit import http, standing, tokens
from overread.kit.errors import OverreadError
from overread.kit.looks import Look
from overread.kit.standing import Standing
from overread.services import Services
from pacs.index.models import Instance
from pacs.serve import retrieve
from tests.attacks.conftest import in_review
from tests.cases.world import World
from viewer_bridge import grants

_SERIES = "/studies/{study}/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"
#: Resources of a picture, by the path below a case's root, and what is accepted.
OF_A_PICTURE = {
    "/studies/{study}": "application/zip",
    _SERIES: "application/zip",
    _INSTANCE: "application/dicom; transfer-syntax=*",
    "/studies/{study}/metadata": "application/dicom+json",
    _SERIES + "/metadata": "application/dicom+json",
    _INSTANCE + "/metadata": "application/dicom+json",
    _INSTANCE + "/frames/1": "application/octet-stream",
    _INSTANCE + "/frames/1/rendered": "image/jpeg",
    _INSTANCE + "/rendered": "image/jpeg",
    _INSTANCE + "/thumbnail": "image/jpeg",
    _INSTANCE + "/bulkdata/7FE00010": "application/octet-stream",
    _INSTANCE + "/bulkdata": 'multipart/related; type="application/octet-stream"',
    _INSTANCE + "/pixeldata": 'multipart/related; type="application/octet-stream"',
    "/studies/{study}/rendered": 'multipart/related; type="image/jpeg"',
    "/wado?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}": "image/jpeg",
}
#: Resources that list what the scope shows.
LISTS = {
    "/studies": "application/dicom+json",
    "/series": "application/dicom+json",
    "/studies/{study}/instances": "application/dicom+json",
    "/changes": "application/json",
}

End = Callable[[Services, World, UUID, str], None]


def _ends(services: Services, world: World, _case: UUID, _token: str) -> None:
    with services.db.transaction() as tx:
        tokens.revoke_all(tx, world.specialist.id)


def _grant(services: Services, _world: World, case: UUID, _token: str) -> None:
    with services.db.transaction() as tx:
        grants.revoke(tx, case)


def _withhold(services: Services, _world: World, _case: UUID, sop_uid: str) -> None:
    with services.db.transaction() as tx:
        tx.execute(update(Instance).where(Instance.sop_uid == sop_uid).values(review="withheld"))


@pytest.mark.parametrize(
    ("end", "concerned"),
    [(_ends, {**OF_A_PICTURE, **LISTS}), (_grant, {**OF_A_PICTURE, **LISTS}), (_withhold, OF_A_PICTURE)],
)
def test_each_resource_looks_at_what_it_gives(
    services: Services, world: World, monkeypatch: pytest.MonkeyPatch, end: End, concerned: dict[str, str]
) -> None:
    looks: list[Look] = []
    monkeypatch.setattr(standing._Exchange, "watch", lambda _exchange, look: looks.append(look))
    case, study = in_review(world)
    with services.db.transaction() as tx:
        one = retrieve.locate(tx, access.scope(tx, world.specialist, UUID(case)), study)[0]
        token = tokens.issue(tx, world.specialist.id)
    names = {"study": study, "series": one.series_uid, "instance": one.sop_uid}
    found: dict[str, Look] = {}
    with TestClient(Standing(portal_app(services), http.problem)) as client:
        for path, accept in {**OF_A_PICTURE, **LISTS}.items():
            headers = {"Authorization": f"Bearer {token}", "Accept": accept}
            answer = client.get(f"/cases/{case}/dicomweb{path.format(**names)}", headers=headers)
            assert answer.status_code == 200, (path, answer.text)
            found[path] = looks[-1]
    for look in found.values():
        look()
    end(services, world, UUID(case), one.sop_uid)
    refused: dict[str, int] = {}
    for path, look in found.items():
        try:
            look()
        except OverreadError as error:
            refused[path] = error.status
    assert refused.keys() == concerned.keys()
    assert set(refused.values()) <= {401, 404, 409}


@pytest.mark.parametrize("path", ["/queue", "/api/v1/cases", "/dicomweb/studies"])
def test_pages_and_the_api_look_at_their_credential(
    services: Services, world: World, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    looks: list[Look] = []
    monkeypatch.setattr(standing._Exchange, "watch", lambda _exchange, look: looks.append(look))
    with services.db.transaction() as tx:
        token = tokens.issue(tx, world.coordinator.id)
    with TestClient(Standing(portal_app(services), http.problem)) as client:
        assert client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    looks[-1]()
    with services.db.transaction() as tx:
        tokens.lock_out(tx, world.coordinator.id)
    with pytest.raises(OverreadError):
        looks[-1]()
