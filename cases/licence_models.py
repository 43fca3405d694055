"""What the case layer keeps of what places ask, and of who is licensed there."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cases.columns import enum_of as _enum
from cases.states import LicenceRequirement
from overread.kit import clock
from overread.kit.db import Base


class LicenceRule(Base):
    """What a place asks, from a day on; the newest rule that is valid counts. No row: unknown, which is blocked."""

    __tablename__ = "cases_licence_rule"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    place: Mapped[str] = mapped_column(String(8), index=True)
    rule: Mapped[LicenceRequirement] = mapped_column(_enum(LicenceRequirement))
    source: Mapped[str] = mapped_column(Text, default="")
    valid_from: Mapped[date] = mapped_column()
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class Licence(Base):
    """A specialist's licence for a place. It counts once the program has verified it.

    `asked_until`, `asked_number`: how its holder wants it renewed, while the one that was verified stays as it is.
    """

    __tablename__ = "cases_licence"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    specialist_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    place: Mapped[str] = mapped_column(String(8))
    number: Mapped[str] = mapped_column(String(64), default="")
    expires_on: Mapped[date] = mapped_column()
    verified_at: Mapped[datetime | None] = mapped_column()
    asked_until: Mapped[date | None] = mapped_column()
    asked_number: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (UniqueConstraint("specialist_id", "place"),)
