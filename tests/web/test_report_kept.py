"""A report is kept as it is typed: in one window, in two, without a session; the viewer opens beside it."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from uuid import UUID

from starlette.testclient import TestClient

from cases.repository import reports_of
from cases.service import reporting
from tests.cases.test_agreement import reading
from tests.cases.world import World, proof
from tests.web.filled import fields

Browser = Callable[..., TestClient]


def texts(world: World, case_id: UUID) -> list[str]:
    with world.db.transaction() as tx:
        return [one.texts.get("impression", "") for one in reports_of(tx, case_id)]


def test_what_is_typed_is_kept_and_is_there_again(world: World, browser: Browser) -> None:
    case_id = world.in_review()
    client, url = browser(world, "specialist"), f"/reading/{case_id}/report"
    page = client.get(url).text
    assert f'data-autosave="{url}/keep"' in page
    form = fields(page, url)
    edition: object = form["edition"]
    for typed in ("T", "To", "Torn, perhaps"):
        answer = client.post(f"{url}/keep", data=form | {"impression": typed, "edition": edition})
        assert answer.status_code == 200
        edition = answer.json()["edition"]
        assert answer.json()["refused"] == {}
    assert texts(world, case_id) == ["Torn, perhaps"]
    again = fields(client.get(url).text, url)
    assert again["impression"] == ["Torn, perhaps"]
    assert again["edition"] == [edition]


def test_a_second_window_keeps_nothing_over_the_first(world: World, browser: Browser) -> None:
    case_id = world.in_review()
    client, url = browser(world, "specialist"), f"/reading/{case_id}/report"
    form = fields(client.get(url).text, url)
    assert client.post(f"{url}/keep", data=form | {"impression": "Here"}).status_code == 200
    assert client.post(f"{url}/keep", data=form | {"impression": "There"}).status_code == 409
    assert texts(world, case_id) == ["Here"]
    # The button shows what was typed, and says where what is saved can be seen.
    shown = client.post(url, data=form | {"impression": "There", "step": "save"})
    assert shown.status_code == 409
    assert "There" in shown.text
    assert "Look at what is saved" in shown.text


def test_nothing_is_kept_without_a_session_or_once_it_is_signed(world: World, browser: Browser) -> None:
    case_id = world.written()
    client, url = browser(world, "specialist"), f"/reading/{case_id}/report"
    form = fields(client.get(url).text, url) | {"impression": "Something else"}
    assert browser().post(f"{url}/keep", data=form).status_code in (303, 401)
    assert browser(world, "other_specialist").post(f"{url}/keep", data=form).status_code == 404
    assert browser(world, "coordinator").post(f"{url}/keep", data=form).status_code in (403, 404)
    with world.db.transaction() as tx:
        reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
    assert client.post(f"{url}/keep", data=form).status_code == 409
    assert texts(world, case_id) == ["All is well."]


def test_the_images_open_in_a_window_of_their_own(world: World, browser: Browser) -> None:
    case_id = world.in_review()
    client = browser(world, "specialist")
    for page in (f"/reading/{case_id}", f"/reading/{case_id}/report"):
        forms = client.get(page).text.split(f'action="/reading/{case_id}/viewer"')[1:]
        assert forms
        assert all(one.startswith(' target="_blank" rel="noopener">') for one in forms)


def test_the_form_asks_how_it_compares_where_there_is_a_first_report(world: World, browser: Browser) -> None:
    case_id = reading(world)
    client, url = browser(world, "specialist"), f"/reading/{case_id}/report"
    page = client.get(url).text
    form = fields(page, url)
    assert 'name="agreement"' in page
    early = client.get(url, params={"step": "preview"})
    assert "Please say how your reading compares with the first report." in early.text
    questions = {name: "Yes." for name in form if name.startswith("answer-")}
    studies = page.split('name="studies" value="')[1].split('"')[0]
    typed: dict[str, object] = {
        **form,
        **questions,
        "impression": "Torn.",
        "studies": studies,
        "agreement": "minor",
        "step": "preview",
    }
    refused = client.get(client.post(url, data=typed).headers["location"])
    assert "Please say in a word what differs from the first report." in refused.text
    typed = {**fields(client.get(url).text, url), "difference": "A scar, no tear.", "step": "preview"}
    shown = unescape(client.get(client.post(url, data=typed).headers["location"]).text)
    assert "It differs in small things" in shown
    assert "A scar, no tear." in shown
    other = world.in_review()
    assert 'name="agreement"' not in client.get(f"/reading/{other}/report").text
