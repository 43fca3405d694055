"""A patient's pages after the report: how it went, words for the public pages, a visit at the clinic."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import surveys, testimonials, visits
from cases.views import PatientCase
from overread.kit.errors import NotFound
from overread.kit.language import Phrase, gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check
from overread.web.steps import own

_MOST = 4_000
#: From 5 to 1: the question and its answers are read one under the other.
_ANSWERS = (
    (5, Phrase("Yes, entirely")),
    (4, Phrase("Mostly")),
    (3, Phrase("In part")),
    (2, Phrase("Hardly")),
    (1, Phrase("Not at all")),
)
VISIT_TONES = {"asked": "info", "arranged": "good", "declined": "neutral"}
WORDS_TONES = {"waiting": "info", "approved": "good", "refused": "neutral", "withdrawn": "neutral"}


def routes(services: Services) -> list[BaseRoute]:
    """The routes of what comes after the report."""
    desk = Desk(services, Role.PATIENT)
    return [
        desk.get("/cases/{case}/survey", survey_page),
        desk.post("/cases/{case}/survey", send_survey, survey_page),
        desk.get("/cases/{case}/words", words_page),
        desk.post("/cases/{case}/words", give_words, words_page),
        desk.post("/cases/{case}/words/withdraw", withdraw_words, words_page),
        desk.get("/cases/{case}/visit", visit_page),
        desk.post("/cases/{case}/visit", ask_visit, visit_page),
    ]


def visit_is_known(ctx: TxContext, case: PatientCase) -> bool:
    """Whether a case has a page about visits: its program has a clinic, or a visit was asked for."""
    if not case.has_report:
        return False
    found = visits.of_case(ctx.tx, ctx.who, case.case_id)
    return found.possible or bool(found.visits)


def survey_page(ctx: TxContext) -> Response:
    """How it went: as far as somebody wants to say."""
    case = _with_report(ctx)
    url = f"/cases/{case.case_id}"
    if not surveys.was_read(ctx.tx, ctx.who, case.case_id):
        return go(f"{url}/report")
    before = surveys.of_case(ctx.tx, ctx.who, case.case_id)
    typed: dict[str, Any] = {**before.scores, "text": before.text} if before else {}
    return ctx.page(
        "patient/survey.html",
        action=f"{url}/survey",
        case_url=url,
        words_url=f"{url}/words",
        questions=[{"name": name, "label": label} for name, label in surveys.questions().items()],
        answers=[{"value": value, "label": label} for value, label in _ANSWERS],
        sent=render.moment(before.sent_at) if before else None,
        values=ctx.form.values() if ctx.form.names() else typed,
    )


def send_survey(ctx: TxContext) -> Response:
    """Say how it went."""
    case = _with_report(ctx)
    given = {name: ctx.form.text(name) for name in surveys.questions()}
    scores = {name: int(one) for name, one in given.items() if one in {str(value) for value, _ in _ANSWERS}}
    surveys.send(ctx.tx, ctx.who, case.case_id, scores, ctx.form.text("text"))
    return go(f"/cases/{case.case_id}/survey", "said")


def words_page(ctx: TxContext) -> Response:
    """Words that the program may show, with the consent beside them."""
    case = _with_report(ctx)
    url = f"/cases/{case.case_id}"
    if not surveys.was_read(ctx.tx, ctx.who, case.case_id):
        return go(f"{url}/report")
    agreed = testimonials.consent()
    before = testimonials.of_case(ctx.tx, ctx.who, case.case_id)
    given = before is not None and before.state != "withdrawn"
    typed = {"text": before.text, "name": before.name} if before else {}
    return ctx.page(
        "patient/words.html",
        action=f"{url}/words",
        back_url=f"{url}/survey",
        withdraw_action=f"{url}/words/withdraw" if given else "",
        stands={"label": before.status, "tone": WORDS_TONES[before.state]} if before else None,
        consent=agreed.text,
        consent_digest=agreed.digest,
        values=ctx.form.values() if ctx.form.names() else typed,
    )


def give_words(ctx: TxContext) -> Response:
    """Give words, and the consent to show them."""
    case, check = _with_report(ctx), Check(ctx.form)
    text = check.text("text", gettext("Please write what we may show."), 2_000)
    if not ctx.form.text("consent"):
        check.errors["consent"] = gettext("Without your consent we don’t show your words.")
    check.done()
    name, agreed = ctx.form.text("name"), ctx.form.text("consent_digest")
    testimonials.give(ctx.tx, ctx.who, case.case_id, text, name, agreed)
    return go(f"/cases/{case.case_id}/words", "words-given")


def withdraw_words(ctx: TxContext) -> Response:
    """Take the consent back."""
    case = _with_report(ctx)
    testimonials.withdraw(ctx.tx, ctx.who, case.case_id)
    return go(f"/cases/{case.case_id}/words", "words-taken-back")


def visit_page(ctx: TxContext) -> Response:
    """A visit at the program's clinic: what was asked and answered, and the form to ask."""
    case = _with_report(ctx)
    url = f"/cases/{case.case_id}"
    found = visits.of_case(ctx.tx, ctx.who, case.case_id)
    return ctx.page(
        "patient/visit.html",
        clinic=found.clinic,
        action=f"{url}/visit" if found.possible else "",
        case_url=url,
        visits=[
            {
                "status": {"label": one.status, "tone": VISIT_TONES[one.state]},
                "asked": render.moment(one.asked_at),
                "wish": one.wish,
                "answer": one.answer,
                "answered": render.moment(one.answered_at),
            }
            for one in found.visits
        ],
        values=ctx.form.values(),
    )


def ask_visit(ctx: TxContext) -> Response:
    """Ask for a visit."""
    case = _with_report(ctx)
    visits.ask(ctx.tx, ctx.who, case.case_id, ctx.form.text("wish")[:_MOST])
    return go(f"/cases/{case.case_id}/visit", "visit-asked")


def _with_report(ctx: TxContext) -> PatientCase:
    case = own(ctx)
    if not case.has_report:
        raise NotFound(f"case {case.case_id} has no report", safe=gettext("There is no report yet."))
    return case
