"""Who acts for a patient: the invitations, the agreements on both sides, and the paper that shows why somebody may."""

from __future__ import annotations

from datetime import date
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import authority, delegates
from cases.service.authority import MOST_PROOF
from cases.service.delegates import DelegateView
from cases.states import DelegateScope, Relation
from overread.kit import attempts
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Role
from overread.services import Services
from overread.web import labels, render, steps, untrusted
from overread.web.casework import case_page
from overread.web.contexts import Desk, RequestContext, TxContext, go, in_transaction
from overread.web.forms import Check, FieldErrors

_PATH = "/account/delegates"
_STATES = {
    "invited": (Phrase("Invited"), "info"),
    "stands": (Phrase("Stands"), "good"),
    "ended": (Phrase("Ended"), "neutral"),
}


def routes(services: Services) -> list[BaseRoute]:
    """The routes of whoever acts, and of coordinators who check why they may."""
    desk, coordinators = Desk(services, Permission.DELEGATES_MANAGE), Desk(services, Role.COORDINATOR)
    return [
        desk.get(_PATH, page),
        desk.post(_PATH, invite, page),
        desk.post(f"{_PATH}/{{delegation}}/end", end, page),
        desk.get("/acting/{token}", invitation_page),
        desk.post("/acting/{token}", accept, invitation_page),
        desk.get("/cases/{case}/authority", authority_page),
        desk.post_without_tx("/cases/{case}/authority", prove, in_transaction(authority_page), files=MOST_PROOF),
        coordinators.get("/queue/{case}/authority", proof),
        coordinators.post("/queue/{case}/authority", check, case_page),
    ]


def page(ctx: TxContext) -> Response:
    """Who acts for somebody, and for whom they act."""
    mine, theirs = delegates.listed(ctx.tx, ctx.who)
    return ctx.page(
        "patient/delegates.html",
        mine=[_line(one) for one in mine],
        theirs=[_line(one) for one in theirs],
        relations=labels.options({key: label for key, label in labels.RELATIONS.items() if key != Relation.SELF}),
        scopes=labels.options(labels.SCOPES),
        action=_PATH,
        values=ctx.form.values(),
    )


def invite(ctx: TxContext) -> Response:
    """Invite somebody to act for oneself."""
    check = Check(ctx.form)
    email = check.email("email")
    relation = check.one_of("relation", list(Relation), gettext("Please say who they are to you."))
    scope = check.one_of("scope", list(DelegateScope), gettext("Please say what they may do."))
    ends_on: date | None = None
    if ctx.form.text("ends_on"):
        ends_on = check.day("ends_on", gettext("Please give the last day as year, month and day, or leave it empty."))
    check.done()
    # Strangers fill nobody's mailbox.
    attempts.spend(ctx.services.db, *attempts.mailing(email))
    delegates.invite(ctx.tx, ctx.who, email, Relation(relation), DelegateScope(scope), ends_on)
    return go(_PATH, "invited")


def end(ctx: TxContext) -> Response:
    """End an agreement, or take an invitation back."""
    delegates.end(ctx.tx, ctx.who, ctx.uuid("delegation"))
    return go(_PATH, "delegate-ended")


def invitation_page(ctx: TxContext) -> Response:
    """What an invitation asks; nothing happens before its button is pressed."""
    token = _token(ctx)
    asked = delegates.invitation(ctx.tx, ctx.who, token)
    return ctx.page(
        "patient/delegate_invited.html",
        patient=asked.patient,
        relation=labels.RELATIONS[asked.relation],
        scope=labels.SCOPES[asked.scope],
        ends_on=asked.ends_on,
        action=f"/acting/{token}",
    )


def accept(ctx: TxContext) -> Response:
    """Act for somebody from now on."""
    delegates.accept(ctx.tx, ctx.who, _token(ctx))
    return go("/cases", "acting")


def authority_page(ctx: TxContext) -> Response:
    """The paper that shows why an account may act for the patient."""
    case = steps.own(ctx)
    if case.authority is None:
        return go(f"/cases/{case.case_id}")
    return ctx.page(
        "patient/authority.html",
        action=f"/cases/{case.case_id}/authority",
        back_url=f"/cases/{case.case_id}",
        patient=case.patient_name,
        relation=labels.RELATIONS[case.authority.relation],
        text=case.authority.text,
        here=bool(case.authority.proof),
        checked=case.authority.checked_at is not None,
        megabytes=MOST_PROOF >> 20,
    )


def prove(context: RequestContext) -> Response:
    """Send a paper that shows it."""
    paper = context.form.file("proof")
    if not paper:
        raise FieldErrors({"proof": gettext("Please choose the paper: a PDF or a photo.")})
    with context.transaction() as ctx:
        authority.prove(ctx.tx, ctx.who, ctx.uuid(), paper)
    return go(f"/cases/{context.uuid()}/authority", "saved")


def proof(ctx: TxContext) -> Response:
    """The paper, as a file: a browser shows nothing of it and runs nothing in it."""
    kind, paper = authority.proof(ctx.tx, ctx.who, ctx.uuid())
    ending = {"application/pdf": "pdf", "image/jpeg": "jpg"}.get(kind, "png")
    return untrusted.saved(paper, kind, f"authority.{ending}")


def check(ctx: TxContext) -> Response:
    """Find it good, with the grounds."""
    authority.check(ctx.tx, ctx.who, ctx.uuid(), ctx.form.text("note"))
    return go(f"/queue/{ctx.uuid()}", "changed")


def _line(one: DelegateView) -> dict[str, Any]:
    label, tone = _STATES[one.state]
    return {
        "name": one.name or one.email,
        "relation": labels.RELATIONS[one.relation],
        "scope": labels.SCOPES[one.scope],
        "status": render.status(label, tone),
        "ends_on": one.ends_on,
        "end_action": f"{_PATH}/{one.delegation_id}/end" if one.state != "ended" else "",
    }


def _token(ctx: TxContext) -> str:
    return str(ctx.request.path_params["token"])[:100]
