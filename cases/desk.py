"""The API's part about coordinators' own: whose a case is, tags, internal notes, what is new, filters of the queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from cases import checklists
from cases.bodies import Body
from cases.desk_views import Narrow, Whose
from cases.operations import Call, Operation, Parameter
from cases.service import checklist, desk, kinds

_CASE = "/api/v1/cases/{case}"
_WHOSE = Parameter("whose", "Of a coordinator: whose cases; everybody's where none is named", tuple(Whose))
_TAG = Parameter("tag", "Of a coordinator: the tag that cases have")
_UNREAD = Parameter("unread", "Of a coordinator: those alone in which something is new", ("no", "yes"))
#: What narrows a list of cases.
NARROW = (_WHOSE, _TAG, _UNREAD)


class NewOwner(Body):
    """Who looks after a case, null: nobody. `instead_of`: who did when this was decided, or "nobody"."""

    owner_id: UUID | None
    instead_of: UUID | Literal["nobody"] | None = None


class InternalWords(Body):
    """A note for the other coordinators."""

    text: Annotated[str, Field(min_length=1, max_length=desk.MOST_NOTE)]


class Tags(Body):
    """All tags of a case."""

    tags: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=50)]


class ItemTicked(Body):
    """An item of the checklist, in its words, and whether it was seen to."""

    item: Annotated[str, Field(min_length=1, max_length=checklists.LONGEST)]
    done: bool = True


class Opened(Body):
    """Whether what is in a case now was seen by oneself."""

    seen: bool


@dataclass(frozen=True, slots=True)
class Colleague:
    """A coordinator who may look after cases."""

    principal_id: UUID
    name: str


def narrowed(query: Mapping[str, str]) -> Narrow:
    """What the parameters of a list of cases ask for."""
    whose = Whose(query.get(_WHOSE.name, Whose.ALL))
    return Narrow(whose, query.get(_TAG.name, "").strip(), query.get(_UNREAD.name) == "yes")


def _give(c: Call) -> None:
    desk.give(c.tx, c.who, c.case_id, c.body.owner_id, instead_of=c.body.instead_of)


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/api/v1/coordinators", "desk", "Who may look after cases",
              lambda c: [Colleague(*one) for one in desk.colleagues(c.tx, c.who)], result=list[Colleague]),
    Operation("GET", "/api/v1/tags", "desk", "Every tag that a case has", lambda c: desk.tags(c.tx, c.who),
              result=list[str]),
    Operation("PUT", f"{_CASE}/owner", "desk", "Take a case, give it to a colleague, or leave it to nobody", _give,
              NewOwner, None, 204),
    Operation("POST", f"{_CASE}/internal-notes", "desk", "Write a note that coordinators alone ever see",
              lambda c: desk.write(c.tx, c.who, c.case_id, c.body.text), InternalWords, None, 204),
    Operation("PUT", f"{_CASE}/tags", "desk", "Say which tags a case has",
              lambda c: desk.set_tags(c.tx, c.who, c.case_id, c.body.tags), Tags, None, 204),
    Operation("PUT", f"{_CASE}/checklist", "desk", "Tick an item of the checklist, or take the tick back",
              lambda c: checklist.tick(c.tx, c.who, c.case_id, c.body.item, done=c.body.done), ItemTicked, None, 204),
    Operation("GET", "/api/v1/programs/{program}/kinds/{kind}/checklist", "desk", "What a kind's coordinators see to",
              lambda c: kinds.checklist_of(c.tx, c.who, c.path["program"], c.path["kind"]), result=list[str]),
    Operation("PUT", f"{_CASE}/seen", "desk", "Say that one has seen what is new, or is to be told of it again",
              lambda c: desk.mark(c.tx, c.who, c.case_id, seen=c.body.seen), Opened, None, 204),
)
# fmt: on
