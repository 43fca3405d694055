"""Letting a treating physician read the report by a link and a code: the patient's page, and the coordinator's."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import physicians, read
from cases.service.physicians import CONSENT, LONGEST_DAYS, LinkView
from overread.kit import attempts
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.kit.words import counted
from overread.services import Services
from overread.web import render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check
from overread.web.reports import HOMES

_DAYS, _USUAL = (3, 7, 14, 30, LONGEST_DAYS), 14


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the patient's side, and of coordinators who are asked for it."""
    found: list[BaseRoute] = []
    for role in (Role.PATIENT, Role.COORDINATOR):
        desk, path = Desk(services, role), f"{HOMES[role][0]}/{{case}}/physicians"
        found += [
            desk.get(path, page),
            desk.post(path, hand, page),
            desk.post(f"{path}/{{link}}/end", end, page),
        ]
    return found


def page(ctx: TxContext) -> Response:
    """Which physicians can read the report by a link, and when they did."""
    return _page(ctx)


def hand(ctx: TxContext) -> Response:
    """Make a link; its code stands on the page that answers, and nowhere again."""
    check = Check(ctx.form)
    name = check.text("name", gettext("Please give the physician’s name."))
    email = check.email("email")
    days = check.number("days", 1, LONGEST_DAYS, gettext("Please choose how long."))
    if ctx.who.role is Role.COORDINATOR:
        check.text("wish", gettext("Please write how and when the patient asked for it."), 2_000)
    if not ctx.form.text("agreed"):
        check.errors["agreed"] = gettext(
            "Please agree: the physician reads the report only with the patient’s consent."
        )
    check.done()
    # Strangers fill nobody's mailbox.
    attempts.spend(ctx.services.db, *attempts.mailing(email))
    made = physicians.hand(
        ctx.tx,
        ctx.who,
        ctx.uuid(),
        name,
        email,
        days,
        version=ctx.form.text("version"),
        digest=ctx.form.text("digest"),
        wish=ctx.form.text("wish"),
        address=ctx.address,
    )
    return _page(ctx, {"code": made.code, "name": name})


def end(ctx: TxContext) -> Response:
    """End a link, at once."""
    physicians.end(ctx.tx, ctx.who, ctx.uuid(), ctx.uuid("link"))
    return go(_url(ctx), "hand-over-ended")


def _page(ctx: TxContext, made: dict[str, str] | None = None) -> Response:
    links = physicians.listed(ctx.tx, ctx.who, ctx.uuid())
    shown = read.show(ctx.tx, ctx.who, ctx.uuid())
    return ctx.page(
        "patient/physicians.html",
        reference=shown.reference,
        made=made,
        links=[_line(ctx, one) for one in links],
        action=_url(ctx),
        back_url=_url(ctx).removesuffix("/physicians"),
        consent={
            "label": CONSENT.label,
            "url": CONSENT.words.path,
            "version": CONSENT.version,
            "digest": CONSENT.digest,
        },
        days=[{"value": str(one), "label": counted(one, "day", "days")} for one in _DAYS],
        coordinates=ctx.who.role is Role.COORDINATOR,
        values={"days": str(_USUAL)} | ({} if made else ctx.form.values()),
    )


def _line(ctx: TxContext, one: LinkView) -> dict[str, Any]:
    label, tone = (gettext("Stands"), "good") if one.stands else (gettext("Ended"), "neutral")
    return {
        "name": one.name,
        "email": one.email,
        "by": one.by,
        "wish": one.wish,
        "made": render.moment(one.made_at),
        "ends": render.moment(one.ends_at),
        "status": render.status(label, tone),
        "opened": render.moment(one.opened_at),
        "last": render.moment(one.last_opened_at) if one.last_opened_at != one.opened_at else None,
        "end_action": f"{_url(ctx)}/{one.link_id}/end" if one.stands else "",
    }


def _url(ctx: TxContext) -> str:
    return f"{HOMES[ctx.who.role][0]}/{ctx.uuid()}/physicians"
