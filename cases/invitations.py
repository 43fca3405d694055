"""Invitations by mail: a link with a secret that is made when the mail is sent, and is good for two weeks.

What is invited to is a row with these columns: acting for a patient (`Delegation`), taking a referral up (`Referral`).
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from overread.kit import clock
from overread.kit.db import Base
from overread.kit.errors import NotFound
from overread.kit.language import gettext
from overread.kit.tokens import digest_of

#: How long an invitation can be taken up.
INVITED_FOR = timedelta(days=14)


class Invited(Base):
    """Somebody with an e-mail address who is invited. `digest`: SHA-256 of the link's secret, once it was mailed."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    email: Mapped[str] = mapped_column(String(320))
    digest: Mapped[bytes | None] = mapped_column(unique=True)
    invited_at: Mapped[datetime] = mapped_column(default=clock.now)
    accepted_at: Mapped[datetime | None] = mapped_column()
    ended_at: Mapped[datetime | None] = mapped_column()

    @property
    def is_late(self) -> bool:
        """Whether it was not taken up in time."""
        return self.accepted_at is None and self.invited_at + INVITED_FOR < clock.now()


_Row = TypeVar("_Row", bound=Invited)


def make_link(tx: Session, kind: type[Invited], invited_id: UUID) -> str:
    """A new link's secret for an open invitation, for the mail that is being sent; "" where it is open no more."""
    row = tx.get(kind, invited_id, with_for_update={"of": kind})
    if row is None or row.accepted_at is not None or row.ended_at is not None:
        return ""
    token = secrets.token_urlsafe(32)
    row.digest = digest_of(token)
    tx.flush()
    return token


def of_link(tx: Session, kind: type[_Row], token: str, *, lock: bool = False) -> _Row:
    """The invitation of a link. Raises NotFound for a link that is none, was taken back, or is too old."""
    query = select(kind).where(
        kind.digest == digest_of(token), kind.ended_at.is_(None), kind.invited_at > clock.now() - INVITED_FOR
    )
    row = tx.scalars(query.with_for_update(of=kind) if lock else query).one_or_none()
    if row is None:
        raise NotFound(
            "an invitation's link that is unknown, ended or too old",
            safe=gettext("This link is too old, or the invitation was taken back. Ask for another one."),
        )
    return row
