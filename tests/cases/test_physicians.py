"""A treating physician reads the report by a link and a code: who lets them, what they see, and how it ends."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from cases import sharing
from cases.erasure import destroy
from cases.models import Message
from cases.physician_models import PhysicianLink
from cases.repository import load_unasked
from cases.service import people, physicians, versions
from cases.service.physicians import CONSENT, Handed, LinkView, SharedReport
from overread.kit import clock
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.principals import Principal
from tests.cases.conftest import MovedClock
from tests.cases.test_referrals import mailed
from tests.cases.test_routes import Api
from tests.cases.world import World

EMAIL = "ruth@practice.example"
NAME = "Dr. Ruth Lindqvist"


def hand(world: World, case_id: UUID, who: Principal | None = None, **other: Any) -> Handed:
    said = {"name": NAME, "email": EMAIL, "days": 7, "version": CONSENT.version, "digest": CONSENT.digest, **other}
    with world.db.transaction() as tx:
        return physicians.hand(tx, who or world.patient, case_id, **said)


def token(world: World, to: str = EMAIL) -> str:
    links = [re.findall(r"/physician/([\w-]+)", said) for who, _, said in mailed(world) if who == to]
    return str([link for several in links for link in several][-1])


def opened(world: World, secret: str, code: str) -> SharedReport | None:
    with world.db.transaction() as tx:
        return physicians.opened(tx, secret, code)


def links(world: World, case_id: UUID, who: Principal | None = None) -> list[LinkView]:
    with world.db.transaction() as tx:
        return physicians.listed(tx, who or world.patient, case_id)


def subjects(world: World, to: str = EMAIL) -> list[str]:
    return [subject.partition(": ")[2] for who, subject, _ in mailed(world) if who == to]


def test_a_link_and_its_code_open_the_report_and_the_patient_sees_when(world: World) -> None:
    case_id = world.published()
    made = hand(world, case_id)
    secret = token(world)
    mail = next(said for to, _, said in mailed(world) if to == EMAIL)
    assert made.code not in mail
    with world.db.transaction() as tx:
        row = tx.scalars(select(PhysicianLink)).one()
        assert secret not in repr(vars(row))
        assert made.code.replace("-", "") not in repr(vars(row))
    assert [one.opened_at for one in links(world, case_id)] == [None]
    shown = opened(world, secret, f" {made.code.lower()} ")
    assert shown is not None
    assert shown.report is not None
    assert (shown.physician, shown.report.version) == (NAME, 1)
    with world.db.transaction() as tx:
        found = physicians.pdf(tx, secret, made.code)
        assert found is not None
        assert found[1][:5] == b"%PDF-"
        seen = people.who_accessed(tx, world.patient, case_id, others=True)
        assert any((one.who, one.role, one.what) == (NAME, "physician", "read your report") for one in seen)
    assert links(world, case_id)[0].opened_at is not None


@pytest.mark.parametrize("wrong", ["code", "link"])
def test_a_wrong_link_and_a_wrong_code_open_nothing(world: World, wrong: str) -> None:
    case_id = world.published()
    made = hand(world, case_id)
    secret = token(world)
    assert (
        opened(world, secret if wrong == "code" else "nothing", "AAAA-AAAA" if wrong == "code" else made.code) is None
    )
    assert links(world, case_id)[0].opened_at is None
    with world.db.transaction() as tx:
        tries = tx.execute(text("SELECT outcome FROM kit_audit WHERE action = 'report.open_by_link'")).scalars().all()
    assert tries == (["refused"] if wrong == "code" else [])


def test_a_link_ends_by_itself_and_at_once(world: World, moved: MovedClock) -> None:
    case_id = world.published()
    made, secret = hand(world, case_id), token(world)
    assert opened(world, secret, made.code) is not None
    moved.to(clock.now() + timedelta(days=8))
    assert opened(world, secret, made.code) is None
    other = hand(world, case_id)
    newer = token(world)
    assert opened(world, newer, made.code) is None
    with world.db.transaction() as tx:
        physicians.end(tx, world.patient, case_id, other.link_id)
        physicians.end(tx, world.patient, case_id, other.link_id)
        with pytest.raises(NotFound):
            physicians.end(tx, world.patient, case_id, case_id)
    assert opened(world, newer, other.code) is None
    assert [one.stands for one in links(world, case_id)] == [False, False]


def test_a_second_press_leaves_one_link_and_one_mail(world: World) -> None:
    case_id = world.published()
    first, second = hand(world, case_id), hand(world, case_id)
    assert len(subjects(world)) == 1
    secret = token(world)
    assert opened(world, secret, first.code) is None
    assert opened(world, secret, second.code) is not None


def test_who_may_and_what_is_asked(world: World) -> None:
    case_id = world.published()
    for who, refused in ((world.specialist, Forbidden), (world.other_patient, NotFound), (world.hospital, NotFound)):
        with pytest.raises(refused):
            hand(world, case_id, who)
        with pytest.raises(refused):
            links(world, case_id, who)
    for wrong in ({"name": " "}, {"email": "ruth"}, {"days": 0}, {"days": 91}, {"name": "x" * 201}):
        with pytest.raises(Unprocessable):
            hand(world, case_id, **wrong)
    with pytest.raises(Unprocessable, match="lacks") as asked:
        hand(world, case_id, world.coordinator)
    assert "how and when" in asked.value.safe
    with pytest.raises(Conflict):
        hand(world, case_id, version="0")
    assert links(world, case_id) == []
    hand(world, case_id, world.coordinator, wish="By telephone, today.")
    assert [(one.by, one.wish) for one in links(world, case_id)] == [(world.coordinator.name, "By telephone, today.")]
    assert any("a physician can read" in subject for _, subject, _ in mailed(world)), "the patient is told"


def test_nothing_is_shared_before_there_is_a_report_in_force_and_not_without_end(world: World) -> None:
    early = world.signed()
    with pytest.raises(Conflict, match="no report in force"):
        hand(world, early)
    case_id = world.published()
    for number in range(physicians.MOST):
        hand(world, case_id, email=f"d{number}@practice.example")
    with pytest.raises(Conflict, match="links"):
        hand(world, case_id)


def test_a_recall_shows_that_it_must_not_be_used_and_is_mailed(world: World) -> None:
    case_id = world.published()
    made, secret = hand(world, case_id), token(world)
    assert opened(world, secret, made.code) is not None
    with world.db.transaction() as tx:
        versions.recall(tx, world.coordinator, case_id, 1, "It is another patient's")
        assert any(one.name == NAME for one in versions.readers(tx, world.coordinator, case_id, 1))
    shown = opened(world, secret, made.code)
    assert shown is not None
    assert shown.report is None
    with world.db.transaction() as tx, pytest.raises(NotFound, match="recalled"):
        physicians.pdf(tx, secret, made.code)
    with pytest.raises(Conflict):
        hand(world, case_id, email="other@practice.example")
    with world.db.transaction() as tx:
        versions.restore(tx, world.coordinator, case_id, 1, "It is right")
    assert subjects(world)[1:] == [
        "please don't use what a patient let you read",
        "what a patient let you read has changed",
    ]
    assert opened(world, secret, made.code) is not None


@pytest.mark.parametrize("read_before", [True, False])
def test_a_correction_is_told_to_who_can_read_or_has_read(world: World, read_before: bool) -> None:
    case_id = world.published()
    made, secret = hand(world, case_id), token(world)
    if read_before:
        assert opened(world, secret, made.code) is not None
    with world.db.transaction() as tx:
        physicians.end(tx, world.patient, case_id, made.link_id)
        case = load_unasked(tx, case_id)
        assert case is not None
        sharing.tell_of_report(tx, case)
    assert len(subjects(world)) == 1 + read_before


def test_an_erasure_leaves_neither_link_nor_mail(world: World) -> None:
    case_id = world.published()
    made, secret = hand(world, case_id), token(world)
    assert opened(world, secret, made.code) is not None
    with world.db.transaction() as tx:
        case = load_unasked(tx, case_id, lock=True)
        assert case is not None
        destroy(tx, case)
        assert tx.scalars(select(PhysicianLink)).all() == []
        assert [one for one in tx.scalars(select(Message)) if one.facts.get("to") == EMAIL] == []
        names = tx.execute(text("SELECT actor FROM kit_audit WHERE role = 'physician'")).scalars().all()
    assert set(names) == {"a physician"}
    assert opened(world, secret, made.code) is None


def test_the_api_hands_over_reads_and_slows_who_guesses(world: World) -> None:
    api = Api(world)
    case_id = world.published()
    path = f"/cases/{case_id}/physicians"
    told = json.loads(api.call("patient", "GET", path)[1])
    body = {"name": NAME, "email": EMAIL, "days": 7, "version": told["version"], "digest": told["digest"]}
    status, answer = api.call("patient", "POST", path, body)
    assert status == 201, answer
    made, secret = json.loads(answer), token(world)
    good = {"token": secret, "code": made["code"]}
    status, answer = api.call(None, "POST", "/shared-report", good)
    assert (status, json.loads(answer)["physician"]) == (200, NAME)
    assert api.call(None, "POST", "/shared-report/pdf", good)[0] == 200
    wrong = [api.call(None, "POST", "/shared-report", {**good, "code": "AAAAAAAA"}) for _ in range(5)]
    nothing = api.call(None, "POST", "/shared-report", {**good, "token": "nothing"})
    assert {status for status, _ in wrong} == {404}
    assert json.loads(wrong[0][1])["detail"] == json.loads(nothing[1])["detail"]
    assert api.call(None, "POST", "/shared-report", good)[0] == 429, "the right one waits, too"
    assert api.call("patient", "DELETE", f"{path}/{made['link_id']}")[0] == 204
    assert [one["stands"] for one in json.loads(api.call("patient", "GET", path)[1])["links"]] == [False]
