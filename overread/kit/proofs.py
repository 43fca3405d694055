"""Passwords that somebody shows: to sign in, or, signed in, to show again who they are, as a signature asks for.

A session may be left open on a desk, and a token may lie in a script: neither stands for the hand. What was shown
counts as long as it is the account's password, which may be changed while its hash is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from overread.kit import attempts, audit, clock, passwords, principals
from overread.kit.attempts import Budget
from overread.kit.db import Database
from overread.kit.errors import Busy, Forbidden, NotSignedIn, Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Principal, PrincipalRow

#: How long a proof counts: as long as one request takes.
_LASTS = timedelta(minutes=1)
TOO_MANY = "Too many wrong passwords."


@dataclass(frozen=True, slots=True)
class Authenticated:
    """An account whose password was given, by the hash that it fits."""

    id: UUID
    hashed: str | None = field(repr=False)

    def account(self, tx: Session) -> PrincipalRow:
        """The account, whose access nobody ends before the commit. Raises NotSignedIn where that was done meanwhile."""
        same = PrincipalRow.password_hash.is_not_distinct_from(self.hashed)
        query = select(PrincipalRow).where(PrincipalRow.id == self.id, PrincipalRow.active, same)
        row = tx.scalars(query.with_for_update(read=True)).one_or_none()
        if row is None:
            raise NotSignedIn(
                f"the password of {self.id} was changed", safe=gettext("Your password was changed meanwhile.")
            )
        return row


@dataclass(frozen=True, slots=True)
class Proof:
    """That a principal has proved who they are, and when."""

    who: Principal
    at: datetime
    by: Authenticated

    def require(self, tx: Session, who: Principal) -> None:
        """Raises Forbidden unless this is a fresh proof of `who`, NotSignedIn where their password was changed."""
        if self.who.id != who.id or not timedelta() <= clock.now() - self.at <= _LASTS:
            raise Forbidden(f"no fresh proof of {who.id}", safe=gettext("Please give your password again."))
        self.by.account(tx)


def authenticate(
    db: Database,
    budgets: tuple[Budget, ...],
    find: Callable[[Session], PrincipalRow | None],
    password: str,
    refused: Callable[[Session], None],
) -> Authenticated | None:
    """The account that `find` finds, where the password is its own; None, after the same time, where there is none.

    Counted before it is looked at: of many guesses at once no more are evaluated than one after another. `refused`
    records a wrong one. Raises TooManyRequests; Busy, where nothing was looked at and nothing counts.
    """
    attempts.spend(db, *budgets, safe=TOO_MANY)
    with db.transaction() as tx:
        row = find(tx)
        kept = row.password_hash if row is not None and row.active else None
    try:
        good = passwords.fits(password, kept)
    except Busy:
        attempts.give_back(db, *budgets)
        raise
    if not good or row is None:
        with db.transaction() as tx:
            refused(tx)
        return None
    attempts.give_back(db, *budgets)
    return Authenticated(row.id, kept)


def by_password(db: Database, who: Principal, password: str, address: str) -> Proof:
    """Ask for the password of the account of `who`, who is signed in, throttled for one who guesses.

    Counted by person: nobody can spend it who is not signed in as them. Raises TooManyRequests; Unprocessable where it
    is another one, or where the account has none; Busy.
    """
    with db.transaction() as tx:
        row = principals.get(tx, who.id)
        if row.email is None or row.password_hash is None:
            raise Unprocessable(
                f"{who.id} has no password",
                safe=gettext(
                    "This needs a password, and this account has none. Sign in with an account that has one, and do "
                    "it there."
                ),
            )

    def refused(tx: Session) -> None:
        audit.record(tx, who, "session.refused", "principal", who.id, outcome=audit.REFUSED, address=address)

    found = authenticate(
        db, attempts.proving_again(str(who.id)), lambda tx: principals.get(tx, who.id), password, refused
    )
    if found is None:
        raise Unprocessable(f"another password than that of {who.id}", safe=gettext("This is not your password."))
    return Proof(who, clock.now(), found)
