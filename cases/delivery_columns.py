"""What is kept of a mail besides what it says: what became of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column


class Delivered:
    """Columns of a mail (`cases.models.Message`)."""

    # As it was sent: its words may be changed later.
    subject: Mapped[str] = mapped_column(Text, default="")
    # When whoever got it opened it in the portal.
    read_at: Mapped[datetime | None] = mapped_column()
    # How often it could not be handed over. Once it was given up: when, why in a mail server's words ("": none took
    # it), and the address that it went to; and when a coordinator had dealt with that.
    tries: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None] = mapped_column()
    failure: Mapped[str] = mapped_column(Text, default="")
    address: Mapped[str] = mapped_column(String(320), default="")
    settled_at: Mapped[datetime | None] = mapped_column()
