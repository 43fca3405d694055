"""What the room keeps: who was granted which view, and the one-time codes that open a viewer."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from overread.kit import clock
from overread.kit.db import Base


class Grant(Base):
    """A principal may see one case's de-identified view until a moment, unless it was revoked before."""

    __tablename__ = "bridge_grant"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    case_id: Mapped[UUID] = mapped_column(index=True)
    view_id: Mapped[UUID] = mapped_column()
    until: Mapped[datetime] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    revoked_at: Mapped[datetime | None] = mapped_column()

    # One grant at a time for a principal and a case; what was revoked stays as history.
    __table_args__ = (
        Index(
            "uq_bridge_grant_principal_id_case_id",
            "principal_id",
            "case_id",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )


class LaunchCode(Base):
    """What a one-time code opens. The code itself is a credential like others (`overread.kit.tokens.LAUNCH`)."""

    __tablename__ = "bridge_launch"

    token_id: Mapped[UUID] = mapped_column(ForeignKey("kit_token.id"), primary_key=True)
    study_uids: Mapped[list[Any]] = mapped_column()
