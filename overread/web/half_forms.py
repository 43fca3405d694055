"""Forms of a draft that are kept as they are typed, half filled in: by a script while somebody types, and by a button.

What can be kept is kept, whatever else is missing or wrong; that is said beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from cases.service import intake
from cases.states import CaseState
from cases.views import PatientCase
from overread.kit.errors import Conflict
from overread.kit.language import gettext
from overread.web import steps
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Form


@dataclass(frozen=True, slots=True)
class HalfForm:
    """What a form says, by the fields of `intake.Changes`; `questions` None: nothing. `errors`: what can't be read."""

    fields: dict[str, Any]
    questions: list[str] | None = None
    answers: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """A step with such a form: its page, what its form says, and what the draft still needs of it, by field."""

    name: str
    page: Callable[[TxContext, PatientCase, dict[str, Any]], Response]
    typed: Callable[[TxContext, PatientCase], HalfForm]
    wanting: Callable[[PatientCase, Form], dict[str, str]]


#: Fields of which a form has several.
_REPEATED = ("questions", "subjects")


def routes(desk: Desk, step: Step) -> list[BaseRoute]:
    """A step's page, its button, and what the script calls."""

    def show(ctx: TxContext) -> Response:
        """A step of a draft, as it was saved."""
        case = steps.own(ctx)
        if case.state != CaseState.DRAFT:
            return go(f"/cases/{case.case_id}")
        return step.page(ctx, case, ctx.form.values(*_REPEATED) if ctx.form.names() else {})

    def save(ctx: TxContext) -> Response:
        """Keep what was typed; go on where nothing is missing, or come back later."""
        errors = _keep(ctx, step)[1]
        case = steps.own(ctx)
        later = ctx.form.text("go") == "later"
        if not later:
            errors = step.wanting(case, ctx.form) | errors
        if errors:
            # Not raised: what was kept stays kept.
            shown = step.page(replace(ctx, errors=errors), case, ctx.form.values(*_REPEATED))
            shown.status_code = 422
            return shown
        return go(f"/cases/{case.case_id}", "kept") if later else go(steps.after(case, step.name))

    def keep(ctx: TxContext) -> Response:
        """Keep what was typed so far, for the page's script."""
        edition, errors = _keep(ctx, step)
        return JSONResponse({"edition": edition, "refused": errors})

    path = f"/cases/{{case}}/{step.name}"
    return [desk.get(path, show), desk.post(path, save, show), desk.post(f"{path}/keep", keep)]


def _keep(ctx: TxContext, step: Step) -> tuple[str, dict[str, str]]:
    """Keep a form; the draft's edition then, and why some fields were not kept."""
    case = steps.own(ctx)
    if case.state != CaseState.DRAFT:
        raise Conflict(
            f"case {case.case_id} is {case.state}",
            safe=gettext("This request was sent already, and can’t be changed here. Write to us to add something."),
        )
    half = step.typed(ctx, case)
    kept = intake.keep(
        ctx.tx, ctx.who, case.case_id, half.fields, half.questions, half.answers, edition=ctx.form.given("edition")
    )
    return kept.edition, dict(kept.refused) | half.errors
