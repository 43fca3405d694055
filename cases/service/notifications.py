"""What was sent to somebody, as they see it in the portal: the subjects of their mails, and what has become of each.

Confirmations of addresses are left out: that one was sent, or did not arrive, would tell whoever typed an address
whether it has an account already (docs/decisions/0030).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from cases import mail_rendering, notify, outbox
from cases.mail_texts import TEMPLATES
from cases.models import Message
from overread.kit import clock, permissions
from overread.kit.errors import NotFound
from overread.kit.paging import Keyset, Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal

_NEWEST = Keyset(Message.created_at, Message.id, descending=True)


class Delivery(StrEnum):
    """What has become of a mail: it waits, a mail server has it, or none took it."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Notification:
    """One mail. `page`: where it leads, "" nowhere; `unread`: it was not opened in the portal."""

    notification_id: UUID
    at: datetime
    subject: str
    page: str
    delivery: str
    unread: bool


def listed(tx: Session, who: Principal, after: str = "", limit: int = 50) -> Page[Notification]:
    """One's own, newest first. Raises Forbidden."""
    permissions.require(who, Permission.MAILS_OWN)
    found = _NEWEST.page(tx, select(Message).where(_own(who)), after, limit)
    return found.of([_view(one) for one in found])


def unread(tx: Session, who: Principal) -> int:
    """How many of them were not opened."""
    query = select(func.count()).where(_own(who), Message.read_at.is_(None))
    return tx.scalar(query) or 0


def opened(tx: Session, who: Principal, notification_id: UUID) -> str:
    """Note that one was opened, the first time; where it leads. Raises Forbidden, NotFound for another’s, too."""
    permissions.require(who, Permission.MAILS_OWN)
    query = select(Message).where(Message.id == notification_id, _own(who)).with_for_update()
    message = tx.scalars(query).one_or_none()
    if message is None:
        raise NotFound(f"no notification {notification_id} of {who.id}")
    message.read_at = message.read_at or clock.now()
    return _page(message)


def all_read(tx: Session, who: Principal) -> int:
    """Note that all were read; how many were not until now. Raises Forbidden."""
    permissions.require(who, Permission.MAILS_OWN)
    before = unread(tx, who)
    tx.execute(update(Message).where(_own(who), Message.read_at.is_(None)).values(read_at=clock.now()))
    return before


def delivery(message: Message) -> Delivery:
    """What has become of a mail that waits, was sent or given up."""
    if message.failed_at is not None:
        return Delivery.FAILED
    return Delivery.SENT if message.sent_at is not None else Delivery.WAITING


def subject(message: Message) -> str:
    """A mail's subject as it was sent; before that, as it is built in."""
    return message.subject or mail_rendering.rendered(message, "", "").subject


def _own(who: Principal) -> ColumnElement[bool]:
    return and_(Message.recipient_id == who.id, Message.template != notify.CONFIRMATION)


def _view(message: Message) -> Notification:
    at = message.sent_at or message.created_at
    unread_yet = message.read_at is None
    return Notification(message.id, at, subject(message), _page(message), delivery(message).value, unread_yet)


def _page(message: Message) -> str:
    """The page that a mail leads to. A link that is a secret is in the mail alone."""
    page = TEMPLATES[message.template].page
    leads = outbox.TEST not in message.facts and "{token}" not in page
    return page.format(case_id=message.case_id) if leads else ""
