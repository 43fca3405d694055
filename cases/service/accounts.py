"""Patients' own accounts: made by anybody, and good for storing images once their address is confirmed.

Nothing here tells whether an address has an account already: what a sign-up does, says and costs is the same, but for
the mail, which only the owner of the address reads (docs/decisions/0030).
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from cases import notify
from overread.kit import addresses, audit, permissions, principals, zones
from overread.kit.errors import Conflict, Forbidden, Unprocessable
from overread.kit.language import WRITTEN, gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, PrincipalRow, Role

#: What a page, an API answer and a STOW answer say to whoever has not confirmed their address.
CONFIRM_FIRST = (
    "Please confirm your e-mail address first: open the link in the mail that we have sent you. "
    "Then your images can be stored."
)


def sign_up(tx: Session, *, name: str, email: str, password_hash: str, mail: bool = True) -> PrincipalRow:
    """Make a patient's account for whoever asks, with an address that nobody has confirmed.

    It can't be signed in to by that address before it is. `mail` False: none is sent, as too many were.
    """
    row = principals.create(tx, role=Role.PATIENT, name=name, password_hash=password_hash)
    row.pending_email = email
    tx.flush()
    audit.record(tx, row.as_principal(via="session"), "account.create", "principal", row.id)
    if mail:
        ask(tx, row)
    return row


def set_zone(tx: Session, who: Principal, zone: str) -> None:
    """Choose the time zone that one's pages and mails are written in. Raises Unprocessable for one that is none."""
    if not zones.known(zone):
        raise Unprocessable("zone", safe=gettext("Please choose a time zone of the list, such as Europe/Berlin."))
    principals.get(tx, who.id).zone = zone
    tx.flush()
    audit.record(tx, who, "account.zone", "principal", who.id)


def language_of(tx: Session, who: Principal) -> str:
    """The language that one's mails are written in, where somebody has worded them in it; "" where it is not known."""
    return principals.get(tx, who.id).language or ""


def set_language(tx: Session, who: Principal, language: str) -> None:
    """Choose it. Raises Unprocessable for one that nobody can choose."""
    if language not in WRITTEN:
        raise Unprocessable("language", safe=gettext("Please choose a language of the list."))
    principals.get(tx, who.id).language = language
    tx.flush()
    audit.record(tx, who, "account.language", "principal", who.id)


def ask(tx: Session, person: PrincipalRow) -> None:
    """Mail a link to the address that a person typed; to the one that has an account already, that it has one."""
    assert person.pending_email is not None
    owner = principals.by_email(tx, person.pending_email)
    if owner is not None:
        notify.queue(tx, None, owner.id, "has_account")
    else:
        notify.queue_confirmation(tx, person.id, person.pending_email)


def change(tx: Session, who: Principal, email: str) -> PrincipalRow:
    """Another address instead of one that was mistyped; links to that one confirm nothing any more.

    Raises Conflict where the address is confirmed already.
    """
    permissions.require(who, Permission.ACCOUNT_ADDRESS)
    principals.lock(tx, who.id)
    person = principals.get(tx, who.id)
    if addresses.unconfirmed(tx, who.id) is None:
        raise Conflict(f"{who.id} has a confirmed address", safe=gettext("Your e-mail address is confirmed already."))
    person.pending_email = email
    tx.flush()
    audit.record(tx, who, "account.address_typed", "principal", who.id)
    return person


def require_confirmed(tx: Session, who: Principal) -> None:
    """Raises Forbidden for a patient whose address is not confirmed: nothing is stored for them."""
    if who.role is Role.PATIENT and addresses.unconfirmed(tx, who.id) is not None:
        raise Forbidden(f"{who.id} has not confirmed an address", safe=CONFIRM_FIRST)
