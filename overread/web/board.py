"""The coordinator's board: open cases by due time, who is next, and why a clock stands."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import board
from cases.service.board import Due, Lane, Next
from overread.kit import zones
from overread.kit.language import Phrase
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web import labels
from overread.web.contexts import Desk, TxContext

#: Letters of a reason; all of it stands on the case's page.
_MOST = 120
_LANES: Mapping[Lane, str] = {
    Lane.OVERDUE: Phrase("Overdue"),
    Lane.TODAY: Phrase("Today"),
    Lane.TOMORROW: Phrase("Tomorrow"),
    Lane.WEEK: Phrase("This week"),
    Lane.LATER: Phrase("Later"),
    Lane.STANDS: Phrase("No due time yet, or the clock stands"),
}
_NEXT: Mapping[Next, str] = {
    Next.US: Phrase("We are"),
    Next.PATIENT: Phrase("The patient"),
    Next.SPECIALIST: Phrase("The specialist"),
}


def routes(services: Services) -> list[BaseRoute]:
    """The board's route."""
    return [Desk(services, Permission.DEADLINES_READ).get("/due", board_page)]


def board_page(ctx: TxContext) -> Response:
    """What is due when, by the days of whoever looks."""
    found = board.board(ctx.tx, ctx.who)
    return ctx.page(
        "coordinator/due.html",
        lanes=[
            {
                "key": lane.value,
                "label": label,
                "count": found.counts[lane],
                "cases": [_case(one) for one in found.cases[lane]],
            }
            for lane, label in _LANES.items()
        ],
        zone=str(zones.current()),
        queue_url="/queue",
    )


def _case(one: Due) -> dict[str, Any]:
    return {
        "url": f"/queue/{one.case_id}",
        "reference": one.reference,
        "title": one.title,
        "patient": one.patient_name,
        "status": labels.case(one.state),
        "due": zones.local(one.due_at) if one.due_at and one.lane is not Lane.STANDS else None,
        "specialist": one.specialist,
        "next": _NEXT[one.next],
        "why": textwrap.shorten(one.why, _MOST, placeholder=" …"),
    }
