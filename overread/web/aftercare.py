"""After reports, as the program works: wishes for a visit, words for the public pages, and what was said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import check_ins, surveys, testimonials, visits
from cases.service.surveys import SurveyView
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web import feedback, paging, render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check

#: Each list has a parameter of its own that says where it begins, and so many rows.
_VISITS, _WORDS, _SAID, _CHECK_INS = "visits", "words", "said", "check-ins"
_MOST = 10
_SCORES: Mapping[int, str] = {
    5: Phrase("Very well"),
    4: Phrase("Well"),
    3: Phrase("So so"),
    2: Phrase("Not well"),
    1: Phrase("Badly"),
}


def routes(services: Services) -> list[BaseRoute]:
    """The routes of coordinators, and of specialists who are asked how the work goes."""
    desk, specialist = Desk(services, Permission.AFTERCARE_MANAGE), Desk(services, Permission.CHECK_IN_ANSWER)
    return [
        desk.get("/aftercare", aftercare_page),
        desk.post("/aftercare/visits/{visit}", answer_visit, aftercare_page),
        desk.post("/aftercare/words/{case}", decide, aftercare_page),
        specialist.get("/check-ins", check_in_page),
        specialist.post("/check-ins/{check_in}", check_in, check_in_page),
    ]


def aftercare_page(ctx: TxContext) -> Response:
    """What waits for an answer first, then what was said."""

    def after(name: str) -> dict[str, Any]:
        return {"after": ctx.query(name), "limit": _MOST}

    asked = visits.listed(ctx.tx, ctx.who, **after(_VISITS))
    words = testimonials.listed(ctx.tx, ctx.who, **after(_WORDS))
    said = surveys.listed(ctx.tx, ctx.who, **after(_SAID))
    checked = check_ins.listed(ctx.tx, ctx.who, **after(_CHECK_INS))
    return ctx.page(
        "coordinator/aftercare.html",
        visits=[
            {
                "case_url": f"/queue/{one.case_id}",
                "reference": one.reference,
                "patient": one.patient,
                "title": one.title,
                "status": {"label": one.status, "tone": feedback.VISIT_TONES[one.state]},
                "wish": one.wish,
                "asked": render.moment(one.asked_at),
                "answer": one.answer,
                "action": f"/aftercare/visits/{one.visit_id}" if one.state == "asked" else "",
                "chosen": str(one.visit_id) == ctx.request.path_params.get("visit"),
            }
            for one in asked
        ],
        words=[
            {
                "case_url": f"/queue/{one.case_id}",
                "reference": one.reference,
                "text": one.text,
                "name": one.name,
                "status": {"label": one.status, "tone": feedback.WORDS_TONES[one.state]},
                "given": render.moment(one.given_at),
                "edition": one.edition,
                "action": f"/aftercare/words/{one.case_id}",
                "shown": one.state == "approved",
                "refused": one.state == "refused",
            }
            for one in words
        ],
        said=[_said(one) for one in said],
        check_ins=[
            {
                "who": one.specialist,
                "program": one.program,
                "score": _SCORES[one.score or 1],
                "text": one.text,
                "at": render.moment(one.answered_at),
            }
            for one in checked
        ],
        pagers={
            name: paging.links(ctx, "/aftercare", page, name=name, part=name)
            for name, page in ((_VISITS, asked), (_WORDS, words), (_SAID, said), (_CHECK_INS, checked))
        },
        values=ctx.form.values(),
    )


def answer_visit(ctx: TxContext) -> Response:
    """Say when and where a visit is, or why not."""
    check = Check(ctx.form)
    text = check.text("text", gettext("Please write when and where, or why not; the patient reads it."), 4_000)
    check.done()
    visits.answer(ctx.tx, ctx.who, ctx.uuid("visit"), arranged=ctx.form.text("decision") == "arranged", text=text)
    return go("/aftercare", "visit-answered")


def decide(ctx: TxContext) -> Response:
    """Have words shown on the public pages, or not."""
    approve = ctx.form.text("decision") == "show"
    testimonials.decide(ctx.tx, ctx.who, ctx.uuid(), approve=approve, edition=ctx.form.text("edition"))
    return go("/aftercare", "decided")


def check_in_page(ctx: TxContext) -> Response:
    """How the work goes: one click, and a word."""
    return ctx.page(
        "specialist/check_ins.html",
        asked=[
            {"program": one.program, "readings": one.readings, "action": f"/check-ins/{one.check_in_id}"}
            for one in check_ins.own(ctx.tx, ctx.who)
        ],
        scores=[{"value": value, "label": label} for value, label in _SCORES.items()],
        values=ctx.form.values(),
    )


def check_in(ctx: TxContext) -> Response:
    """Say it."""
    check = Check(ctx.form)
    score = check.number("score", 1, 5, gettext("Please choose how it goes."))
    check.done()
    check_ins.answer(ctx.tx, ctx.who, ctx.uuid("check_in"), score, ctx.form.text("text"))
    return go("/check-ins", "said")


def _said(one: SurveyView) -> dict[str, Any]:
    return {
        "case_url": f"/queue/{one.case_id}",
        "reference": one.reference,
        "scores": [
            (label, gettext("%(score)s of 5", score=one.scores[key]))
            for key, label in surveys.questions().items()
            if key in one.scores
        ],
        "text": one.text,
        "at": render.moment(one.sent_at),
    }
