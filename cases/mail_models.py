"""What the case layer keeps of how its mails are worded: the mails themselves are `cases.models.Message`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cases.mail_catalogue import LONGEST_SENDER, LONGEST_SUBJECT
from overread.kit import clock
from overread.kit.db import Base
from overread.kit.language import LONGEST


class MailWording(Base):
    """What a mail says in a language instead of its built-in words.

    `program`: a program's short name; "" counts for every program that has no wording of its own, and for mails that
    are about no case.
    """

    __tablename__ = "cases_mail_wording"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    program: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(LONGEST))
    template: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(LONGEST_SUBJECT))
    text: Mapped[str] = mapped_column(Text)
    changed_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    changed_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)

    __table_args__ = (UniqueConstraint("program", "language", "template"),)


class MailSender(Base):
    """Who a program's mails say that they are from, and in which colour; `program` as in `MailWording`."""

    __tablename__ = "cases_mail_sender"

    program: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_SENDER), default="")
    # "#rrggbb", or "" for the built-in one.
    colour: Mapped[str] = mapped_column(String(7), default="")


class MailWords(Base):
    """Words of a language that no mail may hold, instead of the built-in ones (`cases.health_words`)."""

    __tablename__ = "cases_mail_words"

    language: Mapped[str] = mapped_column(String(LONGEST), primary_key=True)
    words: Mapped[list[Any]] = mapped_column(default=list)
