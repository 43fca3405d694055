"""The tables of billing. None of them knows what is paid for: `subject_ref` is opaque."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Enum, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.states import OVER, PaymentState
from overread.kit import clock
from overread.kit.db import Base

_STATES = ", ".join(f"'{state}'" for state in PaymentState)
_STATE = Enum(
    PaymentState, native_enum=False, length=16, values_callable=lambda states: [state.value for state in states]
)
_OVER = ", ".join(f"'{state}'" for state in sorted(OVER))


class Payment(Base):
    """One attempt to be paid for one subject; at most one a subject is not over.

    Amounts are integers in minor units of `currency` (ISO 4217). `provider` is `stripe`, `invoice` (paid outside) or
    `free`. `checkout_url` is set while a payment page is open. `attempt` counts the holds tried off-session: it is a
    part of their idempotency keys, which all begin with the payment's id.
    """

    __tablename__ = "billing_payment"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        CheckConstraint("amount >= 0 AND amount_refunded >= 0 AND amount_refunded <= amount", name="amounts"),
        Index(
            "uq_billing_payment_standing",
            "subject_ref",
            unique=True,
            postgresql_where=text(f"state NOT IN ({_OVER})"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    subject_ref: Mapped[str] = mapped_column(String(100), index=True)
    provider: Mapped[str] = mapped_column(String(16), default="stripe")
    price_key: Mapped[str | None] = mapped_column(String(64))
    amount: Mapped[int] = mapped_column(BigInteger)
    amount_refunded: Mapped[int] = mapped_column(BigInteger, default=0)
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[PaymentState] = mapped_column(_STATE, default=PaymentState.NONE)
    checkout_id: Mapped[str | None] = mapped_column(String(100), index=True)
    checkout_url: Mapped[str | None]
    checkout_expires_at: Mapped[datetime | None]
    payment_intent_id: Mapped[str | None] = mapped_column(String(100), index=True)
    customer_id: Mapped[str | None] = mapped_column(String(100))
    payment_method_id: Mapped[str | None] = mapped_column(String(100))
    card_label: Mapped[str | None] = mapped_column(String(40))
    capture_before: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    failure_code: Mapped[str | None] = mapped_column(String(64))
    failure_text: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class LedgerEntry(Base):
    """One change of a payment's state, or one refund. Rows are only ever added."""

    __tablename__ = "billing_ledger"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("billing_payment.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    action: Mapped[str] = mapped_column(String(32))
    from_state: Mapped[str] = mapped_column(String(16))
    to_state: Mapped[str] = mapped_column(String(16))
    amount: Mapped[int] = mapped_column(BigInteger)
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class WebhookEvent(Base):
    """One event of the provider, recorded once however often it is delivered.

    `payload` keeps only what is needed to find the payment again: names and addresses of payers stay with the provider.
    """

    __tablename__ = "billing_webhook_event"
    __table_args__ = (Index("uq_billing_webhook_event_external", "provider", "external_id", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    provider: Mapped[str] = mapped_column(String(16))
    external_id: Mapped[str] = mapped_column(String(100))
    type: Mapped[str] = mapped_column(String(100))
    payload: Mapped[dict[str, Any]]
    received_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    processed_at: Mapped[datetime | None]


class Price(Base):
    """What something costs, and from when until when; a change of price is a new row."""

    __tablename__ = "billing_price"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="amount"),
        Index("uq_billing_price_from", "key", "valid_from", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    key: Mapped[str] = mapped_column(String(64))
    label: Mapped[str] = mapped_column(String(200))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    valid_from: Mapped[datetime] = mapped_column(default=clock.now)
    valid_until: Mapped[datetime | None]
