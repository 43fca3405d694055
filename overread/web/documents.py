"""Documents of a case: added and looked at by its patient's side, and by coordinators."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import documents
from cases.service.documents import MOST_AT_ONCE
from cases.states import UPLOADABLE, CaseState, DocumentKind, Needed
from overread.kit import addresses
from overread.kit.errors import OverreadError
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import papers, steps, untrusted
from overread.web.casework import case_page
from overread.web.contexts import Desk, RequestContext, TxContext, go, in_transaction
from overread.web.forms import FieldErrors


def routes(services: Services) -> list[BaseRoute]:
    """The routes of both sides."""
    found: list[BaseRoute] = []
    for role, base, again in (
        (Role.PATIENT, "/cases/{case}/documents", documents_page),
        (Role.COORDINATOR, "/queue/{case}/documents", case_page),
    ):
        desk = Desk(services, role)
        found += [
            desk.post_without_tx(base, _adding(base), in_transaction(again), files=MOST_AT_ONCE),
            desk.get_without_tx(f"{base}/{{document}}", file),
            desk.get_without_tx(f"{base}/{{document}}/pages/{{page}}", page),
        ]
    desk = Desk(services, Role.PATIENT)
    return [
        *found,
        desk.get("/cases/{case}/documents", documents_page),
        desk.post("/cases/{case}/documents/{document}/take-out", take_out, documents_page),
    ]


def documents_page(ctx: TxContext) -> Response:
    """What is here, and where more is added."""
    case = steps.own(ctx)
    draft = case.state == CaseState.DRAFT
    if draft and case.birth_date is None:
        # Every document is kept under the patient's name and birth date.
        return go(f"/cases/{case.case_id}/patient")
    return ctx.page(
        "patient/documents.html",
        steps=steps.trail(case, "documents") if draft and case.kind.documents != Needed.NONE else [],
        case_url=f"/cases/{case.case_id}",
        go_on_url=steps.after(case, "documents") if draft and case.kind.documents != Needed.NONE else "",
        needed=case.kind.documents == Needed.REQUIRED,
        unconfirmed=addresses.unconfirmed(ctx.tx, ctx.who.id) or "",
        address_url="/account/address",
        action=f"/cases/{case.case_id}/documents" if CaseState(case.state) in UPLOADABLE else "",
        **papers.choices(),
        documents=papers.listed(ctx, case.case_id, f"/cases/{case.case_id}/documents"),
    )


def _adding(base: str) -> Callable[[RequestContext], Response]:
    def add(context: RequestContext) -> Response:
        """Add files; one that can't be read stops none of the others."""
        kind = context.form.text("kind")
        if kind not in list(DocumentKind):
            raise FieldErrors({"kind": gettext("Please say what it is.")})
        files = context.form.uploads("documents")
        if not files:
            raise FieldErrors({"documents": gettext("Please choose a file, or take a photo.")})
        wrong = []
        for name, content in files:
            try:
                documents.add(
                    context.services.archive,
                    context.services.settings,
                    context.who,
                    context.uuid(),
                    content,
                    DocumentKind(kind),
                    name,
                )
            except OverreadError as error:
                if not error.may_try_again:
                    raise
                wrong.append(gettext("%(name)s: %(why)s", name=name[:80] or gettext("A file"), why=error.safe))
        if wrong:
            # What was added stays: the list below shows it.
            raise FieldErrors({"documents": " ".join(wrong)})
        shown = base.removesuffix("/documents") if context.who.role is Role.COORDINATOR else base
        return go(shown.format(case=context.uuid()), "document-added")

    return add


def take_out(ctx: TxContext) -> Response:
    """Take a document out of a draft."""
    documents.take_out(ctx.tx, ctx.who, ctx.uuid(), ctx.uuid("document"))
    return go(f"/cases/{ctx.uuid()}/documents", "document-out")


def file(context: RequestContext) -> Response:
    """A document to be saved: never opened here, and nothing in it is run."""
    found = documents.file(context.services.archive, context.who, context.uuid(), context.uuid("document"))
    return untrusted.saved(found.content, found.media_type, found.name)


def page(context: RequestContext) -> Response:
    """A page as a picture."""
    number = documents.page_number(str(context.request.path_params["page"]))
    jpeg = documents.page(context.services.archive, context.who, context.uuid(), context.uuid("document"), number)
    return untrusted.shown(jpeg, "image/jpeg")
