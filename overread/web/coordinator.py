"""The coordinator's page of a case, and what is done there."""

from __future__ import annotations

from datetime import datetime
from itertools import zip_longest

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import approval, assignment, deadlines, intake, payments, reporting, studies
from cases.service.approval import InstancesLook, SuggestionsOpen
from cases.states import Obstacle
from cases.views import Review
from overread.kit.errors import Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import asked_card
from overread.web.casework import case_page, worked
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check, FieldErrors
from overread.web.pixels import asked
from overread.web.viewers import open_viewer


def routes(services: Services) -> list[BaseRoute]:
    """The coordinator's routes."""
    desk = Desk(services, Role.COORDINATOR)
    case, study = "/queue/{case}", "/queue/{case}/studies/{study}"
    actions = {
        f"{case}/messages": write,
        f"{case}/info": ask,
        f"{case}/answer": answer,
        f"{case}/ready": ready,
        f"{case}/reopen": reopen,
        f"{case}/offer": offer,
        f"{case}/take-back": take_back,
        f"{case}/exception": record_exception,
        f"{case}/decline": decline,
        f"{case}/publish": publish,
        f"{case}/close": close,
        f"{case}/refund": refund,
        f"{case}/promise": promise,
        f"{case}/pause": pause,
        f"{case}/resume": resume,
        f"{case}/viewer": open_viewer,
        f"{case}/release": release_all,
        f"{study}/confirm": confirm,
        f"{study}/revoke": revoke,
        f"{study}/release": release,
        f"{study}/decide": decide,
    }
    return [
        desk.get(case, case_page),
        *(desk.post(path, handler, case_page) for path, handler in actions.items()),
    ]


def write(ctx: TxContext) -> Response:
    """A message to the patient."""
    intake.write_note(ctx.tx, ctx.who, ctx.uuid(), _needed(ctx, "text", gettext("Please write the message.")))
    return _done(ctx, "sent")


def ask(ctx: TxContext) -> Response:
    """Ask the patient for something, in words or item by item; the clock stops."""
    items = asked_card.typed(ctx)
    text = ctx.form.text("text") if items else _needed(ctx, "text", gettext("Please write what is missing."))
    try:
        intake.ask_info(ctx.tx, ctx.who, ctx.uuid(), text, items)
    except Unprocessable as error:
        raise FieldErrors({"text": error.safe}) from error
    return _done(ctx, "asked")


def answer(ctx: TxContext) -> Response:
    """Record what the patient answered by telephone or letter; the clock goes on."""
    intake.answer_info(ctx.tx, ctx.who, ctx.uuid(), _needed(ctx, "text", gettext("Please write the answer.")))
    return _done(ctx, "answered")


def ready(ctx: TxContext) -> Response:
    """Every study is checked and released."""
    assignment.mark_ready(ctx.tx, ctx.who, ctx.uuid())
    return _done(ctx, "ready")


def reopen(ctx: TxContext) -> Response:
    """Back to the check of the studies."""
    assignment.reopen_studies(ctx.tx, ctx.who, ctx.uuid())
    return _done(ctx, "changed")


def offer(ctx: TxContext) -> Response:
    """Offer the case to the specialist who was chosen."""
    assignment.offer(ctx.tx, ctx.who, ctx.uuid(), ctx.form_uuid("specialist"))
    return _done(ctx, "offered")


def take_back(ctx: TxContext) -> Response:
    """Take an open offer back."""
    assignment.take_back(ctx.tx, ctx.who, ctx.uuid(), ctx.form.text("reason"))
    return _done(ctx, "taken-back")


def record_exception(ctx: TxContext) -> Response:
    """Let a specialist read although something is in the way (what the page showed), with a reason that is kept."""
    specialist, shown = ctx.form_uuid("specialist"), ctx.form.text("about").split()
    about = [one for one in Obstacle if one in shown]
    assignment.record_exception(ctx.tx, ctx.who, ctx.uuid(), specialist, ctx.form.text("reason"), about=about)
    return _done(ctx, "exception")


def decline(ctx: TxContext) -> Response:
    """The program can't take the case."""
    assignment.decline(ctx.tx, ctx.who, ctx.uuid(), ctx.form.text("reason"))
    return _done(ctx, "declined")


def publish(ctx: TxContext) -> Response:
    """Give the signed report to the patient."""
    reporting.publish(ctx.tx, ctx.who, ctx.uuid())
    return _done(ctx, "published")


