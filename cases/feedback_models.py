"""What the case layer keeps of what people say after a report, and of a wish to be seen by the program's clinic."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cases.columns import enum_of
from overread.kit import clock
from overread.kit.db import Base


class TestimonialState(StrEnum):
    """Where words for the public site stand. Nobody but the patient brings withdrawn ones back."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class VisitState(StrEnum):
    """Where a wish for a visit stands."""

    ASKED = "asked"
    ARRANGED = "arranged"
    DECLINED = "declined"


class Survey(Base):
    """How it went, as a case's patient says once the report was read; sent again it takes the place of the first."""

    __tablename__ = "cases_survey"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), primary_key=True)
    # 1 to 5 by the keys of `cases.surveys.QUESTIONS`; what was left out is not there.
    scores: Mapped[dict[str, Any]] = mapped_column(default=dict)
    text: Mapped[str] = mapped_column(Text, default="")
    sent_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    sent_at: Mapped[datetime] = mapped_column(default=clock.now)


class Testimonial(Base):
    """A patient's words that the program may show, and the text of the consent as it was given."""

    __tablename__ = "cases_testimonial"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    # What stands under it; empty: no name.
    name: Mapped[str] = mapped_column(String(80), default="")
    state: Mapped[TestimonialState] = mapped_column(enum_of(TestimonialState), default=TestimonialState.WAITING)
    consent: Mapped[str] = mapped_column(Text)
    given_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    given_at: Mapped[datetime] = mapped_column(default=clock.now)
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    decided_at: Mapped[datetime | None] = mapped_column()
    withdrawn_at: Mapped[datetime | None] = mapped_column()


class CheckIn(Base):
    """A specialist is asked how the work for a program goes, after so many of its reports."""

    __tablename__ = "cases_check_in"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    program_id: Mapped[UUID] = mapped_column(ForeignKey("cases_program.id"))
    specialist_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    readings: Mapped[int] = mapped_column()
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    score: Mapped[int | None] = mapped_column()
    text: Mapped[str] = mapped_column(Text, default="")
    answered_at: Mapped[datetime | None] = mapped_column()

    __table_args__ = (UniqueConstraint("program_id", "specialist_id", "readings"),)


class Visit(Base):
    """A patient's wish to be seen by the program's clinic. At most one of a case waits for an answer."""

    __tablename__ = "cases_visit"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), index=True)
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    # When it would suit, and what else the clinic should know.
    wish: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[VisitState] = mapped_column(enum_of(VisitState), default=VisitState.ASKED)
    # When and where, or why not; the patient reads it.
    answer: Mapped[str] = mapped_column(Text, default="")
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    answered_at: Mapped[datetime | None] = mapped_column()

    __table_args__ = (Index("uq_cases_visit_asked", case_id, unique=True, postgresql_where=state == VisitState.ASKED),)
