"""The saved replies of programs: read, added, written anew and taken away by coordinators."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import replies
from cases.service.replies import Reply
from overread.kit.errors import Conflict, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web import render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import FieldErrors

_HERE = "/replies"


def routes(services: Services) -> list[BaseRoute]:
    """The page and its forms."""
    desk = Desk(services, Permission.DESK_USE)
    return [
        desk.get(_HERE, page),
        desk.post(f"{_HERE}/{{program}}", add, page),
        desk.post(f"{_HERE}/{{program}}/{{reply}}", change, page),
        desk.post(f"{_HERE}/{{program}}/{{reply}}/delete", delete, page),
    ]


def page(ctx: TxContext) -> Response:
    """Every program with its replies."""
    path = ctx.request.path_params
    # What was typed stands again in the form that it came from.
    program, changed = path.get("program", ""), str(path.get("reply", ""))
    typed = ctx.form.values() if ctx.form.names() else {}
    return ctx.page(
        "coordinator/replies.html",
        programs=[
            {
                "name": one.name,
                "action": f"{_HERE}/{one.slug}",
                "typed": typed if one.slug == program and not changed else {},
                "slug": one.slug,
                "replies": [
                    _reply(reply, f"{_HERE}/{one.slug}/{reply.reply_id}")
                    | (
                        {"typed": typed, "open": True}
                        if str(reply.reply_id) == changed
                        else {"typed": {"name": reply.name, "text": reply.text}, "open": False}
                    )
                    for reply in one.replies
                ],
            }
            for one in replies.everywhere(ctx.tx, ctx.who)
        ],
        queue_url="/queue",
    )


def add(ctx: TxContext) -> Response:
    """Save another reply."""
    program = ctx.request.path_params["program"]
    try:
        replies.add(ctx.tx, ctx.who, program, ctx.form.text("name"), ctx.form.text("text"))
    except (Conflict, Unprocessable) as error:
        raise FieldErrors({f"name-new-{program}": error.safe}) from error
    return go(_HERE, "saved")


def change(ctx: TxContext) -> Response:
    """Write a reply anew."""
    try:
        shown = datetime.fromisoformat(ctx.form.text("instead_of"))
    except ValueError as error:
        raise FieldErrors({"form": gettext("Please use the button.")}) from error
    try:
        replies.change(
            ctx.tx, ctx.who, ctx.uuid("reply"), ctx.form.text("name"), ctx.form.text("text"), instead_of=shown
        )
    except Unprocessable as error:
        raise FieldErrors({f"name-{ctx.uuid('reply')}": error.safe}) from error
    return go(_HERE, "saved")


def delete(ctx: TxContext) -> Response:
    """Take a reply away."""
    replies.delete(ctx.tx, ctx.who, ctx.uuid("reply"))
    return go(_HERE, "changed")


def _reply(one: Reply, url: str) -> dict[str, Any]:
    return {
        "id": str(one.reply_id),
        "name": one.name,
        "text": one.text,
        "by": one.changed_by,
        "at": render.moment(one.changed_at),
        "action": url,
        "instead_of": one.changed_at.isoformat(),
    }
