"""The admin's page about time: when a program is open, and whom its due times warn; and everybody's own time zone."""

from __future__ import annotations

from datetime import date
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import accounts, hours
from cases.service.hours import Day, DayOff, ProgramHours
from overread.kit import zones
from overread.kit.errors import NotFound, Unprocessable
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Role
from overread.services import Services
from overread.web import render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check, FieldErrors, Form

_DAYS = (
    Phrase("Monday"),
    Phrase("Tuesday"),
    Phrase("Wednesday"),
    Phrase("Thursday"),
    Phrase("Friday"),
    Phrase("Saturday"),
    Phrase("Sunday"),
)


def routes(services: Services) -> list[BaseRoute]:
    """The routes of hours and zones."""
    admin, anybody = Desk(services, Permission.PROGRAMS_MANAGE), Desk(services, *Role)
    one = "/hours/{program}"
    return [
        admin.get("/hours", listing),
        admin.get(one, form),
        admin.post(one, save, form),
        anybody.get("/account/zone", zone_page),
        anybody.post("/account/zone", choose_zone, zone_page),
    ]


def zone_options() -> list[dict[str, Any]]:
    """Every zone, by continent, as a choice of a form takes them."""
    groups: dict[str, list[dict[str, str]]] = {}
    for name in zones.names():
        continent, _, place = name.partition("/")
        groups.setdefault(continent, []).append({"value": name, "label": (place or name).replace("_", " ")})
    return [{"label": continent, "options": options} for continent, options in groups.items()]


def listing(ctx: TxContext) -> Response:
    """The programs, and when each is open."""
    return ctx.page(
        "admin/hours_list.html",
        programs=[
            {
                "name": one.name,
                "url": f"/hours/{one.slug}",
                "zone": one.zone,
                "days": [{"day": day, "hours": _told(open_)} for day, open_ in zip(_DAYS, one.week, strict=True)],
                "days_off": len(one.days_off),
            }
            for one in hours.listed(ctx.tx, ctx.who)
        ],
    )


def form(ctx: TxContext) -> Response:
    """When one program is open."""
    program = _program(ctx)
    return ctx.page(
        "admin/hours.html",
        program=program.name,
        action=f"/hours/{program.slug}",
        zones=zone_options(),
        days=[{"name": name, "number": number} for number, name in enumerate(_DAYS)],
        values=ctx.form.values() if ctx.form.names() else _values(program),
    )


def save(ctx: TxContext) -> Response:
    """Say when a program is open; what was promised stays."""
    program, check = _program(ctx), Check(ctx.form)
    zone = check.one_of("zone", zones.names(), gettext("Please choose a time zone."))
    week = [_day(check, ctx.form, number) for number in range(7)]
    days_off = _days_off(check, ctx.form.text("days_off"))
    warn_hours = _warnings(check, ctx.form.text("warn_hours"))
    check.done()
    try:
        hours.set_hours(ctx.tx, ctx.who, program.slug, zone=zone, week=week, days_off=days_off, warn_hours=warn_hours)
    except Unprocessable as error:
        raise FieldErrors({"form": error.safe}) from error
    return go("/hours", "saved")


def zone_page(ctx: TxContext) -> Response:
    """In which zone one's own pages and mails are written."""
    return ctx.page(
        "public/form.html",
        title=gettext("Your time zone"),
        text=gettext("Every time on your pages and in your mails is written in it."),
        action="/account/zone",
        submit_label=gettext("Save"),
        fields=[{"name": "zone", "label": gettext("Time zone"), "type": "text", "options": zone_options()}],
        hidden={},
        back_url=render.HOMES[ctx.who.role],
        values=ctx.form.values() or {"zone": str(zones.current())},
    )


def choose_zone(ctx: TxContext) -> Response:
    """Choose it."""
    check = Check(ctx.form)
    zone = check.one_of("zone", zones.names(), gettext("Please choose a time zone."))
    check.done()
    accounts.set_zone(ctx.tx, ctx.who, zone)
    return go("/account/zone", "saved")


def _program(ctx: TxContext) -> ProgramHours:
    slug = ctx.request.path_params["program"]
    found = next((one for one in hours.listed(ctx.tx, ctx.who) if one.slug == slug), None)
    if found is None:
        raise NotFound(f"no program {slug!r}")
    return found


def _told(day: Day) -> str:
    if day is None:
        return ""
    if day == ("00:00", "00:00"):
        return gettext("round the clock")
    return gettext("%(opens)s to %(closes)s", opens=day[0], closes=day[1] if day[1] != "00:00" else gettext("midnight"))


def _values(program: ProgramHours) -> dict[str, Any]:
    """A program's hours as the form has them."""
    typed: dict[str, Any] = {
        "zone": program.zone,
        "days_off": "\n".join(f"{one.day.isoformat()} {one.name}".strip() for one in program.days_off),
        "warn_hours": ", ".join(map(str, program.warn_hours)),
    }
    for number, day in enumerate(program.week):
        typed |= {f"from-{number}": day[0] if day else "", f"until-{number}": day[1] if day else ""}
    return typed


def _day(check: Check, form: Form, number: int) -> Day:
    opens, closes = form.text(f"from-{number}"), form.text(f"until-{number}")
    if bool(opens) != bool(closes):
        check.errors[f"from-{number}"] = gettext(
            "%(day)s needs a beginning and an end; leave both empty where it is closed.", day=_DAYS[number]
        )
    # Browsers that show seconds send them.
    return (opens[:5], closes[:5]) if opens and closes else None


def _days_off(check: Check, text: str) -> list[DayOff]:
    found = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        day, _, name = line.partition(" ")
        try:
            found.append(DayOff(date.fromisoformat(day), name.strip()))
        except ValueError:
            check.errors["days_off"] = gettext(
                "This line does not begin with a day such as 2026-12-25: %(line)s", line=line[:60]
            )
    return found


def _warnings(check: Check, text: str) -> list[int]:
    parts = [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and len(part) < 5 for part in parts):
        check.errors["warn_hours"] = gettext("Please give whole hours with commas between, such as 8, 2.")
        return []
    return [int(part) for part in parts]
