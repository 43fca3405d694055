"""What coordinators keep of cases among themselves: whose a case is, tags, notes, and what each of them has seen."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from overread.kit import clock
from overread.kit.db import Base


class Ownership(Base):
    """Which coordinator looks after a case; no row: nobody does."""

    __tablename__ = "cases_ownership"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    since: Mapped[datetime] = mapped_column(default=clock.now)


class CaseTag(Base):
    """A word that coordinators sort a case by."""

    __tablename__ = "cases_tag"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(30), primary_key=True, index=True)


class InternalNote(Base):
    """What coordinators write to each other about a case; nobody else ever sees it."""

    __tablename__ = "cases_internal_note"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), index=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=clock.now)


class Seen(Base):
    """When a coordinator last opened a case; no row: never, or they marked it as unread."""

    __tablename__ = "cases_seen"

    coordinator_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), primary_key=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), primary_key=True, index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)


class QueueChoice(Base):
    """How a coordinator has narrowed the queue, as its address says it: so it is shown again."""

    __tablename__ = "cases_queue_choice"

    coordinator_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), primary_key=True)
    choice: Mapped[dict[str, Any]] = mapped_column(default=dict)


class SavedReply(Base):
    """A text that coordinators of a program write again and again."""

    __tablename__ = "cases_saved_reply"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    program_id: Mapped[UUID] = mapped_column(ForeignKey("cases_program.id"))
    name: Mapped[str] = mapped_column(String(80))
    text: Mapped[str] = mapped_column(Text)
    changed_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    changed_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (UniqueConstraint("program_id", "name"),)


class Tick(Base):
    """That a coordinator has seen to an item of the checklist of a case's kind; in its words, as they were then."""

    __tablename__ = "cases_tick"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), primary_key=True)
    item: Mapped[str] = mapped_column(String(300), primary_key=True)
    ticked_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    ticked_at: Mapped[datetime] = mapped_column(default=clock.now)
