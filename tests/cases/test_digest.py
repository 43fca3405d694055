"""What coordinators are to look at: one mail a coordinator and period, once, of what still waits."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.message import Message as Received
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import func, select, text, update

from cases import digest, notify
from cases.handlers import Handlers
from cases.mail import SmtpMailer
from cases.mail_rendering import rendered
from cases.models import Case, Message, Notice
from cases.service import assignment, inboxes, intake, studies
from cases.states import CaseState
from overread import wiring
from overread.kit import clock, principals
from overread.kit.bus import Bus
from overread.kit.principals import Role
from overread.kit.settings import Settings
from tests.cases.test_lists import fill, stray
from tests.cases.world import BORN, DICOM_NAME, NAME, World, study
from tests.live.server import free_port

PERIOD = timedelta(minutes=15)


@pytest.fixture
def letters(world: World) -> Iterator[list[Received]]:
    """A real SMTP server to which the world's worker sends, and what it was given."""
    got: list[Received] = []

    class Keep:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
            got.append(message_from_bytes(envelope.content))
            return "250 OK"

    server = Controller(Keep(), hostname="127.0.0.1", port=free_port())
    server.start()
    mailer = SmtpMailer(f"smtp://127.0.0.1:{server.port}", "Clinic <clinic@example.org>")
    world.bus = Bus(world.db)
    settings = Settings.model_validate({"data_dir": world.folder, "public_url": "https://overread.example"})
    wiring.wire_cases(world.bus, Handlers(world.archive, world.gateway, mailer, settings.base_url))
    yield got
    server.stop()


def to_coordinators(got: list[Received]) -> list[Received]:
    return [mail for mail in got if "coordinator" in mail["To"]]


def words(mail: Received) -> str:
    """A mail's text, its lines joined as they were written."""
    plain = next(part for part in mail.walk() if part.get_content_type() == "text/plain")
    payload = plain.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


def send(world: World, period: timedelta = timedelta(0)) -> bool:
    """What the worker does each minute."""
    with world.db.transaction() as tx:
        sent = digest.send(tx, period)
    world.drain()
    return sent


def test_many_studies_are_one_mail_to_each_coordinator(world: World, letters: list[Received]) -> None:
    with world.db.transaction() as tx:
        principals.create(tx, role=Role.COORDINATOR, name="Night", email="night.coordinator@example.org")
        away = principals.create(tx, role=Role.COORDINATOR, name="Away", email="away.coordinator@example.org")
        away.active = False
    for _ in range(5):
        world.settle(world.upload(None, who=world.hospital))
    assert to_coordinators(letters) == []
    assert send(world)
    mails = to_coordinators(letters)
    assert sorted(mail["To"] for mail in mails) == ["coordinator@example.org", "night.coordinator@example.org"]
    for mail in mails:
        assert mail["Subject"] == "5 studies in the inbox to look at"
        assert "5 studies without a request: match or dismiss them\nhttps://overread.example/inbox\n" in words(mail)
    assert not send(world)
    assert len(to_coordinators(letters)) == 2


def test_a_period_begins_with_what_is_told_first(world: World, letters: list[Received], monkeypatch: Any) -> None:
    now = clock.now()
    with world.db.transaction() as tx:
        stray_item = stray(tx, world, 1, "X", None, at=now)
        digest.note(tx, "unmatched", item=stray_item)
    for minutes, sent in ((0, False), (14, False), (15, True), (15, False)):
        monkeypatch.setattr(clock, "now", lambda m=minutes: now + timedelta(minutes=m, seconds=1))
        assert send(world, PERIOD) is sent, minutes
    # What comes right behind a mail waits for a whole period of its own.
    with world.db.transaction() as tx:
        digest.note(tx, "unmatched", item=stray(tx, world, 2, "X", None, at=now))
        tx.flush()
        tx.execute(update(Notice).values(created_at=now + timedelta(minutes=15, seconds=30)))
    for minutes, sent in ((16, False), (30, False), (31, True)):
        monkeypatch.setattr(clock, "now", lambda m=minutes: now + timedelta(minutes=m, seconds=1))
        assert send(world, PERIOD) is sent, minutes
    assert len(to_coordinators(letters)) == 2


def test_a_clock_that_ran_ahead_silences_nobody(world: World, letters: list[Received]) -> None:
    with world.db.transaction() as tx:
        digest.note(tx, "unmatched", item=stray(tx, world, 1, "X", None, at=clock.now()))
        tx.flush()
        tx.execute(text("UPDATE cases_notice SET created_at = now() + interval '1 year'"))
    assert send(world, PERIOD)
    assert len(to_coordinators(letters)) == 1


def test_nothing_new_is_no_mail_nor_is_what_was_done_meanwhile(world: World, letters: list[Received]) -> None:
    assert not send(world)
    case_id = world.released("free")
    for _ in range(3):
        world.settle(world.upload(None, who=world.hospital))
    with world.db.transaction() as tx:
        first, second, third = inboxes.listed(tx, world.coordinator)
        inboxes.dismiss(tx, world.coordinator, first.id, "no")
        studies.match_by_hand(tx, world.coordinator, second.id, case_id)
        inboxes.dismiss(tx, world.coordinator, third.id, "no")
    world.drain()
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
    world.drain()
    with world.db.transaction() as tx:
        assert tx.scalar(select(func.count()).select_from(Notice))
    assert not send(world)
    assert to_coordinators(letters) == []
    with world.db.transaction() as tx:
        assert tx.scalar(select(func.count()).select_from(Notice)) == 0


