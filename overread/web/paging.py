"""Lists on pages: a page has so many rows, and links to what is behind them and back to the list's beginning."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from overread.kit.paging import Page
from overread.web.contexts import TxContext

#: Rows of one page.
ROWS = 50
#: The parameter of the query that says where a page begins.
AFTER = "after"


def links(
    ctx: TxContext, path: str, page: Page[Any], *, name: str = AFTER, part: str = "", **kept: str
) -> dict[str, str]:
    """The addresses that `ui.pager` takes: of the next page and of the first, each empty where there is none.

    `kept`: what else the address says (a search, a filter), which stays. `name`, `part`: of a list that is one part of
    its page, its own parameter and its place.
    """
    place = f"#{part}" if part else ""
    return {
        "next": address(path, **kept, **{name: page.next}) + place if page.next else "",
        "first": address(path, **kept) + place if ctx.query(name) else "",
    }


def address(path: str, **query: str) -> str:
    """A path with those parameters that are not empty."""
    said = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(said)}" if said else path
