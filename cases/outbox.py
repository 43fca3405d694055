"""How a mail that is kept leaves: to whom, in which words, and what is noted when it doesn't arrive.

A server's "no" for good (RFC 5321 4.2.1: 5yz) is believed at once; what can't be sent now is tried again, and given up
after so many tries. Either way the mail stands in a coordinator's list from then on (`cases.service.undelivered`).
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import digest, invitations, mail_rendering, mail_wording, notify
from cases.acting_models import Delegation
from cases.mail import Bounced, Mailer
from cases.mail_rendering import Mail
from cases.models import Case, Message
from cases.physician_models import PhysicianLink
from cases.referral_models import Referral
from overread.kit import addresses, clock, log
from overread.kit.db import Database
from overread.kit.errors import Unavailable
from overread.kit.language import SOURCE
from overread.kit.principals import PrincipalRow
from overread.kit.texts import one_line

#: After so many tries a mail is given up: about an hour, by the worker's growing pauses (`overread.kit.bus`).
MOST_TRIES = 11
#: As much as is kept of what a mail server says.
MOST_REASON = 300
#: The facts of a mail that is only to show how it looks: whose it is then, and in which language.
TEST = "test"
#: What a mail with a link invites to.
_INVITED: Mapping[str, type[Delegation | Referral | PhysicianLink]] = {
    notify.INVITATION: Delegation,
    notify.REFERRAL: Referral,
    notify.PHYSICIAN: PhysicianLink,
}
_logger = log.get(__name__)


def send(db: Database, mailer: Mailer, base_url: str, message_id: UUID) -> None:
    """Send a mail that waits. It may be sent twice where the process dies in between, never not at all.

    Raises Unavailable where it is to be tried again.
    """
    try:
        with db.transaction() as tx:
            message = _waiting(tx, message_id)
            if message is not None:
                _send(tx, mailer, base_url, message)
    except Unavailable:
        with db.transaction() as tx:
            message = _waiting(tx, message_id)
            if message is None:
                return
            message.tries += 1
            if message.tries < MOST_TRIES:
                again = True
            else:
                again = False
                give_up(tx, message, "")
        if again:
            raise


def give_up(tx: Session, message: Message, reason: str) -> None:
    """Note that a mail did not arrive, in the words of the server that said so ("": none took it)."""
    person = tx.get(PrincipalRow, message.recipient_id) if message.recipient_id else None
    message.failed_at, message.settled_at = clock.now(), None
    message.failure = one_line(reason)[:MOST_REASON]
    message.address = message.address or str(message.facts.get("to") or (person.email if person else "") or "")
    # The address and the server's words are a person's: neither goes to the log.
    _logger.warning("mail_not_delivered", message=str(message.id), template=message.template)
    case = tx.get(Case, message.case_id) if message.case_id else None
    if case is not None:
        digest.note(tx, "mail_failed", case)


def language_of(message: Message, person: PrincipalRow | None) -> str:
    """The language that a mail is written in, if somebody has worded it there."""
    return str(message.facts.get("language") or (person.language if person else "") or SOURCE)


def _waiting(tx: Session, message_id: UUID) -> Message | None:
    query = select(Message).where(Message.id == message_id).with_for_update()
    message = tx.scalars(query).one_or_none()
    return message if message is not None and message.sent_at is None and message.failed_at is None else None


def _send(tx: Session, mailer: Mailer, base_url: str, message: Message) -> None:
    mail = _made(tx, message, base_url)
    if mail is not None:
        message.subject, message.address = mail.subject, mail.recipient
        try:
            mailer.send(mail)
        except Bounced as refused:
            give_up(tx, message, refused.reason)
            return
    message.sent_at = clock.now()


def _made(tx: Session, message: Message, base_url: str) -> Mail | None:
    """The mail, or None where nobody is to get it any more."""
    person = tx.get(PrincipalRow, message.recipient_id) if message.recipient_id else None
    address, token = str(message.facts.get("to") or (person.email if person else "") or ""), ""
    if message.recipient_id is not None and (person is None or not person.active):
        return None
    if TEST in message.facts:
        pass
    elif message.template in _INVITED:
        token = invitations.make_link(tx, _INVITED[message.template], UUID(message.facts["invited"]))
        address = address if token else ""
    elif message.template == notify.CONFIRMATION and person is not None:
        # Of an address that was mistyped and changed since, nothing is confirmed any more.
        good = bool(person.pending_email) and person.pending_email == address
        address, token = (address, addresses.make_link(tx, person)) if good else ("", "")
    if not address:
        return None
    case = tx.get(Case, message.case_id) if message.case_id else None
    program = str(message.facts.get(TEST, case.program.slug if case else mail_wording.EVERY))
    said = mail_wording.opened(tx, program, language_of(message, person)).chosen(message.template)
    return mail_rendering.rendered(message, address, base_url, token, said)
