"""A patient's own pages: their cases, what happens, their report, and who saw their data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import erasure, intake, people, programs, read, reporting
from cases.states import ENDED, OPEN, PAYABLE, Actor, CaseEvent, CaseState, ImagesBy, Needed
from cases.views import PatientCase
from overread.kit.language import Phrase, gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import feedback, labels, paging, papers, referred, render, reports
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check
from overread.web.steps import own
from overread.web.viewers import open_viewer

#: A case in the list: what happens next, in a sentence.
_NEXT: Mapping[str, str] = {
    CaseState.DRAFT: Phrase("Go on where you stopped: nothing is sent or charged yet."),
    CaseState.SUBMITTED: Phrase("It is with us: everything is checked before a specialist is asked."),
    CaseState.NEEDS_INFO: Phrase("We need an answer from you to go on."),
    CaseState.READY: Phrase("We are choosing a specialist."),
    CaseState.OFFERED: Phrase("We have asked a specialist to take your request."),
    CaseState.IN_REVIEW: Phrase("A specialist has taken your request and has your images."),
    CaseState.SIGNED: Phrase("Your report is signed. You can read it once we have published it."),
    CaseState.PUBLISHED: Phrase("Your report is here."),
    CaseState.CLOSED: Phrase("Closed. Your report stays here."),
    CaseState.DECLINED: Phrase("We could not take this request."),
    CaseState.WITHDRAWN: Phrase("You withdrew this request."),
    CaseState.ERASED: Phrase("Erased."),
}
_RECALLED = Phrase("Please don’t use your report for now. Somebody of us will be in touch with you.")
#: The parameter that says where the list of who saw the data begins, and how many of them one page has.
_ACCESSES, _MOST_ACCESSES = "accesses", 25
_GOOD = (
    Phrase("Your report is ready"),
    Phrase("Your request was checked"),
    Phrase("The specialist signed the report"),
)
_BAD = (Phrase("We could not take your request"), Phrase("Your request was closed without an answer"))


def routes(services: Services) -> list[BaseRoute]:
    """The patient's routes."""
    desk = Desk(services, Role.PATIENT)
    return [
        desk.get("/cases", cases),
        desk.get("/cases/{case}", case),
        desk.post("/cases/{case}/messages", write, case),
        desk.post("/cases/{case}/viewer", viewer, case),
        desk.get("/cases/{case}/withdraw", withdraw_page),
        desk.post("/cases/{case}/withdraw", withdraw, withdraw_page),
        desk.get("/cases/{case}/erase", erase_page),
        desk.post("/cases/{case}/erase", erase, erase_page),
        desk.get("/cases/{case}/report", report),
        desk.post("/cases/{case}/follow-ups", follow_up, report),
        Desk(services, Role.PATIENT, Role.COORDINATOR, Role.SPECIALIST).get("/cases/{case}/report.pdf", report_pdf),
    ]


def cases(ctx: TxContext) -> Response:
    """The visitor's cases."""
    page = read.listing(ctx.tx, ctx.who, after=ctx.query(paging.AFTER), limit=paging.ROWS)
    return ctx.page(
        "patient/cases.html",
        start_url="/start",
        delegates_url="/account/delegates",
        cases=[
            {
                "reference": line.reference,
                "title": line.title,
                "status": labels.case(line.state, recalled=line.recalled),
                "url": f"/cases/{line.case_id}",
                "updated": render.moment(line.updated_at),
                "next_step": _RECALLED if line.recalled else _NEXT[line.state],
                "due": labels.due(line.state, line.due_at, stands=line.paused_at is not None),
                "patient_name": "" if line.patient_name == ctx.who.name else line.patient_name,
            }
            for line in page
        ],
        pager=paging.links(ctx, "/cases", page),
    )


