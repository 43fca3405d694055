"""Words that claim something are made of facts: states, reasons, who acted, and who is signed in on an error's page."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from uuid import uuid4

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cases.licence_models import LicenceRule
from cases.models import Case
from cases.service import assignment, intake, people, read, reporting
from cases.states import ImagesBy
from cases.views import CoordinatorCase, PatientCase, SpecialistCase
from overread.demo import people as demo
from overread.kit import principals, tokens
from overread.kit.audit import AuditRow
from overread.kit.errors import Unavailable
from overread.kit.principals import Role
from overread.services import Services
from pacs.dimse import peers
from pacs.index.models import Peer
from tests.cases.world import DICOM_BORN, DICOM_NAME, World, proof, study

Browser = Callable[..., TestClient]


@pytest.mark.parametrize(
    ("name", "born", "said"),
    [
        (DICOM_NAME, "19500101", "Another birth date"),
        ("DOE^JOHN", DICOM_BORN, "Another person’s name"),
        ("DOE^JOHN", "19500101", "Another person’s name and birth date"),
        ("DOE^JOHN", "", "Another person’s name"),
        (DICOM_NAME, "", "No birth date to compare"),
        ("", DICOM_BORN, "No name to compare"),
        ("", "19500101", "Another birth date, no name"),
        ("", "", "No name, no birth date"),
    ],
)
def test_what_differs_is_named_and_nothing_else(
    world: World, browser: Browser, name: str, born: str, said: str
) -> None:
    case_id = world.submitted("free")
    uid = world.upload(case_id, dicom=study(name=name, born=born, PatientSex="M"))
    world.settle(uid)
    for key, url in (("patient", f"/cases/{case_id}"), ("coordinator", f"/queue/{case_id}")):
        page = unescape(browser(world, key).get(url).text)
        pills = re.findall(r'<span class="pill \w+">([^<]+)</span>', page)
        assert said in pills, (key, pills)
        others = [p for p in pills if p.startswith(("Another", "No "))]
        assert others == [said], key
    # Side by side: what is not known is neither the same nor another.
    with world.db.transaction() as tx:
        seen = read.show(tx, world.coordinator, case_id)
    assert isinstance(seen, CoordinatorCase)
    rows = {row.label: (row.equal, row.known) for row in next(s for s in seen.studies if s.study_uid == uid).identity}
    assert rows["Name"] == ((True, True) if name == DICOM_NAME else (False, bool(name)))
    assert rows["Birth date"] == ((True, True) if born == DICOM_BORN else (False, bool(born)))
    assert rows["Sex"] == (False, True)


def test_nobody_has_looked_before_somebody_has(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    patient, coordinator = browser(world, "patient"), browser(world, "coordinator")

    def pages() -> str:
        return unescape(patient.get(f"/cases/{case_id}").text + patient.get("/cases").text)

    def told() -> PatientCase:
        with world.db.transaction() as tx:
            seen = read.show(tx, world.patient, case_id)
        assert isinstance(seen, PatientCase)
        return seen

    assert "Waits for a coordinator’s check" in pages()
    assert "Checked by a coordinator" not in pages()
    assert [s.checked_at for s in told().studies] == [None]
    world.clear(case_id)
    assert "Checked by a coordinator, " in pages()
    assert all(s.checked_at for s in told().studies)
    assert "Some Coordinator checked and released it" in coordinator.get(f"/queue/{case_id}").text
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
    with world.db.transaction() as tx:
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
    # Asked, and perhaps not even read: nobody looks at anything yet.
    assert "We have asked a specialist" in pages()
    assert not re.search(r"is looking at|looks at your|is reading|reads your images|began to read", pages())
    with world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    assert "A specialist took your request" in pages()
    assert not re.search(r"is reading|reads your images|began to read", pages())
    # What came by telephone was not typed by the patient.
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.specialist, case_id, "Which knee?")
        intake.answer_info(tx, world.coordinator, case_id, "The left one")
    assert "We wrote down your answer" in pages()
    assert "You answered our question" not in pages()
    with world.db.transaction() as tx:
        intake.withdraw(tx, world.patient, case_id, "I found another way")
    assert "No specialist can see your images any more. Nothing was charged." in pages()


def test_images_that_a_hospital_has_not_sent_are_not_being_checked(world: World) -> None:
    case_id = world.draft("free", images_by=ImagesBy.HOSPITAL)
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    with world.db.transaction() as tx:
        seen = read.show(tx, world.patient, case_id)
    assert isinstance(seen, PatientCase)
    assert seen.next_title == "We wait for your images"


def test_every_reason_is_shown_where_the_next_decision_is_made(world: World, browser: Browser) -> None:
    case_id = world.offered()
    coordinator = browser(world, "coordinator")

    def page() -> str:
        return unescape(coordinator.get(f"/queue/{case_id}").text)

    with world.db.transaction() as tx:
        assignment.refuse(tx, world.specialist, case_id, "I know this family")
    assert "Declined" in page()
    assert "I know this family" in page()
    with world.db.transaction() as tx:
        people.set_licence(tx, world.admin, world.other_specialist.id, "US-CA", world.today().replace(year=2001))
        assignment.record_exception(tx, world.coordinator, case_id, world.other_specialist.id, "The board's letter")
        assignment.offer(tx, world.coordinator, case_id, world.other_specialist.id)
    assert "Some Other_Specialist (licence): The board's letter" in page()
    with world.db.transaction() as tx:
        assignment.take_back(tx, world.coordinator, case_id, "On leave, as we heard")
    assert "On leave, as we heard" in page()
    with world.db.transaction() as tx:
        assignment.offer(tx, world.coordinator, case_id, world.other_specialist.id)
    with world.db.transaction() as tx:
        assignment.accept(tx, world.other_specialist, case_id, world.gateway)
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.other_specialist, case_id, "Was there an injury?")
    shown = page()
    assert "Some Other_Specialist asked the patient" in shown
    assert shown.count("Was there an injury?") == 3, "at the next step, with who asked, and among the messages"
    assert "You, " not in shown, "a specialist's question is none of the coordinator's own words"
    with world.db.transaction() as tx:
        intake.answer_info(tx, world.patient, case_id, "I fell off a ladder")
        # A message is the coordinators' alone: it is no answer for the specialist.
        intake.write_note(tx, world.patient, case_id, "My sister pays, by the way")
        seen = read.show(tx, world.other_specialist, case_id)
    assert isinstance(seen, SpecialistCase)
    assert seen.asked == "I fell off a ladder"
    with world.db.transaction() as tx:
        intake.withdraw(tx, world.patient, case_id, "I found another way")
    assert "I found another way" in page()


def test_a_confirmed_identity_says_by_whom_and_why(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    uid = world.upload(case_id, dicom=study(born="19500101"))
    world.settle(uid)
    coordinator = browser(world, "coordinator")
    url = f"/queue/{case_id}/studies/{uid}/confirm"
    assert coordinator.post(url, data={"reason": "A typing error at the hospital"}).status_code == 303
    world.drain()
    assert "confirmed that it is the patient’s" in coordinator.get(f"/queue/{case_id}").text
    assert "A typing error at the hospital" in coordinator.get(f"/queue/{case_id}").text


def test_each_line_of_the_audit_log_names_who_acted(world: World) -> None:
    """The patient sends one study; the report, the way back and grants by policy are not theirs."""
    case_id = world.published()
    world.drain()
    with world.db.transaction() as tx:
        rows = tx.scalars(select(AuditRow).order_by(AuditRow.id)).all()
    received = [(r.actor, r.role, r.case_id, r.detail["via"]) for r in rows if r.action == "study.receive"]
    assert (world.patient.name, "patient", case_id, "stow") in received
    assert [line for line in received if line[3] == "report"] == [("system", "system", case_id, "report")]
    granted = [(r.actor, r.role) for r in rows if r.action == "grant.made"]
    assert granted == [("Some Specialist", "specialist"), ("Some Coordinator", "coordinator")]
    # By the program's policy it is the program that publishes.
    by_policy = world.written()
    with world.db.transaction() as tx:
        tx.get_one(Case, by_policy).program.publish_by_policy = True
    with world.db.transaction() as tx:
        reporting.sign(tx, world.specialist, by_policy, proof(world.specialist))
        rows = tx.scalars(select(AuditRow).where(AuditRow.case_id == by_policy)).all()
    assert [r.actor for r in rows if r.action == "case.publish"] == ["system"]
    assert [r.actor for r in rows if r.action == "case.sign"] == ["Some Specialist"]


def test_the_demos_hospital_sees_what_its_nodes_send(world: World, services: Services, browser: Browser) -> None:
    with world.db.transaction() as tx:
        for who in world.who.values():
            principals.get(tx, who.id).email = None
        someone = demo.seed(tx, "a hash")
        hospital = someone[Role.HOSPITAL]
        acts_for = peers.identify(tx, demo.HOSPITAL_AE, "127.0.0.1")
        assert acts_for is not None
        assert acts_for.id == hospital.id
        peers.register(tx, "STBRENDAN2", "127.0.0.1", 11114, Role.HOSPITAL, owner_id=hospital.id)
        # Every place in the demo's own rules is one that its specialists may read for.
        assert {"DE", "US-MA", "US-NY"} <= set(tx.scalars(select(LicenceRule.place)))
    world.who["brendan"] = hospital
    stray = world.upload(None, who=acts_for)
    world.settle(stray)
    page = browser(world, "brendan").get("/sent").text
    assert "STBRENDAN<" in page
    assert "STBRENDAN2<" in page
    assert "Not matched yet" in page
    with world.db.transaction() as tx:
        assert tx.get_one(Peer, "STBRENDAN2").principal_id == hospital.id


ROLES = ("patient", "coordinator", "specialist", "hospital", "admin", "auditor")


@pytest.mark.parametrize("key", ROLES)
def test_an_errors_page_keeps_the_look_of_who_is_signed_in(world: World, browser: Browser, key: str) -> None:
    case_id = world.draft("free")
    client = browser(world, key)
    foreign = "/people" if key != "admin" else "/queue"
    pages = [
        client.get("/nothing/here"),
        client.get(foreign),
        client.get(f"/queue/{uuid4()}"),
        client.post("/sign-in", content=b"\xff" * 10, headers={"Content-Type": "text/plain"}),
        client.put("/cases"),
    ]
    assert [p.status_code for p in pages] == [404, 403, 404 if key == "coordinator" else 403, 415, 405]
    for page in pages:
        assert f"{world.who[key].name}, {key}" in unescape(page.text), page.request.url
        assert "Sign out" in page.text
        assert "/sign-in" not in page.text
        assert page.headers["cache-control"] == "no-store"
    # Nothing tells whether a case of somebody else is there.
    if key in ("coordinator",):
        real, none = (client.get(f"/queue/{one}").text for one in (case_id, uuid4()))
        assert _bare(real, case_id) == _bare(none, case_id)


def test_an_errors_page_after_the_end_of_a_session_says_what_to_do(world: World, browser: Browser) -> None:
    case_id = world.draft("free")
    client = browser(world, "patient")
    stranger = browser()
    assert "Sign out" not in stranger.get("/nothing").text
    with world.db.transaction() as tx:
        tokens.revoke(tx, client.cookies["overread_session"])
    kept = client.post(f"/cases/{case_id}/messages", files={"text": (None, "A message of another kind of form")})
    assert kept.status_code == 401
    assert "what you typed is still there" in kept.text
    assert "Sign out" not in kept.text
    assert client.get(f"/cases/{case_id}").headers["location"] == f"/sign-in?next=/cases/{case_id}"
    # A token is no session: its page shows no name.
    with world.db.transaction() as tx:
        token = tokens.issue(tx, world.patient.id)
    assert world.patient.name not in unescape(
        stranger.get("/people", headers={"Authorization": f"Bearer {token}"}).text
    )


def test_a_failure_of_ours_keeps_the_look_and_asks_nothing_more(
    world: World, browser: Browser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browser(world, "patient")
    for error, status in ((RuntimeError("secret of the server"), 500), (Unavailable("the database is away"), 503)):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr("overread.web.patient.read.listing", fail)
        page = client.get("/cases")
        assert page.status_code == status
        assert "Sign out" in page.text
        assert "secret" not in page.text
        assert "database is away" not in page.text


def _bare(page: str, case_id: object) -> str:
    return re.sub(r"[0-9a-f]{32}|[0-9a-f-]{36}", "", page)
