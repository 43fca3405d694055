"""The admin's page of the kinds of opinion: what each asks, needs, takes and costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import kinds, programs
from cases.service.kinds import Cost, KindFields
from cases.states import Needed
from cases.views import AnswerForm, KindQuestion, KindView
from overread.kit.errors import NotFound
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web import labels, render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check
from overread.web.prices import CURRENCIES

_IMAGES: Mapping[str, str] = {
    Needed.REQUIRED: Phrase("Images are needed"),
    Needed.OPTIONAL: Phrase("Images may be sent"),
    Needed.NONE: Phrase("No images are asked for"),
}
_DOCUMENTS: Mapping[str, str] = {
    Needed.REQUIRED: Phrase("Documents are needed"),
    Needed.OPTIONAL: Phrase("Documents may be sent"),
    Needed.NONE: Phrase("No documents are asked for"),
}
_FORMS: Mapping[str, str] = {
    AnswerForm.LINE: Phrase("One line"),
    AnswerForm.TEXT: Phrase("A longer text"),
    AnswerForm.YES_NO: Phrase("Yes or no"),
    AnswerForm.CHOICE: Phrase("One of several answers"),
}
#: Lines for further questions that a form has.
_MORE = 3


def routes(services: Services) -> list[BaseRoute]:
    """The page's routes."""
    desk = Desk(services, Permission.PROGRAMS_MANAGE)
    return [
        desk.get("/kinds", kinds_page),
        desk.get("/kinds/{program}/new", kind_page),
        desk.post("/kinds/{program}", add, kind_page),
        desk.get("/kinds/{program}/{kind}", kind_page),
        desk.post("/kinds/{program}/{kind}", change, kind_page),
    ]


def kinds_page(ctx: TxContext) -> Response:
    """Every kind of every program."""
    return ctx.page(
        "admin/kinds.html",
        programs=[
            {
                "name": one.name,
                "add_url": f"/kinds/{one.slug}/new",
                "kinds": [
                    {
                        "name": kind.name,
                        "text": kind.text,
                        "images": _IMAGES[kind.images],
                        "days": kind.reading_days,
                        "asks": len(kind.asks),
                        "amount": render.money(kind.price, kind.currency) if kind.price_key else None,
                        "active": kind.active,
                        "url": f"/kinds/{one.slug}/{kind.slug}",
                    }
                    for kind in kinds.all_of(ctx.tx, ctx.who, one.slug)
                ],
            }
            for one in programs.readers(ctx.tx, ctx.who)
        ],
        prices_url="/prices",
    )


def kind_page(ctx: TxContext) -> Response:
    """One kind, to be changed; or the form of a new one."""
    program, slug = ctx.request.path_params["program"], ctx.request.path_params.get("kind", "")
    known = kinds.all_of(ctx.tx, ctx.who, program)
    kind = next((one for one in known if one.slug == slug), None)
    if slug and kind is None:
        raise NotFound(f"no kind {slug!r} of {program}")
    asked = _typed_questions(ctx) if ctx.form.names() else list(kind.asks) if kind else []
    return ctx.page(
        "admin/kind.html",
        kind={"name": kind.name, "free": kind.price_key is None} if kind else None,
        action=f"/kinds/{program}/{slug}" if kind else f"/kinds/{program}",
        back_url="/kinds",
        images=labels.options(_IMAGES),
        documents=labels.options(_DOCUMENTS),
        forms=labels.options(_FORMS),
        asks=[_row(one) for one in asked] + [_row(None)] * _MORE,
        currencies=[{"value": code, "label": code} for code in CURRENCIES],
        values=ctx.form.values()
        or (
            _values(kind) | {"checklist": "\n".join(kinds.checklist_of(ctx.tx, ctx.who, program, slug))}
            if kind
            else {
                "images": Needed.REQUIRED.value,
                "documents": Needed.OPTIONAL.value,
                "active": "yes",
            }
        ),
    )


def add(ctx: TxContext) -> Response:
    """Have a program give another kind of opinion."""
    check = Check(ctx.form)
    slug = check.text("slug", gettext("Please give it a short name, such as “written-report”."), 32)
    fields = _fields(ctx, check)
    cost = None
    if ctx.form.text("amount"):
        currency = check.one_of("currency", CURRENCIES, gettext("Please choose a currency."))
        amount = check.amount("amount", currency or "USD", gettext("Please give an amount, such as 390.00."))
        fee = check.amount("fee", currency or "USD", gettext("Please give an amount, such as 180.00."))
        cost = Cost(amount, currency, fee)
    check.done()
    kinds.add(ctx.tx, ctx.who, ctx.request.path_params["program"], slug, fields, cost)
    return go("/kinds", "added")


def change(ctx: TxContext) -> Response:
    """Say anew what a kind is."""
    check = Check(ctx.form)
    fields = _fields(ctx, check)
    check.done()
    path = ctx.request.path_params
    kinds.change(ctx.tx, ctx.who, path["program"], path["kind"], fields)
    return go("/kinds", "saved")


def _fields(ctx: TxContext, check: Check) -> KindFields:
    return KindFields(
        name=check.text("name", gettext("Please give it a name."), 120),
        text=ctx.form.text("text"),
        reading_days=check.number("reading_days", 1, 90, gettext("The days are a number from 1 to 90.")),
        images=_needed(check.one_of("images", list(Needed), gettext("Please say whether images are needed."))),
        documents=_needed(check.one_of("documents", list(Needed), gettext("Please say whether documents are needed."))),
        asks=_typed_questions(ctx),
        active=bool(ctx.form.text("active")),
        checklist=ctx.form.text("checklist").splitlines(),
    )


def _needed(text: str) -> Needed:
    # What is none was told already.
    return Needed(text) if text in list(Needed) else Needed.REQUIRED


def _typed_questions(ctx: TxContext) -> list[KindQuestion]:
    """The questions of the form; one whose text was emptied is taken off. New ones get a key that no other has."""
    form = ctx.form
    columns = [form.all(f"ask-{name}") for name in ("key", "label", "hint", "form", "options", "required")]
    used = {key for key in columns[0] if key}
    found = []
    for key, label, hint, how, options, required in zip(*columns, strict=False):
        if not label:
            continue
        named = key or next(f"q{n}" for n in range(1, 200) if f"q{n}" not in used)
        used.add(named)
        answer = AnswerForm(how) if how in list(AnswerForm) else AnswerForm.LINE
        offered = tuple(line.strip() for line in options.splitlines() if line.strip())
        found.append(
            KindQuestion(
                named, label, hint, answer, offered if answer is AnswerForm.CHOICE else (), required=required == "yes"
            )
        )
    return found


def _row(one: KindQuestion | None) -> dict[str, Any]:
    if one is None:
        return {"key": "", "label": "", "hint": "", "form": "line", "options": "", "required": "no"}
    return {
        "key": one.key,
        "label": one.label,
        "hint": one.hint,
        "form": one.form.value,
        "options": "\n".join(one.options),
        "required": "yes" if one.required else "no",
    }


def _values(kind: KindView) -> dict[str, str]:
    return {
        "name": kind.name,
        "text": kind.text,
        "reading_days": str(kind.reading_days),
        "images": kind.images,
        "documents": kind.documents,
        "active": "yes" if kind.active else "",
    }