def case(ctx: TxContext) -> Response:
    """One case: what happens, what is to do, the images, messages, and who saw the data."""
    shown = own(ctx)
    url = f"/cases/{shown.case_id}"
    # Their own steps tell them nothing about others.
    after = ctx.query(_ACCESSES)
    seen = people.who_accessed(ctx.tx, ctx.who, shown.case_id, others=True, after=after, limit=_MOST_ACCESSES)
    return ctx.page(
        "patient/case.html",
        acting_for="" if shown.part == Actor.PATIENT else shown.account_name,
        authority=_authority(shown),
        referral=referred.shown(ctx, shown.case_id),
        drafting=shown.state == CaseState.DRAFT,
        case={
            "reference": shown.reference,
            "title": shown.title,
            "status": labels.case(shown.state, recalled=shown.recalled),
            "next_title": shown.next_title,
            "next_text": shown.next_text,
            # A time that has passed is told in words, never as one that is still to come.
            "due": labels.due(shown.state, shown.due_at, stands=bool(shown.clock_stands) or shown.late),
            "stands": shown.clock_stands,
            "questions": [q.text for q in shown.questions],
            "paid": labels.paid(shown.paid),
            "patient": "" if shown.patient_name == ctx.who.name else shown.patient_name,
        },
        todo=_todo(shown),
        studies=[
            {
                "uid": study.study_uid,
                "description": study.known.description,
                "modality": labels.modality(study.known.modalities),
                "date": render.day(study.known.study_date),
                "instances": study.known.instances,
                "state": labels.study(study.state, study.status),
                "checked": render.moment(study.checked_at),
                "viewer_action": f"{url}/viewer",
            }
            for study in shown.studies
            if study.known
        ],
        timeline=[
            {
                "at": render.moment(entry.at),
                "title": entry.title,
                "text": entry.text,
                "tone": "good" if entry.title in _GOOD else "bad" if entry.title in _BAD else "info",
            }
            for entry in shown.timeline
        ],
        messages=[
            {"sender": n.author, "at": render.moment(n.at), "text": n.text, "mine": n.from_patient} for n in shown.notes
        ],
        message_action=f"{url}/messages",
        accesses=[
            {
                "at": render.moment(a.at),
                "who": f"{a.who}, {a.role}",
                "what": ", ".join(filter(None, [a.what, labels.look(a.since, a.at, None)])),
            }
            for a in seen
        ],
        accesses_pager=paging.links(ctx, url, seen, name=_ACCESSES, part=_ACCESSES),
        report_url=f"{url}/report" if shown.has_report else "",
        recalled=shown.recalled,
        add_images_url=f"{url}/images" if shown.may_upload and shown.kind.images != Needed.NONE else "",
        hospital={"reference": shown.reference, "sheet_url": f"{url}/sheet"}
        if shown.images_by == ImagesBy.HOSPITAL and shown.may_upload
        else None,
        documents=papers.told(ctx, shown.case_id),
        documents_url=f"{url}/documents",
        survey_url=f"{url}/survey" if shown.has_report else "",
        visit_url=f"{url}/visit" if feedback.visit_is_known(ctx, shown) else "",
        withdraw_url=f"{url}/withdraw" if CaseEvent.WITHDRAW in shown.actions else "",
        export_url="",
        erase_url=f"{url}/erase",
        values=ctx.form.values(),
    )


def write(ctx: TxContext) -> Response:
    """A message to the coordinators."""
    shown = own(ctx)
    check = Check(ctx.form)
    text = check.text("text", gettext("Please write your message first."), 4000)
    check.done()
    intake.write_note(ctx.tx, ctx.who, shown.case_id, text)
    return go(f"/cases/{shown.case_id}", "sent")


def viewer(ctx: TxContext) -> Response:
    """Their own images in the hosted viewer."""
    return open_viewer(ctx)


def withdraw_page(ctx: TxContext) -> Response:
    """What withdrawing means, asked before it is done."""
    shown = own(ctx)
    if CaseEvent.WITHDRAW not in shown.actions:
        return go(f"/cases/{shown.case_id}")
    program = programs.program(ctx.tx, shown.program_slug)
    back = gettext("Nothing was charged.")
    if shown.paid is not None:
        # The rule of `effects`: who withdraws while a specialist reads, or waits for an answer, began to be served.
        percent = program.late_refund_percent if shown.late_withdrawal else 100
        back = (
            gettext("You get %(percent)s %% of what you paid back.", percent=percent)
            if percent < 100
            else gettext("You get everything back.")
        )
    return ctx.page(
        "public/form.html",
        title=gettext("Withdraw this case"),
        text=gettext("No specialist can see your images any more, at once. %(back)s This can’t be undone.", back=back),
        action=f"/cases/{shown.case_id}/withdraw",
        submit_label=gettext("Withdraw my case"),
        fields=[{"name": "reason", "label": gettext("Reason"), "type": "textarea", "required": False}],
        hidden={},
        danger=True,
        back_url=f"/cases/{shown.case_id}",
        values=ctx.form.values(),
    )


def withdraw(ctx: TxContext) -> Response:
    """Withdraw the case."""
    shown = own(ctx)
    intake.withdraw(ctx.tx, ctx.who, shown.case_id, ctx.form.text("reason")[:2000])
    return go(f"/cases/{shown.case_id}", "withdrawn")


