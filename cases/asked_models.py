"""What the case layer keeps of the items that a patient was asked for."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cases.columns import enum_of
from cases.states import AskedKind
from overread.kit import clock
from overread.kit.db import Base


class AskedItem(Base):
    """One thing that was asked for, and what became of it. `asking`: the how-manieth list of its case.

    `missing`: the patient does not have it, `answer` says why, where they said so.
    """

    __tablename__ = "cases_asked_item"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"))
    asking: Mapped[int] = mapped_column()
    number: Mapped[int] = mapped_column()
    kind: Mapped[AskedKind] = mapped_column(enum_of(AskedKind))
    text: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text, default="")
    missing: Mapped[bool] = mapped_column(default=False)
    document_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases_document.id"))
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    answered_at: Mapped[datetime | None] = mapped_column()

    __table_args__ = (UniqueConstraint("case_id", "asking", "number"),)
