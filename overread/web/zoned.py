"""In whose time zone a page is written: the account's, else the browser's, else the program's."""

from __future__ import annotations

from starlette.requests import Request

from cases.service import hours
from overread.kit import zones
from overread.kit.principals import Principal
from overread.services import Services

#: What the pages' script tells of the browser (`frontend/src/site.ts`): the name of its zone, and nothing else.
COOKIE = "overread_zone"


def told(request: Request) -> str:
    """The zone that the browser told; "" where it told none, or one that there is not."""
    name = request.cookies.get(COOKIE, "")
    return name if zones.known(name) else ""


def reader(request: Request, services: Services, who: Principal) -> str:
    """The zone that somebody reads in."""
    if known := who.zone or told(request):
        return known
    with services.db.transaction() as tx:
        return hours.house_zone(tx)
