"""Credentials: bearer tokens, browser sessions, viewers' tokens and passwords.

A token is 256 random bits; the database keeps its SHA-256 alone. Passwords are hashed with argon2id.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from functools import cache
from uuid import UUID

from pwdlib import PasswordHash
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from overread.kit import clock, principals
from overread.kit.db import Connection, reading
from overread.kit.errors import NotSignedIn, Unprocessable
from overread.kit.principals import Principal, PrincipalRow, Role, TokenRow

API, SESSION, VIEWER = "api", "session", "viewer"
#: A browser that has signed in before: opens nothing, but strangers' guesses don't slow it (`attempts`).
DEVICE = "device"
SESSION_LENGTH = timedelta(hours=12)
VIEWER_LENGTH = timedelta(hours=4)
DEVICE_LENGTH = timedelta(days=180)
MIN_PASSWORD = 10


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _decoy() -> str:
    # Verified where no such account exists, so that the answer takes as long as for one that does.
    return _hasher().hash(secrets.token_hex(16))


def hash_password(password: str) -> str:
    """The argon2id hash of a password. Raises Unprocessable where it is too short to be one."""
    if len(password) < MIN_PASSWORD:
        raise Unprocessable("password too short", safe=f"Choose a password of at least {MIN_PASSWORD} characters.")
    return _hasher().hash(password)


def issue(
    tx: Session,
    principal_id: UUID,
    kind: str = API,
    *,
    lasts: timedelta | None = None,
    case_id: UUID | None = None,
) -> str:
    """Make a token and return it; it can't be read again."""
    token = secrets.token_urlsafe(32)
    tx.add(
        TokenRow(
            digest=_digest(token),
            principal_id=principal_id,
            kind=kind,
            case_id=case_id,
            expires_at=clock.now() + lasts if lasts else None,
        )
    )
    tx.flush()
    return token


#: Asked at every request: in PostgreSQL's own words, which costs a fifth of the time.
_VERIFY = """
SELECT p.id, p.role, p.name, p.active, t.kind, t.case_id, t.revoked_at, t.expires_at
FROM kit_token t JOIN kit_principal p ON p.id = t.principal_id WHERE t.digest = %s AND t.kind = ANY(%s)
"""


def verify(tx: Session | Connection, token: str, *kinds: str) -> Principal:
    """The principal that a token stands for. Raises NotSignedIn where it is unknown, expired or revoked."""
    row = reading(tx).execute(_VERIFY, (_digest(token), list(kinds or (API, VIEWER)))).fetchone()
    if row is None:
        raise NotSignedIn("unknown token")
    principal_id, role, name, active, kind, case_id, revoked_at, expires_at = row
    if revoked_at is not None or not active:
        raise NotSignedIn("revoked token", safe="This access was ended. Sign in again.")
    if expires_at is not None and expires_at <= clock.now():
        raise NotSignedIn("expired token", safe="Your session has ended. Sign in again.")
    return Principal(principal_id, Role(role), name, via=kind, case_id=case_id)


def revoke(tx: Session, token: str) -> None:
    """End a token; unknown ones are ignored."""
    tx.execute(update(TokenRow).where(TokenRow.digest == _digest(token)).values(revoked_at=clock.now()))


def revoke_viewers(tx: Session, principal_id: UUID, case_id: UUID) -> None:
    """End every viewer's token of a principal for a case."""
    tx.execute(
        update(TokenRow)
        .where(TokenRow.principal_id == principal_id, TokenRow.case_id == case_id, TokenRow.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )


def revoke_case(tx: Session, case_id: UUID) -> None:
    """End every viewer's token for a case, whoever has it."""
    tx.execute(
        update(TokenRow)
        .where(TokenRow.case_id == case_id, TokenRow.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )


def revoke_all(tx: Session) -> int:
    """End every token of everybody, of programs too; how many ended."""
    ended = update(TokenRow).where(TokenRow.revoked_at.is_(None)).values(revoked_at=clock.now())
    return len(tx.execute(ended.returning(TokenRow.id)).all())


def sign_in(tx: Session, email: str, password: str) -> PrincipalRow | None:
    """The principal with this address and password, or None (the same, after the same time, for no such account)."""
    row = principals.by_email(tx, email)
    hashed = row.password_hash if row is not None and row.active else None
    good = _hasher().verify(password, hashed or _decoy())
    return row if good and hashed else None


def password_is(tx: Session, principal_id: UUID, password: str) -> bool:
    """Whether a password is this principal's; as long for one who has none."""
    row = tx.get(PrincipalRow, principal_id)
    hashed = row.password_hash if row is not None and row.active else None
    return _hasher().verify(password, hashed or _decoy()) and bool(hashed)


def device(tx: Session, token: str, principal_id: UUID) -> UUID | None:
    """The id of the token of a browser that has signed in to this account before, or None."""
    row = tx.scalars(
        select(TokenRow).where(
            TokenRow.digest == _digest(token),
            TokenRow.kind == DEVICE,
            TokenRow.principal_id == principal_id,
            TokenRow.revoked_at.is_(None),
            TokenRow.expires_at > clock.now(),
        )
    ).one_or_none()
    return row.id if row is not None else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
