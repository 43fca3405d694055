"""The specialist's pages: what is offered, what is being read, their own viewer, the report and its signature."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from cases.service import assignment, check_ins, intake, read, reporting, versions, viewing
from cases.service.read import Show
from cases.states import REFUSAL_LABELS, RUNNING, CaseEvent, CaseState, Refusal
from cases.views import ReportKind, SpecialistCase, report_texts_of
from overread.kit import proofs
from overread.kit.errors import NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import answers, labels, paging, render, reports
from overread.web.contexts import Desk, RequestContext, TxContext, go, in_transaction
from overread.web.forms import Check, FieldErrors
from overread.web.viewers import open_viewer

#: The parameter that says where the list of offers begins, beside that of what is being read.
_OFFERS = "offers"


def routes(services: Services) -> list[BaseRoute]:
    """The specialist's routes. An offer and a case that is being read are one page at two addresses (the mails')."""
    desk = Desk(services, Role.SPECIALIST)
    return [
        desk.get("/offers", offers),
        desk.get("/reading", offers),
        desk.get("/offers/{case}", case_page),
        desk.post("/offers/{case}/accept", accept, case_page),
        desk.post("/offers/{case}/decline", decline, case_page),
        desk.get("/reading/{case}", case_page),
        desk.post("/reading/{case}/viewer", open_viewer, case_page),
        desk.post("/reading/{case}/token", token),
        desk.post("/reading/{case}/info", ask, case_page),
        desk.post_without_tx("/reading/{case}/follow-ups/{question}", answer_follow_up, in_transaction(case_page)),
        desk.get("/reading/{case}/report", report_page),
        desk.post("/reading/{case}/report", save, report_page),
        desk.post("/reading/{case}/report/keep", keep),
        desk.post("/reading/{case}/late-studies", see_late, case_page),
        desk.post_without_tx("/reading/{case}/sign", sign, in_transaction(report_page)),
    ]


def assigned(ctx: TxContext) -> SpecialistCase:
    """The case of the address as its specialist sees it: no name, no original. Raises NotFound."""
    case = read.show(ctx.tx, ctx.who, ctx.uuid())
    if not isinstance(case, SpecialistCase):
        raise NotFound(f"case {ctx.uuid()} is shown to {ctx.who.role} elsewhere")
    return case


def offers(ctx: TxContext) -> Response:
    """What is offered, what is being read, and what was earned."""
    path, later, behind = "/offers", ctx.query(_OFFERS), ctx.query(paging.AFTER)
    offered = read.listing(ctx.tx, ctx.who, Show.OFFERED, after=later, limit=paging.ROWS)
    reading = read.listing(ctx.tx, ctx.who, Show.READING, after=behind, limit=paging.ROWS)
    earned = read.earned(ctx.tx, ctx.who)
    return ctx.page(
        "specialist/offers.html",
        offers=[
            {
                "reference": line.reference,
                "url": f"/offers/{line.case_id}",
                "title": line.title,
                "summary": gettext("Open it to read the questions."),
                "studies": line.studies,
                "fee": render.money(line.fee, line.currency),
                "answer_by": render.moment(line.answer_by),
                "due": labels.due(line.state, line.due_at, stands=line.paused_at is not None),
            }
            for line in offered
        ],
        cases=[
            {
                "reference": line.reference,
                "url": f"/reading/{line.case_id}",
                "title": line.title,
                "status": labels.case(line.state, recalled=line.recalled),
                "due": labels.due(line.state, line.due_at, stands=line.paused_at is not None),
                "stands": line.due_at is not None and CaseState(line.state) in (*RUNNING, CaseState.NEEDS_INFO),
                "fee": render.money(line.fee, line.currency),
            }
            for line in reading
        ],
        offers_pager=paging.links(ctx, path, offered, name=_OFFERS, **{paging.AFTER: behind}),
        pager=paging.links(ctx, path, reading, **{_OFFERS: later}),
        check_ins_url="/check-ins" if check_ins.own(ctx.tx, ctx.who) else "",
        # Sums of different currencies can't be added.
        earned=[
            {"label": gettext("Signed so far"), "count": count, "amount": render.money(amount, currency)}
            for currency, (count, amount) in sorted(earned.items())
        ],
    )


def case_page(ctx: TxContext) -> Response:
    """One case, offered or being read."""
    return _page(ctx, assigned(ctx))


def accept(ctx: TxContext) -> Response:
    """Accept: the price is captured, then the images are open. Any number of clicks do it once."""
    assignment.accept(ctx.tx, ctx.who, ctx.uuid(), ctx.services.gateway)
    return go(f"/reading/{ctx.uuid()}", "accepted")


def decline(ctx: TxContext) -> Response:
    """Decline an offer."""
    check = Check(ctx.form)
    refusal = check.one_of("refusal", list(Refusal), gettext("Please choose a reason."))
    check.done()
    assignment.refuse(ctx.tx, ctx.who, ctx.uuid(), ctx.form.text("reason"), Refusal(refusal))
    return go("/offers", "refused")


def token(ctx: TxContext) -> Response:
    """A token for the specialist's own viewer, for this case alone. It is shown once, so the answer is the page."""
    case = assigned(ctx)
    made = viewing.own_viewer(ctx.tx, ctx.who, case.case_id)
    return _page(ctx, case, {"token": made.token, "expires": render.moment(made.until)})


