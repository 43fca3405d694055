"""Proofs that somebody who is signed in has just shown again who they are: what a signature asks for.

A session may be left open on a desk, and a token may lie in a script: neither stands for the hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from overread.kit import attempts, audit, clock, principals, tokens
from overread.kit.db import Database
from overread.kit.errors import Forbidden, Unprocessable
from overread.kit.principals import Principal

#: How long a proof counts: as long as one request takes.
_LASTS = timedelta(minutes=1)
#: Longer passwords are refused before they are hashed: argon2 takes as long as it is given to read.
MAX_PASSWORD = 1000
TOO_MANY = "Too many wrong passwords."


@dataclass(frozen=True, slots=True)
class Proof:
    """That a principal has proved who they are, and when."""

    who: Principal
    at: datetime

    def require(self, who: Principal) -> None:
        """Raises Forbidden unless this is a fresh proof of `who`."""
        if self.who.id != who.id or not timedelta() <= clock.now() - self.at <= _LASTS:
            raise Forbidden(f"no fresh proof of {who.id}", safe="Please give your password again.")


def by_password(db: Database, who: Principal, password: str, address: str) -> Proof:
    """Ask for the password of the account of `who`, who is signed in, throttled for one who guesses.

    Counted by person: nobody can spend it who is not signed in as them. Raises TooManyRequests; Unprocessable where it
    is another one, or where the account has none.
    """
    with db.transaction() as tx:
        row = principals.get(tx, who.id)
        if row.email is None or row.password_hash is None:
            raise Unprocessable(
                f"{who.id} has no password",
                safe="This needs a password, and this account has none. Sign in with an account that has one, and do "
                "it there.",
            )
    budgets = attempts.proving_again(str(who.id))
    attempts.spend(db, *budgets, safe=TOO_MANY)
    with db.transaction() as tx:
        good = tokens.password_is(tx, who.id, password[:MAX_PASSWORD])
        if not good:
            audit.record(tx, who, "session.refused", "principal", who.id, outcome=audit.REFUSED, address=address)
    # After the commit, so that the failure stays recorded.
    if not good:
        raise Unprocessable(f"another password than that of {who.id}", safe="This is not your password.")
    attempts.give_back(db, *budgets)
    return Proof(who, clock.now())
