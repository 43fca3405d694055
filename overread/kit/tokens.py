"""Credentials: bearer tokens, browser sessions, viewers' tokens, and the codes that open a viewer.

A token is 256 random bits; the database keeps its SHA-256 alone.

Whatever opens something without a password is a row of one table, so that one statement ends all of it (decision 28).
Who gives a credential out holds its owner's row in common with others, who ends them holds it alone: of two at once,
either the new one is ended, too, or it is not given out.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from overread.kit import clock, principals
from overread.kit.db import Connection, reading
from overread.kit.errors import NotSignedIn
from overread.kit.language import Phrase, gettext
from overread.kit.principals import Principal, PrincipalRow, Role, TokenRow

API, SESSION, VIEWER, LAUNCH = "api", "session", "viewer", "launch"
#: A browser that has signed in before: opens nothing, but strangers' guesses don't slow it (`attempts`).
DEVICE = "device"
SESSION_LENGTH = timedelta(hours=12)
VIEWER_LENGTH = timedelta(hours=4)
DEVICE_LENGTH = timedelta(days=180)
KEPT = timedelta(days=30)
_ENDED = Phrase("This access was ended. Sign in again.")


def issue(
    tx: Session,
    principal_id: UUID,
    kind: str = API,
    *,
    lasts: timedelta | None = None,
    case_id: UUID | None = None,
    parent_id: UUID | None = None,
) -> str:
    """Make a token and return it; it can't be read again. It ends with its parent (`Principal.via_id`), if it has one.

    Raises NotSignedIn where its owner is locked out, or the parent has ended.
    """
    # The parent is looked at behind the lock, so as it is now.
    if not _shared(tx, principal_id) or (parent_id is not None and not _lives(tx, parent_id)):
        raise NotSignedIn("a credential under access that has ended", safe=_ENDED)
    token = secrets.token_urlsafe(32)
    tx.add(
        TokenRow(
            digest=digest_of(token),
            principal_id=principal_id,
            kind=kind,
            case_id=case_id,
            parent_id=parent_id,
            expires_at=clock.now() + lasts if lasts else None,
        )
    )
    tx.flush()
    return token


def _shared(tx: Session, principal_id: UUID) -> bool:
    """Keep an owner's access from being ended until the commit; False where they are locked out."""
    tx.flush()
    return bool(
        tx.scalar(select(PrincipalRow.active).where(PrincipalRow.id == principal_id).with_for_update(read=True))
    )


def _lives(tx: Session, token_id: UUID) -> bool:
    return tx.scalar(select(TokenRow.id).where(TokenRow.id == token_id, TokenRow.revoked_at.is_(None))) is not None


#: Asked at every request: in PostgreSQL's own words, which costs a fifth of the time.
_VERIFY = """
SELECT p.id, p.role, p.name, p.active, t.kind, t.case_id, t.revoked_at, t.expires_at, coalesce(t.parent_id, t.id),
  coalesce(p.zone, '')
FROM kit_token t JOIN kit_principal p ON p.id = t.principal_id WHERE t.digest = %s AND t.kind = ANY(%s)
"""


def verify(tx: Session | Connection, token: str, *kinds: str) -> Principal:
    """The principal that a token stands for. Raises NotSignedIn where it is unknown, expired or revoked."""
    row = reading(tx).execute(_VERIFY, (digest_of(token), list(kinds or (API, VIEWER)))).fetchone()
    if row is None:
        raise NotSignedIn("unknown token")
    principal_id, role, name, active, kind, case_id, revoked_at, expires_at, via_id, zone = row
    if revoked_at is not None or not active:
        raise NotSignedIn("revoked token", safe=_ENDED)
    if expires_at is not None and expires_at <= clock.now():
        raise NotSignedIn("expired token", safe=gettext("Your session has ended. Sign in again."))
    return Principal(principal_id, Role(role), name, via=kind, case_id=case_id, via_id=via_id, zone=zone)


def named(tx: Session, token: str) -> UUID:
    """The id of a token that was issued."""
    return tx.execute(select(TokenRow.id).where(TokenRow.digest == digest_of(token))).scalar_one()


class Spent(NamedTuple):
    """A token that was used up, and what it was given out under."""

    id: UUID
    parent_id: UUID | None


