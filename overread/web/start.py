"""The first step of a request: which opinion it is to be, with what it costs, needs and takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import delegates, intake, programs
from cases.service.intake import Changes
from cases.states import CaseState, Needed
from cases.views import KindView, ProgramView
from overread.kit.language import Phrase, gettext, ngettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import labels, places, render, steps
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check

_NEEDS: Mapping[str, str] = {
    Needed.REQUIRED: Phrase("You need your images: on a CD, as files, or sent by your hospital."),
    Needed.OPTIONAL: Phrase("Images help, if you have them."),
    Needed.NONE: Phrase("No images are needed."),
}


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the first step."""
    desk = Desk(services, Role.PATIENT)
    return [
        desk.get("/start", new_page),
        desk.post("/start", new, new_page),
        desk.get("/cases/{case}/opinion", opinion_page),
        desk.post("/cases/{case}/opinion", opinion, opinion_page),
    ]


def new_page(ctx: TxContext) -> Response:
    """Which opinion a new request is for."""
    offered = programs.on_offer(ctx.tx)
    asked = ctx.query("program")
    wanted = [program for program in offered if program.slug == asked] or offered
    options = [_option(program, kind, f"{program.slug}/{kind.slug}") for program in wanted for kind in program.kinds]
    values = ctx.form.values() or {
        "opinion": options[0]["value"] if len(options) == 1 else "",
        # As they were answered before there was an account.
        "subject": ctx.query("subject"),
        "place": ctx.query("place"),
    }
    return ctx.page(
        "patient/start_opinion.html",
        steps=[],
        action="/start",
        options=options,
        places_told=places.told(programs.places(offered)),
        hidden={name: values.get(name, "") for name in ("subject", "place")},
        acting=_acting(ctx),
        values=values,
    )


def new(ctx: TxContext) -> Response:
    """Open a draft for an opinion."""
    offered = programs.on_offer(ctx.tx)
    known = [f"{program.slug}/{kind.slug}" for program in offered for kind in program.kinds]
    check = Check(ctx.form)
    chosen = check.one_of("opinion", known, gettext("Please choose an opinion."))
    check.done()
    program, _, kind = chosen.partition("/")
    served = programs.places([one for one in offered if one.slug == program])
    subject, place = ctx.form.text("subject"), ctx.form.text("place")
    case_id = intake.start(
        ctx.tx,
        ctx.who,
        program,
        kind,
        Changes(
            subjects=[subject] if subject in labels.SUBJECTS else None,
            place=place if place in served else None,
        ),
        patient_id=ctx.form_uuid("patient") if ctx.form.text("patient") else None,
    )
    return go(f"/cases/{case_id}/question")


def opinion_page(ctx: TxContext) -> Response:
    """Which opinion a draft is for."""
    case = steps.own(ctx)
    if case.state != CaseState.DRAFT:
        return go(f"/cases/{case.case_id}")
    program = programs.program(ctx.tx, case.program_slug)
    return ctx.page(
        "patient/start_opinion.html",
        steps=steps.trail(case, "opinion"),
        action=f"/cases/{case.case_id}/opinion",
        options=[_option(program, kind, kind.slug) for kind in program.kinds],
        places_told="",
        hidden={},
        acting=[],
        values=ctx.form.values() or {"opinion": case.kind.slug},
    )


def opinion(ctx: TxContext) -> Response:
    """Choose another opinion for a draft."""
    case = steps.own(ctx)
    known = [kind.slug for kind in programs.program(ctx.tx, case.program_slug).kinds]
    check = Check(ctx.form)
    chosen = check.one_of("opinion", known, gettext("Please choose an opinion."))
    check.done()
    intake.choose_kind(ctx.tx, ctx.who, case.case_id, chosen, ctx.services.gateway)
    return go(f"/cases/{case.case_id}/question")


def _acting(ctx: TxContext) -> list[dict[str, str]]:
    """For whom a request can be begun, where it is not for oneself alone."""
    theirs = [{"value": str(one.patient_id), "label": one.name} for one in delegates.acting_for(ctx.tx, ctx.who)]
    return [{"value": "", "label": gettext("For me")}, *theirs] if theirs else []


def _option(program: ProgramView, kind: KindView, value: str) -> dict[str, Any]:
    within = kind.reading_days
    days = ngettext("Answered within %(num)s working day.", "Answered within %(num)s working days.", within, num=within)
    papers = gettext("You need documents, such as the first report.") if kind.documents == Needed.REQUIRED else ""
    told: Sequence[str] = (kind.text or program.tagline, days, _NEEDS[kind.images], papers)
    return {
        "value": value,
        "label": kind.name,
        "program": program.name,
        "told": [str(one) for one in told if one],
        "amount": render.money(kind.price, kind.currency) if kind.price_key else None,
    }
