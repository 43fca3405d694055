"""The coordinators' inbox: studies that are in no case, those that are kept apart from one, and those dismissed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import inboxes, studies
from cases.service.inboxes import InboxItem, Show
from cases.service.studies import OtherPerson
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web import labels, paging, render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import FieldErrors

_ROWS = 25
#: A list of studies, its name in the address, and what it is called.
_FILTERS = ((Show.WAITING, "", Phrase("Waiting")), (Show.DISMISSED, "dismissed", Phrase("Dismissed")))


def routes(services: Services) -> list[BaseRoute]:
    """The inbox's routes."""
    desk = Desk(services, Permission.INBOX_MANAGE)
    return [
        desk.get("/inbox", inbox_page),
        desk.post("/inbox/{item}/match", match, inbox_page),
        desk.post("/inbox/{item}/dismiss", dismiss, inbox_page),
        desk.post("/inbox/{item}/restore", restore, inbox_page),
    ]


def inbox_page(ctx: TxContext) -> Response:
    """Studies that are in no case, and those that are kept apart from one; or those that were dismissed."""
    show, after = _shown(ctx), ctx.query(paging.AFTER)
    page = inboxes.listed(ctx.tx, ctx.who, show, after=after, limit=_ROWS)
    waiting = page.rows if show is Show.WAITING else []
    found = inboxes.candidates(ctx.tx, ctx.who, waiting)
    # What was taken out of a case goes back into it only where its number is typed: it is not offered.
    out = inboxes.taken_out(ctx.tx, ctx.who, waiting)
    name = next(name for one, name, _ in _FILTERS if one is show)
    return ctx.page(
        "coordinator/inbox.html",
        studies=[_study(item, found.get(item.id, ()), out, show=name, after=after) for item in page],
        filters=[
            {
                "label": label,
                "href": paging.address("/inbox", show=name),
                "current": one is show,
                "count": inboxes.count(ctx.tx, ctx.who, one),
            }
            for one, name, label in _FILTERS
        ],
        dismissed=show is Show.DISMISSED,
        pager=paging.links(ctx, "/inbox", page, show=name),
        typed=ctx.form.text("case"),
    )


def _shown(ctx: TxContext) -> Show:
    return next((one for one, name, _ in _FILTERS if name and name == ctx.query("show")), Show.WAITING)


def match(ctx: TxContext) -> Response:
    """Put a study of the inbox into the case whose reference number was typed."""
    case_id = inboxes.case_of(ctx.tx, ctx.who, ctx.form.text("case"))
    if case_id is None:
        raise FieldErrors({str(_item(ctx)): gettext("There is no case with this reference number. Please check it.")})
    try:
        studies.match_by_hand(ctx.tx, ctx.who, _item(ctx), case_id, ctx.form.text("reason"))
    except OtherPerson as error:
        # Said beside this one, with a place for the reason.
        raise FieldErrors({str(_item(ctx)): error.safe, f"other-{_item(ctx)}": str(OtherPerson.title)}) from error
    return go(f"/queue/{case_id}", "matched")


def dismiss(ctx: TxContext) -> Response:
    """A study of the inbox belongs to no case: only its sender goes on seeing it."""
    inboxes.dismiss(ctx.tx, ctx.who, _item(ctx), ctx.form.text("reason"))
    return _back(ctx, "dismissed")


def restore(ctx: TxContext) -> Response:
    """A study that was dismissed waits again."""
    inboxes.restore(ctx.tx, ctx.who, _item(ctx))
    return _back(ctx, "restored")


def _back(ctx: TxContext, done: str) -> Response:
    """To the list, and the place in it, that a form stood in."""
    where = {name: ctx.query(name) for name in ("show", paging.AFTER)}
    return go("/inbox", done, **{name: value for name, value in where.items() if value})


def _item(ctx: TxContext) -> UUID:
    return ctx.uuid("item")


def _study(item: InboxItem, same: Sequence[str], out: set[tuple[UUID, int]], **where: str) -> dict[str, Any]:
    found = item.study
    came_for = item.case_id is not None and found is not None and (item.case_id, found.pk) not in out
    suggestions = [{"reference": item.case_reference, "label": gettext("It came for this case")}] if came_for else []
    if item.case_reference and item.case_id is None:
        suggestions = [{"reference": item.case_reference, "label": gettext("This case has a study of the same number")}]
    suggestions += [
        {"reference": one, "label": gettext("Same name and birth date")} for one in same if one != item.case_reference
    ]
    return {
        "id": str(item.id),
        "title": labels.title(found.modalities, found.description) if found else gettext("Study"),
        "date": render.day(found.study_date) if found else None,
        "instances": found.instances if found else 0,
        "patient": render.person(found.patient_name) if found else "",
        "birth_date": render.day(found.birth_date) if found else None,
        "patient_id": found.patient_id if found else "",
        "accession": found.accession if found else "",
        "from_": item.sender,
        "reason": item.reason,
        "referral": item.referral,
        "thumbnail": f"/senders/{item.sender_id}/dicomweb/studies/{item.study_uid}/thumbnail" if found else "",
        "received": render.moment(item.arrived_at),
        "dismissed": render.moment(item.dismissed_at),
        "dismissed_by": item.dismissed_by,
        "dismissed_reason": item.dismissed_reason,
        "match_action": paging.address(f"/inbox/{item.id}/match", **where),
        "dismiss_action": paging.address(f"/inbox/{item.id}/dismiss", **where),
        "restore_action": paging.address(f"/inbox/{item.id}/restore", **where),
        "suggestions": suggestions,
    }