def test_what_waits_is_told_by_case_without_a_name(world: World, letters: list[Received]) -> None:
    case_id = world.submitted("free")
    world.settle(world.upload(case_id, dicom=study(name="SMITH^ADA", born="19500101")))
    world.settle(world.upload(case_id))
    with world.db.transaction() as tx:
        intake.write_note(tx, world.patient, case_id, "My knee hurts")
        number = tx.get_one(Case, case_id).reference
    assert send(world)
    [mail] = to_coordinators(letters)
    assert mail["Subject"] == "1 case to look at"
    told = words(mail)
    [line] = [line for line in told.splitlines() if line.startswith(number)]
    assert "a new request, due by" in line
    assert "a message from the patient" in line
    assert "1 study of another identity: decide" in line
    assert "2 studies to check and release" in line
    assert f"https://overread.example/queue/{case_id}" in told
    # References and addresses are made of letters and digits by chance, sometimes of these.
    rest = told.replace(number, "").replace(str(case_id), "").lower().replace("overread", "")
    for word in (*NAME.split(), *DICOM_NAME.replace("^", " ").split(), "knee", "SMITH", "Ada", "1971"):
        assert word.lower() not in rest, word
    # October has these letters, too.
    assert not re.search(r"\bct\b", rest)


def test_a_mail_names_so_many_cases_and_says_how_many_more(world: World, letters: list[Received]) -> None:
    with world.db.transaction() as tx:
        now = clock.now()
        for n, case in enumerate(fill(tx, world, 25, state=CaseState.SUBMITTED)):
            case.due_at = now + timedelta(days=n)
            digest.note(tx, "new_case", case)
            if n == 0:
                first = case.reference
        for case in fill(tx, world, 3, state=CaseState.CLOSED):
            digest.note(tx, "new_case", case)
            digest.note(tx, "deid_review", case)
    assert send(world)
    [mail] = to_coordinators(letters)
    told = words(mail)
    assert mail["Subject"] == "25 cases to look at"
    assert told.count("a new request") == digest.MOST_CASES
    assert "5 more cases. All of them:\nhttps://overread.example/queue\n" in told
    assert told.index(first) < told.index("OV-", told.index(first) + 1)


def test_what_can_t_wait_is_mailed_at_once(world: World, letters: list[Received]) -> None:
    case_id = world.in_review()
    letters.clear()
    with world.db.transaction() as tx:
        studies.reject(tx, world.coordinator, case_id, world.first(case_id), "another patient's")
        notify.queue_coordinators(tx, tx.get(Case, case_id), "payment_problem")
    world.drain()
    assert sorted(mail["Subject"].partition(": ")[2][:8] for mail in to_coordinators(letters)) == [
        "incident",
        "the paym",
    ]


def test_two_workers_send_it_once(world: World, letters: list[Received]) -> None:
    with world.db.transaction() as tx:
        for n in range(200):
            digest.note(tx, "unmatched", item=stray(tx, world, n, "X", None, at=clock.now()))
    begun, sent = threading.Barrier(6), []

    def work() -> None:
        begun.wait()
        for _ in range(3):
            with world.db.transaction() as tx:
                sent.append(digest.send(tx, timedelta(0)))

    workers = [threading.Thread(target=work) for _ in range(6)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    world.drain()
    assert sum(sent) == 1
    [mail] = to_coordinators(letters)
    assert mail["Subject"] == "200 studies in the inbox to look at"


def test_a_worker_that_dies_before_the_commit_tells_nothing_and_the_next_tells_all(
    world: World, letters: list[Received]
) -> None:
    with world.db.transaction() as tx:
        digest.note(tx, "unmatched", item=stray(tx, world, 1, "X", BORN, at=clock.now()))

    def die() -> None:
        with world.db.transaction() as tx:
            assert digest.send(tx, timedelta(0))
            raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            die()
    world.drain()
    assert letters == []
    # A worker that dies behind it leaves the mail's job, in the same transaction: the next one sends it, once.
    with world.db.transaction() as tx:
        assert digest.send(tx, timedelta(0))
    world.drain()
    world.drain()
    assert len(letters) == 1


def test_what_failed_is_never_told(world: World, letters: list[Received]) -> None:
    case_id = world.submitted("free")
    send(world)
    letters.clear()

    def attempt() -> None:
        with world.db.transaction() as tx:
            intake.write_note(tx, world.patient, case_id, "x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        attempt()
    assert not send(world)
    assert letters == []


def test_every_kind_is_told_and_every_notice_is_of_a_kind(world: World) -> None:
    with world.db.transaction() as tx:
        [case] = fill(tx, world, 1)
        for kind in digest.KINDS:
            digest.note(tx, kind, case)
        with pytest.raises(AssertionError):
            digest.note(tx, "incident", case)
        facts: dict[str, Any] = {"subject": "x", "entries": [["words", "/queue"]]}
        message = Message(id=UUID(int=1), template="digest", facts=facts)
        mail = rendered(message, "a@example.org", "https://overread.example")
        assert "words\nhttps://overread.example/queue\n" in mail.text
