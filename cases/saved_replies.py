"""The API's part about saved replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from cases.bodies import Body
from cases.operations import Call, Operation
from cases.service import replies
from cases.service.replies import Reply

_PROGRAM, _ONE = "/api/v1/programs/{program}/replies", "/api/v1/replies/{reply}"


class NewReply(Body):
    """A text to write again and again, and its name."""

    name: Annotated[str, Field(min_length=1, max_length=replies.MOST_NAME)]
    text: Annotated[str, Field(min_length=1, max_length=replies.MOST_TEXT)]


class ChangedReply(NewReply):
    """The same, written anew. `instead_of`: the `changed_at` of the one that was read."""

    instead_of: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """A reply."""

    reply_id: UUID


def _add(c: Call) -> Saved:
    return Saved(replies.add(c.tx, c.who, c.path["program"], c.body.name, c.body.text))


def _change(c: Call) -> None:
    b = c.body
    replies.change(c.tx, c.who, c.uuid("reply"), b.name, b.text, instead_of=b.instead_of)


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", _PROGRAM, "desk", "The saved replies of a program",
              lambda c: replies.listed(c.tx, c.who, c.path["program"]), result=list[Reply]),
    Operation("POST", _PROGRAM, "desk", "Save a reply", _add, NewReply, Saved, 201),
    Operation("PUT", _ONE, "desk", "Write a reply anew", _change, ChangedReply, None, 204),
    Operation("DELETE", _ONE, "desk", "Take a reply away",
              lambda c: replies.delete(c.tx, c.who, c.uuid("reply")), None, None, 204),
)
# fmt: on