def ask(ctx: TxContext) -> Response:
    """Ask the patient for something; the clock stops."""
    check = Check(ctx.form)
    text = check.text("text", gettext("Please write what you need."), 2000)
    check.done()
    intake.ask_info(ctx.tx, ctx.who, ctx.uuid(), text)
    return go(f"/reading/{ctx.uuid()}", "asked")


def answer_follow_up(context: RequestContext) -> Response:
    """Answer what the patient asked after the report; the password stands for the hand."""
    with context.transaction() as ctx:
        reporting.may_sign(ctx.tx, ctx.who, ctx.uuid())
    question = context.uuid("question")
    try:
        proof = proofs.by_password(context.services.db, context.who, context.form.text("password"), context.address)
    except Unprocessable as error:
        raise FieldErrors({f"password-{question}": error.safe}) from error
    with context.transaction() as ctx:
        reporting.answer_follow_up(ctx.tx, ctx.who, ctx.uuid(), question, ctx.form.text("text"), proof)
    return go(f"/reading/{context.uuid()}", "follow-up-answered")


def report_page(ctx: TxContext) -> Response:
    """The report: its form, or, where it is complete, the text that is to be signed."""
    case = assigned(ctx)
    url = f"/reading/{case.case_id}"
    if not case.writing:
        return go(url)
    report = reporting.draft(ctx.tx, ctx.who, case.case_id)
    kind = report.kind if report else ReportKind.REPORT
    questions = [q for q in case.questions if not q.follow_up and kind is not ReportKind.ADDENDUM]
    signing = ctx.form.text("digest") != "" or ctx.query("step") == "preview"
    missing = _missing(ctx, case) if signing else {}
    signature, unsigned = reporting.signature_now(ctx.tx, ctx.who, case.case_id)
    preview = None
    if signing and report is not None and not missing:
        preview = {
            "answers": [{"question": q.text, "answer": report.answers.get(str(q.question_id), "")} for q in questions],
            "texts": [{"label": t.patient_label, "text": t.text} for t in report.texts if t.text],
            "studies": [study.title for study in case.studies if study.study_uid in report.studies_read],
            "digest": report.digest,
            "sign_action": f"{url}/sign",
            "change": report.change,
            "signed": reports.signed(signature, None, None),
            "unsigned": unsigned,
        }
    values: dict[str, Any] = ctx.form.values("studies") if ctx.form.names() else {}
    if report is not None and (not values or preview):
        values |= {f"answer-{key}": text for key, text in report.answers.items()}
        values |= {"change": report.change}
        values |= {t.key: t.choice or t.text for t in report.texts} | {"studies": list(report.studies_read)}
    return ctx.page(
        "specialist/report.html",
        case={
            "reference": case.reference,
            "title": case.title,
            "due": labels.due(case.state, case.due_at, stands=case.paused_at is not None)
            if kind is ReportKind.REPORT
            else None,
            "patient": case.patient,
            "story": answers.story(case),
        },
        questions=[{"id": str(q.question_id), "text": q.text} for q in questions],
        texts=report_texts_of(kind, compares=report.compares if report else case.first_report),
        version={
            "number": report.number if report else 1,
            "kind": kind.value,
            "sent_back": report.reason if report else "",
            "asked": versions.asked_for(ctx.tx, ctx.who, case.case_id),
            "discard_action": f"{url}/discard" if kind is not ReportKind.REPORT else "",
        },
        studies=[{"uid": study.study_uid, "label": study.title} for study in case.studies],
        action=f"{url}/report",
        most_text=reporting.MOST_TEXT,
        edition=report.digest if report else "",
        saved_url=f"{url}/report" if ctx.errors else "",
        templates=[],
        preview=preview,
        viewer_action=f"{url}/viewer" if case.studies else "",
        case_url=url,
        saved_at=render.moment(report.saved_at) if report else None,
        values=values,
        errors={**missing, **ctx.errors},
    )


