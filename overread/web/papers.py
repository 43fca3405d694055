"""Documents as pages show them, and what a form to add them needs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from cases.service import documents
from cases.service.documents import MOST_BYTES, MOST_PAGES
from cases.states import DOCUMENT_LABELS, StudyState
from cases.views import DocumentView
from overread.kit.language import gettext
from overread.web import labels, render
from overread.web.contexts import TxContext

#: What a browser offers to choose; what a file is, is told by its content.
ACCEPT = "application/pdf,image/jpeg,image/png,image/heic,image/heif,image/tiff,.pdf,.heic,.tif,.tiff"


def choices() -> dict[str, Any]:
    """What a form to add documents needs."""
    return {
        "kinds": labels.options({kind.value: label for kind, label in DOCUMENT_LABELS.items()}),
        "accept": ACCEPT,
        "megabytes": MOST_BYTES >> 20,
        "most_pages": MOST_PAGES,
    }


def listed(ctx: TxContext, case_id: UUID, base: str) -> list[dict[str, Any]]:
    """The documents of a case as templates take them; `base`: the address below which they are."""
    return [_line(one, f"{base}/{one.document_id}") for one in documents.listed(ctx.tx, ctx.who, case_id)]


def _line(one: DocumentView, url: str) -> dict[str, Any]:
    checked = one.state == StudyState.RELEASED
    return {
        "label": one.label,
        "name": one.name,
        "pages": one.pages,
        "size": f"{max(1, one.size // 1024):,} kB",
        "sender": gettext("you") if one.own else one.sender,
        "at": render.moment(one.sent_at),
        "url": url,
        "picture": f"{url}/pages/1",
        "page_urls": [f"{url}/pages/{number}" for number in range(1, one.pages + 1)],
        "status": labels.study(one.state, one.status) if checked or one.state == StudyState.REVOKED else None,
        "take_out_action": f"{url}/take-out" if one.may_take_out else "",
    }


def told(ctx: TxContext, case_id: UUID) -> list[tuple[str, str]]:
    """The documents of a draft, to be checked before it is sent: (what, name)."""
    return [
        (one.label, gettext("%(name)s, %(pages)s", name=one.name, pages=labels.pages(one.pages)))
        for one in documents.listed(ctx.tx, ctx.who, case_id)
    ]
