"""The step of a request that holds the question: what it is about, what is asked, and the story."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import programs
from cases.service.intake import MAX_QUESTIONS
from cases.views import PatientCase
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import half_forms, labels, referred, steps
from overread.web.contexts import Desk, TxContext
from overread.web.forms import Form
from overread.web.half_forms import HalfForm, Step

_TEXTS = ("other_subject", "symptoms", "history", "additional", "first_report_by")
_ANSWER = "answer-"


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the step."""
    return half_forms.routes(Desk(services, Role.PATIENT), Step("question", _page, _typed, _wanting))


def _typed(ctx: TxContext, case: PatientCase) -> HalfForm:
    form = ctx.form
    found: dict[str, Any] = {name: text for name in _TEXTS if (text := form.given(name)) is not None}
    if form.given("subjects") is not None:
        found["subjects"] = [one for one in form.all("subjects") if one]
    if form.text("no_emergency"):
        found["emergency"] = False
    asked = {_ANSWER + one.key: one.key for one in case.kind.asks}
    answers = {key: text for name, key in asked.items() if (text := form.given(name)) is not None}
    half = HalfForm(found, form.all("questions") if form.given("questions") is not None else None)
    # Each by itself: what one answer says wrongly keeps no other from being kept.
    half.answers.update(answers)
    return half


def _wanting(case: PatientCase, form: Form) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not case.subjects:
        errors["subjects"] = gettext("Please choose what it is about.")
    elif "other" in case.subjects and not case.other_subject:
        errors["other_subject"] = gettext("Please say in your own words what it is about.")
    if not case.questions:
        errors["questions"] = gettext("Please ask at least one question.")
    for one in case.kind.asks:
        if one.required and not case.answers.get(one.key):
            errors[_ANSWER + one.key] = gettext("Please answer: %(label)s", label=one.label)
    if case.emergency and not form.text("no_emergency"):
        errors["no_emergency"] = gettext("In an emergency, call your local emergency number. An opinion takes days.")
    return errors


def _page(ctx: TxContext, case: PatientCase, values: dict[str, Any]) -> Response:
    program = programs.program(ctx.tx, case.program_slug)
    return ctx.page(
        "patient/start_question.html",
        steps=steps.trail(case, "question"),
        action=f"/cases/{case.case_id}/question",
        subjects=labels.options({key: labels.SUBJECTS[key] for key in program.subjects}),
        asks=[
            {
                "name": _ANSWER + one.key,
                "label": one.label,
                "hint": one.hint,
                "form": one.form.value,
                "options": [{"value": option, "label": option} for option in one.options],
                "required": one.required,
            }
            for one in case.kind.asks
        ],
        opinion={"name": case.kind.name, "url": f"/cases/{case.case_id}/opinion"},
        max_questions=MAX_QUESTIONS,
        referral=referred.shown(ctx, case.case_id),
        edition=case.edition,
        emergency=case.emergency,
        missing=steps.missing(ctx, case, "question") if case.subjects or case.questions or case.symptoms else [],
        values=values
        or {
            "subjects": list(case.subjects),
            "other_subject": case.other_subject,
            "questions": [q.text for q in case.questions],
            "symptoms": case.symptoms,
            "history": case.history,
            "additional": case.additional,
            "first_report_by": case.first_report_by,
            **{_ANSWER + key: text for key, text in case.answers.items()},
        },
    )
