"""What the case layer keeps of the links by which treating physicians without an account read a report."""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from cases.invitations import Invited
from overread.kit import clock


class PhysicianLink(Invited):
    """A patient's consent that a physician reads the report by a link, and a code, until it ends.

    `accepted_at`: when it was opened first. Kept after its end: a recall is told to whoever has read.
    """

    __tablename__ = "cases_physician_link"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    code_digest: Mapped[bytes] = mapped_column()
    ends_at: Mapped[datetime] = mapped_column()
    # The text that was agreed to, as `cases.consents` has it.
    version: Mapped[str] = mapped_column(String(32))
    text_digest: Mapped[str] = mapped_column(String(64))
    given_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    address: Mapped[str] = mapped_column(String(64), default="")
    # How the patient said it, where a coordinator has made the link for them.
    wish: Mapped[str] = mapped_column(Text, default="")
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    last_opened_at: Mapped[datetime | None] = mapped_column()

    @property
    def stands(self) -> bool:
        """Whether it opens anything still."""
        return self.ended_at is None and self.ends_at > clock.now()

    def digest_of_code(self, code: str) -> bytes:
        """What is kept of a code: SHA-256 of it and of whose it is. By itself it opens nothing without the link."""
        return hashlib.sha256(self.id.bytes + code.encode()).digest()
