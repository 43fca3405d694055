"""The steps of a request: which there are, where a draft goes on, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping

from cases.service import intake, read
from cases.service.presentation import STEPS
from cases.states import CaseState, Needed
from cases.views import PatientCase
from overread.kit.errors import NotFound
from overread.kit.language import Phrase
from overread.web.contexts import TxContext

_LABELS: Mapping[str, str] = {
    "opinion": Phrase("The opinion"),
    "question": Phrase("Your question"),
    "patient": Phrase("The patient"),
    "images": Phrase("Your images"),
    "documents": Phrase("Documents"),
    "consent": Phrase("Check and agree"),
    "payment": Phrase("Payment"),
}


def own(ctx: TxContext) -> PatientCase:
    """The visitor's own case. Raises NotFound."""
    case = read.show(ctx.tx, ctx.who, ctx.uuid())
    if not isinstance(case, PatientCase):
        raise NotFound(f"case {ctx.uuid()} is shown to {ctx.who.role} elsewhere")
    return case


def of_case(case: PatientCase) -> list[str]:
    """The steps of a request: what its kind of opinion does not need is none of them."""
    return [
        step
        for step in STEPS
        if not (step == "images" and case.kind.images == Needed.NONE)
        and not (step == "documents" and case.kind.documents == Needed.NONE)
        and not (step == "payment" and case.kind.price_key is None)
    ]


def after(case: PatientCase, step: str) -> str:
    """The address of the step behind one."""
    here = of_case(case)
    return f"/cases/{case.case_id}/{here[here.index(step) + 1]}"


def trail(case: PatientCase, current: str) -> list[dict[str, str | None]]:
    """The steps for `ui.trail`, as somebody stands in them."""
    here = of_case(case)
    at = here.index(current)
    return [
        {
            "label": _LABELS[step],
            "state": "done" if i < at else "current" if i == at else "todo",
            "href": None if step == "payment" else f"/cases/{case.case_id}/{step}",
        }
        for i, step in enumerate(here)
    ]


def missing(ctx: TxContext, case: PatientCase, step: str) -> list[str]:
    """What a step of a draft still needs, where nothing else is wrong with its form."""
    if ctx.errors or case.state != CaseState.DRAFT:
        return []
    return [text for of, text in intake.missing(ctx.tx, ctx.who, case.case_id) if of == step]


def is_before(step: str, than: str) -> bool:
    """Whether a draft still needs something that an earlier step asks for."""
    return step != "" and STEPS.index(step) < STEPS.index(than)


def is_got(ctx: TxContext) -> bool:
    """Whether a page is only looked at. A form that was refused is shown again: its sentence says what is wrong."""
    return ctx.request.method in ("GET", "HEAD")
