"""E-mail addresses: typed by somebody, confirmed by a link that was mailed there, and only then an account's own.

An account that has one already keeps it until another is confirmed.

A link is 256 random bits, kept as its SHA-256, good for one address, once, for three days. It proves that whoever has
it reads the address's mail; who they are the password says, or the session that asked for it (docs/decisions/0030).
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from overread.kit import audit, clock, principals
from overread.kit.db import Base
from overread.kit.errors import NotFound
from overread.kit.language import gettext
from overread.kit.principals import PrincipalRow
from overread.kit.tokens import digest_of

LINK_LENGTH = timedelta(days=3)
#: Characters of an address: RFC 5321 4.5.3.1.3, less the brackets around it.
LONGEST = 254
# RFC 5322 3.4.1 dot-atom, with the letters of RFC 6532. A comma or a semicolon would make two recipients of one.
_ATOM = r"[^\s()<>\[\]:;@\\,\".]+"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*")
_KEPT = timedelta(days=7)


class AddressLink(Base):
    """A link that was mailed to an address to find out whether it is its account's."""

    __tablename__ = "kit_address_link"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    email: Mapped[str] = mapped_column(String(320))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None] = mapped_column()


def is_address(text: str) -> bool:
    """Whether a text is one e-mail address, as far as its form tells."""
    return len(text) <= LONGEST and text.isprintable() and _ADDRESS.fullmatch(text) is not None


def unconfirmed(tx: Session, principal_id: UUID) -> str | None:
    """The address that this principal typed and has not confirmed, where they have no other; else None."""
    row = tx.get(PrincipalRow, principal_id)
    return row.pending_email if row is not None and row.email is None else None


def make_link(tx: Session, person: PrincipalRow) -> str:
    """A new link's secret for the address that a principal has not confirmed yet; it can't be read again."""
    assert person.pending_email is not None
    token = secrets.token_urlsafe(32)
    expires = clock.now() + LINK_LENGTH
    tx.add(AddressLink(digest=digest_of(token), principal_id=person.id, email=person.pending_email, expires_at=expires))
    tx.flush()
    return token


def of_link(tx: Session, token: str, who_id: UUID | None = None) -> PrincipalRow:
    """Whose address a link confirms, or has confirmed.

    `who_id`: who opens it, signed in. Where they wait for the same address it is theirs that is confirmed: of two
    accounts that a double click made, the one that is gone on with. Raises NotFound, the same for every link that is
    none.
    """
    return _of_link(tx, token, who_id)[1]


def confirm(tx: Session, token: str, who_id: UUID | None = None) -> PrincipalRow:
    """Make the address of a link its account's own. The same link again finds it done.

    `who_id` as in `of_link`. Raises NotFound, Conflict where the address has become another account's.
    """
    link, person = _of_link(tx, token, who_id, lock=True)
    if (person.email or "").lower() == link.email.lower():
        return person
    principals.claim(tx, link.email)
    link.used_at = clock.now()
    person.email, person.pending_email = link.email, None
    tx.flush()
    audit.record(tx, person.as_principal(via="mail"), "account.address", "principal", person.id)
    return person


def sweep(tx: Session) -> None:
    """Delete the links that ended more than a week ago."""
    tx.execute(delete(AddressLink).where(AddressLink.expires_at < clock.now() - _KEPT))


def _of_link(tx: Session, token: str, who_id: UUID | None, *, lock: bool = False) -> tuple[AddressLink, PrincipalRow]:
    query = select(AddressLink).where(AddressLink.digest == digest_of(token))
    # Under the lock, so that of two clicks at once the second finds what the first did.
    link = tx.scalars(query.with_for_update() if lock else query).one_or_none()
    now = clock.now()
    # Nothing is good for longer than a link is: a clock that ran ahead made none that lasts for years.
    if link is None or not now < link.expires_at <= now + LINK_LENGTH * 2:
        raise _refused()
    for one in (who_id, link.principal_id):
        person = tx.get(PrincipalRow, one, populate_existing=True) if one is not None else None
        if person is None or not person.active:
            continue
        # Of an address that was mistyped and changed since, nothing is confirmed any more; a used link only tells so.
        waiting = person.pending_email if link.used_at is None else None
        if link.email.lower() in {known.lower() for known in (person.email, waiting) if known}:
            return link, person
    raise _refused()


def _refused() -> NotFound:
    return NotFound(
        "an address's link that is unknown, too old or of another address",
        safe=gettext(
            "This link is too old, or of an address that was changed since. Sign in, and have another one sent."
        ),
    )
