"""Every page for everybody: whom it belongs to sees it, everybody else is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.routing import Route
from starlette.testclient import TestClient

from cases.service import inboxes, intake
from overread.services import Services
from overread.web import pages
from pacs.dimse import peers
from tests.cases.world import DICOM_NAME, NAME, World, study

Browser = Callable[..., TestClient]
EVERYBODY = (
    "patient",
    "other_patient",
    "coordinator",
    "specialist",
    "other_specialist",
    "hospital",
    "admin",
    "auditor",
)
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>{{ 7*7 }}"


@dataclass
class Cases:
    """A case in each state that has a page of its own."""

    draft: UUID
    submitted: UUID
    waiting: UUID
    offered: UUID
    reading: UUID
    signed: UUID
    published: UUID


@pytest.fixture
def cases(world: World) -> Cases:
    """Every state, with hostile words in each place where somebody types or sends some."""
    draft = world.draft(symptoms=HOSTILE)
    world.upload(draft)
    submitted = world.submitted("free", symptoms=HOSTILE, history=HOSTILE)
    world.upload(submitted, dicom=study(name="DOE^<script>JOHN", born="19500101", StudyDescription=HOSTILE[:60]))
    with world.db.transaction() as tx:
        uids = tx.execute(text("SELECT study_uid FROM pacs_study WHERE view_id = :v"), {"v": UUID(int=0)})
        everything = list(uids.scalars())
        peers.register(tx, "CITY", "127.0.0.1", 104, world.hospital.role)
    for uid in everything:
        world.settle(uid)
    stray = world.upload(None, who=world.hospital, dicom=study(StudyDescription=HOSTILE[:60]))
    world.settle(stray)
    waiting = world.submitted("free")
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, waiting, f"Which knee? {HOSTILE}")
        intake.write_note(tx, world.patient, submitted, HOSTILE)
    return Cases(draft, submitted, waiting, world.offered(), world.written(), world.signed(), world.published())


def _pages(c: Cases) -> dict[str, tuple[str, ...]]:
    """A page and who sees it; everybody else must be refused."""
    patient, coordinator, specialist = ("patient",), ("coordinator",), ("specialist",)
    return {
        "/cases": ("patient", "other_patient"),
        "/start": ("patient", "other_patient"),
        **{
            f"/cases/{c.draft}{path}": patient
            for path in ("", "/opinion", "/question", "/patient", "/images", "/consent", "/sheet", "/withdraw")
        },
        **{f"/cases/{case}": patient for case in (c.submitted, c.waiting, c.reading, c.published)},
        f"/cases/{c.waiting}/answer": patient,
        f"/cases/{c.published}/report": patient,
        f"/cases/{c.published}/report.pdf": ("patient", "coordinator", "specialist"),
        "/queue": coordinator,
        "/queue?filter=ours": coordinator,
        "/queue?q=oyelaran": coordinator,
        "/inbox": coordinator,
        **{
            f"/queue/{case}": coordinator
            for case in (c.submitted, c.waiting, c.offered, c.reading, c.signed, c.published)
        },
        f"/queue/{c.submitted}?trail=all": coordinator,
        "/offers": ("specialist", "other_specialist"),
        "/reading": ("specialist", "other_specialist"),
        f"/offers/{c.offered}": specialist,
        **{f"/reading/{case}": specialist for case in (c.reading, c.signed, c.published)},
        f"/reading/{c.reading}/report": specialist,
        f"/reading/{c.reading}/report?step=preview": specialist,
        "/sent": ("hospital",),
        "/people": ("admin",),
        "/licences": ("admin", "specialist", "other_specialist"),
        "/peers": ("admin",),
        "/prices": ("admin",),
        "/profiles": ("admin",),
        "/audit": ("admin", "auditor"),
        "/audit?what=case.&person=some&since=2020-01-01&until=2099-01-01": ("admin", "auditor"),
        "/audit.csv": ("admin", "auditor"),
        "/account": EVERYBODY,
    }


# WeasyPrint leaves its colour profile open until the next collection.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*sRGB2014:pytest.PytestUnraisableExceptionWarning")
def test_every_page_is_its_owners_alone(world: World, cases: Cases, browser: Browser) -> None:
    clients = {key: browser(world, key) for key in EVERYBODY} | {"nobody": browser()}
    seen: set[str] = set()
    for path, owners in _pages(cases).items():
        for key, client in clients.items():
            answer = client.get(path)
            if key in owners:
                assert answer.status_code == 200, (path, key, answer.status_code, answer.text[-2000:])
                seen.add(path)
                _harmless(path, answer.text)
                assert "no-store" in answer.headers["cache-control"], path
            elif key == "nobody":
                assert answer.status_code == 303, (path, key)
                assert answer.headers["location"].startswith("/sign-in?next="), path
            else:
                assert answer.status_code in (403, 404), (path, key, answer.status_code)
                # The page of the refusal names whoever is signed in, and nobody else.
                assert key == "patient" or NAME.split()[1] not in answer.text
    assert seen == set(_pages(cases))


def test_no_route_is_forgotten_and_none_lets_nobody_in(
    world: World, cases: Cases, browser: Browser, services: Services
) -> None:
    """Every route of the portal, asked by nobody and by a stranger to the case, with every method that it has."""
    public = {"/", "/home", "/robots.txt", "/sitemap.xml", "/sign-in", "/sign-up", "/sign-out", "/confirm/{token}"}
    # A physician's link opens with its code alone (`test_physicians`).
    public |= {"/physician/{token}", "/physician/{token}/report.pdf"}
    client, stranger = browser(), browser(world, "other_patient")
    asked = 0
    for route in pages.routes(services):
        if not isinstance(route, Route) or route.path in public or ("{" not in route.path and not route.path.startswith(
            ("/cases", "/start", "/queue", "/inbox", "/offers", "/reading", "/sent", "/people", "/licences", "/peers",
             "/prices", "/profiles", "/audit", "/account", "/mails", "/figures", "/aftercare", "/after-report",
             "/reader", "/undelivered", "/replies", "/notifications", "/referrals", "/referred", "/check-ins", "/due",
             "/hours", "/kinds", "/signature", "/erasures")
        )):  # fmt: skip
            continue
        path = re.sub(r"\{case\}", str(cases.submitted), route.path)
        path = re.sub(r"\{(study|instance)\}", "1.2.3", re.sub(r"\{(person|question|program)\}", str(uuid4()), path))
        for method in (route.methods or set()) - {"HEAD"}:
            asked += 1
            answer = client.request(method, path)
            assert answer.status_code in (303, 401), (method, path, answer.status_code)
            if "{case}" in route.path:
                refused = stranger.request(method, path, data={"text": "x"} if method == "POST" else None)
                assert refused.status_code in (403, 404), (method, path, refused.status_code)
    assert asked > 60


def test_what_a_specialist_sees_names_nobody(world: World, cases: Cases, browser: Browser) -> None:
    client = browser(world, "specialist")
    words = [*re.findall(r"\w{4,}", NAME), *re.findall(r"\w{4,}", DICOM_NAME), world.patient.name, "maria.oyelaran"]
    originals = [world.first(case) for case in (cases.offered, cases.reading, cases.published)]
    for path, owners in _pages(cases).items():
        if "specialist" in owners and not path.endswith(".pdf") and path not in ("/account", "/licences"):
            shown = client.get(path).text.casefold()
            for word in words:
                assert word.casefold() not in shown, (path, word)
            for uid in originals:
                assert uid not in shown, path


def test_the_public_pages_need_nobody(world: World, browser: Browser) -> None:
    client = browser()
    for path in ("/", "/terms", "/privacy", "/sharing", "/guides/images", "/for-physicians", "/sign-in", "/sign-up"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "<h1>" in answer.text
    home = client.get("/").text
    assert "$350" in home
    assert '<link rel="canonical" href="http://portal.example/">' in home
    assert "http://portal.example/terms" in client.get("/sitemap.xml").text
    style = re.search(r'href="(/static/site\.css\?v=[0-9a-f]+)"', home)
    assert style
    kept = client.get(style[1])
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "immutable" not in client.get("/static/site.css").headers["cache-control"]
    assert client.get("/static/../render.py").status_code == 404
    assert client.get("/static/%2e%2e/render.py").status_code == 404


def test_errors_are_pages_for_people_and_problems_for_programs(world: World, browser: Browser) -> None:
    client = browser()
    lost = client.get("/nowhere")
    assert lost.status_code == 404
    assert "This page is not here" in lost.text
    assert lost.headers["content-type"].startswith("text/html")
    program = client.get("/queue", headers={"Accept": "application/json"})
    assert program.status_code == 401
    assert program.headers["content-type"] == "application/problem+json"
    signed_in = browser(world, "patient")
    assert signed_in.post("/start", content=b"x" * (2 << 20)).status_code == 413
    assert signed_in.post("/start", json={}).status_code == 415
    many = "&".join(f"a{i}=1" for i in range(600))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert signed_in.post("/start", content=many.encode(), headers=form).status_code == 400
    assert signed_in.post("/start", content=b"a=%ff", headers=form).status_code == 400


def test_a_study_that_was_matched_elsewhere_tells_a_hospital_nothing(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    client = browser(world, "hospital")
    with world.db.transaction() as tx:
        reference = tx.execute(text("SELECT reference FROM cases_case WHERE id = :id"), {"id": case_id}).scalar_one()
    assert reference not in client.get("/sent").text
    uid = world.upload(None, who=world.hospital, dicom=study(AccessionNumber=reference))
    world.settle(uid)
    shown = client.get("/sent").text
    assert f"Matched to {reference}" in shown
    with world.db.transaction() as tx:
        assert inboxes.count(tx, world.coordinator) == 0


def _harmless(path: str, shown: str) -> None:
    assert "<script>alert" not in shown, path
    assert "<img src=x" not in shown, path
    # The content security policy would stop them; they must not be there at all.
    assert not re.search(r"<[^>]+\s(on\w+|style)\s*=", re.sub(r"&[a-z#0-9]+;", "", shown)), path
