"""What a patient was asked for: a question, or a list that is answered point by point, half of it kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from cases.service import asked, documents, intake
from cases.service.asked import Answered
from cases.service.documents import MOST_AT_ONCE
from cases.states import AskedKind, DocumentKind
from cases.views import AskedItemView, AskedView, PatientCase
from overread.kit import addresses
from overread.kit.errors import NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import asked_card, papers
from overread.web.contexts import Desk, RequestContext, TxContext, go, in_transaction
from overread.web.forms import Check, FieldErrors
from overread.web.steps import own

_HERE = "/cases/{case}/answer"


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the page, its script, and a document that was asked for."""
    desk, document = Desk(services, Role.PATIENT), f"{_HERE}/{{item}}/document"
    return [
        desk.get(_HERE, page),
        desk.post(_HERE, answer, page),
        desk.post(f"{_HERE}/keep", keep),
        desk.get(document, document_page),
        desk.post_without_tx(document, add, in_transaction(document_page), files=MOST_AT_ONCE),
    ]


def page(ctx: TxContext) -> Response:
    """What is asked for, and where it is answered."""
    case = own(ctx)
    if not case.asked:
        return go(f"/cases/{case.case_id}")
    found = asked.listed(ctx.tx, ctx.who, case.case_id)
    return _listed(ctx, case, found) if found.waits else _one(ctx, case)


def answer(ctx: TxContext) -> Response:
    """The answer; of a list as much as is there is kept, and sent once each point is answered."""
    case = own(ctx)
    if not asked.listed(ctx.tx, ctx.who, case.case_id).waits:
        check = Check(ctx.form)
        text = check.text("text", gettext("Please write your answer."), 20_000)
        check.done()
        intake.answer_info(ctx.tx, ctx.who, case.case_id, text)
        return go(f"/cases/{case.case_id}", "answered")
    _kept(ctx, case)
    what, url = ctx.form.text("go"), f"/cases/{case.case_id}"
    found = asked.listed(ctx.tx, ctx.who, case.case_id)
    if what == "later":
        return go(url, "kept")
    if what == "images":
        return go(f"{url}/images")
    if what in {str(one.item_id) for one in found.items if one.kind is AskedKind.DOCUMENT}:
        return go(f"{url}/answer/{what}/document")
    wanting = {
        f"answer_{one.item_id}": gettext(
            "Point %(number)s: please answer it, or say that you don’t have it.", number=one.number
        )
        for one in found.items
        if not one.done
    }
    if wanting:
        # Not raised: what was kept stays kept.
        shown = _listed(replace(ctx, errors=wanting), case, found)
        shown.status_code = 422
        return shown
    intake.answer_info(ctx.tx, ctx.who, case.case_id)
    return go(url, "answered")


def keep(ctx: TxContext) -> Response:
    """Keep what was typed so far, for the page's script."""
    return JSONResponse({"edition": _kept(ctx, own(ctx)), "refused": {}})


def document_page(ctx: TxContext) -> Response:
    """Where a document that was asked for is added."""
    case, item = own(ctx), ctx.uuid("item")
    found = asked.listed(ctx.tx, ctx.who, case.case_id)
    if not found.waits:
        return go(f"/cases/{case.case_id}")
    return ctx.page(
        "patient/asked_document.html",
        text=_of(found, item).text,
        back_url=f"/cases/{case.case_id}/answer",
        unconfirmed=addresses.unconfirmed(ctx.tx, ctx.who.id) or "",
        address_url="/account/address",
        action=f"/cases/{case.case_id}/answer/{item}/document",
        **papers.choices(),
        values=ctx.form.values(),
    )


def add(context: RequestContext) -> Response:
    """Add the document, and say that it is what was asked for."""
    kind, files = context.form.text("kind"), context.form.uploads("documents")
    if kind not in list(DocumentKind):
        raise FieldErrors({"kind": gettext("Please say what it is.")})
    if not files:
        raise FieldErrors({"documents": gettext("Please choose a file, or take a photo.")})
    case_id, item = context.uuid(), context.uuid("item")
    with context.transaction() as ctx:
        _of(asked.listed(ctx.tx, ctx.who, case_id), item)
    archive, settings = context.services.archive, context.services.settings
    for name, content in files:
        try:
            added = documents.add(archive, settings, context.who, case_id, content, DocumentKind(kind), name)
        except Unprocessable as error:
            raise FieldErrors({"documents": error.safe}) from error
        with context.transaction() as ctx:
            asked.attach(ctx.tx, ctx.who, case_id, item, added)
    return go(f"/cases/{case_id}/answer", "asked-document")


def _kept(ctx: TxContext, case: PatientCase) -> str:
    found = asked.listed(ctx.tx, ctx.who, case.case_id)
    said = {}
    for one in found.items:
        text = ctx.form.given(f"answer_{one.item_id}")
        if text is not None:
            said[one.item_id] = Answered(text, ctx.form.text(f"missing_{one.item_id}") == "yes")
    return asked.keep(ctx.tx, ctx.who, case.case_id, said, edition=ctx.form.given("edition"))


def _of(found: AskedView, item: UUID) -> AskedItemView:
    one = next((one for one in found.items if one.item_id == item and one.kind is AskedKind.DOCUMENT), None)
    if one is None:
        raise NotFound(f"item {item}")
    return one


def _one(ctx: TxContext, case: PatientCase) -> Response:
    """A question without a list."""
    return ctx.page(
        "public/form.html",
        title=gettext("We need something from you"),
        text=case.asked,
        action=f"/cases/{case.case_id}/answer",
        submit_label=gettext("Send my answer"),
        fields=[{"name": "text", "label": gettext("Your answer"), "type": "textarea"}],
        hidden={},
        back_url=f"/cases/{case.case_id}",
        values=ctx.form.values(),
    )


def _listed(ctx: TxContext, case: PatientCase, found: AskedView) -> Response:
    # A stale form is shown with what it says beside what is kept now, and has to be sent once more.
    typed = ctx.form.values()
    return ctx.page(
        "patient/asked.html",
        lead=asked.lead(case.asked, found),
        edition=found.edition,
        action=f"/cases/{case.case_id}/answer",
        back_url=f"/cases/{case.case_id}",
        items=[_item(one, typed) for one in found.items],
    )


def _item(one: AskedItemView, typed: dict[str, Any]) -> dict[str, Any]:
    key = f"answer_{one.item_id}"
    return {
        "id": str(one.item_id),
        "number": one.number,
        "kind": one.kind.value,
        "label": asked_card.KINDS[one.kind],
        "text": one.text,
        "answer": typed.get(key, one.answer),
        "missing": typed.get(f"missing_{one.item_id}") == "yes" if key in typed else one.missing,
        "document": one.document,
        "done": one.done,
    }
