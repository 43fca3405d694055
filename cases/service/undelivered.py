"""Mails that did not arrive, for coordinators: to whom, why, and what is done about it.

A confirmation of an address is none of them: anybody can cause those, with whatever address they type.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from cases import events, notify, outbox
from cases.models import Case, Message
from cases.service import notifications
from overread.kit import audit, clock, jobs, permissions, principals
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.paging import Keyset, Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, PrincipalRow, Role

_NEWEST = Keyset(Message.created_at, Message.id, descending=True)


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A mail that did not arrive. `reason`: the mail server's words, "" where none took it; `advice`: what to do.

    `correctable`: the recipient's address can be corrected here; `waits_for`: the one that waits to be confirmed.
    """

    message_id: UUID
    failed_at: datetime
    subject: str
    recipient: str
    role: str
    address: str
    phone: str
    reason: str
    advice: str
    case_id: UUID | None
    reference: str
    correctable: bool
    waits_for: str


def listed(tx: Session, who: Principal, after: str = "", limit: int = 50) -> Page[Undelivered]:
    """Those that nobody has dealt with yet, newest first. Raises Forbidden."""
    permissions.require(who, Permission.MAILS_UNDELIVERED)
    page = _NEWEST.page(tx, select(Message).where(_open()), after, limit)
    return page.of([_view(tx, one) for one in page])


def of_case(tx: Session, who: Principal, case_id: UUID) -> list[Undelivered]:
    """The same of one case. Raises Forbidden."""
    permissions.require(who, Permission.MAILS_UNDELIVERED)
    query = select(Message).where(_open(), Message.case_id == case_id).order_by(Message.id.desc())
    return [_view(tx, one) for one in tx.scalars(query)]


def count(tx: Session, who: Principal) -> int:
    """How many there are. Raises Forbidden."""
    permissions.require(who, Permission.MAILS_UNDELIVERED)
    return tx.scalar(select(func.count()).where(_open())) or 0


def again(tx: Session, who: Principal, message_id: UUID) -> None:
    """Send one again, to the address that its recipient has now. Raises Forbidden, NotFound, Conflict."""
    message = _locked(tx, who, message_id)
    message.failed_at = message.sent_at = None
    message.tries, message.failure, message.address = 0, "", ""
    tx.flush()
    jobs.emit(tx, events.MailQueued(str(message.id)))
    _log(tx, who, message, "mail.again")


def settle(tx: Session, who: Principal, message_id: UUID) -> None:
    """Say that one was dealt with, as by a call. Raises Forbidden, NotFound, Conflict."""
    message = _locked(tx, who, message_id)
    message.settled_at = clock.now()
    _log(tx, who, message, "mail.settle")


def correct_address(tx: Session, who: Principal, message_id: UUID, email: str) -> None:
    """Mail a patient at another address for a confirmation; it is theirs once they open the link, with their password.

    Until then they sign in by the one that they have. Raises Forbidden, NotFound, Conflict, and Unprocessable where the
    recipient is no patient with an account.
    """
    message = _locked(tx, who, message_id)
    person = _person(tx, message)
    if person is None or not _correctable(person):
        safe = gettext("Only a patient’s address can be corrected here. Ask an admin about the others.")
        raise Unprocessable("no patient's address", safe=safe)
    principals.lock(tx, person.id)
    email = email.strip()
    if person.email and person.email.lower() == email.lower():
        raise Conflict("the same address", safe=gettext("This is the address that the mail did not arrive at."))
    if principals.by_email(tx, email) is not None:
        raise Conflict("an account's address", safe=gettext("This e-mail address has an account already."))
    if (person.pending_email or "").lower() == email.lower():
        return
    person.pending_email = email
    tx.flush()
    notify.queue_confirmation(tx, person.id, email)
    _log(tx, who, message, "account.address_corrected")


def _open() -> ColumnElement[bool]:
    return and_(
        Message.failed_at.is_not(None),
        Message.settled_at.is_(None),
        Message.template != notify.CONFIRMATION,
        Message.facts[outbox.TEST].as_string().is_(None),
    )


def _locked(tx: Session, who: Principal, message_id: UUID) -> Message:
    permissions.require(who, Permission.MAILS_UNDELIVERED)
    message = tx.scalars(select(Message).where(Message.id == message_id).with_for_update()).one_or_none()
    if message is None or message.template == notify.CONFIRMATION or outbox.TEST in message.facts:
        raise NotFound(f"no mail {message_id}")
    if message.failed_at is None or message.settled_at is not None:
        safe = gettext("Somebody has dealt with this mail meanwhile. Load the list again.")
        raise Conflict("a mail that is not open", safe=safe)
    return message


def _log(tx: Session, who: Principal, message: Message, action: str) -> None:
    audit.record(tx, who, action, "mail", message.id, case_id=message.case_id)


def _person(tx: Session, message: Message) -> PrincipalRow | None:
    return tx.get(PrincipalRow, message.recipient_id) if message.recipient_id else None


def _correctable(person: PrincipalRow) -> bool:
    return person.role == Role.PATIENT.value and person.active and bool(person.email)


def _view(tx: Session, message: Message) -> Undelivered:
    assert message.failed_at is not None
    person, case = _person(tx, message), tx.get(Case, message.case_id) if message.case_id else None
    return Undelivered(
        message.id,
        message.failed_at,
        notifications.subject(message),
        person.name if person else "",
        person.role if person else "",
        message.address,
        (person.phone or "") if person else "",
        message.failure,
        _advice(message, person),
        message.case_id,
        case.reference if case else "",
        person is not None and _correctable(person),
        (person.pending_email or "") if person else "",
    )


def _advice(message: Message, person: PrincipalRow | None) -> str:
    if not message.failure:
        return gettext(
            "No mail server took it for about an hour. Ask whoever runs the server to look at its mail settings, then "
            "send it again. If it can’t wait, call."
        )
    if person is None:
        return gettext("Nobody’s account: whoever gave this address can give the right one.")
    if person.role == Role.PATIENT.value:
        return gettext(
            "Call the patient and tell them. Ask for the right address, correct it, then send the mail again."
        )
    return gettext("Call them. An admin makes an account with the right address.")
