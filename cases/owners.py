"""Which coordinator looks after a case, and who of them hears of it. An account that is locked looks after nothing."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from cases.desk_models import Ownership
from cases.models import Case
from overread.kit import principals
from overread.kit.principals import PrincipalRow, Role


def standing() -> Select[UUID, UUID]:
    """The query of each case that has an owner, and who it is."""
    return (
        select(Ownership.case_id, Ownership.owner_id)
        .join(PrincipalRow, PrincipalRow.id == Ownership.owner_id)
        .where(PrincipalRow.active, PrincipalRow.role == Role.COORDINATOR.value)
    )


def owner_of(tx: Session, case_id: UUID) -> UUID | None:
    """Who looks after a case; None where nobody does."""
    found = tx.execute(standing().where(Ownership.case_id == case_id)).one_or_none()
    return found.owner_id if found else None


def reached(tx: Session, case_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The owners of these cases, as far as a mail reaches them."""
    query = standing().where(Ownership.case_id.in_(case_ids), PrincipalRow.email.is_not(None))
    return {case_id: owner_id for case_id, owner_id in tx.execute(query)}  # noqa: C416  typed rows


def hear(tx: Session, case: Case) -> list[PrincipalRow]:
    """The coordinators whom a mail of a case goes to: its owner, or all where nobody is, or can't be reached."""
    owner = reached(tx, [case.id]).get(case.id)
    return [one for one in principals.with_role(tx, Role.COORDINATOR) if owner in (None, one.id)]
