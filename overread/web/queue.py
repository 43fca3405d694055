"""The coordinator's queue: cases by due time, narrowed by filters that stay, in the address and for the next time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from cases.service import desk, inboxes, read
from cases.service.read import Show
from cases.states import RUNNING, CaseState
from cases.views import CaseLine, Narrow, Whose
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web import labels, paging
from overread.web.contexts import Desk, TxContext

_HERE = "/queue"
#: A list of cases, its name in the address, and what it is called.
_FILTERS = (
    (Show.OPEN, "open", Phrase("All open")),
    (Show.OURS, "ours", Phrase("Waits for us")),
    (Show.LATE, "late", Phrase("Late")),
    (Show.ENDED, "ended", Phrase("Ended")),
)
_WHOSE = (
    (Whose.ALL, Phrase("Everybody’s")),
    (Whose.MINE, Phrase("Mine")),
    (Whose.NOBODY, Phrase("Nobody’s")),
)
_KEPT = ("filter", "whose", "tag", "unread")


def routes(services: Services) -> list[BaseRoute]:
    """The queue's route."""
    return [Desk(services, Permission.DESK_USE).get(_HERE, queue)]


def queue(ctx: TxContext) -> Response:
    """Open cases by due time; those that were found, and the ended ones, newest first."""
    search = ctx.query("q")
    if not search and not any(ctx.query(name) for name in (*_KEPT, paging.AFTER)):
        kept = desk.remembered(ctx.tx, ctx.who)
        if kept:
            said = {name: kept.get(name, "") for name in _KEPT}
            return RedirectResponse(paging.address(_HERE, **said, done=ctx.query("done")), 303)
    show = next((one for one, value, _ in _FILTERS if value == ctx.query("filter")), Show.OPEN)
    whose = next((one for one, _ in _WHOSE if one.value == ctx.query("whose")), Whose.ALL)
    narrow = Narrow(whose, ctx.query("tag")[: desk.MOST_TAG], ctx.query("unread") == "yes")
    chosen = _chosen(show, narrow)
    after = ctx.query(paging.AFTER)
    if search:
        # Who looks for a case finds it wherever it stands.
        page = read.listing(ctx.tx, ctx.who, search=search, after=after, limit=paging.ROWS)
    else:
        page = read.listing(ctx.tx, ctx.who, show, narrow=narrow, after=after, limit=paging.ROWS)
        desk.remember(ctx.tx, ctx.who, {} if chosen == _chosen(Show.OPEN, Narrow()) else chosen)
    counts = read.counts(ctx.tx, ctx.who, *(one for one, _, _ in _FILTERS), narrow=narrow)
    return ctx.page(
        "coordinator/queue.html",
        new_url="/referrals/new",
        cases=[_case(line) for line in page],
        filters=[
            _link(label, chosen | {"filter": value}, current=one is show and not search) | {"count": counts[one]}
            for one, value, label in _FILTERS
        ],
        narrowed=[] if search else list(_narrowed(chosen, narrow)),
        tags=[
            _link(one, chosen | {"tag": "" if one == narrow.tag else one}, current=one == narrow.tag)
            for one in dict.fromkeys([*desk.tags(ctx.tx, ctx.who), *filter(None, [narrow.tag])])
        ]
        if not search
        else [],
        tag=narrow.tag,
        pager=paging.links(ctx, _HERE, page, **({"q": search} if search else chosen)),
        inbox={"count": inboxes.count(ctx.tx, ctx.who), "url": "/inbox"},
        query=search,
        search_action=_HERE,
    )


def _chosen(show: Show, narrow: Narrow) -> dict[str, str]:
    """What the address says of the filters, and is remembered."""
    value = next(value for one, value, _ in _FILTERS if one is show)
    whose = "" if narrow.whose is Whose.ALL else narrow.whose.value
    said = {"filter": value, "whose": whose, "tag": narrow.tag, "unread": "yes" if narrow.unread else ""}
    return {name: one for name, one in said.items() if one}


def _narrowed(chosen: dict[str, str], narrow: Narrow) -> Iterator[dict[str, Any]]:
    for one, label in _WHOSE:
        whose = "" if one is Whose.ALL else one.value
        yield _link(label, chosen | {"whose": whose}, current=one is narrow.whose)
    yield _link(gettext("New to me"), chosen | {"unread": "" if narrow.unread else "yes"}, current=narrow.unread)


def _link(label: str, chosen: dict[str, str], *, current: bool) -> dict[str, Any]:
    return {"label": label, "href": paging.address(_HERE, **chosen), "current": current}


def _case(line: CaseLine) -> dict[str, Any]:
    desk_line = line.desk
    return {
        "reference": line.reference,
        "url": f"/queue/{line.case_id}",
        "title": line.title,
        "patient": line.patient_name,
        "status": labels.case(line.state, recalled=line.recalled),
        "due": labels.due(line.state, line.due_at, stands=line.paused_at is not None),
        "stands": line.due_at is not None and CaseState(line.state) in (*RUNNING, CaseState.NEEDS_INFO),
        "awaits": line.due_at is None and CaseState(line.state) in (*RUNNING, CaseState.NEEDS_INFO),
        "late": line.late,
        "assigned": line.specialist,
        "images": line.studies,
        "note": line.note,
        "owner": desk_line.owner if desk_line else "",
        "tags": desk_line.tags if desk_line else (),
        "unread": desk_line is not None and desk_line.unread,
    }
