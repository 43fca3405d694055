"""What coordinators keep of a case among themselves: owner, tags, internal notes, what is new; parts of its page."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import checklist, desk
from overread.kit.errors import Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web.casework import case_page
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check, FieldErrors


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the forms."""
    post, case = Desk(services, Role.COORDINATOR).post, "/queue/{case}"
    return [
        post(f"{case}/owner", give, case_page),
        post(f"{case}/tags", set_tags, case_page),
        post(f"{case}/notes", write, case_page),
        post(f"{case}/unread", unread, case_page),
        post(f"{case}/checklist", tick, case_page),
    ]


def give(ctx: TxContext) -> Response:
    """Take the case, or give it to somebody else."""
    owner = _person(ctx.form.text("owner"))
    if owner is None:
        raise FieldErrors({"owner": gettext("Please choose who looks after the case.")})
    # A form that does not say what its page showed is asked to.
    shown = _person(ctx.form.text("instead_of"))
    if shown is None:
        raise FieldErrors({"form": gettext("Please use the button.")})
    desk.give(ctx.tx, ctx.who, ctx.uuid(), None if owner == "nobody" else owner, instead_of=shown)
    return go(f"/queue/{ctx.uuid()}", "taken" if owner == ctx.who.id else "given")


def set_tags(ctx: TxContext) -> Response:
    """Say which tags the case has."""
    try:
        desk.set_tags(ctx.tx, ctx.who, ctx.uuid(), ctx.form.text("tags").split(","))
    except Unprocessable as error:
        raise FieldErrors({"tags": error.safe}) from error
    return go(f"/queue/{ctx.uuid()}", "saved")


def write(ctx: TxContext) -> Response:
    """A note for the other coordinators."""
    check = Check(ctx.form)
    text = check.text("internal_note", gettext("Please write the note."), desk.MOST_NOTE)
    check.done()
    desk.write(ctx.tx, ctx.who, ctx.uuid(), text)
    return go(f"/queue/{ctx.uuid()}", "noted")


def unread(ctx: TxContext) -> Response:
    """Have the case stand in the queue as new again."""
    desk.mark(ctx.tx, ctx.who, ctx.uuid(), seen=False)
    return go("/queue", "unread")


def tick(ctx: TxContext) -> Response:
    """Tick what was seen to, and take ticks back; what a colleague ticked meanwhile stays."""
    items, shown = set(ctx.form.all("item")), set(ctx.form.all("shown"))
    for item in sorted(items ^ shown):
        checklist.tick(ctx.tx, ctx.who, ctx.uuid(), item, done=item in items)
    return go(f"/queue/{ctx.uuid()}", "saved")


def _person(text: str) -> UUID | Literal["nobody"] | None:
    """Whom a field names; None where it names nobody that could be meant."""
    if text == "nobody":
        return "nobody"
    try:
        return UUID(text)
    except ValueError:
        return None
