"""Lists on pages and in the API: the links from page to page lead through all of them, with what was asked."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from cases.models import Case
from cases.service import erasure, inboxes
from cases.states import ENDED, CaseState
from overread.kit import audit_looks, clock, principals, tokens
from overread.kit.principals import Role
from overread.web import audit_log
from pacs.index.models import Study
from pacs.index.scope import ORIGINAL
from tests.cases.test_lists import fill, stray
from tests.cases.world import BORN, World, study

Browser = Callable[..., TestClient]
_NEXT = re.compile(r'<a class="button quiet" href="([^"]+)" rel="next"')


def pages(client: TestClient, url: str) -> Iterator[str]:
    """Every page of a list, by its links."""
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, answer.text[-500:]
        yield answer.text
        found = _NEXT.search(answer.text)
        url = unescape(found[1]) if found else ""


def seen(client: TestClient, url: str, pattern: str) -> list[str]:
    """What a pattern finds on every page of a list."""
    return [one for page in pages(client, url) for one in re.findall(pattern, page)]


def count(page: str, label: str) -> int:
    """The number beside a filter's name."""
    found = re.search(rf'{label} <span class="num">([\d,]+)</span>', page)
    assert found
    return int(found[1].replace(",", ""))


def api(client: TestClient, url: str) -> Iterator[dict[str, object]]:
    """Every row of a list of the API, by its Links."""
    while url:
        answer = client.get(url, headers={"Accept": "application/json"})
        assert answer.status_code == 200, answer.text
        yield from answer.json()
        link = answer.headers.get("link", "")
        assert not link or link.endswith('; rel="next"')
        url = link.partition("<")[2].partition(">")[0]


_CASE = r'<a href="/queue/([0-9a-f-]{36})"><strong>'


def test_the_queue_shows_all_and_counts_what_it_shows(world: World, browser: Browser) -> None:
    with world.db.transaction() as tx:
        made = fill(tx, world, 330)
    client = browser(world, "coordinator")
    first = client.get("/queue").text
    for value, label in (("", "All open"), ("ours", "Waits for us"), ("late", "Late"), ("ended", "Ended")):
        found = seen(client, f"/queue?filter={value}" if value else "/queue", _CASE)
        assert len(found) == len(set(found)) == count(first, label) > 60 or value == "late", value
    ended = seen(client, "/queue?filter=ended", _CASE)
    assert ended == [str(case.id) for case in sorted(made, key=lambda one: one.id, reverse=True) if case.state in ENDED]
    second = _NEXT.search(client.get("/queue?filter=ended").text)
    assert second
    page = client.get(unescape(second[1])).text
    assert 'href="/queue?filter=ended">Back to the first page' in page
    assert 'aria-current="true">Ended' in page


def test_a_search_goes_on_with_what_was_asked(world: World, browser: Browser) -> None:
    with world.db.transaction() as tx:
        made = fill(tx, world, 130, patient_name="Ann & Böb <i>?", due_at=clock.now())
        fill(tx, world, 60)
    client = browser(world, "coordinator")
    found = seen(client, "/queue?q=b%C3%96B", _CASE)
    assert len(found) == len(set(found))
    visible = {str(case.id) for case in made if case.state is not CaseState.DRAFT}
    assert set(found) == visible
    link = _NEXT.search(client.get("/queue?q=b%C3%96B").text)
    assert link
    assert parse_qs(urlsplit(unescape(link[1])).query)["q"] == ["bÖB"]


@pytest.mark.parametrize("url", ["/queue", "/inbox", "/audit", "/people", "/erasures", "/offers", "/cases", "/sent"])
def test_a_cursor_that_is_none_is_told(world: World, browser: Browser, url: str) -> None:
    keys = {"/audit": "auditor", "/people": "admin", "/erasures": "admin", "/offers": "specialist"}
    keys |= {"/cases": "patient", "/sent": "hospital"}
    answer = browser(world, keys.get(url, "coordinator")).get(f"{url}?after=WyJ4Il0")
    assert answer.status_code == 400
    assert "Please begin at the first" in answer.text


