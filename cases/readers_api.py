"""The API's part about specialists: how each reads, who fits a case, and what is let pass for it."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated
from uuid import UUID

from pydantic import Field

from cases import bodies
from cases.bodies import Body
from cases.finding import Eligibility
from cases.operations import Call, Operation
from cases.service import assignment, readers
from cases.service.readers import Leave, Profile, ReaderView
from cases.states import Obstacle, Refusal

_CASE, _OWN, _ALL = "/api/v1/cases/{case}", "/api/v1/account/reader", "/api/v1/readers"
_Names = Annotated[tuple[str, ...], Field(max_length=100)]


class LeaveDays(Body):
    """Days of leave, both included."""

    first: date
    last: date


class OwnProfile(Body):
    """How a specialist reads; the whole of it, as `GET` gives it.

    `subjects` and `subspecialties` by their keys, `languages` by their codes; a limit that is null is none.
    """

    subjects: _Names
    subspecialties: _Names
    practices: _Names
    languages: _Names
    most_open: int | None
    most_week: int | None
    leave: Annotated[tuple[LeaveDays, ...], Field(max_length=100)]


class CaseException(Body):
    """What a coordinator lets pass for one specialist, and why."""

    specialist_id: UUID
    about: Annotated[list[Obstacle], Field(min_length=1, max_length=len(Obstacle))]
    reason: bodies.Text


class Refused(Body):
    """Why an offer is declined: in words, by a reason of the list, or both."""

    reason: Annotated[str, Field(max_length=20_000)] = ""
    refusal: Refusal = Refusal.OTHER


class NextByItself(Body):
    """Whether the next specialist is asked by itself after a refusal, or an offer that has run out."""

    wanted: bool


def _set_own(c: Call) -> None:
    b = c.body
    leave = tuple(Leave(one.first, one.last) for one in b.leave)
    said = Profile(b.subjects, b.subspecialties, b.practices, b.languages, b.most_open, b.most_week, leave)
    readers.change(c.tx, c.who, said)


def _settle(c: Call, *, good: bool) -> None:
    readers.settle(c.tx, c.who, c.uuid("specialist"), good=good)


def _except(c: Call) -> None:
    b = c.body
    assignment.record_exception(c.tx, c.who, c.case_id, b.specialist_id, b.reason, about=b.about)


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", _OWN, "account", "How you read", lambda c: readers.own(c.tx, c.who), result=ReaderView),
    Operation("PUT", _OWN, "account", "Say how you read", _set_own, OwnProfile, None, 204),
    Operation("GET", _ALL, "administration", "How every specialist reads", lambda c: readers.listed(c.tx, c.who),
              result=list[ReaderView]),
    Operation("POST", f"{_ALL}/{{specialist}}/confirm", "administration", "A profile is as its holder entered it",
              partial(_settle, good=True), None, None, 204),
    Operation("POST", f"{_ALL}/{{specialist}}/decline", "administration", "A profile is not as its holder entered it",
              partial(_settle, good=False), None, None, 204),
    Operation("PUT", "/api/v1/programs/{program}/next-specialist", "administration",
              "Have the next specialist asked by itself, or not",
              lambda c: readers.set_next(c.tx, c.who, c.path["program"], wanted=c.body.wanted), NextByItself, None,
              204),
    Operation("GET", f"{_CASE}/specialists", "assignment", "Who may read this case, who fits best, and why not",
              lambda c: assignment.eligible_specialists(c.tx, c.who, c.case_id), result=list[Eligibility]),
    Operation("POST", f"{_CASE}/exceptions", "assignment", "Let a specialist read although something is in the way",
              _except, CaseException, None, 204),
    Operation("POST", f"{_CASE}/refuse", "assignment", "Decline an offer",
              lambda c: assignment.refuse(c.tx, c.who, c.case_id, c.body.reason, c.body.refusal), Refused, None, 204),
)
# fmt: on
