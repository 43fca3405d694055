"""What the case layer keeps to find a specialist: how each of them reads, and what was let pass for a case."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from cases.columns import enum_of
from cases.states import Obstacle
from overread.kit import clock
from overread.kit.db import Base


class Reader(Base):
    """How a specialist reads. Where they read stands in their licences, for whom in `ProgramSpecialist`.

    `said`, `confirmed`: subjects, subspecialties and practices, as the specialist says them and as an admin has
    confirmed them. What is confirmed counts for them; a practice counts against them as soon as it is said.
    """

    __tablename__ = "cases_reader"

    specialist_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), primary_key=True)
    said: Mapped[dict[str, Any]] = mapped_column(default=dict)
    confirmed: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Codes of `cases.tongues`.
    languages: Mapped[list[Any]] = mapped_column(default=list)
    # How many cases they want at once, and in seven days; None: as many as come.
    most_open: Mapped[int | None] = mapped_column()
    most_week: Mapped[int | None] = mapped_column()
    # {"first", "last"}: days by the specialist's own calendar, both included.
    leave: Mapped[list[Any]] = mapped_column(default=list)


class FitException(Base):
    """A coordinator's reason to let one specialist read a case although something stands in the way.

    That no licence covers the place is excepted in the case itself (`Case.licence_exception`).
    """

    __tablename__ = "cases_fit_exception"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), primary_key=True)
    specialist_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), primary_key=True)
    about: Mapped[Obstacle] = mapped_column(enum_of(Obstacle), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    recorded_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    recorded_at: Mapped[datetime] = mapped_column(default=clock.now)
