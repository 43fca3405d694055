"""What coordinators keep of a case among themselves, as its page shows it."""

from __future__ import annotations

from typing import Any

from cases.service import desk
from cases.states import CaseState
from cases.views import CoordinatorCase
from overread.kit.language import gettext
from overread.web import render
from overread.web.contexts import TxContext


def checklist(case: CoordinatorCase, url: str) -> dict[str, Any]:
    """The checklist; it is ticked until a specialist is asked."""
    open_ = case.state in (CaseState.SUBMITTED, CaseState.NEEDS_INFO)
    return {
        "action": f"{url}/checklist" if open_ else "",
        "items": [{"text": i.text, "by": i.ticked_by, "at": render.moment(i.ticked_at)} for i in case.checklist],
    }


def card(ctx: TxContext, case: CoordinatorCase, url: str) -> dict[str, Any]:
    """The card; that the case was opened is kept, too."""
    desk.mark(ctx.tx, ctx.who, case.case_id, seen=True)
    kept = case.desk
    colleagues = desk.colleagues(ctx.tx, ctx.who)
    return {
        "url": "" if case.state == CaseState.ERASED else url,
        "owner": kept.owner,
        "mine": kept.owner_id == ctx.who.id,
        "instead_of": str(kept.owner_id or "nobody"),
        "me": str(ctx.who.id),
        "people": [
            {"value": str(one), "label": name} for one, name in colleagues if one not in (kept.owner_id, ctx.who.id)
        ]
        + ([{"value": "nobody", "label": gettext("Nobody in particular")}] if kept.owner_id else []),
        "tags": kept.tags,
        "known_tags": ", ".join(kept.known_tags),
        "notes": [{"at": render.moment(n.at), "author": n.author, "text": n.text} for n in kept.notes],
        "filled": {"tags": ", ".join(kept.tags)} | ctx.form.values(),
    }
