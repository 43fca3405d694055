"""What was sent to whoever is signed in, and in which language they are written to."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import accounts, notifications
from overread.kit.language import WRITTEN, Phrase, gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import paging, render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check

_PATH = "/notifications"
_DELIVERY: Mapping[str, dict[str, str]] = {
    "waiting": render.status(Phrase("Mail on its way"), "neutral"),
    "sent": render.status(Phrase("Mail sent"), "good"),
    "failed": render.status(Phrase("Mail did not arrive"), "bad"),
}


def routes(services: Services) -> list[BaseRoute]:
    """The routes of everybody's notifications."""
    anybody = Desk(services, *Role)
    return [
        anybody.get(_PATH, listing),
        anybody.post(f"{_PATH}/read", read_all, listing),
        anybody.get(f"{_PATH}/{{notification}}", open_one),
        anybody.get("/account/language", language_page),
        anybody.post("/account/language", choose_language, language_page),
    ]


def listing(ctx: TxContext) -> Response:
    """One's own, newest first."""
    page = notifications.listed(ctx.tx, ctx.who, ctx.query(paging.AFTER), paging.ROWS)
    lines = [
        {
            "url": f"{_PATH}/{one.notification_id}",
            "subject": one.subject,
            "at": render.moment(one.at),
            "delivery": _DELIVERY[one.delivery],
            "failed": one.delivery == "failed",
            "unread": one.unread,
        }
        for one in page
    ]
    return ctx.page(
        "notifications.html",
        notifications=lines,
        read_action=f"{_PATH}/read",
        pager=paging.links(ctx, _PATH, page),
    )


def open_one(ctx: TxContext) -> Response:
    """To the page that it leads to; it is read from then on."""
    return go(notifications.opened(ctx.tx, ctx.who, ctx.uuid("notification")) or _PATH)


def read_all(ctx: TxContext) -> Response:
    """All of them are read."""
    notifications.all_read(ctx.tx, ctx.who)
    return go(_PATH, "saved")


def language_page(ctx: TxContext) -> Response:
    """In which language one's own mails are written."""
    return ctx.page(
        "public/form.html",
        title=gettext("The language of your mails"),
        text=gettext("Mails are written in it as far as the program has worded them; the others come in English."),
        action="/account/language",
        submit_label=gettext("Save"),
        fields=[
            {
                "name": "language",
                "label": gettext("Language"),
                "type": "text",
                "options": [{"value": code, "label": name} for code, name in WRITTEN.items()],
            }
        ],
        hidden={},
        back_url=render.HOMES[ctx.who.role],
        values=ctx.form.values() or {"language": accounts.language_of(ctx.tx, ctx.who)},
    )


def choose_language(ctx: TxContext) -> Response:
    """Choose it."""
    check = Check(ctx.form)
    language = check.one_of("language", tuple(WRITTEN), gettext("Please choose a language."))
    check.done()
    accounts.set_language(ctx.tx, ctx.who, language)
    return go("/account/language", "saved")