def close(ctx: TxContext) -> Response:
    """Close a published case."""
    reporting.close(ctx.tx, ctx.who, ctx.uuid())
    return _done(ctx, "closed")


def promise(ctx: TxContext) -> Response:
    """Give the patient a new time, which is read in the coordinator's own zone."""
    check = Check(ctx.form)
    due = check.moment("due", gettext("Please give a day and a time."))
    reason = check.text("promise", gettext("Please give a reason; the patient reads it."), 2000)
    check.done()
    assert due is not None
    try:
        shown = datetime.fromisoformat(ctx.form.text("instead_of"))
    except ValueError as error:
        raise FieldErrors({"form": gettext("Please use the button.")}) from error
    try:
        deadlines.promise(ctx.tx, ctx.who, ctx.uuid(), due, reason, instead_of=shown)
    except Unprocessable as error:
        raise FieldErrors({"due": error.safe}) from error
    return _done(ctx, "promised")


def pause(ctx: TxContext) -> Response:
    """Stop the clock."""
    reason = _needed(ctx, "pause", gettext("Please give a reason; the patient reads it."))
    deadlines.pause(ctx.tx, ctx.who, ctx.uuid(), reason)
    return _done(ctx, "paused")


def resume(ctx: TxContext) -> Response:
    """Have it go on."""
    deadlines.resume(ctx.tx, ctx.who, ctx.uuid())
    return _done(ctx, "resumed")


def refund(ctx: TxContext) -> Response:
    """Give money back, up to the coordinator's limit."""
    case = worked(ctx)
    check = Check(ctx.form)
    amount = check.amount(
        "amount", case.paid.currency if case.paid else "", gettext("Please give an amount, such as 90.00.")
    )
    check.done()
    payments.refund(
        ctx.tx,
        ctx.who,
        case.case_id,
        ctx.services.gateway,
        amount=amount,
        reason=ctx.form.text("reason"),
        request_id=ctx.query("request") or "page",
    )
    return _done(ctx, "changed")


def confirm(ctx: TxContext) -> Response:
    """A study with another identity is this patient's all the same."""
    studies.confirm(ctx.tx, ctx.who, ctx.uuid(), _study_uid(ctx), ctx.form.text("reason"))
    return _done(ctx, "confirmed")


def revoke(ctx: TxContext) -> Response:
    """Take a study out; nobody sees it any more with the next request."""
    studies.reject(ctx.tx, ctx.who, ctx.uuid(), _study_uid(ctx), ctx.form.text("reason"))
    return _done(ctx, "revoked")


def release(ctx: TxContext) -> Response:
    """Show a study to the specialist."""
    studies.release(ctx.tx, ctx.who, ctx.uuid(), _study_uid(ctx))
    return _done(ctx, "released")


def release_all(ctx: TxContext) -> Response:
    """Show all studies that the page showed as ready to the specialist."""
    studies.release_all(ctx.tx, ctx.who, ctx.uuid(), ctx.form.text("studies").split())
    return _done(ctx, "released-all")


def decide(ctx: TxContext) -> Response:
    """Approve or withhold one picture, or all that the page showed as waiting."""
    decision = {"approve": Review.APPROVED, "withhold": Review.WITHHELD}.get(ctx.form.text("decision"))
    uids, digests = ctx.form.text("sop_instance_uid").split(), ctx.form.text("digest").split()
    if not uids or decision is None:
        raise FieldErrors({"form": gettext("Please choose a picture and what to do with it.")})
    # A page that names no bytes approves nothing.
    looked_at = InstancesLook(uids, dict(zip_longest(uids, digests[: len(uids)], fillvalue="")))
    despite = ctx.form.text("despite") == "yes"
    archive = ctx.services.archive
    try:
        approval.decide(archive, ctx.who, ctx.uuid(), looked_at, decision, despite=despite)
    except SuggestionsOpen as error:
        return asked(ctx, error, f"/queue/{ctx.uuid()}")
    return _done(ctx, "decided")


def _done(ctx: TxContext, done: str) -> Response:
    return go(f"/queue/{ctx.uuid()}", done)


def _study_uid(ctx: TxContext) -> str:
    return str(ctx.request.path_params["study"])


def _needed(ctx: TxContext, name: str, missing: str) -> str:
    check = Check(ctx.form)
    text = check.text(name, missing, 4000)
    check.done()
    return text
