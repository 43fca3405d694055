"""The admin's page of what is charged, and of what opinions are given about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import kinds, programs
from cases.views import KindView, ProgramView
from overread.kit import zones
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web import labels, render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check, FieldErrors, typed

CURRENCIES = ("USD", "EUR", "GBP", "CHF", "CAD", "AUD", "INR", "JPY")


def routes(services: Services) -> list[BaseRoute]:
    """The page's routes."""
    desk = Desk(services, Permission.PROGRAMS_MANAGE)
    return [
        desk.get("/prices", prices_page),
        desk.post("/prices", add_price, prices_page),
        desk.post("/prices/scope", set_scope, prices_page),
    ]


def prices_page(ctx: TxContext) -> Response:
    """Every price, in force and past."""
    on_offer = programs.on_offer(ctx.tx)
    offered = _priced(on_offer)
    prices = kinds.price_list(ctx.tx, ctx.who)
    # A price that is replaced is filled in as it stands.
    asked = ctx.query("kind")
    replaced = next((price for price in prices if price.current and price.key == asked and asked in offered), None)
    values = ctx.form.values()
    if replaced is not None and not ctx.form.names():
        values = {
            "kind": replaced.key,
            "label": replaced.label,
            "amount": typed(replaced.amount, replaced.currency),
            "fee": typed(offered[replaced.key].kind.specialist_fee, replaced.currency),
            "currency": replaced.currency,
        }
    return ctx.page(
        "admin/prices.html",
        prices=[
            {
                "kind": offered[price.key].name if price.key in offered else price.key,
                "label": price.label,
                "amount": render.money(price.amount, price.currency),
                "active": price.valid_until is None,
                "since": zones.local(price.valid_from).date(),
                "replace_url": f"/prices?kind={quote(price.key)}#new" if price.current and price.key in offered else "",
                **_pace(offered.get(price.key), price.currency),
            }
            for price in reversed(prices)
        ],
        currencies=[{"value": code, "label": code} for code in CURRENCIES],
        kinds=[{"value": key, "label": one.name} for key, one in offered.items()],
        kinds_url="/kinds",
        scopes=[
            {
                "slug": program.slug,
                "name": program.name,
                "subjects": [
                    {"value": key, "label": label, "chosen": key in program.subjects}
                    for key, label in labels.SUBJECTS.items()
                ],
                "unsuited": program.unsuited,
            }
            for program in on_offer
        ],
        scope_action="/prices/scope",
        action="/prices",
        values=values,
    )


def set_scope(ctx: TxContext) -> Response:
    """Say what a program gives opinions about, and what it is not for."""
    subjects = ctx.form.all("subjects")
    if not subjects:
        raise FieldErrors({"form": gettext("Please choose at least one thing that opinions are given about.")})
    programs.set_scope(ctx.tx, ctx.who, ctx.form.text("program"), subjects, ctx.form.text("unsuited"))
    return go("/prices", "saved")


def add_price(ctx: TxContext) -> Response:
    """Put a price in force; the one before it ends now and stays on record."""
    check = Check(ctx.form)
    key = check.one_of("kind", list(_priced(programs.on_offer(ctx.tx))), gettext("Please choose an opinion."))
    label = check.text("label", gettext("Please give it a name."), 80)
    currency = check.one_of("currency", CURRENCIES, gettext("Please choose a currency."))
    amount = check.amount("amount", currency or "USD", gettext("Please give an amount, such as 390.00."))
    fee = check.amount("fee", currency or "USD", gettext("Please give an amount, such as 180.00."))
    if not check.errors and fee > amount:
        check.errors["fee"] = gettext("The fee is a part of the price.")
    check.done()
    kinds.set_price(ctx.tx, ctx.who, key, label, amount, currency, specialist_fee=fee)
    return go("/prices", "added")


@dataclass(frozen=True, slots=True)
class _Priced:
    """A kind of opinion that costs something, with the name that admins know it by."""

    name: str
    kind: KindView


def _priced(offered: Sequence[ProgramView]) -> dict[str, _Priced]:
    return {
        kind.price_key: _Priced(gettext("%(program)s: %(kind)s", program=program.name, kind=kind.name), kind)
        for program in offered
        for kind in program.kinds
        if kind.price_key
    }


def _pace(priced: _Priced | None, currency: str) -> dict[str, Any]:
    fee = priced.kind.specialist_fee if priced else 0
    return {"fee": render.money(fee, currency), "days": priced.kind.reading_days if priced else 0}
