"""The specialist's page of a case says in which viewer its studies can be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from uuid import UUID

import pytest
from pydicom.uid import generate_uid
from sqlalchemy import select, update
from starlette.testclient import TestClient

from pacs.index.models import Instance, Study
from pacs.index.scope import ORIGINAL
from tests.cases.world import World
from tests.cases.world import study as sample

Browser = Callable[..., TestClient]

HTJ2K, H264, MPEG2, JPIP = (f"1.2.840.10008.1.2.4.{number}" for number in (201, 102, 100, 94))
_SENTENCE = "Own viewer only"


@pytest.fixture
def study(world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The page of a case that is being read, its copy made to be of such transfer syntaxes and modalities."""
    send, uid = world.upload, generate_uid()

    def two_images(case_id: UUID) -> str:
        for _ in range(2):
            send(case_id, dicom=sample(StudyInstanceUID=uid))
        return uid

    monkeypatch.setattr(world, "upload", two_images)
    case_id = world.in_review()

    def page(syntaxes: list[str], modalities: list[str]) -> str:
        with world.db.transaction() as tx:
            keys = tx.scalars(select(Instance.pk).where(Instance.view_id != ORIGINAL).order_by(Instance.pk)).all()
            assert len(keys) == len(syntaxes)
            for key, syntax in zip(keys, syntaxes, strict=True):
                tx.execute(update(Instance).where(Instance.pk == key).values(transfer_syntax=syntax))
            tx.execute(update(Study).where(Study.view_id != ORIGINAL).values(modalities=modalities))
        text = unescape(browser(world, "specialist").get(f"/reading/{case_id}").text)
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))

    return page


def test_a_study_that_no_browser_can_show_says_so(study: Callable[..., str]) -> None:
    assert _SENTENCE not in study([H264, H264], ["US"])
    assert f"{_SENTENCE}: 1 of 2 images" in study([MPEG2, HTJ2K], ["US"])
    page = study([JPIP, MPEG2], ["US"])
    assert f"{_SENTENCE} " in page
    assert f"{_SENTENCE}:" not in page
    assert "open it with the address below" in page


@pytest.mark.parametrize(
    ("modalities", "offered"), [(["CT", "PT"], True), (["PT"], False), (["CT"], False), (["MR", "PT"], False)]
)
def test_a_pet_with_a_ct_is_offered_over_it(study: Callable[..., str], modalities: list[str], offered: bool) -> None:
    assert ("PET over CT" in study([HTJ2K, HTJ2K], modalities)) is offered
