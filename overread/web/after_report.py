"""The admin's page about what a program does after a report."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import after_report
from cases.service.after_report import MOST_READINGS, AfterReport
from overread.kit.errors import NotFound
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check

_MOST_DAYS = 1_000


def routes(services: Services) -> list[BaseRoute]:
    """The admin's routes."""
    desk = Desk(services, Permission.PROGRAMS_MANAGE)
    one = "/after-report/{program}"
    return [desk.get("/after-report", listing), desk.get(one, form), desk.post(one, save, form)]


def listing(ctx: TxContext) -> Response:
    """What each program does."""
    return ctx.page(
        "admin/after_report_list.html",
        programs=[
            {
                "name": one.name,
                "url": f"/after-report/{one.slug}",
                "close_days": one.close_days,
                "check_in_readings": one.check_in_readings,
                "clinic": one.clinic,
            }
            for one in after_report.listed(ctx.tx, ctx.who)
        ],
    )


def form(ctx: TxContext) -> Response:
    """What one program does."""
    program = _program(ctx)
    typed = {
        "close_days": program.close_days,
        "check_in_readings": program.check_in_readings,
        "clinic": program.clinic,
    }
    return ctx.page(
        "admin/after_report.html",
        program=program.name,
        action=f"/after-report/{program.slug}",
        values=ctx.form.values() if ctx.form.names() else typed,
    )


def save(ctx: TxContext) -> Response:
    """Change it; what somebody was told stays."""
    program, check = _program(ctx), Check(ctx.form)
    days = check.number("close_days", 0, _MOST_DAYS, gettext("Please give a number of days, or 0 for never."))
    readings = check.number(
        "check_in_readings", 0, MOST_READINGS, gettext("Please give a number of reports, or 0 for never.")
    )
    check.done()
    after_report.change(
        ctx.tx,
        ctx.who,
        program.slug,
        close_days=days,
        check_in_readings=readings,
        clinic=ctx.form.text("clinic"),
    )
    return go("/after-report", "saved")


def _program(ctx: TxContext) -> AfterReport:
    slug = ctx.request.path_params["program"]
    found = next((one for one in after_report.listed(ctx.tx, ctx.who) if one.slug == slug), None)
    if found is None:
        raise NotFound(f"no program {slug!r}")
    return found
