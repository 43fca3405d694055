"""The coordinator's list of mails that did not arrive, and what is done about each; on a case's page, too."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import undelivered
from cases.service.undelivered import Undelivered
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web import paging, render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check

_PATH = "/undelivered"


def routes(services: Services) -> list[BaseRoute]:
    """The list's routes."""
    desk, one = Desk(services, Permission.MAILS_UNDELIVERED), f"{_PATH}/{{message}}"
    return [
        desk.get(_PATH, listing),
        desk.post(f"{one}/again", again, listing),
        desk.post(f"{one}/settle", settle, listing),
        desk.post(f"{one}/address", correct_address, listing),
    ]


def listing(ctx: TxContext) -> Response:
    """Those that nobody has dealt with yet, newest first."""
    page = undelivered.listed(ctx.tx, ctx.who, ctx.query(paging.AFTER), paging.ROWS)
    return ctx.page(
        "coordinator/undelivered.html",
        undelivered=[_row(one) for one in page],
        count=undelivered.count(ctx.tx, ctx.who),
        pager=paging.links(ctx, _PATH, page),
        # What was typed for one mail is not shown beside another.
        typed={"of": ctx.request.path_params.get("message", ""), "email": ctx.form.text("email")},
    )


def of_case(ctx: TxContext, case_id: UUID) -> list[dict[str, Any]]:
    """Those of a case, as its page shows them."""
    return [_row(one) for one in undelivered.of_case(ctx.tx, ctx.who, case_id)]


def again(ctx: TxContext) -> Response:
    """Send one again."""
    undelivered.again(ctx.tx, ctx.who, ctx.uuid("message"))
    return _back(ctx, "mail-again")


def settle(ctx: TxContext) -> Response:
    """One was dealt with."""
    undelivered.settle(ctx.tx, ctx.who, ctx.uuid("message"))
    return _back(ctx, "mail-settled")


def correct_address(ctx: TxContext) -> Response:
    """Ask the patient to confirm the address that they gave by telephone."""
    check = Check(ctx.form)
    email = check.email("email")
    check.done()
    undelivered.correct_address(ctx.tx, ctx.who, ctx.uuid("message"), email)
    return _back(ctx, "address-corrected")


def _back(ctx: TxContext, done: str) -> Response:
    """To the case's page, where it was done there."""
    case = ctx.form.text("case")
    return go(f"/queue/{ctx.form_uuid('case')}" if case else _PATH, done)


def _row(one: Undelivered) -> dict[str, Any]:
    url = f"{_PATH}/{one.message_id}"
    return {
        "id": str(one.message_id),
        "at": render.moment(one.failed_at),
        "subject": one.subject,
        "recipient": one.recipient,
        "address": one.address,
        "phone": one.phone,
        "phone_uri": "tel:" + "".join(c for c in one.phone if c.isdigit() or c == "+"),
        "reason": one.reason,
        "advice": one.advice,
        "reference": one.reference,
        "case": str(one.case_id or ""),
        "case_url": f"/queue/{one.case_id}" if one.case_id else "",
        "waits_for": one.waits_for,
        "again_action": f"{url}/again",
        "settle_action": f"{url}/settle",
        "address_action": f"{url}/address" if one.correctable else "",
    }
