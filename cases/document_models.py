"""What the case layer keeps of a case's documents."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cases.columns import enum_of
from cases.states import DocumentKind
from overread.kit import clock
from overread.kit.db import Base


class Document(Base):
    """A document that somebody added to a case; its pages, and a PDF itself, are a study of their own in the archive.

    `patient_name` and `birth_date` are what its objects say of the patient: the case's, when it was added.
    """

    __tablename__ = "cases_document"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"))
    number: Mapped[int] = mapped_column()
    kind: Mapped[DocumentKind] = mapped_column(enum_of(DocumentKind))
    # The file's, which may tell whose it is: never shown to a specialist.
    name: Mapped[str] = mapped_column(String(120))
    media_type: Mapped[str] = mapped_column(String(32))
    pages: Mapped[int] = mapped_column()
    # Bytes of the file, and their SHA-256: sent again, it is the same document.
    size: Mapped[int] = mapped_column()
    digest: Mapped[str] = mapped_column(String(64))
    study_uid: Mapped[str] = mapped_column(String(64))
    patient_name: Mapped[str] = mapped_column(String(64))
    birth_date: Mapped[str] = mapped_column(String(8))
    sent_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    sent_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (UniqueConstraint("case_id", "digest"),)
