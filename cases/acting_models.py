"""What the case layer keeps of those who act for a patient."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from cases.columns import enum_of
from cases.invitations import Invited
from cases.states import DelegateScope, Relation
from overread.kit import clock
from overread.kit.db import Base


class Delegation(Invited):
    """That somebody with an account of their own acts for a patient, or is invited to.

    It stands from `accepted_at` until `ends_on`, or until either side ends it.
    """

    __tablename__ = "cases_delegation"

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    delegate_id: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    relation: Mapped[Relation] = mapped_column(enum_of(Relation))
    scope: Mapped[DelegateScope] = mapped_column(enum_of(DelegateScope))
    ends_on: Mapped[date | None] = mapped_column()
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))


class Authority(Base):
    """Why the account that a case belongs to may act for the patient of the case, who is somebody else."""

    __tablename__ = "cases_authority"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), primary_key=True)
    relation: Mapped[Relation] = mapped_column(enum_of(Relation))
    text: Mapped[str] = mapped_column(Text, default="")
    # A paper that shows it, as it was sent: never run, for coordinators alone.
    proof: Mapped[bytes | None] = mapped_column()
    proof_type: Mapped[str] = mapped_column(String(32), default="")
    given_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    given_at: Mapped[datetime] = mapped_column(default=clock.now)
    checked_at: Mapped[datetime | None] = mapped_column()
    checked_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    # On what grounds a coordinator found it good.
    note: Mapped[str] = mapped_column(Text, default="")