def save(ctx: TxContext) -> Response:
    """Keep what is written, whole or not; then go on writing, or to what is to be signed."""
    _save(ctx)
    url = f"/reading/{ctx.uuid()}/report"
    return go(url, step="preview") if ctx.form.text("step") == "preview" else go(url, "saved")


def see_late(ctx: TxContext) -> Response:
    """What came after the case was taken was seen."""
    reporting.see_late(ctx.tx, ctx.who, ctx.uuid())
    return go(f"/reading/{ctx.uuid()}", "late-seen")


def keep(ctx: TxContext) -> Response:
    """Keep what is typed so far, for the page's script."""
    _save(ctx)
    report = reporting.draft(ctx.tx, ctx.who, ctx.uuid())
    return JSONResponse({"edition": report.digest if report else "", "refused": {}})


def _save(ctx: TxContext) -> None:
    prefix = "answer-"
    answers = {name[len(prefix) :]: ctx.form.text(name) for name in ctx.form.names() if name.startswith(prefix)}
    report = reporting.draft(ctx.tx, ctx.who, ctx.uuid())
    kept = report_texts_of(report.kind if report else ReportKind.REPORT)
    texts = {text.key: typed for text in kept if (typed := ctx.form.given(text.key)) is not None}
    studies, edition, change = ctx.form.all("studies"), ctx.form.given("edition"), ctx.form.given("change")
    reporting.save_draft(ctx.tx, ctx.who, ctx.uuid(), answers, texts, studies, change=change, edition=edition)


def sign(context: RequestContext) -> Response:
    """Sign exactly the text that was shown; the password stands for the hand."""
    with context.transaction() as ctx:
        reporting.may_sign(ctx.tx, ctx.who, ctx.uuid())
    missing = {}
    if not context.form.text("confirm"):
        missing["confirm"] = gettext("Please confirm that you have read the studies.")
    try:
        proof = proofs.by_password(context.services.db, context.who, context.form.text("password"), context.address)
    except Unprocessable as error:
        raise FieldErrors({**missing, "password": error.safe}) from error
    if missing:
        raise FieldErrors(missing)
    with context.transaction() as ctx:
        reporting.sign(ctx.tx, ctx.who, ctx.uuid(), proof, digest=ctx.form.text("digest"))
    return go(f"/reading/{context.uuid()}", "signed")


