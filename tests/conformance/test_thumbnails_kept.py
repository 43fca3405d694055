"""Thumbnails survive a restart, and never show what is masked or deleted (PS3.18 10.4.1.1.4)."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from starlette.testclient import TestClient

from dicomweb import pictures, states
from dicomweb.context import Context, Upload
from overread.kit.db import Database
from overread.kit.hosts import Origin
from overread.kit.principals import Role
from pacs.index.models import Study
from pacs.index.scope import Scope, originals
from pacs.pixels import render
from pacs.pixels.cache import Cache
from pacs.serve import retrieve
from pacs.store import sweep
from pacs.store.archive import Archive
from pacs.store.thumbnails import Thumbnails
from pacs.views import pixel_review
from tests.conformance.conftest import As
from tests.conformance.samples import path, store
from tests.pacs.views.test_pixel_review import NOBODY, pending_view
from tests.pacs.views.test_views import person


def files(folder: Path) -> list[Path]:
    return [one for one in folder.rglob("*") if one.is_file()]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A member for every picture that is really drawn."""
    found: list[int] = []
    drawing = render.render

    def counted(*given: Any) -> bytes:
        found.append(1)
        return drawing(*given)

    monkeypatch.setattr(render, "render", counted)
    restart(monkeypatch)
    return found


def restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the process remembers, as its successor does."""
    monkeypatch.setattr(pictures, "MADE", Cache(1 << 20))


def test_a_thumbnail_is_drawn_once_and_survives_a_restart(
    client: TestClient, archive: Archive, drawn: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ds = store(client)
    first = client.get(f"{path(ds)}/thumbnail")
    restart(monkeypatch)
    for place in (path(ds), path(ds, "series"), path(ds, "study")):
        assert client.get(f"{place}/thumbnail").content == first.content
    assert len(drawn) == 1
    assert client.get(f"{path(ds)}/thumbnail?viewport=32,32").content != first.content
    assert client.get(f"{path(ds)}/thumbnail", headers={"Accept": "image/png"}).content != first.content
    assert len(drawn) == 3


def test_nobody_gets_a_kept_thumbnail_of_what_they_may_not_see(client: TestClient, as_: As, drawn: list[int]) -> None:
    ds = store(client)
    assert client.get(f"{path(ds)}/thumbnail").status_code == 200
    for who, status in (({"Authorization": ""}, 401), (as_(Role.PATIENT), 404), (as_(Role.SPECIALIST), 403)):
        assert client.get(f"{path(ds)}/thumbnail", headers=who).status_code == status
    assert len(drawn) == 1


@pytest.mark.parametrize("level", ["thumbnail", "frames/1/thumbnail", "rendered", "frames/1/rendered"])
def test_a_client_that_keeps_a_picture_asks_whether_it_still_may(client: TestClient, as_: As, level: str) -> None:
    ds = store(client)
    first = client.get(f"{path(ds)}/{level}")
    assert first.headers["cache-control"] == "private, no-cache"
    assert {one.strip() for one in first.headers["vary"].split(",")} >= {"Accept", "Authorization"}
    again = {"If-None-Match": first.headers["etag"]}
    assert client.get(f"{path(ds)}/{level}", headers=again).status_code == 304
    # Another picture, and nobody's who may not see it.
    assert client.get(f"{path(ds)}/{level}?viewport=32,32", headers=again).status_code == 200
    assert client.get(f"{path(ds)}/{level}", headers={**again, "Accept": "image/png"}).status_code == 200
    assert client.get(f"{path(ds)}/{level}", headers={**again, **as_(Role.PATIENT)}).status_code == 404


def test_with_the_instance_its_thumbnails_go(client: TestClient, archive: Archive, tmp_path: Path) -> None:
    gone, stays = store(client), store(client)
    for ds in (gone, stays):
        assert client.get(f"{path(ds)}/thumbnail?viewport=33,33").status_code == 200
    assert len(files(tmp_path / "thumbnails")) == 2
    assert client.delete(path(gone)).status_code == 204
    assert len(files(tmp_path / "thumbnails")) == 1
    assert client.get(f"{path(gone)}/thumbnail?viewport=33,33").status_code == 404
    assert client.get(f"{path(stays)}/thumbnail?viewport=33,33").status_code == 200


def test_with_a_blob_that_is_swept_its_thumbnails_go(client: TestClient, archive: Archive, tmp_path: Path) -> None:
    ds = store(client)
    assert archive.thumbnails is not None
    client.delete(path(ds))
    [blob] = archive.blobs.digests()
    # As a reader does who was under way when it was deleted.
    archive.thumbnails.get(blob, 1, lambda: b"late")
    sweep.sweep(archive, young=-1)
    assert files(tmp_path / "thumbnails") == []


def test_after_a_mask_the_picture_is_never_the_old_one(database: Database, tmp_path: Path, archive: Archive) -> None:
    kept = replace(archive, thumbnails=Thumbnails(tmp_path / "kept"))
    context = Context(kept, lambda who, _: originals(who), lambda *_: Upload(), Origin("http://test"))
    view, _, [uid] = pending_view(kept)
    coordinator = person(database, Role.COORDINATOR)

    def shown() -> np.ndarray:
        scope = Scope(view, unreleased=True)
        with kept.db.transaction() as tx:
            one = retrieve.locate(tx, scope, study_of(tx, view), sop_uid=uid)[0]
        body = states.thumbnail(context, scope, one, None, replace(render.THUMBNAIL, media_type="image/png"))
        return np.asarray(Image.open(io.BytesIO(body)).convert("L"))

    before = shown()
    high, wide = before.shape
    old = files(tmp_path / "kept")
    pixel_review.mask(kept, coordinator, view, [uid], [(0, 0, wide // 2, high // 2)], NOBODY)
    assert not set(old) & set(files(tmp_path / "kept"))
    after = shown()
    assert before[: high // 8, : wide // 8].any()
    assert not after[: high // 8, : wide // 8].any()
    assert np.array_equal(shown(), after)
    # And back: the picture without the mask is not the one with it.
    pixel_review.mask(kept, coordinator, view, [uid], [], NOBODY)
    assert np.array_equal(shown(), before)


def study_of(tx: Any, view: UUID) -> str:
    found: str = tx.scalar(select(Study.study_uid).where(Study.view_id == view))
    return found
