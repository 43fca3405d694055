"""What a mail server reports later: delivery status notifications of every kind, and what is none."""

from __future__ import annotations

from contextlib import suppress
from email.message import EmailMessage
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from cases import bounces
from cases.models import Message
from cases.service import undelivered
from overread.kit import clock
from overread.kit.errors import BadInput
from tests.cases.world import World

_STATUS = """Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; maria@example.org
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 mailbox unavailable
"""


def report(
    message_id: object, action: str = "failed", status: str = "5.1.1", kind: str = "text/rfc822-headers"
) -> bytes:
    """A report as Postfix and others write it (RFC 3464, appendix E)."""
    returned = f"From: a@b.example\nMessage-ID: <{message_id}@overread.example>\nSubject: x\n"
    body = returned if kind == "text/rfc822-headers" else f"{returned}\nThe mail.\n"
    return (
        "From: MAILER-DAEMON@mx.example.org\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nSorry.\n"
        f"--b\nContent-Type: message/delivery-status\n\n{_STATUS.format(action=action, status=status)}\n"
        f"--b\nContent-Type: {kind}\n\n{body}\n--b--\n"
    ).encode()


def sent(world: World) -> UUID:
    with world.db.transaction() as tx:
        tx.execute(delete(Message))
        message = Message(
            recipient_id=world.patient.id, template="has_account", facts={}, sent_at=clock.now(), address="a@b.example"
        )
        tx.add(message)
        tx.flush()
        return message.id


@pytest.mark.parametrize("kind", ["text/rfc822-headers", "message/rfc822"])
def test_a_mail_that_came_back_later_is_told_once(world: World, kind: str) -> None:
    message_id = sent(world)
    with world.db.transaction() as tx:
        for _ in range(2):
            assert bounces.take(tx, report(message_id, kind=kind))
        [one] = undelivered.listed(tx, world.coordinator)
        assert (one.message_id, one.reason) == (message_id, "550 5.1.1 mailbox unavailable")
        undelivered.settle(tx, world.coordinator, message_id)
        # The same report again opens nothing anew.
        bounces.take(tx, report(message_id, kind=kind))
        assert undelivered.count(tx, world.coordinator) == 0


def test_what_is_no_failure_of_ours_is_left_alone(world: World) -> None:
    message_id, holiday = sent(world), EmailMessage()
    holiday["Subject"], holiday["In-Reply-To"] = "I am away", f"<{message_id}@overread.example>"
    holiday.set_content("Until Monday.")
    with world.db.transaction() as tx:
        for content in (
            report(message_id, action="delayed", status="4.4.1"),
            report(message_id, action="delivered", status="2.0.0"),
            report(message_id, status="4.7.1"),
            report(uuid4()),
            report("nothing"),
            report("' OR 1=1"),
            holiday.as_bytes(),
            b"",
            b"\x00\xff" * 100,
        ):
            assert not bounces.take(tx, content)
        assert undelivered.count(tx, world.coordinator) == 0


def test_a_report_has_an_end(world: World) -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(5000))
    with world.db.transaction() as tx:
        with pytest.raises(BadInput):
            bounces.take(tx, b"x" * (bounces.MOST_BYTES + 1))
        with suppress(BadInput):
            assert not bounces.take(tx, nested)


@given(st.binary(max_size=400), st.integers(0, 600))
def test_no_bytes_do_any_harm(junk: bytes, place: int) -> None:
    class Nothing:
        def scalars(self, _query: object) -> Nothing:
            return self

        def one_or_none(self) -> None:
            return None

    whole = report(uuid4())
    torn = whole[:place] + junk + whole[place:]
    with suppress(BadInput):
        assert not bounces.take(Nothing(), torn)  # type: ignore[arg-type]