def spend(tx: Session, token: str) -> Spent | None:
    """Use a token up that is good for one time; None where it is not. Of many that do so at once one alone succeeds."""
    digest = digest_of(token)
    owner = tx.scalar(select(TokenRow.principal_id).where(TokenRow.digest == digest))
    # Before the token's own row, as by whoever ends all that the owner has.
    if owner is None or not _shared(tx, owner):
        return None
    good = (TokenRow.revoked_at.is_(None), TokenRow.expires_at > clock.now())
    # The condition is looked at again under the row's lock.
    used = update(TokenRow).where(TokenRow.digest == digest, *good).values(revoked_at=clock.now())
    found = tx.execute(used.returning(TokenRow.id, TokenRow.parent_id)).one_or_none()
    return Spent(found.id, found.parent_id) if found is not None else None


def revoke(tx: Session, token: str) -> None:
    """End a token, and all that was given out under it; unknown ones are ignored."""
    found = tx.execute(
        select(TokenRow.id, TokenRow.principal_id).where(TokenRow.digest == digest_of(token))
    ).one_or_none()
    if found is not None:
        principals.lock(tx, found.principal_id)
        _end(tx, or_(TokenRow.id == found.id, TokenRow.parent_id == found.id))


def revoke_all(tx: Session, principal_id: UUID) -> int:
    """End every credential of a principal: sessions, viewers, codes, programs' tokens; how many stood.

    What ended never opens anything again. Raises NotFound.
    """
    principals.lock(tx, principal_id)
    return _end(tx, TokenRow.principal_id == principal_id)


def lock_out(tx: Session, principal_id: UUID) -> None:
    """Lock a principal out: nothing of theirs opens anything, also after they are let in again. Raises NotFound."""
    revoke_all(tx, principal_id)
    tx.execute(update(PrincipalRow).where(PrincipalRow.id == principal_id).values(active=False))


def let_in(tx: Session, principal_id: UUID) -> None:
    """Let a principal in again, who then has to sign in, or be given a new token. Raises NotFound."""
    principals.lock(tx, principal_id)
    tx.execute(update(PrincipalRow).where(PrincipalRow.id == principal_id).values(active=True))


def change_password(tx: Session, principal_id: UUID, hashed: str) -> None:
    """Give a principal a password, by its hash; all that was opened with the old one ends. Raises NotFound."""
    revoke_all(tx, principal_id)
    tx.execute(update(PrincipalRow).where(PrincipalRow.id == principal_id).values(password_hash=hashed))


def revoke_viewers(tx: Session, principal_id: UUID, case_id: UUID) -> None:
    """End every viewer's token of a principal for a case, and every code that would open one."""
    _end(tx, TokenRow.principal_id == principal_id, TokenRow.case_id == case_id)


def revoke_case(tx: Session, case_id: UUID) -> None:
    """End every viewer's token for a case, and every code that would open one, whoever has it."""
    _end(tx, TokenRow.case_id == case_id)


def _end(tx: Session, *which: ColumnElement[bool]) -> int:
    ended = update(TokenRow).where(*which, TokenRow.revoked_at.is_(None)).values(revoked_at=clock.now())
    return len(tx.execute(ended.returning(TokenRow.id)).all())


def revoke_everything(tx: Session) -> int:
    """End every token of everybody, of programs too; how many ended."""
    ended = update(TokenRow).where(TokenRow.revoked_at.is_(None)).values(revoked_at=clock.now())
    return len(tx.execute(ended.returning(TokenRow.id)).all())


# A row that others were given out under stays until they are gone; codes go with what they open (viewer_bridge.launch).
_SWEEP = """
DELETE FROM kit_token WHERE id IN (
    SELECT id FROM kit_token t
    WHERE least(t.revoked_at, t.expires_at) < %(before)s AND t.kind <> %(launch)s
    AND NOT EXISTS (SELECT FROM kit_token given WHERE given.parent_id = t.id)
    LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
"""


def sweep(tx: Session, most: int) -> int:
    """Delete some of the tokens that ended a month ago, which until then are told from unknown ones; how many."""
    values = {"before": clock.now() - KEPT, "launch": LAUNCH, "most": most}
    return reading(tx).execute(_SWEEP, values).rowcount


def device(tx: Session, token: str, principal_id: UUID) -> UUID | None:
    """The id of the token of a browser that has signed in to this account before, or None."""
    row = tx.scalars(
        select(TokenRow).where(
            TokenRow.digest == digest_of(token),
            TokenRow.kind == DEVICE,
            TokenRow.principal_id == principal_id,
            TokenRow.revoked_at.is_(None),
            TokenRow.expires_at > clock.now(),
        )
    ).one_or_none()
    return row.id if row is not None else None


def digest_of(token: str) -> bytes:
    """What is kept of a secret that was given out: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()
