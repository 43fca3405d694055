"""What may be done in a case, by the part that somebody has in it; what moves a case is said by its table of rules."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from cases.states import CASE_RULES, Actor, CaseEvent
from overread.kit.errors import Forbidden
from overread.kit.permissions import ROLES, Permission
from overread.kit.principals import Role


def _parts(names: str) -> frozenset[Actor]:
    return frozenset(map(Actor, names.split()))


def _who_moves(*events: CaseEvent) -> frozenset[Actor]:
    return frozenset(actor for rule in CASE_RULES if rule.event in events for actor in rule.actors) - {Actor.SYSTEM}


#: The parts in a case that have a permission.
ACTORS: Mapping[Permission, frozenset[Actor]] = {
    Permission.CASE_CHANGE: _parts("patient helper representative coordinator"),
    Permission.CASE_CONSENT: _parts("patient representative"),
    Permission.CASE_PAY: _parts("patient representative"),
    Permission.CASE_MESSAGE: _parts("patient helper representative coordinator"),
    Permission.CASE_FOLLOW_UP: _parts("patient representative"),
    Permission.CASE_FEEDBACK: _parts("patient representative"),
    Permission.CASE_VISIT: _parts("patient representative"),
    Permission.CASE_WITHDRAW: _who_moves(CaseEvent.WITHDRAW),
    Permission.CASE_IMAGES_SEND: _parts("patient helper representative coordinator"),
    Permission.CASE_DOCUMENTS: _parts("patient helper representative coordinator"),
    Permission.CASE_STUDIES: _parts("coordinator"),
    Permission.CASE_CLOCK: _parts("coordinator"),
    Permission.CASE_OFFER: _who_moves(CaseEvent.OFFER, CaseEvent.TAKE_BACK),
    Permission.CASE_ANSWER_OFFER: _who_moves(CaseEvent.ACCEPT, CaseEvent.REFUSE_OFFER),
    Permission.CASE_ACCESS_LOG: _parts("patient representative coordinator"),
    Permission.CASE_ASK_ERASURE: _parts("patient representative coordinator"),
    Permission.CASE_AUTHORITY: _parts("coordinator"),
    Permission.CASE_CORRECT: _parts("coordinator"),
    Permission.CASE_DESK: _parts("coordinator"),
    Permission.CASE_VIEW: _parts("coordinator assigned"),
    Permission.REPORT_WRITE: _parts("assigned"),
    Permission.REPORT_SIGN: _who_moves(CaseEvent.SIGN),
    Permission.REPORT_PUBLISH: _who_moves(CaseEvent.PUBLISH),
    Permission.REPORT_READ: _parts("patient representative coordinator assigned"),
    Permission.REPORT_HAND_OVER: _parts("patient representative coordinator"),
    Permission.REPORT_RECALL: _parts("coordinator"),
}
_ROLE_OF = {
    Actor.PATIENT: Role.PATIENT,
    # Whoever acts for a patient has an account like a patient's.
    Actor.HELPER: Role.PATIENT,
    Actor.REPRESENTATIVE: Role.PATIENT,
    Actor.COORDINATOR: Role.COORDINATOR,
    Actor.OFFERED: Role.SPECIALIST,
    Actor.ASSIGNED: Role.SPECIALIST,
}


def require(actor: Actor, permission: Permission, case_id: UUID) -> None:
    """Refuse with Forbidden unless somebody's part in a case has a permission."""
    if actor not in ACTORS[permission]:
        raise Forbidden(f"{actor} asked for {permission} of case {case_id}")


def roles(permission: Permission) -> frozenset[Role]:
    """The roles of those who have a permission, by the role itself or by a part in a case."""
    parts = ACTORS.get(permission, frozenset())
    return ROLES.get(permission, frozenset()) | {_ROLE_OF[actor] for actor in parts}
