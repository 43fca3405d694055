"""Who acts for whom: asked at every load of a case, so that an end counts from the moment on."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from cases.acting_models import Delegation
from cases.states import Actor, DelegateScope
from overread.kit import clock

_ACTORS = {DelegateScope.HELP: Actor.HELPER, DelegateScope.REPRESENT: Actor.REPRESENTATIVE}


def stands() -> ColumnElement[bool]:
    """That a delegation is accepted and has not ended."""
    return and_(
        Delegation.accepted_at.is_not(None),
        Delegation.ended_at.is_(None),
        or_(Delegation.ends_on.is_(None), Delegation.ends_on >= clock.now().date()),
    )


def actor_of(tx: Session, patient_id: UUID, delegate_id: UUID) -> Actor | None:
    """What somebody is to a patient's cases by a delegation that stands; the widest of several."""
    query = select(Delegation.scope).where(
        Delegation.patient_id == patient_id, Delegation.delegate_id == delegate_id, stands()
    )
    scopes = set(tx.scalars(query))
    return next((_ACTORS[scope] for scope in (DelegateScope.REPRESENT, DelegateScope.HELP) if scope in scopes), None)


def patients_of(delegate_id: UUID) -> Select[UUID]:
    """The query of those for whom somebody acts now."""
    return select(Delegation.patient_id).where(Delegation.delegate_id == delegate_id, stands())


def representatives(tx: Session, patient_id: UUID) -> Sequence[UUID]:
    """Those who represent a patient now; they hear what the patient hears."""
    query = select(Delegation.delegate_id).where(
        Delegation.patient_id == patient_id, Delegation.scope == DelegateScope.REPRESENT, stands()
    )
    return [one for one in tx.scalars(query) if one is not None]


def side(tx: Session, patient_id: UUID) -> set[UUID]:
    """A patient and everybody who has acted for them: what those sent is the patient's, also after the end."""
    query = select(Delegation.delegate_id).where(Delegation.patient_id == patient_id)
    return {patient_id, *(one for one in tx.scalars(query) if one is not None)}
