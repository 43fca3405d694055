"""Correcting what a case says of its patient: a part of the coordinator's page."""

from __future__ import annotations

from datetime import date

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import corrections
from cases.service.corrections import Identity
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import labels
from overread.web.casework import case_page
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check


def routes(services: Services) -> list[BaseRoute]:
    """The route of the form."""
    return [Desk(services, Role.COORDINATOR).post("/queue/{case}/identity", correct, case_page)]


def correct(ctx: TxContext) -> Response:
    """Correct name, birth date or sex, with the reason."""
    check = Check(ctx.form)
    name = check.text("identity_name", gettext("Please give the patient’s full name."))
    born = check.day("identity_born", gettext("Please give the date of birth as year, month and day."))
    sex = check.one_of("identity_sex", list(labels.SEXES), gettext("Please choose the patient’s sex."))
    reason = check.text("identity_reason", gettext("Please give a reason."), 2_000)
    check.done()
    shown = ctx.form.given("shown_name")
    before = None if shown is None else Identity(shown, _day(ctx.form.text("shown_born")), ctx.form.text("shown_sex"))
    corrections.correct(ctx.tx, ctx.who, ctx.uuid(), Identity(name, born, sex), reason, instead_of=before)
    return go(f"/queue/{ctx.uuid()}", "corrected")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
