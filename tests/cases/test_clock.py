"""Time and mail: the report's clock, offers that run out, reminders, follow-ups, and how mails leave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta, timezone
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select, text, update

import cases
from cases import events, notify
from cases.handlers import Handlers
from cases.mail import SmtpMailer, mailer
from cases.mail_rendering import Mail, rendered
from cases.mail_texts import TEMPLATES
from cases.models import Case, Message, Program, Report
from cases.service import assignment, intake, read, reporting
from cases.version_effects import UNREAD_AFTER
from cases.views import PatientCase, SpecialistCase
from overread.kit import clock, jobs, zones
from overread.kit.errors import Conflict, Forbidden, Unavailable, Unprocessable
from overread.kit.settings import Settings
from pacs.index.events import BlobsDamaged
from tests.cases.conftest import MovedClock
from tests.cases.world import World, proof
from tests.live.server import free_port


def test_the_clock_stands_still_while_information_is_missing(world: World) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        before = read.show(tx, world.patient, case_id).due_at
        assert before is not None
        assert abs(before - clock.now() - timedelta(days=5)) < timedelta(minutes=5)
        with pytest.raises(Unprocessable):
            intake.ask_info(tx, world.coordinator, case_id, "  ")
        intake.ask_info(tx, world.coordinator, case_id, "Which knee?")
        seen = read.show(tx, world.patient, case_id)
        assert isinstance(seen, PatientCase)
        assert (seen.state, seen.asked) == ("needs_info", "Which knee?")
        assert "answer_intake" in seen.actions
        assert "answer_review" not in seen.actions
    with world.db.transaction() as tx:
        tx.execute(update(Case).values(paused_at=clock.now() - timedelta(days=2)))
    with world.db.transaction() as tx:
        intake.answer_info(tx, world.patient, case_id, "The left one.")
        seen = read.show(tx, world.patient, case_id)
    assert isinstance(seen, PatientCase)
    assert seen.due_at is not None
    assert timedelta(days=2) <= seen.due_at - before < timedelta(days=2, minutes=1)
    assert [n.text for n in seen.notes] == ["Which knee?", "The left one."]
    assert seen.notes[0].author == "Free reading"
    assert world.state(case_id) == "submitted"


def test_a_specialist_asks_and_reads_the_answer_without_a_name(world: World) -> None:
    case_id = world.in_review()
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.specialist, case_id, "Any surgery before?")
        intake.answer_info(tx, world.patient, case_id, "Yes, in 2019. Regards, María Oyelaran")
        seen = read.show(tx, world.specialist, case_id)
    assert isinstance(seen, SpecialistCase)
    assert seen.asked == "Yes, in 2019. Regards, [removed] [removed]"
    assert world.state(case_id) == "in_review"


def test_reminders_and_the_end_without_an_answer(world: World) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, case_id, "Which knee?")
    world.drain(later=True)
    mails = world.mails()
    assert sum("still waiting" in mail for mail in mails) == 2
    assert sum("was closed" in mail for mail in mails) == 1
    assert world.state(case_id) == "declined"


def test_an_answer_stops_the_reminders(world: World) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, case_id, "Which knee?")
        intake.answer_info(tx, world.patient, case_id, "The left one.")
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, case_id, "And since when?")
    with world.db.transaction() as tx:
        # A reminder of the first question, heard while the second waits.
        world.handlers.remind_information(events.InformationOverdue(str(case_id), clock.now().isoformat(), 14))
        assert tx.execute(text("SELECT state FROM cases_case")).scalar_one() == "needs_info"


@pytest.mark.parametrize("hours", [0, 2, -5])
def test_a_reminder_knows_its_question_in_every_time_zone(world: World, hours: int) -> None:
    """The moment tells which question is meant, not how it is written."""
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, case_id, "Which knee?")
    with world.db.transaction() as tx:
        paused = tx.scalars(select(Case.paused_at)).one()
    assert paused is not None
    asked_at = paused.astimezone(timezone(timedelta(hours=hours))).isoformat()
    world.handlers.remind_information(events.InformationOverdue(str(case_id), asked_at, 3))
    world.drain()
    assert sum("still waiting" in mail for mail in world.mails()) == 1


def test_an_offer_runs_out(world: World) -> None:
    case_id = world.offered()
    with world.db.transaction() as tx:
        offer_id = tx.execute(text("SELECT id FROM cases_offer")).scalar_one()
    ended = events.OfferEnds(str(case_id), str(offer_id))
    world.handlers.expire_offer(ended)
    assert world.state(case_id) == "offered"
    with world.db.transaction() as tx:
        tx.execute(text("UPDATE cases_offer SET expires_at = now() - interval '1 minute'"))
    with pytest.raises(Unprocessable), world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    for _ in range(2):
        world.handlers.expire_offer(ended)
    assert world.state(case_id) == "ready"
    with world.db.transaction() as tx:
        # Who let it pass may be asked again; who declined may not.
        assert all(e.eligible for e in assignment.eligible_specialists(tx, world.coordinator, case_id))
        assignment.offer(tx, world.coordinator, case_id, world.other_specialist.id)


def test_a_report_is_whole_before_it_is_signed_and_unchanged_after(world: World) -> None:
    case_id = world.in_review()
    with world.db.transaction() as tx:
        seen = read.show(tx, world.specialist, case_id)
        assert isinstance(seen, SpecialistCase)
        first, second = (str(q.question_id) for q in seen.questions)
        with pytest.raises(Unprocessable, match="guards"):
            reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
        reporting.save_draft(tx, world.specialist, case_id, {first: "Yes."}, {"impression": ""}, [])
        with pytest.raises(Unprocessable) as refused:
            reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
        assert refused.value.extra["reasons"] == [
            "Please answer every question; still open: 2.",
            "Please tick the studies that you have read.",
        ]
        with pytest.raises(Unprocessable):
            reporting.save_draft(tx, world.specialist, case_id, {"nothing": "x"}, {"impression": ""}, [])
        reporting.save_draft(
            tx, world.specialist, case_id, {first: "Yes.", second: "No."}, {"impression": "Torn."}, ["1.2.3"]
        )
        with pytest.raises(Unprocessable):
            reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
        uids = [s.study_uid for s in seen.studies]
        reporting.save_draft(
            tx, world.specialist, case_id, {first: "Yes.", second: "No."}, {"impression": "Torn."}, uids
        )
        with pytest.raises(Conflict):
            reporting.sign(tx, world.specialist, case_id, proof(world.specialist), digest="0" * 64)
        digest = reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
        with pytest.raises(Conflict):
            reporting.save_draft(tx, world.specialist, case_id, {}, {"impression": "Not torn."}, [])
        assert reporting.read(tx, world.coordinator, case_id).digest == digest
    with world.db.transaction() as tx:
        tx.execute(update(Report).values(texts={"impression": "Not torn."}))
    with world.db.transaction() as tx, pytest.raises(Conflict):
        reporting.publish(tx, world.coordinator, case_id)
    assert world.state(case_id) == "signed"


def test_a_program_may_publish_by_itself(world: World) -> None:
    with world.db.transaction() as tx:
        tx.execute(update(Program).values(publish_by_policy=True))
    case_id = world.signed()
    assert world.state(case_id) == "published"


def test_follow_up_questions_and_the_end(world: World) -> None:
    case_id = world.published()
    with world.db.transaction() as tx:
        for number in range(3):
            intake.follow_up(tx, world.patient, case_id, f"Follow-up {number}?")
        with pytest.raises(Unprocessable):
            intake.follow_up(tx, world.patient, case_id, "One more?")
        with pytest.raises(Unprocessable):
            reporting.close(tx, world.coordinator, case_id)
        asked = [q for q in read.show(tx, world.specialist, case_id).questions if q.follow_up]
        with pytest.raises(Forbidden):
            reporting.answer_follow_up(
                tx, world.coordinator, case_id, asked[0].question_id, "Yes.", proof(world.coordinator)
            )
        for question in asked:
            reporting.answer_follow_up(
                tx, world.specialist, case_id, question.question_id, "Yes.", proof(world.specialist)
            )
        with pytest.raises(Conflict):
            reporting.answer_follow_up(
                tx, world.specialist, case_id, asked[0].question_id, "No.", proof(world.specialist)
            )
        shown = reporting.read(tx, world.patient, case_id)
        assert [a.answer for a in shown.follow_ups] == ["Yes."] * 3
        assert shown.intact
        reporting.close(tx, world.coordinator, case_id)
    assert world.state(case_id) == "closed"


def test_an_unread_report_is_nudged_once_a_read_one_never(world: World, moved: MovedClock) -> None:
    unread, read_one = world.published(), world.published()
    with world.db.transaction() as tx:
        reporting.read(tx, world.patient, read_one)
    moved.to(clock.now() + UNREAD_AFTER + timedelta(minutes=1))
    world.drain()
    assert sum("waits for you" in mail for mail in world.mails()) == 1
    assert world.state(unread) == "published"


def test_a_mail_of_a_transaction_that_failed_is_never_sent(world: World) -> None:
    case_id = world.submitted("free")
    before = len(world.mails())

    def attempt() -> None:
        with world.db.transaction() as tx:
            intake.withdraw(tx, world.patient, case_id)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        attempt()
    world.drain()
    assert len(world.mails()) == before


@pytest.fixture
def inbox() -> Iterator[tuple[Controller, list[bytes]]]:
    """A real SMTP server and what it was given."""
    got: list[bytes] = []

    class Keep:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
            got.append(envelope.content)
            return "250 OK"

    server = Controller(Keep(), hostname="127.0.0.1", port=free_port())
    server.start()
    yield server, got
    server.stop()


def test_mails_leave_by_smtp_once(world: World, inbox: tuple[Controller, list[bytes]]) -> None:
    server, got = inbox
    sender = SmtpMailer(f"smtp://127.0.0.1:{server.port}", "Clinic <clinic@example.org>")
    with world.db.transaction() as tx:
        notify.queue(tx, None, world.coordinator.id, "damaged")
        message_id = str(tx.query(Message.id).order_by(Message.id.desc()).limit(1).scalar())
    for _ in range(2):
        Handlers(world.archive, None, sender, "https://overread.example").send_mail(events.MailQueued(message_id))
    assert len(got) == 1
    mail = message_from_bytes(got[0])
    assert mail["To"] == "coordinator@example.org"
    assert mail["From"] == "Clinic <clinic@example.org>"
    assert mail["Message-ID"] == f"<{message_id}@overread.example>"
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert all("https://overread.example/" in str(part) for part in mail.get_payload())


def test_a_mail_that_can_t_be_sent_stays(world: World) -> None:
    with world.db.transaction() as tx:
        notify.queue(tx, None, world.coordinator.id, "damaged")
        message_id = str(tx.query(Message.id).order_by(Message.id.desc()).limit(1).scalar())
    nowhere = Handlers(world.archive, None, SmtpMailer("smtp://127.0.0.1:1", "a@b.example"), "https://a")
    with pytest.raises(Unavailable):
        nowhere.send_mail(events.MailQueued(message_id))
    with world.db.transaction() as tx:
        assert tx.query(Message.sent_at).filter(Message.id == message_id).scalar() is None


def test_a_missing_file_is_told_to_those_who_can_have_it_mended(world: World) -> None:
    with world.db.transaction() as tx:
        before = tx.query(Message).count()
    world.handlers.tell_damage(BlobsDamaged(3))
    with world.db.transaction() as tx:
        told = {one.recipient_id for one in tx.query(Message).filter(Message.template == "damaged")}
        assert tx.query(Message).count() == before + len(told)
    assert {world.who["admin"].id, world.coordinator.id} <= told
    assert world.specialist.id not in told


def test_every_template_can_be_filled(world: World) -> None:
    facts = {"days": 3, "left": 4, "expires": zones.sentence(clock.now()), "reference": "OV-2222-2222", "due": "soon"}
    facts |= {"subject": "one", "entries": [["two", "/queue"]], "ends": "soon", "readings": 10, "program": "Knees"}
    for name in TEMPLATES:
        message = Message(id=clock.uuid7(), case_id=clock.uuid7(), template=name, facts=facts)
        mail = rendered(message, "a@example.org", "https://overread.example")
        assert isinstance(mail, Mail)
        assert "{" not in mail.subject + mail.text
    assert set(effects_templates()) <= set(TEMPLATES)


def effects_templates() -> list[str]:
    """The templates that the sources name."""
    sources = "".join(p.read_text() for p in Path(cases.__file__).parent.rglob("*.py"))
    return re.findall(r"(?:_mail_\w+|queue\w*)\((?:[^()\n]*, )?\"(\w+)\"", sources)


def test_the_mailer_follows_the_settings(world: World) -> None:
    assert type(mailer(Settings.model_validate({"data_dir": world.folder}))).__name__ == "FolderMailer"
    assert isinstance(mailer(Settings.model_validate({"data_dir": world.folder, "smtp_url": "smtp://h:1"})), SmtpMailer)
    assert jobs.Event.registry["cases.mail_queued"] is events.MailQueued
