"""Grants: which principal may see which case's view, and until when.

A grant is looked up at every request, so revoking one takes effect with the next; the viewer's tokens that were issued
under it are ended in the same transaction.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from overread.kit import audit, clock, principals, tokens
from overread.kit.db import Connection, reading
from overread.kit.errors import Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Principal, Role, TokenRow
from viewer_bridge.models import Grant, LaunchCode

__all__ = ["Grant", "active", "erase", "find", "grant", "held", "revoke", "view"]


def grant(
    tx: Session, principal_id: UUID, case_id: UUID, view_id: UUID, until: datetime, *, by: Principal | None = None
) -> UUID:
    """Let a specialist see a case's view `until` a moment (aware); the grant's id.

    `by` is who brings it about, for the audit log; None: the program itself.

    Idempotent for a principal and a case: the grant that stands is moved to this view and moment, also where many do so
    at once. Raises NotFound where there is no such principal, Unprocessable where it is no specialist or the moment is
    past: nobody else ever needs a grant.
    """
    if until <= clock.now():
        raise Unprocessable(f"a grant until {until} is over already", safe=gettext("The access would be over already."))
    person = principals.get(tx, principal_id)
    if person.role != Role.SPECIALIST:
        raise Unprocessable(
            f"grant for a {person.role}", safe=gettext("Only specialists are given access to a case's images.")
        )
    # One statement, so that of two transactions neither fails at the partial unique index.
    made = insert(Grant).values(
        id=clock.uuid7(),
        principal_id=principal_id,
        case_id=case_id,
        view_id=view_id,
        until=until,
        created_at=clock.now(),
    )
    grant_id = tx.execute(
        made.on_conflict_do_update(
            index_elements=[Grant.principal_id, Grant.case_id],
            index_where=Grant.revoked_at.is_(None),
            set_={"view_id": made.excluded.view_id, "until": made.excluded.until},
        ).returning(Grant.id)
    ).scalar_one()
    audit.record(
        tx,
        by,
        "grant.made",
        "grant",
        grant_id,
        case_id=case_id,
        principal=str(principal_id),
        view=str(view_id),
        until=until.isoformat(),
    )
    found: UUID = grant_id
    return found


def revoke(tx: Session, case_id: UUID, principal_id: UUID | None = None, *, by: Principal | None = None) -> int:
    """End a case's grants, all or one principal's, with the tokens and launch codes given under them; how many ended.

    `by` is who brings it about, for the audit log; None: the program itself.
    Nothing happens where none stands.
    """
    query = update(Grant).where(Grant.case_id == case_id, Grant.revoked_at.is_(None)).values(revoked_at=clock.now())
    if principal_id is not None:
        query = query.where(Grant.principal_id == principal_id)
    # The grant is always locked before anything that hangs on it (see `launch.redeem`): a viewer opened at the same
    # time either finds no grant or has its token ended below.
    ended = tx.execute(query.returning(Grant.id, Grant.principal_id)).all()
    for grant_id, grantee in ended:
        tokens.revoke_viewers(tx, grantee, case_id)
        audit.record(tx, by, "grant.revoked", "grant", grant_id, case_id=case_id, principal=str(grantee))
    return len(ended)


def erase(tx: Session, case_id: UUID) -> None:
    """End a case's grants, and keep nothing of them; no token of anybody opens the case any more."""
    revoke(tx, case_id)
    tokens.revoke_case(tx, case_id)
    codes = select(TokenRow.id).where(TokenRow.case_id == case_id, TokenRow.kind == tokens.LAUNCH)
    tx.execute(delete(LaunchCode).where(LaunchCode.token_id.in_(codes)))
    tx.execute(delete(Grant).where(Grant.case_id == case_id))


def find(tx: Session, principal_id: UUID, case_id: UUID, *, hold: bool = False) -> Grant | None:
    """The grant that a principal has for a case now, or None. `hold` keeps it from being revoked until the commit."""
    query = select(Grant).where(
        Grant.principal_id == principal_id,
        Grant.case_id == case_id,
        Grant.revoked_at.is_(None),
        Grant.until > clock.now(),
    )
    return tx.scalars(query.with_for_update(read=True) if hold else query).one_or_none()


#: As `find` asks, in PostgreSQL's own words: it is asked for every picture that a viewer takes.
_VIEW = (
    "SELECT view_id FROM bridge_grant WHERE principal_id = %s AND case_id = %s AND revoked_at IS NULL AND until > %s"
)


def view(tx: Session | Connection, principal_id: UUID, case_id: UUID) -> UUID | None:
    """The view that a principal's grant for a case opens now, or None."""
    row = reading(tx).execute(_VIEW, (principal_id, case_id, clock.now())).fetchone()
    return row[0] if row is not None else None


def held(tx: Session, principal_id: UUID) -> list[Grant]:
    """The grants that a principal has now, oldest first."""
    query = select(Grant).where(
        Grant.principal_id == principal_id, Grant.revoked_at.is_(None), Grant.until > clock.now()
    )
    return list(tx.scalars(query.order_by(Grant.created_at, Grant.id)))


def active(tx: Session, case_id: UUID) -> list[Grant]:
    """The grants of a case that stand now, oldest first."""
    query = select(Grant).where(Grant.case_id == case_id, Grant.revoked_at.is_(None), Grant.until > clock.now())
    return list(tx.scalars(query.order_by(Grant.created_at, Grant.id)))
