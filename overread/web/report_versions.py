"""A report's versions on the pages of whoever may know of them: the list, one version, corrections and recalls."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import reporting, signers, versions
from cases.views import ReportKind
from overread.kit.errors import NotFound
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Role
from overread.services import Services
from overread.web import casework, reports
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check
from overread.web.reports import HOMES
from overread.web.specialist import case_page as specialist_page


def routes(services: Services) -> list[BaseRoute]:
    """The routes of versions, and of what stands under a signature."""
    patient, everybody = Desk(services, Role.PATIENT), Desk(services, *HOMES)
    coordinator, specialist = Desk(services, Role.COORDINATOR), Desk(services, Role.SPECIALIST)
    signer = Desk(services, Permission.SIGNATURE_SET)
    case, reading = "/queue/{case}", "/reading/{case}"
    return [
        everybody.get("/cases/{case}/reports/{number}.pdf", version_pdf),
        patient.get("/cases/{case}/reports/{number}", version_page),
        coordinator.get(f"{case}/reports/{{number}}", version_page),
        specialist.get(f"{reading}/reports/{{number}}", version_page),
        coordinator.post(f"{case}/send-back", send_back, casework.case_page),
        coordinator.post(f"{case}/ask-change", ask_change, casework.case_page),
        coordinator.post(f"{case}/discard", discard, casework.case_page),
        coordinator.post(f"{case}/reports/{{number}}/recall", recall, casework.case_page),
        coordinator.post(f"{case}/reports/{{number}}/restore", restore, casework.case_page),
        specialist.post(f"{reading}/versions", begin, specialist_page),
        specialist.post(f"{reading}/discard", discard, specialist_page),
        signer.get("/signature", signature_page),
        signer.post("/signature", sign_as, signature_page),
    ]


def version_page(ctx: TxContext) -> Response:
    """One version, with a clear mark where it is not in force."""
    home, back = HOMES[ctx.who.role]
    found = reporting.read(ctx.tx, ctx.who, ctx.uuid(), _number(ctx))
    return ctx.page(
        "report_version.html",
        report=reports.shown(found),
        back_url=f"{home}/{ctx.uuid()}{back}",
        pdf_url=f"/cases/{ctx.uuid()}/reports/{found.version}.pdf",
        narrow=ctx.who.role is Role.PATIENT,
    )


def version_pdf(ctx: TxContext) -> Response:
    """A version as a file, for whoever may read it."""
    name, content = reporting.pdf(ctx.tx, ctx.who, ctx.uuid(), _number(ctx))
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/pdf", headers=headers)


def send_back(ctx: TxContext) -> Response:
    """Send what is signed and not published back to the specialist, with a reason."""
    reporting.send_back(ctx.tx, ctx.who, ctx.uuid(), ctx.form.text("reason"))
    return go(f"/queue/{ctx.uuid()}", "sent-back")


def ask_change(ctx: TxContext) -> Response:
    """Ask the specialist for a correction or an addition, with a reason."""
    versions.ask_change(ctx.tx, ctx.who, ctx.uuid(), ctx.form.text("reason"))
    return go(f"/queue/{ctx.uuid()}", "change-asked")


def recall(ctx: TxContext) -> Response:
    """Take a version back that must not be read."""
    versions.recall(ctx.tx, ctx.who, ctx.uuid(), _number(ctx), ctx.form.text("reason"))
    return go(f"/queue/{ctx.uuid()}", "recalled")


def restore(ctx: TxContext) -> Response:
    """Take a recall back."""
    versions.restore(ctx.tx, ctx.who, ctx.uuid(), _number(ctx), ctx.form.text("reason"))
    return go(f"/queue/{ctx.uuid()}", "restored-report")


def begin(ctx: TxContext) -> Response:
    """Begin a correction of the report, or an addition to it."""
    kinds = (ReportKind.CORRECTION.value, ReportKind.ADDENDUM.value)
    check = Check(ctx.form)
    kind = check.one_of("kind", kinds, gettext("Please choose a correction or an addition."))
    check.done()
    versions.open_version(ctx.tx, ctx.who, ctx.uuid(), ReportKind(kind))
    return go(f"/reading/{ctx.uuid()}/report")


def discard(ctx: TxContext) -> Response:
    """Give up a correction or addition that is not signed."""
    versions.discard(ctx.tx, ctx.who, ctx.uuid())
    return go(f"{HOMES[ctx.who.role][0]}/{ctx.uuid()}", "given-up")


def signature_page(ctx: TxContext) -> Response:
    """What stands under one's signature besides name and licence."""
    said = signers.read(ctx.tx, ctx.who)
    values = {"qualification": said.qualification, "practice": said.practice}
    return ctx.page(
        "specialist/signature.html",
        name=said.name,
        action="/signature",
        most={"qualification": signers.MOST_QUALIFICATION, "practice": signers.MOST_PRACTICE},
        values=ctx.form.values() if ctx.form.names() else values,
    )


def sign_as(ctx: TxContext) -> Response:
    """Say it, for what is signed from now on."""
    check = Check(ctx.form)
    qualification = check.text("qualification", gettext("Please give your qualification."), signers.MOST_QUALIFICATION)
    practice = check.text("practice", gettext("Please say where you practise."), signers.MOST_PRACTICE)
    check.done()
    signers.change(ctx.tx, ctx.who, qualification, practice)
    return go("/signature", "saved")


def _number(ctx: TxContext) -> int:
    text = str(ctx.request.path_params["number"])
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise NotFound("no version's number")
    return int(text)
