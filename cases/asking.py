"""The API's part about what a patient is asked for, as words or as a list of items."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from cases.asked_views import AskedView
from cases.bodies import Body
from cases.operations import Call, Operation
from cases.service import asked, intake
from cases.service.asked import Answered, Wanted
from cases.states import AskedKind

_ASKED = "/api/v1/cases/{case}/asked"
_ONE = f"{_ASKED}/{{item}}"


class WantedItem(Body):
    """A question to answer, or a document or a study to send."""

    kind: AskedKind
    text: Annotated[str, Field(min_length=1, max_length=asked.MOST_TEXT)]


class InfoAsked(Body):
    """What the patient is asked for: words, or items (words before them may be left out)."""

    text: Annotated[str, Field(max_length=20_000)] = ""
    items: Annotated[tuple[WantedItem, ...], Field(max_length=asked.MOST)] = ()


class InfoGiven(Body):
    """The answer; words may be left out where items were asked for and each is answered."""

    text: Annotated[str, Field(max_length=20_000)] = ""


class ItemAnswer(Body):
    """The answer to an item, or that one does not have it, and why."""

    text: Annotated[str, Field(max_length=asked.MOST_ANSWER)] = ""
    missing: bool = False


class ItemDocument(Body):
    """A document that was added to the case."""

    document_id: UUID


def ask(c: Call) -> None:
    """Ask for words or items."""
    items = [Wanted(one.kind, one.text) for one in c.body.items]
    intake.ask_info(c.tx, c.who, c.case_id, c.body.text, items)


def _keep(c: Call) -> None:
    asked.keep(c.tx, c.who, c.case_id, {c.uuid("item"): Answered(c.body.text, c.body.missing)})


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", _ASKED, "cases", "The items that the patient was asked for last, and the answers so far",
              lambda c: asked.listed(c.tx, c.who, c.case_id), result=AskedView),
    Operation("PUT", _ONE, "cases", "Keep the answer to an item; it is sent with all of them", _keep, ItemAnswer,
              None, 204),
    Operation("PUT", f"{_ONE}/document", "cases", "Say which document is the one that was asked for",
              lambda c: asked.attach(c.tx, c.who, c.case_id, c.uuid("item"), c.body.document_id), ItemDocument,
              None, 204),
)
# fmt: on
