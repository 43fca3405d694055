"""A form is kept half filled in: as it is typed, by a button, in two windows, and after the session has ended."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from uuid import UUID

from starlette.testclient import TestClient

from cases.service import kinds, read
from cases.service.kinds import KindFields
from cases.states import Needed
from cases.views import CoordinatorCase, PatientCase
from overread.kit import passwords, tokens
from overread.kit.principals import PrincipalRow
from tests.cases.world import World
from tests.web.filled import STORY, begin, fields

Browser = Callable[..., TestClient]
PASSWORD = "three words together"


def started(client: TestClient) -> str:
    return str(client.post("/start", data={"opinion": "msk/report"}).headers["location"]).rsplit("/", 1)[0]


def seen(world: World, case: str) -> PatientCase:
    with world.db.transaction() as tx:
        found = read.show(tx, world.patient, UUID(case.rsplit("/", 1)[1]))
    assert isinstance(found, PatientCase)
    return found


def notes(world: World, case_id: UUID) -> list[str]:
    with world.db.transaction() as tx:
        found = read.show(tx, world.coordinator, case_id)
    assert isinstance(found, CoordinatorCase)
    return [note.text for note in found.notes]


def test_what_is_typed_is_kept_and_is_there_again(world: World, browser: Browser) -> None:
    client = browser(world, "patient")
    case = started(client)
    form = fields(client.get(f"{case}/question").text, f"{case}/question")
    edition = form["edition"]
    for typed in ("P", "Pa", "Pain in the le"):
        answer = client.post(f"{case}/question/keep", data=form | {"symptoms": typed, "edition": edition})
        assert answer.status_code == 200
        assert answer.json()["refused"] == {}
        edition = answer.json()["edition"]
    assert "Pain in the le" in client.get(f"{case}/question").text
    # Nothing else was said, and nothing else has changed.
    assert (seen(world, case).subjects, seen(world, case).questions) == ((), ())
    patient = fields(client.get(f"{case}/patient").text, f"{case}/patient")
    answer = client.post(f"{case}/patient/keep", data=patient | {"birth_date": "1971-03-09", "place": "FR"})
    assert set(answer.json()["refused"]) == {"place"}
    assert str(seen(world, case).birth_date) == "1971-03-09"
    assert client.get(case).status_code == 200
    assert f'href="{case}/question">Go on<' in client.get(case).text


def test_half_a_form_is_saved_by_either_button(world: World, browser: Browser) -> None:
    client = browser(world, "patient")
    case = started(client)
    half = {"subjects": ["MRI", ""], "symptoms": "Pain", "questions": ["", ""]}
    refused = client.post(f"{case}/question", data=half | {"go": "on"})
    assert refused.status_code == 422
    assert "Please ask at least one question." in refused.text
    assert seen(world, case).symptoms == "Pain"
    later = client.post(f"{case}/question", data=half | {"symptoms": "Much pain", "go": "later"})
    assert later.headers["location"] == f"{case}?done=kept"
    assert "What you wrote is saved" in client.get(later.headers["location"]).text
    assert (seen(world, case).symptoms, seen(world, case).subjects) == ("Much pain", ("MRI",))
    # A box that is unticked, and a date that is emptied, are so afterwards.
    client.post(f"{case}/patient", data={"interpreter": ["yes", ""], "birth_date": "1971-03-09", "go": "later"})
    assert seen(world, case).interpreter
    client.post(f"{case}/patient", data={"interpreter": "", "birth_date": "", "go": "later"})
    assert (seen(world, case).interpreter, seen(world, case).birth_date) == (False, None)


def test_a_second_window_keeps_nothing_over_the_first(world: World, browser: Browser) -> None:
    client = browser(world, "patient")
    case = begin(client)
    url = f"{case}/question"
    here = fields(client.get(url).text, url)
    assert client.post(f"{url}/keep", data=here | {"symptoms": "Here"}).status_code == 200
    there = client.post(f"{url}/keep", data=here | {"symptoms": "There"})
    assert there.status_code == 409
    assert seen(world, case).symptoms == "Here"


def test_nobody_else_keeps_anything_and_nothing_is_kept_once_it_is_sent(world: World, browser: Browser) -> None:
    case = f"/cases/{world.submitted('free')}"
    for key, status in (("patient", 409), ("other_patient", 404), ("coordinator", 403), ("specialist", 403)):
        for step in ("question", "patient"):
            assert browser(world, key).post(f"{case}/{step}/keep", data={"symptoms": "x"}).status_code == status, key
    assert browser().post(f"{case}/question/keep", data={"symptoms": "x"}).status_code == 401
    assert seen(world, case).symptoms == "Pain in the knee"


def test_all_that_was_said_stands_on_the_page_to_check_with_where_it_is_changed(world: World, browser: Browser) -> None:
    client = browser(world, "patient")
    case = begin(
        client,
        **STORY | {"address": "1 Main Street", "language": "Deutsch", "physician": "Dr. Who", "additional": "A cat"},
    )
    client.post(f"{case}/images", data={"images": "hospital"})
    page = unescape(client.get(f"{case}/consent").text)
    for said in ("Is the spot new?", "A cough", "A cat", "9 Mar 1971", "1 Main Street", "Deutsch", "Dr. Who", "+1 555"):
        assert said in page
    for step in ("opinion", "question", "patient", "images"):
        assert f'href="{case}/{step}"' in page


def test_an_opinion_without_images_asks_for_none(world: World, browser: Browser) -> None:
    with world.db.transaction() as tx:
        kinds.add(tx, world.admin, "free", "records", KindFields("Read of records", images=Needed.NONE))
    client = browser(world, "patient")
    start = unescape(client.get("/start").text)
    assert "Read of records" in start
    assert "No images are needed." in start
    case = begin(client, "free/records")
    assert client.get(f"{case}/images").headers["location"] == f"{case}/documents"
    assert f'{case}/images"' not in client.get(f"{case}/consent").text
    # Chosen anew, it asks for them.
    assert client.post(f"{case}/opinion", data={"opinion": "report"}).headers["location"] == f"{case}/question"
    assert client.get(f"{case}/images").status_code == 200
    assert client.post(f"{case}/opinion", data={"opinion": "nothing"}).status_code == 422


def test_a_form_goes_with_somebody_through_signing_in(world: World, browser: Browser) -> None:
    client = browser(world, "patient")
    hashed = passwords.hashed(PASSWORD)
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        tx.get_one(PrincipalRow, world.patient.id).password_hash = hashed
        tokens.revoke(tx, client.cookies["overread_session"])
    text = 'It "hurts" & <b>\nmore</b>'
    out = client.post(f"/cases/{case_id}/messages", data={"text": text})
    assert out.status_code == 401
    form = fields(out.text, "/sign-in")
    wrong = client.post("/sign-in", data=form | {"email": "maria.oyelaran@example.org", "password": "no"})
    assert wrong.status_code == 422
    form = fields(wrong.text, "/sign-in")
    back = client.post("/sign-in", data=form | {"email": "maria.oyelaran@example.org", "password": PASSWORD})
    assert back.status_code == 200
    assert back.headers["cache-control"] == "no-store"
    action = f"/cases/{case_id}/messages"
    assert not notes(world, case_id), "not sent before they say so"
    assert client.post(action, data=fields(back.text, action)).status_code == 303
    assert notes(world, case_id) == [text]


def test_what_is_carried_leads_nowhere_else_and_holds_no_password(world: World, browser: Browser) -> None:
    client = browser(world, "patient")
    hashed = passwords.hashed(PASSWORD)
    with world.db.transaction() as tx:
        tx.get_one(PrincipalRow, world.patient.id).password_hash = hashed
    stranger = browser()
    out = stranger.post("/account", data={"password": "my secret", "new_password": "another one of mine"})
    assert "my secret" not in out.text
    assert "another one" not in out.text
    foreign = stranger.post(
        "/cases/x/messages", data={"text": "Planted"}, headers={"Sec-Fetch-Site": "cross-site", "Accept": "text/html"}
    )
    assert foreign.status_code == 403
    assert "Planted" not in foreign.text
    given = {"email": "maria.oyelaran@example.org", "password": PASSWORD}
    for target, carried in (
        ("https://evil.example/", '[["a","b"]]'),
        ("//evil.example/", '[["a","b"]]'),
        ("/cases", "no json"),
        ("/cases", '{"a": 1}'),
        ("/cases", '[["a"]]'),
        ("/cases", '[["a", 1]]'),
        ("/cases", "[]"),
    ):
        answer = browser().post("/sign-in", data=given | {"carried_to": target, "carried": carried})
        assert answer.status_code == 303, carried
        assert answer.headers["location"] == "/cases"
    assert client.get("/cases").status_code == 200


def test_an_admin_adds_a_kind_and_takes_it_back(world: World, browser: Browser) -> None:
    admin = browser(world, "admin")
    assert "Written report" in admin.get("/kinds").text
    new = fields(admin.get("/kinds/msk/new").text, "/kinds/msk")
    rows = {
        "ask-label": ["Which side?", "", "Any allergy?"],
        "ask-form": ["choice", "line", "text"],
        "ask-options": ["Left\nRight", "", ""],
        "ask-required": ["yes", "no", "no"],
    }
    told = new | rows | {"name": "Second look", "slug": "second-look", "reading_days": "4", "images": "optional"}
    told |= {"documents": "none"}
    assert admin.post("/kinds/msk", data=told | {"slug": "Second Look"}).status_code == 422
    assert admin.post("/kinds/msk", data=told | {"amount": "10", "fee": "20", "currency": "USD"}).status_code == 422
    refused = admin.post("/kinds/msk", data=told | {"name": ""})
    assert "Which side?" in refused.text
    paid = admin.post("/kinds/msk", data=told | {"amount": "120", "fee": "60", "currency": "USD", "active": "yes"})
    assert paid.headers["location"] == "/kinds?done=added"
    assert "Second look" in browser().get("/").text
    assert "$120" in browser().get("/").text
    url = "/kinds/msk/second-look"
    form = fields(admin.get(url).text, url)
    assert form["ask-key"][:2] == ["q1", "q2"]
    assert form["ask-label"][:2] == ["Which side?", "Any allergy?"]
    assert form["ask-options"][0] == "Left\nRight"
    form["ask-label"][0] = ""
    assert (
        admin.post(url, data={n: v for n, v in form.items() if n != "active"}).headers["location"]
        == "/kinds?done=saved"
    )
    with world.db.transaction() as tx:
        kind = next(one for one in kinds.all_of(tx, world.admin, "msk") if one.slug == "second-look")
    assert ([one.key for one in kind.asks], kind.active, kind.price) == (["q2"], False, 12000)
    assert "Second look" not in browser().get("/").text
    assert admin.get("/kinds/msk/nothing").status_code == 404
    assert re.search(r"<option value=\"msk.second-look\"|Second look", admin.get("/prices").text)
