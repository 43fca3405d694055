"""What a patient was asked for, item by item, on the coordinator's page; and the rows of the form that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cases.service.asked import Wanted
from cases.states import AskedKind
from cases.views import AskedItemView, CoordinatorCase
from overread.kit.language import Phrase
from overread.web import labels, render
from overread.web.contexts import TxContext

_ROWS = 6
KINDS: Mapping[str, str] = {
    AskedKind.QUESTION: Phrase("A question"),
    AskedKind.DOCUMENT: Phrase("A document"),
    AskedKind.STUDY: Phrase("Images"),
}
_STATES = {
    "open": render.status(Phrase("Open"), "warn"),
    "done": render.status(Phrase("Answered"), "good"),
    "missing": render.status(Phrase("Doesn’t have it"), "bad"),
}


def form() -> dict[str, Any]:
    """The rows of the form."""
    return {"rows": list(range(1, _ROWS + 1)), "kinds": labels.options(KINDS)}


def typed(ctx: TxContext) -> list[Wanted]:
    """The items that a form asks for; a row without words is none."""
    found = []
    for row in range(1, _ROWS + 1):
        kind, text = ctx.form.text(f"item_kind_{row}"), ctx.form.text(f"item_text_{row}")
        if text:
            found.append(Wanted(AskedKind(kind) if kind in list(AskedKind) else AskedKind.QUESTION, text))
    return found


def shown(case: CoordinatorCase) -> list[dict[str, Any]]:
    """The newest list, item by item."""
    return [_item(one) for one in case.asked_items.items]


def _item(one: AskedItemView) -> dict[str, Any]:
    return {
        "kind": KINDS[one.kind],
        "text": one.text,
        "answer": one.answer,
        "document": one.document,
        "at": render.moment(one.answered_at),
        "state": _STATES["missing" if one.missing else "done" if one.done else "open"],
    }
