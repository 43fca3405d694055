"""Tries that are counted: guessing is slowed, never locked out, by one rule for every place that asks for a secret.

A `Budget` is spent before the try is looked at, in a transaction of its own, so that any number of parallel tries are
counted one after another and no more are evaluated than it holds (docs/decisions/0030). It fills again by one try each
`every`: who has spent it waits for the next try, not for an end of a ban. The row of a budget holds one moment: when
it will be whole again (the generic cell rate algorithm, ITU-T I.371 Annex A).
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import LargeBinary, delete, or_
from sqlalchemy.orm import Mapped, Session, mapped_column

from overread.kit import clock
from overread.kit.db import Base, Database, reading
from overread.kit.errors import TooManyRequests
from overread.kit.language import gettext

#: A row that is whole later than its budget allows comes of a clock that ran ahead, and is none; processes that wait
#: for each other differ by less than this.
_SLACK = timedelta(minutes=5)
_LONGEST = timedelta(days=2)


class Attempt(Base):
    """What was spent of one budget, kept in the database so that every process counts the same."""

    __tablename__ = "kit_attempt"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    #: When nothing of it is spent any more.
    whole_at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class Budget:
    """`most` tries at once, and one more each `every`, for one subject (kept as a digest alone)."""

    kind: str
    subject: str
    most: int
    every: timedelta

    @property
    def key(self) -> bytes:
        """What it is counted under."""
        return hashlib.sha256(f"{self.kind}\0{self.subject}".encode()).digest()


_SPEND = """
INSERT INTO kit_attempt AS kept (key, whole_at) VALUES (%(key)s, %(now)s + %(every)s)
ON CONFLICT (key) DO UPDATE SET whole_at = %(every)s
    + CASE WHEN kept.whole_at > %(absurd)s THEN %(now)s ELSE greatest(kept.whole_at, %(now)s) END
WHERE kept.whole_at > %(absurd)s OR kept.whole_at + %(every)s <= %(now)s + %(whole)s
RETURNING whole_at
"""
_WAIT = "SELECT whole_at FROM kit_attempt WHERE key = %s"
_GIVE_BACK = "UPDATE kit_attempt SET whole_at = whole_at - %s WHERE key = %s"


def spend(db: Database, *budgets: Budget, safe: str = "Too many tries.") -> None:
    """Count one try against every budget, or, where one of them is spent, against none.

    Raises TooManyRequests with the seconds until the next try (`retry_after`) and the sentence `safe`.
    """
    now = clock.now()
    wait = timedelta(0)
    with db.transaction() as tx:
        connection = reading(tx)
        # In one order, so that two that spend the same budgets never wait for each other in a circle.
        for budget in sorted(budgets, key=lambda one: one.key):
            whole = budget.every * budget.most
            values = {"key": budget.key, "now": now, "every": budget.every, "whole": whole}
            if connection.execute(_SPEND, {**values, "absurd": now + whole + _SLACK}).fetchone() is None:
                row = connection.execute(_WAIT, (budget.key,)).fetchone()
                wait = max(wait, (row[0] if row else now) + budget.every - whole - now, timedelta(seconds=1))
        if wait:
            seconds = int(wait.total_seconds()) + 1
            # Raised inside: what the others were charged is undone.
            raise TooManyRequests(
                f"throttled: {', '.join(sorted({b.kind for b in budgets}))}",
                safe=gettext("%(safe)s Wait %(spoken)s, then try again.", safe=safe, spoken=_spoken(seconds)),
                retry_after=seconds,
            )


def give_back(db: Database, *budgets: Budget) -> None:
    """The try was a good one: it is not counted."""
    with db.transaction() as tx:
        for budget in sorted(budgets, key=lambda one: one.key):
            reading(tx).execute(_GIVE_BACK, (budget.every, budget.key))


def sweep(tx: Session) -> None:
    """Delete what tells nothing any more, and what a clock that ran ahead has left."""
    now = clock.now()
    tx.execute(delete(Attempt).where(or_(Attempt.whole_at < now, Attempt.whole_at > now + _LONGEST)))


def signing_in(account: str, address: str, device: UUID | None = None) -> tuple[Budget, ...]:
    """What a password for an account (its e-mail address) costs whoever is not signed in.

    By account and address together, so that a stranger's wrong guesses are the stranger's alone; by address, against
    one password for many accounts; and by account over all addresses, against guessing from many. `device`: the token
    of a browser that has signed in to this account before. It has a budget of its own, which no stranger can spend.
    """
    who, where = account.strip().lower(), network(address)
    if device is not None:
        return (Budget("device", f"{device}", 10, timedelta(seconds=90)),)
    return (
        Budget("account at address", f"{who}\0{where}", 10, timedelta(seconds=90)),
        Budget("address", where, 50, timedelta(seconds=18)),
        Budget("account", who, 100, timedelta(minutes=5)),
    )


def proving_again(credential: str) -> tuple[Budget, ...]:
    """What a password costs whoever is signed in with this credential and has to prove it is still they."""
    return (Budget("session", credential, 10, timedelta(seconds=90)),)


def signing_up(address: str, per_hour: int) -> tuple[Budget, ...]:
    """What an account costs an address."""
    return (Budget("sign-up", network(address), per_hour, timedelta(hours=1) / per_hour),)


def asking(address: str) -> tuple[Budget, ...]:
    """What it costs a visitor's address to leave an address to be told at."""
    return (Budget("asking", network(address), 20, timedelta(minutes=3)),)


def opening(link: str) -> tuple[Budget, ...]:
    """What it costs to say, of a link that was mailed, what its owner knows: a birth date is one of some thousands."""
    return (Budget("link", link, 5, timedelta(hours=1)),)


def opening_by_code(link: str, address: str) -> tuple[Budget, ...]:
    """What a code costs whoever has a link that opens with it: by link, and by address over all links."""
    return (*opening(link), Budget("links of address", network(address), 30, timedelta(minutes=2)))


def mailing(email: str) -> tuple[Budget, ...]:
    """What a mail that a stranger may cause costs its recipient's address."""
    return (Budget("mail", email.strip().lower(), 3, timedelta(minutes=20)),)


def network(address: str) -> str:
    """A network address as it is counted: of IPv6 the /64, all of which is one customer's (RFC 6177 2)."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False).network_address)
    return str(found)


def _spoken(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} seconds"
    return f"{-(-seconds // 60)} minutes"