def test_the_inbox_pages_dismisses_and_puts_back(world: World, browser: Browser) -> None:
    now = clock.now()
    with world.db.transaction() as tx:
        rows = [stray(tx, world, n, "DOE^JO", BORN, at=now - timedelta(seconds=n // 4)) for n in range(70)]
        fill(tx, world, 7, patient_name="Jo Doe", birth_date=BORN, state=CaseState.SUBMITTED)
    client = browser(world, "coordinator")
    ids = seen(client, "/inbox", r'action="/inbox/([0-9a-f-]{36})/dismiss')
    assert sorted(ids) == sorted(str(row.id) for row in rows)
    last = [
        unescape(one) for one in re.findall(r'action="(/inbox/[^"]+/dismiss[^"]*)"', list(pages(client, "/inbox"))[-1])
    ]
    # All that may be the patient's are offered, not some of them.
    assert client.get("/inbox").text.count("Same name and birth date") == 25 * 7
    # From the last page, one is refused there, and dismissed.
    refused = client.post(last[-1], data={"reason": ""})
    assert refused.status_code == 422
    item = last[-1].split("/")[2]
    assert f"/inbox/{item}/match" in refused.text
    wrong = client.post(unescape(last[-1]).replace("/dismiss", "/match"), data={"case": "OV-2222-2222"})
    assert wrong.status_code == 422
    assert "no case with this reference" in wrong.text.partition(f'id="f-{item}"')[0][-600:]
    done = client.post(last[-1], data={"reason": "A phantom <b>"})
    assert done.status_code == 303
    assert parse_qs(urlsplit(done.headers["location"]).query)["done"] == ["dismissed"]
    assert "after" in parse_qs(urlsplit(done.headers["location"]).query)
    page = client.get(done.headers["location"]).text
    assert (count(page, "Waiting"), count(page, "Dismissed")) == (69, 1)
    assert item not in page
    dismissed = client.get("/inbox?show=dismissed").text
    assert "A phantom &lt;b&gt;" in dismissed
    assert "Some Coordinator" in dismissed
    back = client.post(f"/inbox/{item}/restore?show=dismissed")
    assert back.headers["location"] == "/inbox?show=dismissed&done=restored"
    page = client.get(back.headers["location"]).text
    assert (count(page, "Waiting"), count(page, "Dismissed")) == (70, 0)
    assert "Nothing was dismissed" in page
    with world.db.transaction() as tx:
        with_reason = tx.execute(text("SELECT count(*) FROM kit_audit WHERE CAST(detail AS text) LIKE '%phantom%'"))
        assert with_reason.scalar() == 0


def test_everybody_else_s_lists_go_on_too(world: World, browser: Browser) -> None:
    now = clock.now()
    with world.db.transaction() as tx:
        for n in range(120):
            holder = world.hospital.id
            tx.add(Study(view_id=ORIGINAL, sender_id=holder, study_uid=f"1.2.{n}", accession=f"A{n:03}",
                         received_at=now - timedelta(seconds=n // 5)))  # fmt: skip
            principals.create(tx, role=Role.PATIENT, name=f"Pat {n % 7}", email=f"p{n}@example.org")
        made = fill(tx, world, 130)
        fill(tx, world, 60, state=CaseState.IN_REVIEW, specialist_id=world.specialist.id)
        for case in made[:75]:
            erasure.ask(tx, world.patient, case.id)
    sent = seen(browser(world, "hospital"), "/sent", r'<span class="mono">(A\d{3})</span>')
    assert sorted(sent) == [f"A{n:03}" for n in range(120)]
    assert len(set(seen(browser(world, "patient"), "/cases", r'href="/cases/([0-9a-f-]{36})"'))) == 190
    assert len(seen(browser(world, "specialist"), "/offers", r'href="/reading/([0-9a-f-]{36})"')) == 60
    admin = browser(world, "admin")
    assert len(seen(admin, "/erasures", r'href="/erasures/([0-9a-f-]{36})"')) == 75
    people = seen(admin, "/people?role=patient", r"<strong>([^<]+)</strong><br>")
    assert sorted(people) == sorted([*(f"Pat {n % 7}" for n in range(120)), *(
        person.name for person in world.who.values() if person.role is Role.PATIENT)])  # fmt: skip
    assert f"{len(people)} accounts" in admin.get("/people?role=patient").text
    # No address of a page names anybody.
    assert all("Pat" not in one for one in seen(admin, "/people", r'rel="next"|href="(/people\?[^"]*)"'))
    assert len(seen(admin, "/people?q=p11", r"<strong>([^<]+)</strong><br>")) == 11


def test_somebody_far_down_is_locked_from_where_they_stand(world: World, browser: Browser) -> None:
    with world.db.transaction() as tx:
        for n in range(120):
            principals.create(tx, role=Role.PATIENT, name=f"Pat {n:03}", email=f"p{n}@example.org")
    admin = browser(world, "admin")
    page = list(pages(admin, "/people?role=patient"))[1]
    action = re.search(r'action="(/people/[^"]+/lock[^"]*)"', page)
    assert action
    done = admin.post(unescape(action[1]), data={"active": "no"})
    query = parse_qs(urlsplit(done.headers["location"]).query)
    assert (query["role"], query["done"], len(query["after"])) == (["patient"], ["changed"], 1)
    assert "Locked" in admin.get(done.headers["location"]).text


@pytest.mark.parametrize(("rows", "batch"), [(2_500, 1_000), (40, 20), (7, 1_000)])
def test_the_audit_log_is_exported_whole_and_piece_by_piece(
    world: World, browser: Browser, rows: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "_BATCH", batch)
    with world.db.transaction() as tx:
        # At few moments, so that most lines tie.
        tx.execute(
            text("""INSERT INTO kit_audit (id, at, actor, role, action, object_kind, object_id, outcome, detail)
            SELECT gen_random_uuid(), timestamptz '2026-01-01Z' + make_interval(secs => i % 3), '=cmd', 'system', 'x.y',
            'thing', i::text, 'success', '{}' FROM generate_series(1, :n) i"""),
            {"n": rows},
        )
    asked = {"object": "", "until": "2026-01-02"}
    client = browser(world, "auditor")
    with client.stream("GET", "/audit.csv", params=asked) as answer:
        assert answer.headers["content-type"].startswith("text/csv")
        assert "content-length" not in answer.headers
        body = answer.read().decode()
    lines = body.splitlines()
    assert lines[0].startswith("at,actor,role")
    assert sorted(int(line.split(",")[5]) for line in lines[1:]) == list(range(1, rows + 1))
    assert all(line.split(",")[1] == "'=cmd" for line in lines[1:])
    moments = [line.partition(",")[0] for line in lines[1:]]
    assert moments == sorted(moments, reverse=True)
    shown = seen(client, "/audit?until=2026-01-02", r'<span class="mono small">thing (\d+)</span>')
    assert [int(one) for one in shown] == [int(line.split(",")[5]) for line in lines[1:]]


def test_a_look_is_one_line_on_every_page_that_tells_of_it(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = world.submitted("free")
    began = datetime(2026, 3, 4, 23, 58, tzinfo=UTC)
    with monkeypatch.context() as at, world.db.transaction() as tx:
        for minute in range(120):
            at.setattr(clock, "now", lambda minute=minute: began + timedelta(minutes=minute / 17))
            look = partial(audit_looks.record_look, tx, world.coordinator, case_id=case_id)
            look("metadata.read", "study", "1.2", instances=1)
            look("instances.read", "study", "1.2", instances=10)
    line = "looked at 1,200 images, 4 Mar 2026, 23:58 to 5 Mar 2026, 00:05"
    shown = "1,200 images, 4 Mar 2026, 23:58 to 5 Mar 2026, 00:05"
    assert browser(world, "patient").get(f"/cases/{case_id}").text.count(line) == 1
    [told] = [
        one for one in api(browser(world, "patient"), f"/api/v1/cases/{case_id}/accesses") if one["images"] is not None
    ]
    assert (told["what"], told["images"]) == ("looked at 1,200 images", 1200)
    assert str(told["since"]).startswith("2026-03-04T23:58:00")
    assert browser(world, "coordinator").get(f"/queue/{case_id}?trail=all").text.count(shown) == 1
    auditor = browser(world, "auditor")
    assert auditor.get("/audit?since=2026-03-05&until=2026-03-05").text.count(shown) == 1
    assert shown in auditor.get("/audit?since=2026-03-04&until=2026-03-04").text
    assert shown not in auditor.get("/audit?since=2026-03-06").text
    head, *rows = list(csv.reader(auditor.get("/audit.csv?until=2026-03-05").text.splitlines()))
    assert head[-2:] == ["until", "instances"]
    assert sorted((row[3], row[0][:16], row[-2][:16], row[-1]) for row in rows) == [
        ("instances.read", "2026-03-04T23:58", "2026-03-05T00:05", "1200"),
        ("metadata.read", "2026-03-04T23:58", "2026-03-05T00:05", "120"),
    ]


def test_an_export_is_in_the_log_before_its_first_line_is_sent(world: World, browser: Browser) -> None:
    assert ",audit.export," in browser(world, "auditor").get("/audit.csv").text


def test_the_api_gives_all_of_its_lists_by_links(world: World, browser: Browser) -> None:
    now = clock.now()
    with world.db.transaction() as tx:
        fill(tx, world, 130)
        rows = [stray(tx, world, n, "DOE^JO", BORN, at=now) for n in range(31)]
        inboxes.dismiss(tx, world.coordinator, rows[0].id, "no")
        ended = tx.query(Case).filter(Case.state.in_(ENDED)).count()
    client = browser(world, "coordinator")
    whole = list(api(client, "/api/v1/cases"))
    assert [one["case_id"] for one in api(client, "/api/v1/cases?limit=9")] == [one["case_id"] for one in whole]
    assert len(list(api(client, "/api/v1/cases?show=ended&limit=4"))) == ended
    found = list(api(client, "/api/v1/cases?search=family3&limit=2"))
    assert len(found) == sum("Family3" in str(one["patient_name"]) for one in whole) > 2
    assert len(list(api(client, "/api/v1/inbox?limit=7"))) == 30
    [gone] = api(client, "/api/v1/inbox?show=dismissed")
    assert (gone["dismissed_reason"], gone["dismissed_by"]) == ("no", "Some Coordinator")
    assert client.post(f"/api/v1/inbox/{gone['id']}/restore").status_code == 204
    assert client.post(f"/api/v1/inbox/{gone['id']}/dismiss", json={"reason": ""}).status_code == 422
    assert client.post(f"/api/v1/inbox/{gone['id']}/dismiss", json={"reason": "no"}).status_code == 204
    for bad in ("limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1&limit=2", "show=x", "after=x", "state=ended",
                "search=%00"):  # fmt: skip
        answer = client.get(f"/api/v1/cases?{bad}", headers={"Accept": "application/json"})
        assert answer.status_code == 400, bad
        assert answer.json()["detail"] != "The request can't be understood.", bad


def test_who_accessed_a_case_is_paged_for_its_patient(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        tx.execute(
            text("""INSERT INTO kit_audit (id, at, actor_id, actor, role, action, object_kind, object_id, outcome,
            case_id, detail) SELECT gen_random_uuid(), now() - make_interval(hours => i * 2), :who, 'Reader ' || i,
            'specialist', 'case.read', 'case', :case, 'success', :of, '{}'
            FROM generate_series(1, 90) i"""),
            {"who": world.specialist.id, "case": str(case_id), "of": case_id},
        )
    client = browser(world, "patient")
    assert [int(n) for n in seen(client, f"/cases/{case_id}", r"Reader (\d+), specialist")] == list(range(1, 91))
    assert f'href="/cases/{case_id}#accesses">Back to the newest' in list(pages(client, f"/cases/{case_id}"))[-1]
    readers = [str(one["who"]) for one in api(client, f"/api/v1/cases/{case_id}/accesses?limit=40")]
    assert [one for one in readers if one.startswith("Reader")] == [f"Reader {n}" for n in range(1, 91)]
    shown = seen(browser(world, "coordinator"), f"/queue/{case_id}?trail=all", r"Reader (\d+), specialist")
    assert [int(n) for n in shown] == list(range(1, 91))


def test_a_study_names_some_cases_that_use_it_and_counts_the_others(world: World, browser: Browser) -> None:
    uid = world.upload(None, who=world.hospital, dicom=study())
    world.settle(uid)
    with world.db.transaction() as tx:
        [item] = inboxes.listed(tx, world.coordinator)
        assert item.study is not None
        numbers = sorted(case.reference for case in fill(tx, world, 7, state=CaseState.SUBMITTED))
        tx.execute(
            text("""INSERT INTO cases_study (id, case_id, study_uid, study_pk, whole, named, state, reason, confirmed,
            identities, looked_at, found_by, sender_id, instances, pending, created_at, updated_at)
            SELECT gen_random_uuid(), id, :uid, :pk, true, '[]', 'released', '', false, '[]', 0, 'hand', :holder, 1, 0,
            now(), now() FROM cases_case"""),
            {"uid": uid, "pk": item.study.pk, "holder": world.hospital.id},
        )
        token = tokens.issue(tx, world.coordinator.id, tokens.API)
    client = browser()
    answer = client.delete(f"/dicomweb/studies/{uid}", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 409
    assert f"Cases {', '.join(numbers[:5])} and 2 others use this study." in answer.text
