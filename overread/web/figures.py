"""A program in figures: plots beside the table that they are drawn from, and the same as CSV. Nobody is named."""

from __future__ import annotations

from datetime import date
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import figures
from cases.service.figures import FEWEST, Month
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web import paging, plots
from overread.web.contexts import Desk, TxContext

_PROGRAM = "program"


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the figures."""
    desk = Desk(services, Permission.FIGURES_READ)
    return [desk.get("/figures", figures_page), desk.get("/figures.csv", export)]


def figures_page(ctx: TxContext) -> Response:
    """The last twelve months, of one program or of all."""
    programs, chosen = figures.programs(ctx.tx, ctx.who), ctx.query(_PROGRAM)
    rows = figures.months(ctx.tx, ctx.who, chosen)
    return ctx.page(
        "coordinator/figures.html",
        programs=[{"value": one.slug, "label": one.name} for one in programs] if programs[1:] else [],
        action="/figures",
        csv_url=paging.address("/figures.csv", program=chosen),
        plots=_plots(rows),
        fewest=FEWEST,
        months=[_line(row) for row in reversed(rows)],
        values={_PROGRAM: chosen},
    )


def export(ctx: TxContext) -> Response:
    """The same as CSV (RFC 4180)."""
    text = figures.as_csv(figures.months(ctx.tx, ctx.who, ctx.query(_PROGRAM)))
    headers = {"Content-Disposition": 'attachment; filename="figures.csv"', "Cache-Control": "no-store"}
    return Response(text, media_type="text/csv", headers=headers)


def _plots(rows: list[Month]) -> list[dict[str, Any]]:
    labels = [f"{_first(row):%b}" for row in rows]

    def points(values: list[float | None]) -> list[tuple[str, float | None]]:
        return list(zip(labels, values, strict=True))

    return [
        plots.bars(gettext("Reports given to patients"), points([row.published for row in rows])),
        plots.bars(
            gettext("From request to report"),
            points([row.turnaround_days for row in rows]),
            unit=gettext("days, median"),
        ),
        plots.bars(
            gettext("Promised times kept"), points([_kept(row) for row in rows]), unit=gettext("in a hundred"), top=100
        ),
        plots.bars(gettext("Questions after the report"), points([row.questions for row in rows])),
        plots.bars(
            gettext("Patients’ answers"), points([row.satisfaction for row in rows]), unit=gettext("1 to 5"), top=5
        ),
        plots.bars(
            gettext("Specialists’ answers"), points([row.specialists for row in rows]), unit=gettext("1 to 5"), top=5
        ),
    ]


def _line(row: Month) -> dict[str, Any]:
    return {
        "month": f"{_first(row):%b %Y}",
        "cells": [
            row.sent,
            row.published,
            _text(row.turnaround_days),
            gettext("%(kept)s of %(all)s", kept=row.kept, all=row.published) if row.published else "–",
            row.moved,
            row.questions,
            f"{_text(row.satisfaction)} ({row.surveys})",
            f"{_text(row.specialists)} ({row.check_ins})",
        ],
    }


def _first(row: Month) -> date:
    return date.fromisoformat(f"{row.month}-01")


def _kept(row: Month) -> float | None:
    return round(100 * row.kept / row.published) if row.published else None


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
