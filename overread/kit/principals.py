"""Principals: whoever asks for something, a person or a machine, with one role.

Every query of studies or cases takes a `Principal`; what a role may do is decided by the room that owns the thing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from overread.kit import clock, language, zones
from overread.kit.db import Base, Connection, reading
from overread.kit.errors import Conflict, Forbidden, NotFound
from overread.kit.language import gettext


class Role(StrEnum):
    """What a principal is to the program."""

    ADMIN = "admin"
    COORDINATOR = "coordinator"
    SPECIALIST = "specialist"
    HOSPITAL = "hospital"
    PATIENT = "patient"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `case_id` narrows a viewer's token to one case; `via` is how they proved it.

    `via_id` names the session, or the program's token, that this request goes back to: what is given out in it ends
    with that one.
    """

    id: UUID
    role: Role
    name: str
    via: str = "session"
    case_id: UUID | None = None
    via_id: UUID | None = field(default=None, compare=False)
    #: The time zone that they read in (`overread.kit.zones`), "" where it is not known.
    zone: str = field(default="", compare=False)

    def require(self, *roles: Role) -> None:
        """Refuse with Forbidden unless the principal has one of the roles (and no token narrowed to a case)."""
        if self.case_id is not None:
            raise Forbidden(f"a viewer token of case {self.case_id} was used for something else")
        if self.role not in roles:
            raise Forbidden(f"{self.role} {self.id} asked for what needs {' or '.join(roles)}")


class PrincipalRow(Base):
    """A principal as it is kept."""

    __tablename__ = "kit_principal"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    role: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(320))
    # Typed at sign-up and not confirmed yet: nobody signs in by it, and nothing is mailed to it but its confirmation.
    pending_email: Mapped[str | None] = mapped_column(String(320))
    phone: Mapped[str | None] = mapped_column(String(40))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    # As the browser told it at a sign-in, or as it was chosen.
    zone: Mapped[str | None] = mapped_column(String(zones.LONGEST))
    # That their mails are written in (`overread.kit.language.WRITTEN`), as the browser told it, or as it was chosen.
    language: Mapped[str | None] = mapped_column(String(language.LONGEST))

    __table_args__ = (Index("uq_kit_principal_email", func.lower(email), unique=True),)

    def as_principal(self, *, via: str, case_id: UUID | None = None) -> Principal:
        """The principal of this row, proved by `via`."""
        role, zone = Role(self.role), self.zone or ""
        return Principal(id=self.id, role=role, name=self.name, via=via, case_id=case_id, zone=zone)


class TokenRow(Base):
    """A credential: only its SHA-256 is kept, so a copy of the database opens nothing."""

    __tablename__ = "kit_token"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    digest: Mapped[bytes] = mapped_column(unique=True)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    case_id: Mapped[UUID | None] = mapped_column()
    #: The session, or the program's token, in which it was given out, and with which it ends.
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("kit_token.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime | None] = mapped_column()
    revoked_at: Mapped[datetime | None] = mapped_column()


def create(
    tx: Session,
    *,
    role: Role,
    name: str,
    email: str | None = None,
    phone: str | None = None,
    password_hash: str | None = None,
) -> PrincipalRow:
    """Add a principal. Raises Conflict where the e-mail address is taken."""
    if email is not None:
        claim(tx, email)
    row = PrincipalRow(role=role.value, name=name, email=email, phone=phone, password_hash=password_hash)
    tx.add(row)
    tx.flush()
    return row


def claim(tx: Session, email: str) -> None:
    """Let nobody else take an e-mail address until the transaction ends. Raises Conflict where it is taken."""
    tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"address {email.strip().lower()}", 0))))
    if by_email(tx, email) is not None:
        raise Conflict(
            "an account with this e-mail address exists", safe=gettext("This e-mail address has an account already.")
        )


def by_email(tx: Session, email: str) -> PrincipalRow | None:
    """The principal with this e-mail address (case does not matter), or None."""
    return tx.scalars(select(PrincipalRow).where(func.lower(PrincipalRow.email) == email.strip().lower())).one_or_none()


def get(tx: Session, principal_id: UUID) -> PrincipalRow:
    """The principal with this id. Raises NotFound."""
    row = tx.get(PrincipalRow, principal_id)
    if row is None:
        raise NotFound(f"no principal {principal_id}")
    return row


def lock(tx: Session, principal_id: UUID) -> None:
    """Let nobody else who asks for it go on for this principal until the transaction ends. Raises NotFound."""
    query = select(PrincipalRow.id).where(PrincipalRow.id == principal_id)
    # Rows that only name the principal are written meanwhile.
    if tx.scalar(query.with_for_update(key_share=True)) is None:
        raise NotFound(f"no principal {principal_id}")


def stands(tx: Session | Connection, principal_id: UUID) -> bool:
    """Whether a principal is there and not locked out."""
    return _active(tx, principal_id) is True


def locked_out(tx: Session | Connection, principal_id: UUID) -> bool:
    """Whether a principal is there and locked out."""
    return _active(tx, principal_id) is False


def _active(tx: Session | Connection, principal_id: UUID) -> bool | None:
    """None where there is no such principal."""
    found = reading(tx).execute("SELECT active FROM kit_principal WHERE id = %s", (principal_id,)).fetchone()
    return None if found is None else bool(found[0])


def with_role(tx: Session, role: Role) -> list[PrincipalRow]:
    """Every active principal of a role, by name."""
    query = select(PrincipalRow).where(PrincipalRow.role == role.value, PrincipalRow.active).order_by(PrincipalRow.name)
    return list(tx.scalars(query))
