"""What the case layer keeps of a version besides its words: its history, and what its signer says of themself."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from overread.kit import clock
from overread.kit.db import Base


class ReportStep(Base):
    """The history of a report's versions: one line a move, never changed."""

    __tablename__ = "cases_report_step"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), index=True)
    number: Mapped[int] = mapped_column()
    at: Mapped[datetime] = mapped_column(default=clock.now)
    # None: the system itself.
    actor_id: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    actor: Mapped[str] = mapped_column(String(16))
    event: Mapped[str] = mapped_column(String(32))
    source: Mapped[str] = mapped_column(String(24))
    target: Mapped[str] = mapped_column(String(24))
    reason: Mapped[str] = mapped_column(Text, default="")


class Signer(Base):
    """What stands under a specialist's signature besides their name and licence."""

    __tablename__ = "cases_signer"

    specialist_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), primary_key=True)
    qualification: Mapped[str] = mapped_column(String(200))
    practice: Mapped[str] = mapped_column(String(400))
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)
