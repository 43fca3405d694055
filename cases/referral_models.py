"""What the case layer keeps of requests that somebody else than the patient prepares."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cases.invitations import Invited
from cases.models import OpinionKind
from overread.kit import clock
from overread.kit.db import Base


class Referral(Invited):
    """A request that a physician, or a coordinator for a caller, prepares for a patient, who is invited to it.

    There is no case before the patient agrees; `reference` is the number that the case has then, and that a hospital
    can write into images from the first day on. `referred_by`: whose account typed it.
    """

    __tablename__ = "cases_referral"

    reference: Mapped[str] = mapped_column(String(12), unique=True)
    kind_id: Mapped[UUID] = mapped_column(ForeignKey("cases_kind.id"))
    referred_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    # The physician, as the patient knows them; empty where the patient called themselves.
    physician: Mapped[str] = mapped_column(String(200), default="")
    patient_name: Mapped[str] = mapped_column(String(200), default="")
    birth_date: Mapped[date | None] = mapped_column()
    sex: Mapped[str] = mapped_column(String(1), default="")
    phone: Mapped[str] = mapped_column(String(40), default="")
    place: Mapped[str] = mapped_column(String(8), default="")
    subjects: Mapped[list[Any]] = mapped_column(default=list)
    other_subject: Mapped[str] = mapped_column(String(400), default="")
    questions: Mapped[list[Any]] = mapped_column(default=list)
    history: Mapped[str] = mapped_column(Text, default="")
    # The patient said no: nothing of what was written is kept.
    refused: Mapped[bool] = mapped_column(default=False)
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases_case.id"), unique=True)

    kind: Mapped[OpinionKind] = relationship(lazy="joined", innerjoin=True)


class ReportShare(Base):
    """A patient's consent that whoever referred them reads the report: as it was given, and when it was withdrawn."""

    __tablename__ = "cases_report_share"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), index=True)
    version: Mapped[str] = mapped_column(String(32))
    text_digest: Mapped[str] = mapped_column(String(64))
    given_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    given_at: Mapped[datetime] = mapped_column(default=clock.now)
    address: Mapped[str] = mapped_column(String(64), default="")
    withdrawn_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column()

    __table_args__ = (
        Index("uq_cases_report_share_standing", case_id, unique=True, postgresql_where=withdrawn_at.is_(None)),
    )