def _missing(ctx: TxContext, case: SpecialistCase) -> dict[str, str]:
    report = reporting.draft(ctx.tx, ctx.who, case.case_id)
    adds = report is not None and report.kind is ReportKind.ADDENDUM
    found = {
        f"answer-{q.question_id}": gettext("Question %(number)s has no answer yet.", number=q.number)
        for q in case.questions
        if not q.follow_up and not adds and not (report and report.answers.get(str(q.question_id), "").strip())
    }
    found |= reporting.missing_texts(report, first_report=case.first_report)
    if told := reporting.missing_studies(ctx.tx, ctx.who, case.case_id):
        found["studies"] = told
    return found


def _page(ctx: TxContext, case: SpecialistCase, shown_once: dict[str, Any] | None = None) -> Response:
    url, offer_url = f"/reading/{case.case_id}", f"/offers/{case.case_id}"
    root = f"/cases/{case.case_id}/dicomweb"
    access = None
    if case.granted_until is not None:
        access = {
            "dicomweb_url": ctx.services.settings.base_url + root,
            "token": "",
            "token_action": f"{url}/token",
            "expires": render.moment(case.granted_until),
            "hours": int(viewing.LONGEST.total_seconds() // 3600),
            **(shown_once or {}),
        }
    given = case.state in (CaseState.PUBLISHED, CaseState.CLOSED)
    listed = reports.listed(ctx, case.case_id) if case.has_report else []
    return ctx.page(
        "specialist/case.html",
        case={
            "reference": case.reference,
            "title": case.title,
            "status": labels.case(case.state, recalled=reports.taken_back(listed)),
            "due": labels.due(case.state, case.due_at, stands=case.paused_at is not None),
            "answer_by": render.moment(case.answer_by),
            "questions": [q.text for q in case.questions if not q.follow_up],
            "story": answers.story(case),
            "patient": case.patient,
            "fee": render.money(case.fee, case.currency),
            "kind": case.kind,
            "asked": case.asked,
        },
        studies=[
            {
                "uid": study.study_uid,
                "title": labels.modality(study.modalities) or gettext("Study"),
                "date": render.day(study.study_date),
                "series": study.series,
                "instances": study.instances,
                "unshown": study.unshown,
                "late": study.late,
                "thumbnail": f"{root}/studies/{study.study_uid}/thumbnail",
                "fused": {"PT", "CT"} <= set(study.modalities),
            }
            for study in case.studies
        ],
        study_count=case.study_count,
        offered=[
            {
                "title": one.title if one.document else labels.modality(one.modalities) or gettext("Study"),
                "text": "" if one.document else one.description,
                "body_parts": ", ".join(part.capitalize() for part in one.body_parts),
                "date": render.day(one.study_date) if not one.document else None,
                "series": one.series,
                "instances": one.instances,
                "earlier": one.earlier,
                "document": one.document,
            }
            for one in case.offered
        ],
        missing=case.missing,
        dates=case.dates,
        viewer_action=f"{url}/viewer" if access and case.studies else "",
        access=access,
        accept_action=f"{offer_url}/accept" if CaseEvent.ACCEPT in case.actions else "",
        decline_action=f"{offer_url}/decline" if CaseEvent.REFUSE_OFFER in case.actions else "",
        refusals=labels.options({one.value: label for one, label in REFUSAL_LABELS.items()}),
        licence=case.licence,
        acknowledge_action=f"{url}/late-studies" if case.writing and any(s.late for s in case.studies) else "",
        report_url=f"{url}/report" if case.writing and (given or case.granted_until is not None) else "",
        after={
            "versions": listed,
            "begin_action": f"{url}/versions" if given and not case.writing else "",
            "asked": versions.asked_for(ctx.tx, ctx.who, case.case_id) if given else "",
        },
        info_action=f"{url}/info" if CaseEvent.ASK_INFO in case.actions else "",
        follow_ups=[
            {
                "id": str(q.question_id),
                "text": q.text,
                "answer": q.answer,
                "action": f"{url}/follow-ups/{q.question_id}",
                "typed": ctx.form.text("text") if ctx.request.url.path.endswith(str(q.question_id)) else "",
            }
            for q in case.questions
            if q.follow_up
        ],
        messages=[],
        message_action="",
        values=ctx.form.values(),
    )
