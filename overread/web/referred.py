"""The patient's side of a referral: who asks, taking it up or saying no, and letting the referrer read the report."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import referred
from cases.service.referred import SHARING, ReferredView
from cases.states import Actor
from overread.kit import attempts
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import labels, render, steps
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check

#: The field of the consent, in the last step of a request and on its own page.
_FIELD = SHARING.name


def routes(services: Services) -> list[BaseRoute]:
    """The routes of whoever was referred."""
    # Somebody with another kind of account is told so, instead of being turned away.
    anybody, patient = Desk(services, *Role), Desk(services, Role.PATIENT)
    return [
        anybody.get("/referred/{token}", invitation_page),
        patient.post("/referred/{token}", take_up, invitation_page),
        patient.post("/referred/{token}/refuse", refuse, invitation_page),
        patient.get("/cases/{case}/referral", page),
        patient.post("/cases/{case}/referral", share, page),
    ]


def invitation_page(ctx: TxContext) -> Response:
    """Who asks; what was written is shown once the birth date was said, and nothing happens before its button."""
    token = _token(ctx)
    asked = referred.asked(ctx.tx, ctx.who, token)
    if asked.case_id is not None:
        return go(f"/cases/{asked.case_id}")
    return ctx.page(
        "referrals/invited.html",
        asked=asked,
        action=f"/referred/{token}",
        refuse_action=f"/referred/{token}/refuse",
        values=ctx.form.values(),
    )


def take_up(ctx: TxContext) -> Response:
    """Make it a request of one's own."""
    check = Check(ctx.form)
    born = check.day("birth_date", gettext("Please give the date of birth as year, month and day."))
    check.done()
    assert born is not None
    budgets = attempts.opening(_token(ctx))
    attempts.spend(ctx.services.db, *budgets, safe=gettext("Too many birth dates were tried."))
    case_id = referred.take_up(ctx.tx, ctx.who, _token(ctx), born)
    attempts.give_back(ctx.services.db, *budgets)
    return go(f"/cases/{case_id}/question", "taken-up")


def refuse(ctx: TxContext) -> Response:
    """Say no."""
    referred.refuse(ctx.tx, ctx.who, _token(ctx))
    return go("/cases", "referral-refused")


def page(ctx: TxContext) -> Response:
    """Who prepared the request and with what words, and whether they may read the report."""
    case = steps.own(ctx)
    told = shown(ctx, case.case_id)
    if told is None:
        return go(f"/cases/{case.case_id}")
    return ctx.page(
        "referrals/of_case.html",
        referral=told,
        action=f"/cases/{case.case_id}/referral",
        back_url=f"/cases/{case.case_id}",
        may_consent=case.part != Actor.HELPER,
        consent=_consent(),
    )


def share(ctx: TxContext) -> Response:
    """Let them read the report, or no more."""
    case_id = ctx.uuid()
    if ctx.form.text("share") == "no":
        referred.stop_sharing(ctx.tx, ctx.who, case_id)
        return go(f"/cases/{case_id}/referral", "shared-no-more")
    _agree(ctx, case_id)
    return go(f"/cases/{case_id}/referral", "shared")


def offered(ctx: TxContext, case_id: UUID) -> dict[str, Any] | None:
    """The consent as the last step of a request asks it; None where nobody referred the patient."""
    found = referred.of_case(ctx.tx, ctx.who, case_id)
    return _consent() | {"shared": found.shared_at is not None} if found is not None and found.shares else None


def keep(ctx: TxContext, case_id: UUID) -> None:
    """What the last step's form says of it; nothing where it was not asked."""
    if ctx.form.text(_FIELD):
        _agree(ctx, case_id)
    elif ctx.form.given(f"{_FIELD}-version") is not None:
        referred.stop_sharing(ctx.tx, ctx.who, case_id)


def shown(ctx: TxContext, case_id: UUID) -> dict[str, Any] | None:
    """Who prepared a case, as templates take it; None where its patient began it."""
    found = referred.of_case(ctx.tx, ctx.who, case_id)
    return None if found is None else _told(found, f"/cases/{case_id}/referral")


def _agree(ctx: TxContext, case_id: UUID) -> None:
    version, text = ctx.form.text(f"{_FIELD}-version"), ctx.form.text(f"{_FIELD}-digest")
    referred.share(ctx.tx, ctx.who, case_id, version=version, digest=text, address=ctx.address)


def _consent() -> dict[str, str]:
    return {
        "name": _FIELD,
        "label": SHARING.label,
        "url": SHARING.words.path,
        "version": SHARING.version,
        "digest": SHARING.digest,
    }


def _told(found: ReferredView, url: str) -> dict[str, Any]:
    subjects = [str(labels.SUBJECTS[key]) for key in found.subjects if key != "other"]
    return {
        "url": url,
        "by": ", ".join(dict.fromkeys(filter(None, [found.physician, found.by]))),
        "at": render.moment(found.invited_at),
        "subjects": ", ".join([*subjects, *filter(None, [found.other_subject])]),
        "questions": found.questions,
        "history": found.history,
        "shares": found.shares,
        "shared": render.moment(found.shared_at),
    }


def _token(ctx: TxContext) -> str:
    return str(ctx.request.path_params["token"])[:100]
