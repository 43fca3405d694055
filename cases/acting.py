"""The API's part for who a patient is, and for those who act for them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cases import bodies
from cases.operations import Call, Operation
from cases.service import authority, corrections, delegates
from cases.service.corrections import Identity
from cases.service.delegates import DelegateView
from overread.kit import attempts

_DELEGATES = "/api/v1/delegates"
_AUTHORITY = "/api/v1/cases/{case}/authority"


@dataclass(frozen=True, slots=True)
class Delegates:
    """Who acts for the caller, and for whom the caller acts."""

    mine: list[DelegateView]
    theirs: list[DelegateView]


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation."""

    delegation_id: UUID


def _invite(c: Call) -> Invited:
    b = c.body
    made = delegates.invite(c.tx, c.who, b.email, b.relation, b.scope, b.ends_on)
    # Strangers fill nobody's mailbox; and only what would be mailed is counted.
    attempts.spend(c.archive.db, *attempts.mailing(b.email))
    return Invited(made)


def _correct(c: Call) -> None:
    b = c.body
    shown = b.instead_of and Identity(b.instead_of.name, b.instead_of.birth_date, b.instead_of.sex)
    now = Identity(b.name, b.birth_date, b.sex)
    corrections.correct(c.tx, c.who, c.case_id, now, b.reason, instead_of=shown)


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", _DELEGATES, "delegates", "Who acts for you, and for whom you act",
              lambda c: Delegates(*delegates.listed(c.tx, c.who)), result=Delegates),
    Operation("POST", _DELEGATES, "delegates", "Invite somebody to act for you", _invite, bodies.NewDelegate,
              Invited, 201),
    Operation("POST", f"{_DELEGATES}/accept", "delegates", "Take an invitation up",
              lambda c: delegates.accept(c.tx, c.who, c.body.token), bodies.InvitationTaken, None, 204),
    Operation("DELETE", f"{_DELEGATES}/{{delegation}}", "delegates", "End an agreement or an invitation",
              lambda c: delegates.end(c.tx, c.who, c.uuid("delegation")), None, None, 204),
    Operation("POST", "/api/v1/cases/{case}/identity", "cases", "Correct the patient's name, birth date or sex",
              _correct, bodies.Correction, None, 204),
    Operation("PUT", _AUTHORITY, "intake", "Say why the account may act for the patient",
              lambda c: authority.say(c.tx, c.who, c.case_id, c.body.relation, c.body.text),
              bodies.AuthoritySaid, None, 204),
    Operation("POST", f"{_AUTHORITY}/check", "cases", "Find good that the account acts for the patient",
              lambda c: authority.check(c.tx, c.who, c.case_id, c.body.reason), bodies.ReasonGiven, None, 204),
)
# fmt: on
