"""The change feed as a resource of ours beside the standard's: `GET /changes?after=NUMBER&limit=COUNT`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.context import Context
from dicomweb.keys import number
from dicomweb.media import MediaRange, accepts, choose
from overread.kit.http import JSON
from pacs.index import changes

_OFFERS = [MediaRange("application/json")]


def feed(context: Context, request: Request) -> Response:
    """What became of the caller's studies behind a number; ask again with `next` for what comes later."""
    _, scope = context.authorise(request)
    choose(accepts(request), _OFFERS, "Changes")
    after, limit = number(request, "after", 0, digits=18), number(request, "limit", 100, digits=18)
    with context.archive.db.transaction() as tx:
        found = changes.read(tx, scope, after, limit)
    rows = [
        {
            "number": one.number,
            "kind": one.kind,
            "study": one.study_uid,
            **({"series": one.series_uid} if one.series_uid else {}),
            **({"instance": one.sop_uid} if one.sop_uid else {}),
            "instances": one.instances,
            "at": one.at,
        }
        for one in found
    ]
    more = len(found) == max(1, min(limit, changes.MOST))
    return JSON({"changes": rows, "next": found[-1].number if found else after, "more": more})
