"""Everybody's accounts, for admins: listed, made, locked and unlocked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from overread.kit import audit, ended, passwords, permissions, principals, tokens
from overread.kit.audit import AuditRow
from overread.kit.db import Database
from overread.kit.ended import Ended
from overread.kit.errors import Conflict
from overread.kit.language import gettext
from overread.kit.paging import Keyset, Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, PrincipalRow, Role

#: By role and name; a name may be a patient's, and has no place in an address.
_EVERYBODY = Keyset(PrincipalRow.role, func.lower(PrincipalRow.name), PrincipalRow.id, private=True)


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as an admin sees it. `active`: not locked; `last_seen`: when it was last signed in to."""

    principal_id: UUID
    name: str
    email: str
    role: Role
    active: bool
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class AccountMade:
    """An account, and its first password, which is told this once."""

    principal_id: UUID
    password: str


def everybody(
    tx: Session, who: Principal, search: str = "", role: str = "", after: str = "", limit: int = 200
) -> Page[AccountView]:
    """Accounts by role and name: all, of a role, or those with `search` in their name or address. Raises Forbidden."""
    permissions.require(who, Permission.PEOPLE_MANAGE)
    page = _EVERYBODY.page(tx, select(PrincipalRow).where(*_asked(search, role)), after, limit)
    started = select(AuditRow.actor_id, func.max(AuditRow.at)).where(
        AuditRow.action == "session.start", AuditRow.actor_id.in_([person.id for person in page])
    )
    seen = {actor: at for actor, at in tx.execute(started.group_by(AuditRow.actor_id))}  # noqa: C416  typed rows
    return page.of(
        [AccountView(row.id, row.name, row.email or "", Role(row.role), row.active, seen.get(row.id)) for row in page]
    )


def count(tx: Session, who: Principal, search: str = "", role: str = "") -> int:
    """How many accounts `everybody` lists in all. Raises Forbidden."""
    permissions.require(who, Permission.PEOPLE_MANAGE)
    return tx.scalar(select(func.count()).select_from(PrincipalRow).where(*_asked(search, role))) or 0


def _asked(search: str, role: str) -> list[ColumnElement[bool]]:
    asked = [PrincipalRow.role == role] if role in tuple(Role) else []
    if search:
        names = (PrincipalRow.name, PrincipalRow.email)
        asked.append(or_(*(name.icontains(search, autoescape=True) for name in names)))
    return asked


def create(db: Database, who: Principal, *, role: Role, name: str, email: str, request_id: str = "") -> AccountMade:
    """Make an account with a first password, which its owner is told by hand. Raises Forbidden, Conflict, Busy.

    In a transaction of its own, because a password is hashed outside of any. The same `request_id` again is the same
    account, with the password of the second time: as long as nobody has signed in to it.
    """
    permissions.require(who, Permission.PEOPLE_MANAGE)
    password = secrets.token_urlsafe(12)
    hashed = passwords.hashed(password)
    with db.transaction() as tx:
        try:
            made = principals.create(tx, role=role, name=name, email=email, password_hash=hashed)
            audit.record(tx, who, "account.create", "principal", made.id, role=role.value, request=request_id)
        except Conflict:
            before = _made_by(tx, who, request_id, email)
            if before is None:
                raise
            made = before
        made.password_hash = hashed
        tx.flush()
        return AccountMade(made.id, password)


def _made_by(tx: Session, who: Principal, request_id: str, email: str) -> PrincipalRow | None:
    """The account that the same request has made a moment ago, as long as nobody has signed in to it."""
    made = principals.by_email(tx, email)
    if made is None or not request_id:
        return None
    by_request = select(AuditRow.detail).where(
        AuditRow.action == "account.create", AuditRow.object_id == str(made.id), AuditRow.actor_id == who.id
    )
    used = select(AuditRow.id).where(AuditRow.action == "session.start", AuditRow.actor_id == made.id).limit(1)
    same = any(detail.get("request") == request_id for detail in tx.scalars(by_request))
    return made if same and tx.scalar(used) is None else None


def lock(tx: Session, who: Principal, principal_id: UUID) -> None:
    """Lock somebody out at once: whatever they have open ends, for good. Raises Forbidden, NotFound, Conflict."""
    permissions.require(who, Permission.PEOPLE_MANAGE)
    person = principals.get(tx, principal_id)
    if person.id == who.id:
        raise Conflict("an admin locked themselves out", safe=gettext("You can’t lock yourself out."))
    tokens.lock_out(tx, person.id)
    audit.record(tx, who, "account.lock", "principal", person.id)
    ended.record(tx, Ended(locked=[str(person.id)]))


def unlock(tx: Session, who: Principal, principal_id: UUID) -> None:
    """Let somebody in again, who then has to sign in anew. Raises Forbidden, NotFound."""
    permissions.require(who, Permission.PEOPLE_MANAGE)
    person = principals.get(tx, principal_id)
    tokens.let_in(tx, person.id)
    audit.record(tx, who, "account.unlock", "principal", person.id)
    ended.record(tx, Ended(unlocked=[str(person.id)]))
