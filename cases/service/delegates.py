"""People who act for a patient with accounts of their own: invited by the patient, ended by either side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import delegations, notify
from cases.acting_models import Delegation
from cases.invitations import of_link
from cases.service import presentation
from cases.states import DelegateScope, Relation
from overread.kit import audit, clock, permissions, principals
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role

#: Invitations and agreements that one patient may have at once.
MOST = 10


@dataclass(frozen=True, slots=True)
class DelegateView:
    """An agreement, as either side sees it. `name`: the other side's, "" while an invitation is open.

    `state`: "invited", "stands" or "ended".
    """

    delegation_id: UUID
    name: str
    email: str
    relation: str
    scope: str
    state: str
    since: datetime
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an invitation asks of whoever opens its link."""

    patient: str
    relation: str
    scope: str
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class Acting:
    """Somebody for whom one acts."""

    patient_id: UUID
    name: str


def invite(
    tx: Session, who: Principal, email: str, relation: Relation, scope: DelegateScope, ends_on: date | None
) -> UUID:
    """Invite somebody to act for oneself, until a day or until it is ended; they get a link by mail.

    The same wish again, while it is open, makes no second one. Raises Forbidden, Unprocessable, Conflict.
    """
    permissions.require(who, Permission.DELEGATES_MANAGE)
    principals.lock(tx, who.id)
    email = email.strip().lower()
    if principals.get(tx, who.id).email in (None, email):
        raise Unprocessable(
            "inviting oneself, or without a confirmed address",
            safe=gettext("Please confirm your own e-mail address first, and invite somebody else than yourself."),
        )
    if ends_on is not None and ends_on <= clock.now().date():
        raise Unprocessable("an end in the past", safe=gettext("The last day must be a later one than today."))
    standing = [one for one in _mine(tx, who) if one.ended_at is None]
    for one in standing:
        if one.accepted_at is None and (one.email, one.scope, one.relation, one.ends_on) == (
            email, scope, relation, ends_on,
        ):  # fmt: skip
            return one.id
    if len(standing) >= MOST:
        raise Conflict(
            f"{who.id} has {MOST} delegates",
            safe=gettext("Ten people can act for you at once. End one of these first."),
        )
    made = Delegation(patient_id=who.id, email=email, relation=relation, scope=scope, ends_on=ends_on)
    tx.add(made)
    tx.flush()
    audit.record(tx, who, "delegate.invite", "principal", who.id, relation=relation.value, scope=scope.value)
    notify.queue_invitation(tx, notify.INVITATION, made.id, email)
    return made.id


def invitation(tx: Session, who: Principal, token: str) -> Invitation:
    """What an invitation asks. Raises NotFound for a link that is none, or too old."""
    permissions.require(who, Permission.DELEGATES_MANAGE)
    row = of_link(tx, Delegation, token)
    return Invitation(presentation.name_of(tx, row.patient_id), row.relation.value, row.scope.value, row.ends_on)


def accept(tx: Session, who: Principal, token: str) -> None:
    """Act for somebody from now on. The same again finds it done.

    Raises NotFound for a link that is none, Conflict where somebody else took it up, Forbidden for who is no patient.
    """
    permissions.require(who, Permission.DELEGATES_MANAGE)
    row = of_link(tx, Delegation, token, lock=True)
    if row.patient_id == who.id:
        raise Conflict(
            "acting for oneself", safe=gettext("This link is for somebody else: you can’t act for yourself.")
        )
    if row.delegate_id not in (None, who.id):
        raise Conflict("taken up by another", safe=gettext("This invitation was taken up with another account."))
    if row.accepted_at is not None:
        return
    row.delegate_id, row.accepted_at = who.id, clock.now()
    tx.flush()
    audit.record(tx, who, "delegate.accept", "principal", row.patient_id, scope=row.scope.value)
    notify.queue(tx, None, row.patient_id, "delegate_accepted")


def end(tx: Session, who: Principal, delegation_id: UUID) -> None:
    """End an agreement or an invitation, from now on, by either side. The same again finds it done. Raises NotFound."""
    permissions.require(who, Permission.DELEGATES_MANAGE)
    row = tx.get(Delegation, delegation_id, with_for_update=True)
    if row is None or who.id not in (row.patient_id, row.delegate_id):
        raise NotFound(f"delegation {delegation_id} of {who.id}")
    if row.ended_at is not None:
        return
    row.ended_at, row.ended_by, row.digest = clock.now(), who.id, None
    tx.flush()
    audit.record(tx, who, "delegate.end", "principal", row.patient_id)
    for other in {row.patient_id, row.delegate_id} - {who.id, None}:
        assert other is not None
        notify.queue(tx, None, other, "delegate_ended")


def listed(tx: Session, who: Principal) -> tuple[list[DelegateView], list[DelegateView]]:
    """Those who act for somebody, and those for whom they act; the newest first. Raises Forbidden."""
    permissions.require(who, Permission.DELEGATES_MANAGE)
    theirs = select(Delegation).where(Delegation.delegate_id == who.id).order_by(Delegation.id.desc())
    return (
        [_view(tx, row, row.delegate_id) for row in _mine(tx, who)],
        [_view(tx, row, row.patient_id) for row in tx.scalars(theirs)],
    )


def acting_for(tx: Session, who: Principal) -> list[Acting]:
    """Those for whom somebody acts now, by name."""
    found = tx.scalars(delegations.patients_of(who.id)).all() if who.role is Role.PATIENT else ()
    return sorted(
        (Acting(one, presentation.name_of(tx, one)) for one in dict.fromkeys(found)), key=lambda one: one.name
    )


def require_acting(tx: Session, who: Principal, patient_id: UUID) -> None:
    """Raises Forbidden unless `who` is a patient or acts for them now."""
    if who.id != patient_id and delegations.actor_of(tx, patient_id, who.id) is None:
        raise Forbidden(f"{who.id} does not act for {patient_id}")


def _mine(tx: Session, who: Principal) -> Sequence[Delegation]:
    return tx.scalars(select(Delegation).where(Delegation.patient_id == who.id).order_by(Delegation.id.desc())).all()


def _view(tx: Session, row: Delegation, other_id: UUID | None) -> DelegateView:
    today = clock.now().date()
    over = row.ended_at is not None or (row.ends_on is not None and row.ends_on < today)
    state = "ended" if over or row.is_late else "stands" if row.accepted_at else "invited"
    name = presentation.name_of(tx, other_id) if row.accepted_at else ""
    since = row.accepted_at or row.invited_at
    return DelegateView(row.id, name, row.email, row.relation.value, row.scope.value, state, since, row.ends_on)
