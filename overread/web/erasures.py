"""Erasure, as those see it who carry it out: what was asked for, what would be destroyed, and what stops it."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import erasure
from cases.service.erasure import Request
from overread.kit import permissions
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Role
from overread.kit.words import counted
from overread.services import Services
from overread.web import paging, render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check, FieldErrors

#: What the second person types, so that no slip of a finger destroys a case.
_WORD = "erase"


def routes(services: Services) -> list[BaseRoute]:
    """The routes of erasure."""
    anybody = Desk(services, Permission.ERASURE_READ)
    hold, admin = Desk(services, Permission.LEGAL_HOLD), Desk(services, Permission.ERASURE_BEGIN)
    return [
        anybody.get("/erasures", erasures_page),
        anybody.get("/erasures/{case}", erasure_page),
        hold.post("/erasures/{case}/hold", set_hold, erasure_page),
        hold.post("/erasures/{case}/lift", lift_hold, erasure_page),
        Desk(services, Role.COORDINATOR).post("/erasures/{case}/ask", ask, erasure_page),
        admin.post("/erasures/{case}/begin", start, erasure_page),
        Desk(services, Permission.ERASURE_CARRY_OUT).post("/erasures/{case}/carry-out", carry_out, erasure_page),
    ]


def erasures_page(ctx: TxContext) -> Response:
    """What is asked to be erased, what is under legal hold, and what was erased."""
    page = erasure.listing(ctx.tx, ctx.who, after=ctx.query(paging.AFTER), limit=paging.ROWS)
    return ctx.page(
        "admin/erasures.html",
        requests=[
            {
                "reference": one.reference,
                "url": f"/erasures/{one.case_id}",
                "asked": render.moment(one.asked_at),
                "status": _status(one),
            }
            for one in page
        ],
        pager=paging.links(ctx, "/erasures", page),
    )


def erasure_page(ctx: TxContext) -> Response:
    """One case's erasure: what it would destroy, who has agreed, and what is to do next."""
    found = erasure.show(ctx.tx, ctx.who, ctx.uuid())
    url, role = f"/erasures/{found.case_id}", ctx.who.role
    may = partial(permissions.has, ctx.who)
    open_ = found.plan is not None and found.asked_at is not None and not found.held
    begun = found.first_id is not None
    return ctx.page(
        "admin/erasure.html",
        wish={
            "reference": found.reference,
            "state": found.state,
            "status": _status(found),
            "asked": render.moment(found.asked_at),
            "asked_by": found.asked_by,
            "reason": found.reason,
            "first": found.first,
            "first_at": render.moment(found.first_at),
            "done": render.moment(found.done_at),
            "hold": found.hold,
            "held": found.held,
        },
        destroyed=_destroyed(found),
        word=_WORD,
        begin_action=f"{url}/begin" if open_ and not begun and may(Permission.ERASURE_BEGIN) else "",
        carry_out_action=f"{url}/carry-out"
        if open_ and begun and may(Permission.ERASURE_CARRY_OUT) and found.first_id != ctx.who.id
        else "",
        ask_action=f"{url}/ask" if found.plan and found.asked_at is None and role is Role.COORDINATOR else "",
        waits=_waits(found, ctx),
        hold_action=f"{url}/hold" if found.plan and not found.held and may(Permission.LEGAL_HOLD) else "",
        lift_action=f"{url}/lift" if found.held and may(Permission.LEGAL_HOLD) else "",
        values=ctx.form.values(),
    )


def ask(ctx: TxContext) -> Response:
    """Record that the patient wants the case erased."""
    erasure.ask(ctx.tx, ctx.who, ctx.uuid(), ctx.form.text("reason"))
    return go(f"/erasures/{ctx.uuid()}", "erasure-recorded")


def set_hold(ctx: TxContext) -> Response:
    """Put a case under legal hold."""
    check = Check(ctx.form)
    reason = check.text("reason", gettext("Please say why the case must be kept."), 2000)
    check.done()
    erasure.hold(ctx.tx, ctx.who, ctx.uuid(), reason)
    return go(f"/erasures/{ctx.uuid()}", "held")


def lift_hold(ctx: TxContext) -> Response:
    """Lift the legal hold."""
    erasure.lift(ctx.tx, ctx.who, ctx.uuid())
    return go(f"/erasures/{ctx.uuid()}", "lifted")


def start(ctx: TxContext) -> Response:
    """The first of the two persons says that the case is to be erased."""
    erasure.start(ctx.tx, ctx.who, ctx.uuid())
    return go(f"/erasures/{ctx.uuid()}", "begun")


def carry_out(ctx: TxContext) -> Response:
    """The second person erases the case."""
    if ctx.form.text("word").lower() != _WORD:
        raise FieldErrors({"word": gettext("Please type “%(word)s” to say that you mean it.", word=_WORD)})
    erasure.carry_out(ctx.tx, ctx.who, ctx.uuid(), ctx.services.gateway)
    return go(f"/erasures/{ctx.uuid()}", "erased")


def _status(one: Request) -> dict[str, str]:
    if one.done_at is not None:
        return {"label": gettext("Erased"), "tone": "neutral"}
    if one.held:
        return {"label": gettext("Legal hold"), "tone": "bad"}
    if one.first_id is not None:
        return {"label": gettext("Waits for the second person"), "tone": "warn"}
    return (
        {"label": gettext("Asked for"), "tone": "warn"}
        if one.asked_at
        else {"label": gettext("No request"), "tone": "neutral"}
    )


def _waits(found: Request, ctx: TxContext) -> str:
    """What has to happen before this person can do anything, as a sentence."""
    if found.plan is None or found.asked_at is None or found.held:
        return ""
    if found.first_id is None:
        return (
            "" if ctx.who.role is Role.ADMIN else gettext("An admin has to begin. A second person then carries it out.")
        )
    if found.first_id == ctx.who.id:
        return gettext("You began this. Another admin or a coordinator has to carry it out.")
    return "" if ctx.who.role is not Role.AUDITOR else gettext("Another admin or a coordinator has to carry it out.")


def _destroyed(found: Request) -> dict[str, Any] | None:
    plan = found.plan
    if plan is None:
        return None

    studies = counted(plan.studies, "study", "studies")
    return {
        "lines": [
            gettext(
                "%(what)s in %(studies)s",
                what=counted(plan.images, "original image", "original images"),
                studies=studies,
            ),
            gettext(
                "%(what)s, and what was made of them",
                what=counted(plan.copies, "de-identified image", "de-identified images"),
            ),
            gettext("the key that leads from these images back to the patient, in the backups too"),
            gettext("the story, and %(what)s", what=counted(plan.questions, "question", "questions")),
            gettext(
                "%(what)s and %(what_2)s",
                what=counted(plan.reports, "report", "reports"),
                what_2=counted(plan.messages, "message", "messages"),
            ),
            gettext(
                "%(what)s that we keep, the consents, and every access that was given",
                what=counted(plan.mails, "mail", "mails"),
            ),
        ],
        "kept": gettext("%(what)s that another case needs", what=counted(plan.kept, "study", "studies"))
        if plan.kept
        else "",
    }
