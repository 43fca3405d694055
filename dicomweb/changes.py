"""The change feed as a resource of ours beside the standard's: `GET /changes?after=NUMBER&limit=COUNT`."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.context import Context
from dicomweb.media import MediaRange, accepted, choose
from overread.kit.errors import BadInput
from overread.kit.http import JSON
from pacs import changes

_OFFERS = [MediaRange("application/json")]


def feed(context: Context, request: Request) -> Response:
    """What became of the caller's studies behind a number; ask again with `next` for what comes later."""
    _, scope = context.authorise(request)
    choose(accepted(request.headers.get("accept"), request.query_params.get("accept")), _OFFERS, "Changes")
    after, limit = _number(request, "after", 0), _number(request, "limit", 100)
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


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise BadInput(f"{name} is no number", safe=f"{name} must be a whole number that is not negative.")
    return int(text)
