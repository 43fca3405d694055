"""The last steps of a request: everything to check, the consents, the price, and the payment."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from cases.service import intake, payments, programs
from cases.states import CaseState, ImagesBy, Needed
from cases.views import PaymentState
from overread.kit.errors import Conflict
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import answers, papers, referred, render, steps
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import FieldErrors

#: What a payment's state means to the page that waits for it.
_PAYMENT_PAGES: Mapping[str, str] = {
    PaymentState.NONE: "pending",
    PaymentState.METHOD_SAVED: "saved",
    PaymentState.REQUIRES_ACTION: "action",
    PaymentState.AUTHORISED: "authorised",
    PaymentState.CAPTURING: "authorised",
    PaymentState.FAILED: "failed",
    PaymentState.EXPIRED: "failed",
    PaymentState.VOIDED: "failed",
    PaymentState.CAPTURED: "authorised",
    PaymentState.PARTLY_REFUNDED: "authorised",
    PaymentState.WON: "authorised",
}


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the last steps."""
    desk = Desk(services, Role.PATIENT)
    return [
        desk.get("/cases/{case}/consent", consent_page),
        desk.post("/cases/{case}/consent", consent, consent_page),
        desk.get("/cases/{case}/payment", payment_page),
        desk.post("/cases/{case}/pay", pay),
    ]


def consent_page(ctx: TxContext) -> Response:
    """Everything to check, the total, the consents, one button."""
    case = steps.own(ctx)
    if case.state != CaseState.DRAFT:
        return go(f"/cases/{case.case_id}")
    if steps.is_got(ctx) and steps.is_before(case.step, "consent"):
        # Whoever agrees and pays here could not be sent on.
        return go(f"/cases/{case.case_id}/{case.step}")
    program = programs.program(ctx.tx, case.program_slug)
    kind, sharing = case.kind, referred.offered(ctx, case.case_id)
    total = render.money(kind.price, kind.currency)
    return ctx.page(
        "patient/start_consent.html",
        steps=steps.trail(case, "consent"),
        action=f"/cases/{case.case_id}/consent",
        consents=[
            {"name": c.name, "label": c.label, "version": c.version, "url": c.words.path} for c in intake.CONSENTS
        ],
        sharing=sharing,
        lines=[{"label": kind.name, "amount": total}],
        total=total,
        free=kind.price_key is None,
        days=kind.reading_days,
        from_images=case.images_by == ImagesBy.HOSPITAL and not case.images_here and kind.images == Needed.REQUIRED,
        policy=(
            gettext(
                "You can withdraw until the report is signed. Until a specialist has taken your case you get "
                "everything back, afterwards %(late_refund_percent)s %%.",
                late_refund_percent=program.late_refund_percent,
            )
        ),
        sections=answers.sections(ctx, case, papers.told(ctx, case.case_id)),
        # A text that has become another one is not agreed to, whatever was ticked.
        values={name: text for name, text in ctx.form.values().items() if name not in _outdated(ctx)}
        or dict.fromkeys(case.consents, "yes") | ({sharing["name"]: "yes"} if sharing and sharing["shared"] else {}),
    )


def consent(ctx: TxContext) -> Response:
    """Record the consents; then to the payment page, or, in a free program, send the request."""
    case = steps.own(ctx)
    free = case.kind.price_key is None
    if outdated := _outdated(ctx):
        raise Conflict(
            f"consent to other texts: {', '.join(outdated)}",
            safe="What you agree to has a new version since you opened this page: "
            + ", ".join(f"“{c.words.headline}”, version {c.version}" for c in intake.CONSENTS if c.name in outdated)
            + ". Please read it, then agree again.",
        )
    missing = {
        c.name: gettext("Please agree: %(label)s", label=c.label) for c in intake.CONSENTS if not ctx.form.text(c.name)
    }
    if not free and not ctx.form.text("charge"):
        missing["charge"] = gettext("Please confirm that you understand the charge.")
    if missing:
        raise FieldErrors(missing)
    client = ctx.request.client
    for one in intake.CONSENTS:
        intake.consent(
            ctx.tx,
            ctx.who,
            case.case_id,
            one.name,
            version=one.version,
            digest=one.digest,
            address=client.host if client else "",
        )
    referred.keep(ctx, case.case_id)
    if free:
        intake.submit(ctx.tx, ctx.who, case.case_id)
        return go(f"/cases/{case.case_id}")
    return _to_payment_page(ctx, case.case_id)


def pay(ctx: TxContext) -> Response:
    """To the payment page again: the bank asked for something, or the hold has ended."""
    case = steps.own(ctx)
    if steps.is_before(case.step, "payment"):
        return go(f"/cases/{case.case_id}/{case.step}")
    return _to_payment_page(ctx, case.case_id)


def payment_page(ctx: TxContext) -> Response:
    """Back from the payment page: asks the provider what it says, and sends the request once the price is held.

    Nothing is believed of the address; the payment's own state alone counts.
    """
    case = steps.own(ctx)
    case_url = f"/cases/{case.case_id}"
    if case.paid is None:
        return go(f"{case_url}/consent" if case.state == CaseState.DRAFT else case_url)
    payments.look_again(ctx.tx, ctx.who, case.case_id, ctx.services.gateway)
    now = steps.own(ctx)
    payment = now.paid
    assert payment is not None
    state = _PAYMENT_PAGES.get(payment.state)
    if state is None:
        return go(case_url)
    if now.state == CaseState.DRAFT and steps.is_before(now.step, "payment"):
        # Something else is missing by now: its page asks for it.
        return go(f"{case_url}/{now.step}")
    if state == "saved" and now.state == CaseState.DRAFT:
        # The images were to come from a hospital, and are here by now: the saved card alone sends nothing.
        state = "hold"
    return ctx.page(
        "patient/payment.html",
        state=state,
        refresh_url=f"{case_url}/payment",
        case_url=case_url,
        pay_action=f"{case_url}/pay",
        reason=payment.failure,
        due=render.moment(now.due_at),
        total=render.money(payment.amount, payment.currency),
    )


def _to_payment_page(ctx: TxContext, case_id: UUID) -> Response:
    back = f"{ctx.services.settings.base_url}/cases/{case_id}"
    url = payments.checkout(
        ctx.tx,
        ctx.who,
        case_id,
        ctx.services.gateway,
        success_url=f"{back}/payment",
        cancel_url=f"{back}/consent",
    )
    # None: it is held or taken already, which the next page finds out for itself.
    return RedirectResponse(url, 303) if url else go(f"/cases/{case_id}/payment")


def _outdated(ctx: TxContext) -> list[str]:
    """The consents of the form whose text was another one when the page was opened."""
    form = ctx.form
    return [c.name for c in intake.CONSENTS if form.text(c.name) and form.given(f"{c.name}-version") != c.version]