def erase_page(ctx: TxContext) -> Response:
    """What erasing means, asked before it is done."""
    shown = own(ctx)
    return ctx.page(
        "public/form.html",
        title=gettext("Have everything erased"),
        text=gettext(
            "We destroy your images, your story, your messages and the report, and release what is held on your card. "
            "What your hospital keeps for itself stays there, and your account stays yours. Save your report "
            "first: nobody "
            "can bring it back. Two of our people carry it out, unless a law obliges us to keep the case for "
            "longer, and "
            "you get a mail when it is done."
        ),
        action=f"/cases/{shown.case_id}/erase",
        submit_label=gettext("Ask for everything to be erased"),
        fields=[
            {
                "name": "reason",
                "label": gettext("Is there anything we should know?"),
                "type": "textarea",
                "required": False,
            }
        ],
        hidden={},
        danger=True,
        back_url=f"/cases/{shown.case_id}",
        values=ctx.form.values(),
    )


def erase(ctx: TxContext) -> Response:
    """Ask for the case's erasure."""
    shown = own(ctx)
    erasure.ask(ctx.tx, ctx.who, shown.case_id, ctx.form.text("reason"))
    return go(f"/cases/{shown.case_id}", "erasure-asked")


def report(ctx: TxContext) -> Response:
    """The report that is in force, question by question; the first look is the read receipt."""
    shown = own(ctx)
    url = f"/cases/{shown.case_id}"
    listed = reports.listed(ctx, shown.case_id)
    if shown.recalled:
        return ctx.page("patient/report_recalled.html", case_url=url, versions=listed)
    found = reporting.read(ctx.tx, ctx.who, shown.case_id)
    left = shown.follow_ups_left
    return ctx.page(
        "patient/report.html",
        report={**reports.shown(found), "title": shown.title},
        # One alone needs no list.
        versions=listed if listed[1:] else [],
        pdf_url=f"{url}/report.pdf",
        case_url=url,
        follow_up={"action": f"{url}/follow-ups", "left": left} if left > 0 else None,
        survey_url=f"{url}/survey",
        visit_url=f"{url}/visit" if feedback.visit_is_known(ctx, shown) else "",
        values=ctx.form.values(),
    )


def report_pdf(ctx: TxContext) -> Response:
    """The report as a file, for whoever may read it."""
    name, content = reporting.pdf(ctx.tx, ctx.who, ctx.uuid())
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/pdf", headers=headers)


def follow_up(ctx: TxContext) -> Response:
    """A question after the report."""
    shown = own(ctx)
    check = Check(ctx.form)
    text = check.text("text", gettext("Please write your question."), 2000)
    check.done()
    intake.follow_up(ctx.tx, ctx.who, shown.case_id, text)
    return go(f"/cases/{shown.case_id}/report", "sent")


def _todo(shown: PatientCase) -> dict[str, Any] | None:
    url = f"/cases/{shown.case_id}"
    if shown.state == CaseState.NEEDS_INFO and shown.asked:
        return {
            "title": gettext("Please answer"),
            "text": shown.asked,
            "url": f"{url}/answer",
            "label": gettext("Answer"),
        }
    trouble = shown.paid is not None and shown.paid.state in labels.PAYMENT_TROUBLE
    if trouble and CaseState(shown.state) in PAYABLE & OPEN:
        text = gettext("The hold on your card was refused or has ended. Nothing was charged.")
        return {
            "title": gettext("Please confirm your payment"),
            "text": text,
            "url": f"{url}/payment",
            "label": gettext("Look at it"),
        }
    if shown.state != CaseState.DRAFT:
        return None
    # The first thing that is missing says it better than a list of all.
    text = shown.missing[0] if shown.missing else gettext("Everything is here. The next page sends it.")
    return {
        "title": gettext("Complete your request"),
        "text": text,
        "url": f"{url}/{shown.step}",
        "label": gettext("Go on"),
    }


def _authority(case: PatientCase) -> dict[str, str] | None:
    """What is told of why the account may act for the patient, while it is not checked."""
    given = case.authority
    if given is None or given.checked_at is not None or CaseState(case.state) in ENDED:
        return None
    return {
        "url": f"/cases/{case.case_id}/authority",
        "text": gettext("A coordinator checks your paper.")
        if given.proof
        else gettext("A paper that shows it helps us to check it sooner."),
    }
