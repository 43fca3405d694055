"""Mails that don't arrive: a server's no for good and for now, tries that end, and what coordinators do about it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import delete, select

from cases import digest, events, mail, notify, outbox
from cases.handlers import Handlers
from cases.mail import FolderMailer, SmtpMailer
from cases.models import Case, Message, Notice
from cases.service import accounts, mails, notifications, undelivered
from cases.service.undelivered import Undelivered
from overread.kit import addresses, clock, principals, retention
from overread.kit.errors import Conflict, Forbidden, NotFound, Unavailable, Unprocessable
from tests.cases.test_routes import Api
from tests.cases.world import World
from tests.live.server import free_port
from tests.web.mailbox import Mailbox

BASE = "https://overread.example"


@dataclass
class Server:
    """A mail server that answers what it is told to: to a recipient, and to a mail."""

    rcpt: str = "250 OK"
    data: str = "250 OK"
    got: list[bytes] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    url: str = ""

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802  aiosmtpd's name
        self.told.append(address)
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        if self.data.startswith("250"):
            self.got.append(envelope.content)
        return self.data


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    running = Controller(made, hostname="127.0.0.1", port=free_port())
    running.start()
    made.url = f"smtp://127.0.0.1:{running.port}"
    yield made
    running.stop()


@pytest.fixture(autouse=True)
def none_before(world: World) -> None:
    world.drain()
    with world.db.transaction() as tx:
        for model in (Message, Notice):
            tx.execute(delete(model))


@pytest.fixture
def api(world: World) -> Iterator[Api]:
    made = Api(world)
    with made.client:
        yield made


def queued(world: World, case_id: UUID | None, template: str = "published", key: str = "patient") -> UUID:
    with world.db.transaction() as tx:
        case = tx.get(Case, case_id) if case_id else None
        notify.queue(tx, case, world.who[key].id, template)
        return tx.scalars(select(Message.id).order_by(Message.id.desc()).limit(1)).one()


def send(world: World, url: str, message_id: UUID) -> None:
    sender = SmtpMailer(url, "Clinic <clinic@example.org>")
    Handlers(world.archive, None, sender, BASE).send_mail(events.MailQueued(str(message_id)))


def open_ones(world: World) -> list[Undelivered]:
    with world.db.transaction() as tx:
        return list(undelivered.listed(tx, world.coordinator))


@pytest.mark.parametrize("when", ["rcpt", "data"])
def test_a_no_for_good_is_believed_and_told(world: World, server: Server, when: str) -> None:
    case_id = world.submitted("free")
    setattr(server, when, "550 5.1.1 <maria.oyelaran@example.org>: no such user")
    message_id = queued(world, case_id)
    send(world, server.url, message_id)
    server.rcpt = server.data = "250 OK"
    # Not tried again by itself.
    send(world, server.url, message_id)
    assert server.got == []
    [one] = open_ones(world)
    assert (one.message_id, one.case_id, one.address) == (message_id, case_id, "maria.oyelaran@example.org")
    assert one.reason.startswith("550 5.1.1")
    assert "Call the patient" in one.advice
    assert one.correctable
    with world.db.transaction() as tx:
        assert [n.kind for n in tx.scalars(select(Notice)) if n.case_id == case_id and n.kind == "mail_failed"]
        assert [u.message_id for u in undelivered.of_case(tx, world.coordinator, case_id)] == [message_id]
        assert next(iter(notifications.listed(tx, world.patient))).delivery == "failed"


def test_a_no_for_now_is_tried_again_and_given_up_in_the_end(world: World, server: Server) -> None:
    message_id = queued(world, world.submitted("free"))
    server.rcpt = "451 4.7.1 try later"
    for _ in range(outbox.MOST_TRIES - 1):
        with pytest.raises(Unavailable):
            send(world, server.url, message_id)
        assert open_ones(world) == []
    # The last one is no failure of the job: it is told instead.
    send(world, server.url, message_id)
    [one] = open_ones(world)
    assert (one.reason, "mail settings" in one.advice) == ("", True)
    with world.db.transaction() as tx:
        undelivered.again(tx, world.coordinator, message_id)
    server.rcpt = "250 OK"
    send(world, server.url, message_id)
    assert len(server.got) == 1
    assert open_ones(world) == []


def test_a_server_that_comes_back_gets_the_mail(world: World, server: Server) -> None:
    message_id = queued(world, None, "has_account")
    with pytest.raises(Unavailable):
        send(world, "smtp://127.0.0.1:1", message_id)
    send(world, server.url, message_id)
    assert len(server.got) == 1
    with world.db.transaction() as tx:
        message = tx.get_one(Message, message_id)
        assert (message.tries, message.failed_at, message.sent_at is not None) == (1, None, True)


def test_nothing_of_an_address_is_logged(
    world: World, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the server itself logs is not ours.
    monkeypatch.setattr(logging.getLogger("mail.log"), "disabled", True)
    server.rcpt = "550 <maria.oyelaran@example.org> is unknown"
    send(world, server.url, queued(world, world.submitted("free")))
    said = "".join(capsys.readouterr())
    assert "mail_not_delivered" in said
    assert "maria" not in said


def test_send_again_settle_and_a_second_click(world: World, server: Server) -> None:
    server.rcpt = "550 no"
    message_id = queued(world, world.submitted("free"))
    send(world, server.url, message_id)
    with world.db.transaction() as tx:
        for who in (world.patient, world.specialist, world.who["admin"], world.auditor):
            for refused in (undelivered.again, undelivered.settle):
                with pytest.raises(Forbidden):
                    refused(tx, who, message_id)
            with pytest.raises(Forbidden):
                undelivered.listed(tx, who)
        with pytest.raises(NotFound):
            undelivered.settle(tx, world.coordinator, uuid4())
        undelivered.settle(tx, world.coordinator, message_id)
        assert undelivered.count(tx, world.coordinator) == 0
        for again in (undelivered.again, undelivered.settle):
            with pytest.raises(Conflict) as error:
                again(tx, world.coordinator, message_id)
            assert "meanwhile" in error.value.safe


def test_a_patients_address_is_corrected_once_they_have_confirmed(world: World, server: Server) -> None:
    server.rcpt = "550 no"
    message_id = queued(world, world.submitted("free"))
    send(world, server.url, message_id)
    coordinator, old = world.coordinator, "maria.oyelaran@example.org"
    with world.db.transaction() as tx:
        for taken in (old, "coordinator@example.org"):
            with pytest.raises(Conflict):
                undelivered.correct_address(tx, coordinator, message_id, taken)
        with pytest.raises(Forbidden):
            undelivered.correct_address(tx, world.patient, message_id, "right@example.org")
        for _ in range(2):
            undelivered.correct_address(tx, coordinator, message_id, "right@example.org")
        assert principals.get(tx, world.patient.id).email == old
        assert undelivered.of_case(tx, coordinator, open_case(tx, message_id))[0].waits_for == "right@example.org"
    link = Mailbox(world).link("right@example.org").rpartition("/")[2]
    assert len(Mailbox(world).texts("right@example.org")) == 1
    with world.db.transaction() as tx:
        for _ in range(2):
            assert addresses.confirm(tx, link).id == world.patient.id
        person = principals.get(tx, world.patient.id)
        assert (person.email, person.pending_email) == ("right@example.org", None)
        undelivered.again(tx, coordinator, message_id)
    assert any("report is ready" in text for text in Mailbox(world).texts("right@example.org"))
    with world.db.transaction() as tx:
        principals.get(tx, world.patient.id).email = old


def open_case(tx: Any, message_id: UUID) -> UUID:
    case_id = tx.get_one(Message, message_id).case_id
    assert case_id is not None
    return UUID(str(case_id))


def test_a_link_of_an_address_that_was_corrected_once_more_confirms_nothing(world: World, server: Server) -> None:
    server.rcpt = "550 no"
    message_id = queued(world, world.submitted("free"))
    send(world, server.url, message_id)
    with world.db.transaction() as tx:
        undelivered.correct_address(tx, world.coordinator, message_id, "wrong@example.org")
    link = Mailbox(world).link("wrong@example.org").rpartition("/")[2]
    with world.db.transaction() as tx:
        undelivered.correct_address(tx, world.coordinator, message_id, "better@example.org")
        with pytest.raises(NotFound):
            addresses.confirm(tx, link)
        principals.get(tx, world.patient.id).pending_email = None


def test_nobody_but_a_patient_is_corrected_and_confirmations_are_their_own(world: World, server: Server) -> None:
    server.rcpt = "550 no"
    staff = queued(world, None, "damaged", "coordinator")
    send(world, server.url, staff)
    with world.db.transaction() as tx:
        with pytest.raises(Unprocessable):
            undelivered.correct_address(tx, world.coordinator, staff, "x@example.org")
        person = principals.create(tx, role=principals.Role.PATIENT, name="New")
        person.pending_email = "typo@example.org"
        accounts.ask(tx, person)
        confirmation = tx.scalars(select(Message.id).order_by(Message.id.desc()).limit(1)).one()
        test_to = principals.get(tx, world.who["admin"].id)
        test_to.email = test_to.email or "admin@example.org"
        mails.send_test(tx, world.who["admin"], "", "en", "published")
        test = tx.scalars(select(Message.id).order_by(Message.id.desc()).limit(1)).one()
    for one in (confirmation, test):
        send(world, server.url, one)
    assert [one.message_id for one in open_ones(world)] == [staff]


def test_what_was_given_up_goes_when_its_time_is_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    with world.db.transaction() as tx:
        tx.add(Message(recipient_id=world.patient.id, template="has_account", facts={}, failed_at=now))
    monkeypatch.setattr(clock, "now", lambda: now + mail.KEPT + timedelta(seconds=1))
    assert retention.in_batches(world.db, lambda tx, most: mail.sweep(FolderMailer(world.folder, "a@b"), tx, most)) == 1


def test_the_digest_tells_of_it(world: World, server: Server) -> None:
    server.rcpt = "550 no"
    send(world, server.url, queued(world, world.submitted("free")))
    with world.db.transaction() as tx:
        digest.send(tx, timedelta(0))
        facts = tx.scalars(select(Message.facts).where(Message.template == "digest")).first()
    assert facts is not None
    assert re.search("a mail did not arrive", str(facts["entries"]))


def test_undelivered_over_http(api: Api, world: World, server: Server) -> None:
    server.rcpt = "550 no"
    case_id = world.submitted("free")
    first, second = queued(world, case_id), queued(world, case_id)
    for one in (first, second):
        send(world, server.url, one)
    found = json.loads(api.call("coordinator", "GET", "/undelivered")[1])
    assert [one["message_id"] for one in found] == [str(second), str(first)]
    assert found[0]["reason"] == "550 no"
    body = {"email": "right@example.org"}
    assert api.call("coordinator", "POST", f"/undelivered/{first}/address", {"email": "no"})[0] == 400
    assert api.call("coordinator", "POST", f"/undelivered/{first}/address", body)[0] == 204
    assert api.call("coordinator", "POST", f"/undelivered/{first}/again")[0] == 204
    assert api.call("coordinator", "POST", f"/undelivered/{first}/again")[0] == 409
    assert api.call("coordinator", "POST", f"/undelivered/{second}/settle")[0] == 204
    assert json.loads(api.call("coordinator", "GET", "/undelivered")[1]) == []
    for who in ("patient", "specialist", "admin", "auditor"):
        assert api.call(who, "GET", "/undelivered")[0] == 403
        assert api.call(who, "POST", f"/undelivered/{second}/settle")[0] == 403
    with world.db.transaction() as tx:
        principals.get(tx, world.patient.id).pending_email = None
