"""Work items, subscriptions to them, and event reports that wait for a subscriber."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from overread.kit import clock
from overread.kit.db import Base
from pacs.ups.states import StepState


class Workitem(Base):
    """A work item. State, Transaction UID and SOP Instance UID are columns; all else is in `attributes` (DICOM JSON).

    `assignee_id`: the specialist who sees it. `subject`: what a room above lets it follow; whoever asks over the web
    does not change its state then.
    """

    __tablename__ = "pacs_workitem"

    pk: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    uid: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(11), default=StepState.SCHEDULED.value)
    transaction_uid: Mapped[str | None] = mapped_column(String(64))
    attributes: Mapped[dict[str, Any]] = mapped_column()
    assignee_id: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    subject: Mapped[UUID | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    changed_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)

    __table_args__ = (Index("ix_pacs_workitem_state_pk", "state", "pk"),)


class Watch(Base):
    """A global subscription: work items that are made later are subscribed to as well, those that `keys` match."""

    __tablename__ = "pacs_ups_watch"

    principal_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), primary_key=True)
    subscriber: Mapped[str] = mapped_column(String(16), primary_key=True)
    deletion_lock: Mapped[bool] = mapped_column(default=False)
    keys: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Subscription(Base):
    """Somebody's AE title is told of a work item's events. Titles of different principals have nothing in common."""

    __tablename__ = "pacs_ups_subscription"

    pk: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    workitem_pk: Mapped[int] = mapped_column(ForeignKey("pacs_workitem.pk", ondelete="CASCADE"))
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    subscriber: Mapped[str] = mapped_column(String(16))
    deletion_lock: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (UniqueConstraint("workitem_pk", "principal_id", "subscriber"),)


class Report(Base):
    """An event report (PS3.4 CC.2.4) that waits until its subscriber has it."""

    __tablename__ = "pacs_ups_report"

    pk: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    subscriber: Mapped[str] = mapped_column(String(16))
    payload: Mapped[dict[str, Any]] = mapped_column()
    at: Mapped[datetime] = mapped_column(default=clock.now, index=True)

    __table_args__ = (Index("ix_pacs_ups_report_principal_id_subscriber_pk", "principal_id", "subscriber", "pk"),)
