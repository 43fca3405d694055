"""Documents by the pages: added, one bad file beside good ones, looked at, taken out; and who may not."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from cases import consents
from cases.service import documents, intake, kinds
from cases.service.intake import Changes
from cases.service.kinds import KindFields
from cases.states import ImagesBy, Needed
from overread.kit.errors import Unprocessable
from tests.cases.world import BORN, World
from tests.fakes import papers
from tests.web.filled import begin

Browser = Callable[..., TestClient]
Files = list[tuple[str, tuple[str, bytes]]]


def added(client: TestClient, url: str, *files: tuple[str, bytes], kind: str = "first_report") -> Any:
    sent: Files = [("documents", one) for one in files]
    return client.post(url, data={"kind": kind}, files=sent)


def test_a_patient_adds_a_pdf_and_photos_and_one_bad_file_stops_nothing(world: World, browser: Browser) -> None:
    client = browser(world, "patient")
    case = begin(client)
    url = f"{case}/documents"
    page = client.get(url).text
    assert "Go on without documents" in page
    assert 'accept="application/pdf' in page
    answer = added(
        client,
        url,
        ("Müller \u202e<b>.pdf", papers.pdf("One", "Two")),
        ("bad.pdf", b"nothing"),
        ("a.heic", papers.HEIC),
    )
    assert answer.status_code == 422
    said = unescape(answer.text)
    assert "bad.pdf: " in said
    assert "Müller" in said, "what was good is there"
    assert len(re.findall(r"Save the file", said)) == 2
    # The same again is no further one.
    assert (
        added(client, url, ("other name.pdf", papers.pdf("One", "Two"))).headers["location"]
        == f"{url}?done=document-added"
    )
    shown = client.get(url).text
    assert len(re.findall(r"Save the file", shown)) == 2
    [first, second] = dict.fromkeys(re.findall(rf'href="({url}/[0-9a-f-]{{36}})" download', shown))
    file = client.get(first)
    assert file.content == papers.pdf("One", "Two")
    assert file.headers["content-disposition"].startswith("attachment; filename*=UTF-8''M%C3%BCller")
    assert "sandbox" in file.headers["content-security-policy"]
    assert file.headers["x-content-type-options"] == "nosniff"
    picture = client.get(f"{first}/pages/2")
    assert (picture.headers["content-type"], picture.content[:2]) == ("image/jpeg", b"\xff\xd8")
    for number in ("0", "3", "x", "1" * 30):
        assert client.get(f"{first}/pages/{number}").status_code == 404
    assert b"ZqPhone" not in client.get(second).content
    assert "a.heic, 1 page" in unescape(client.get(f"{case}/consent").text) or client.get(f"{case}/consent").is_redirect
    assert client.post(f"{second}/take-out").headers["location"] == f"{url}?done=document-out"
    assert len(re.findall(r"Save the file", client.get(url).text)) == 1


def test_nothing_chosen_and_no_kind_are_told(world: World, browser: Browser) -> None:
    client = browser(world, "patient")
    url = f"{begin(client)}/documents"
    assert "choose a file" in added(client, url).text
    assert "say what it is" in added(client, url, ("a.pdf", papers.pdf("x")), kind="nothing").text
    ended = f"/cases/{world.signed('free')}/documents"
    refused = added(client, ended, ("a.pdf", papers.pdf("x")))
    assert refused.status_code in (409, 422)
    assert "takes no more documents" in unescape(refused.text)


def test_a_coordinator_adds_what_came_by_post_and_strangers_see_nothing(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    coordinator = browser(world, "coordinator")
    url = f"/queue/{case_id}/documents"
    assert added(coordinator, url, ("letter.pdf", papers.pdf("Letter")), kind="letter").headers["location"] == (
        f"/queue/{case_id}?done=document-added"
    )
    shown = coordinator.get(f"/queue/{case_id}").text
    [link] = dict.fromkeys(re.findall(rf'href="({url}/[0-9a-f-]{{36}})" download', shown))
    assert coordinator.get(link).content == papers.pdf("Letter")
    theirs = link.replace("/queue/", "/cases/")
    for key in ("other_patient", "specialist", "hospital", "admin", "auditor", None):
        client = browser(world, key) if key else browser()
        for path in (link, f"{link}/pages/1", theirs, f"{theirs}/pages/1"):
            assert client.get(path).status_code in (303, 403, 404), (key, path)
        assert added(client, url, ("a.pdf", papers.pdf("x"))).status_code in (401, 403, 404)
    with world.db.transaction() as tx:
        assert len(documents.listed(tx, world.coordinator, case_id)) == 1


def test_an_opinion_about_documents_needs_one(world: World, browser: Browser) -> None:
    with world.db.transaction() as tx:
        fields = KindFields("Read of records", images=Needed.NONE, documents=Needed.REQUIRED)
        kinds.add(tx, world.admin, "free", "records", fields)
        changes = Changes(subjects=["CT"], place="DE", birth_date=BORN, images_by=ImagesBy.UPLOAD)
        case_id = intake.create(tx, world.patient, "free", changes, kind="records")
        intake.set_questions(tx, world.patient, case_id, ["What now?"])
        for kind in ("terms", "privacy", "authority_to_share"):
            intake.consent(tx, world.patient, case_id, kind, version=consents.CURRENT[kind].version)
        with pytest.raises(Unprocessable, match="refused") as refused:
            intake.submit(tx, world.patient, case_id)
        assert "add the documents" in refused.value.safe
    client = browser(world, "patient")
    case = f"/cases/{case_id}"
    assert f'href="{case}/documents">Go on<' in client.get(case).text
    assert "Go on without" not in client.get(f"{case}/documents").text
    added(client, f"{case}/documents", ("first.pdf", papers.pdf("First report")))
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, UUID(str(case_id)))
    assert world.state(case_id) == "submitted"
