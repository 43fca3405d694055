"""The JSON API: /api/v1/… , every operation a line of `OPERATIONS`; described at /api/v1/openapi.json.

Money is integer minor units with an ISO 4217 currency, times are RFC 3339, errors RFC 9457.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from billing.gateway import Gateway
from cases import (
    acting,
    administration,
    aftercare,
    asking,
    bodies,
    consents,
    desk,
    handing,
    mailing,
    papers,
    pictures,
    readers_api,
    referring,
    report_pdf,
    report_versions,
    saved_replies,
    timing,
)
from cases.kind_questions import KindQuestion
from cases.models import SUBJECTS
from cases.openapi import document
from cases.operations import AFTER, LIMIT, Call, Operation, Parameter
from cases.service import (
    approval,
    assignment,
    eligibility,
    inboxes,
    intake,
    payments,
    people,
    programs,
    read,
    reporting,
    studies,
    viewing,
)
from cases.service.inboxes import InboxItem
from cases.service.people import Access
from cases.views import CaseLine, CoordinatorCase, KindView, LicenceView, PatientCase, ReportView, SpecialistCase
from overread.kit import proofs, whole_body, zones
from overread.kit.db import Database
from overread.kit.errors import BadInput
from overread.kit.http import JSON, principal
from overread.kit.paging import Page
from overread.kit.settings import Settings
from pacs.store.archive import Archive

_MOST_BYTES = 1 << 20
_CASE = "/api/v1/cases/{case}"


@dataclass(frozen=True, slots=True)
class Made:
    """What was made."""

    case_id: UUID


@dataclass(frozen=True, slots=True)
class Link:
    """An address to go to; None where there is nothing left to do."""

    url: str | None


@dataclass(frozen=True, slots=True)
class Signed:
    """The SHA-256 of the words that were signed."""

    digest: str


@dataclass(frozen=True, slots=True)
class StudyNow:
    """The state that a study is in."""

    state: str


@dataclass(frozen=True, slots=True)
class KindLine:
    """A kind of opinion. `price` in minor units of `currency`; `images`: whether needed; `asks`: of everybody.

    `reading_days`: days on which the program is open.
    """

    slug: str
    name: str
    text: str
    price: int
    currency: str
    price_text: str
    reading_days: int
    images: str
    documents: str
    asks: list[KindQuestion]


@dataclass(frozen=True, slots=True)
class ProgramLine:
    """A program as visitors see it, with the kinds of opinion that can be chosen."""

    slug: str
    name: str
    tagline: str
    kinds: list[KindLine]
    subjects: list[str]
    unsuited: str
    excluded_places: list[str]


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """A text that patients agree to: `label` is the sentence beside the box, `text` all of it, `digest` its SHA-256."""

    kind: str
    version: str
    digest: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Eligible:
    """Whether a program can help somebody, or why not."""

    can_help: bool
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class RuleLine:
    """What a place asks, from a day on."""

    place: str
    rule: str
    source: str
    valid_from: date
    created_at: datetime


_SHOW = Parameter("show", "Which cases; all where none is named", tuple(read.Show))
_PLACE = Parameter("place", "Where the patient is: a country or state code (ISO 3166)")
_SUBJECT = Parameter("subject", "What it is about; any where none is named", SUBJECTS)
_EMERGENCY = Parameter("emergency", "Whether it is one", ("no", "yes"))
_SEARCH = Parameter("search", "A part of the patient's name, a reference number or a study's UID: found newest first")
_SHOW_INBOX = Parameter("show", "Which studies; those that wait where none is named", tuple(inboxes.Show))


def _cases(c: Call) -> Page[CaseLine]:
    show, search = read.Show(c.query.get(_SHOW.name, read.Show.ALL)), c.query.get(_SEARCH.name, "").strip()
    return read.listing(c.tx, c.who, show, search=search, narrow=desk.narrowed(c.query), after=c.after, limit=c.limit)


def _inbox(c: Call) -> Page[InboxItem]:
    show = inboxes.Show(c.query.get(_SHOW_INBOX.name, inboxes.Show.WAITING))
    return inboxes.listed(c.tx, c.who, show, after=c.after, limit=c.limit)


def _create(c: Call) -> Made:
    b = c.body
    return Made(intake.create(c.tx, c.who, b.program, b.changes(), kind=b.kind, patient_id=b.patient_id))


def _consent(c: Call) -> None:
    b = c.body
    intake.consent(c.tx, c.who, c.case_id, b.kind, version=b.version, digest=b.digest, address=c.address)


def _consent_texts(_c: Call) -> list[ConsentLine]:
    return [ConsentLine(one.name, one.version, one.digest, one.label, one.text) for one in consents.CONSENTS]


def _update(c: Call) -> None:
    intake.update(c.tx, c.who, c.case_id, c.body.changes(), edition=c.body.edition)


def _set_questions(c: Call) -> None:
    intake.set_questions(c.tx, c.who, c.case_id, c.body.questions, edition=c.body.edition)


def _sign(c: Call) -> Signed:
    with c.archive.db.transaction() as tx:
        reporting.may_sign(tx, c.who, c.case_id)
    proof = proofs.by_password(c.archive.db, c.who, c.body.password, c.address)
    with c.archive.db.transaction() as tx:
        return Signed(reporting.sign(tx, c.who, c.case_id, proof, digest=c.body.digest))


def _answer_follow_up(c: Call) -> Signed:
    with c.archive.db.transaction() as tx:
        reporting.may_sign(tx, c.who, c.case_id)
    proof = proofs.by_password(c.archive.db, c.who, c.body.password, c.address)
    with c.archive.db.transaction() as tx:
        question = c.uuid("question")
        return Signed(reporting.answer_follow_up(tx, c.who, c.case_id, question, c.body.text, proof))


def _checkout(c: Call) -> Link:
    back = f"{c.settings.base_url}/cases/{c.case_id}"
    url = payments.checkout(
        c.tx, c.who, c.case_id, c.gateway, success_url=f"{back}/payment", cancel_url=f"{back}/payment"
    )
    return Link(url)


def _refund(c: Call) -> None:
    b = c.body
    payments.refund(c.tx, c.who, c.case_id, c.gateway, amount=b.amount, reason=b.reason, request_id=b.request_id)


def _launch(c: Call) -> Link:
    return Link(f"{c.settings.viewer_base_url}/open#{viewing.open_viewer(c.tx, c.who, c.case_id)}")


def _kind_line(k: KindView) -> KindLine:
    price = (k.price, k.currency, k.price_text)
    return KindLine(k.slug, k.name, k.text, *price, k.reading_days, k.images, k.documents, list(k.asks))


def _programs(c: Call) -> list[ProgramLine]:
    return [
        ProgramLine(
            p.slug,
            p.name,
            p.tagline,
            [_kind_line(kind) for kind in p.kinds],
            list(p.subjects),
            p.unsuited,
            list(p.excluded_places),
        )
        for p in programs.on_offer(c.tx)
    ]


def _licences(c: Call) -> list[LicenceView]:
    return people.licences_of(c.tx, c.who, c.uuid("specialist"))


def _set_licence(c: Call) -> None:
    people.set_licence(c.tx, c.who, c.body.specialist_id, c.body.place, c.body.expires_on, c.body.number)


def _rules(c: Call) -> list[RuleLine]:
    return [RuleLine(r.place, r.rule.value, r.source, r.valid_from, r.created_at) for r in people.rules(c.tx, c.who)]


def _add_rule(c: Call) -> None:
    people.add_rule(c.tx, c.who, c.body.place, c.body.rule, c.body.source, c.body.valid_from)


def _eligibility(c: Call) -> Eligible:
    place, subject = c.query.get(_PLACE.name, ""), c.query.get(_SUBJECT.name, "")
    emergency = c.query.get(_EMERGENCY.name) == "yes"
    found = eligibility.check(c.tx, c.path["program"], place, subject, emergency=emergency)
    return Eligible(found.can_help, list(found.reasons))


def _decide(c: Call) -> None:
    b = c.body
    looked_at = approval.InstancesLook(b.sop_uids, b.digests)
    approval.decide(c.archive, c.who, c.case_id, looked_at, b.decision, despite=b.despite_suggestions)


def _save_report(c: Call) -> None:
    b = c.body
    reporting.save_draft(c.tx, c.who, c.case_id, b.answers, b.texts, b.studies, change=b.change, edition=b.edition)


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/api/v1/programs", "programs", "The programs and their prices", _programs,
              result=list[ProgramLine], public=True),
    Operation("GET", "/api/v1/programs/{program}/eligibility", "programs", "Whether a program can help, and why not",
              _eligibility, result=Eligible, public=True, parameters=(_PLACE, _SUBJECT, _EMERGENCY)),
    Operation("GET", "/api/v1/cases", "cases", "The cases that you have a part in, by due time", _cases,
              result=list[CaseLine], parameters=(_SHOW, _SEARCH, *desk.NARROW, AFTER, LIMIT)),
    Operation("POST", "/api/v1/cases", "cases", "Open a draft", _create, bodies.NewCase, Made, 201),
    Operation("GET", _CASE, "cases", "A case as your role sees it", lambda c: read.show(c.tx, c.who, c.case_id),
              result=PatientCase | CoordinatorCase | SpecialistCase),
    Operation("PATCH", _CASE, "intake", "Change a draft",
              _update, bodies.CaseChanges, None, 204),
    Operation("PUT", f"{_CASE}/kind", "intake", "Choose another kind of opinion for a draft",
              lambda c: intake.choose_kind(c.tx, c.who, c.case_id, c.body.kind, c.gateway),
              bodies.KindChosen, None, 204),
    Operation("PUT", f"{_CASE}/questions", "intake", "Replace a draft's questions",
              _set_questions, bodies.Questions, None, 204),
    Operation("GET", "/api/v1/consents", "intake", "The texts that are agreed to", _consent_texts,
              result=list[ConsentLine], public=True),
    Operation("POST", f"{_CASE}/consents", "intake", "Give a consent", _consent, bodies.ConsentGiven, None, 204),
    Operation("POST", f"{_CASE}/checkout", "payment", "The address of the payment page", _checkout, None, Link),
    Operation("POST", f"{_CASE}/submit", "intake", "Submit a draft",
              lambda c: intake.submit(c.tx, c.who, c.case_id), None, None, 204),
    Operation("POST", f"{_CASE}/withdraw", "intake", "Withdraw",
              lambda c: intake.withdraw(c.tx, c.who, c.case_id, c.body.reason), bodies.ReasonGiven, None, 204),
    Operation("POST", f"{_CASE}/ask-info", "cases", "Ask the patient for information; the clock stops",
              asking.ask, asking.InfoAsked, None, 204),
    Operation("POST", f"{_CASE}/answer-info", "cases", "Answer; the clock goes on",
              lambda c: intake.answer_info(c.tx, c.who, c.case_id, c.body.text), asking.InfoGiven, None, 204),
    Operation("POST", f"{_CASE}/messages", "cases", "Write to the other side",
              lambda c: intake.write_note(c.tx, c.who, c.case_id, c.body.text), bodies.Words, None, 204),
    Operation("GET", f"{_CASE}/accesses", "cases", "Who did what with this case's data",
              lambda c: people.who_accessed(c.tx, c.who, c.case_id, after=c.after, limit=c.limit),
              result=list[Access], parameters=(AFTER, LIMIT)),
    Operation("POST", f"{_CASE}/launch", "images", "A one-time link that opens the viewer", _launch, None, Link),
    Operation("GET", "/api/v1/inbox", "studies", "Studies in no case, and those kept apart from one",
              _inbox, result=list[InboxItem], parameters=(_SHOW_INBOX, AFTER, LIMIT)),
    Operation("POST", "/api/v1/inbox/{item}/match", "studies", "Put a study into a case, beside what it has of it",
              lambda c: StudyNow(studies.match_by_hand(c.tx, c.who, c.uuid("item"), c.body.case_id, c.body.reason)),
              bodies.Match, StudyNow),
    Operation("POST", "/api/v1/inbox/{item}/dismiss", "studies", "Say that a study belongs to no case",
              lambda c: inboxes.dismiss(c.tx, c.who, c.uuid("item"), c.body.reason), bodies.ReasonGiven, None, 204),
    Operation("POST", "/api/v1/inbox/{item}/restore", "studies", "Take a dismissal back: the study waits again",
              lambda c: inboxes.restore(c.tx, c.who, c.uuid("item")), None, None, 204),
    Operation("POST", f"{_CASE}/studies/{{study}}/confirm", "studies", "This is the patient's all the same",
              lambda c: studies.confirm(c.tx, c.who, c.case_id, c.path["study"], c.body.reason),
              bodies.ReasonGiven, None, 204),
    Operation("POST", f"{_CASE}/studies/{{study}}/reject", "studies", "Take a study out",
              lambda c: studies.reject(c.tx, c.who, c.case_id, c.path["study"], c.body.reason),
              bodies.ReasonGiven, None, 204),
    Operation("DELETE", f"{_CASE}/studies/{{study}}", "studies", "Take a study that you sent out of a draft",
              lambda c: studies.take_out(c.tx, c.who, c.case_id, c.path["study"]), None, None, 204),
    Operation("POST", f"{_CASE}/studies/{{study}}/release", "studies", "Release a study for the specialist",
              lambda c: studies.release(c.tx, c.who, c.case_id, c.path["study"]), None, None, 204),
    Operation("POST", f"{_CASE}/releases", "studies", "Release studies for the specialist, all or none",
              lambda c: studies.release_all(c.tx, c.who, c.case_id, c.body.studies), bodies.Release, None, 204),
    Operation("POST", f"{_CASE}/decisions", "studies", "Approve or withhold images",
              _decide, bodies.Decision, None, 204, apart=True),
    *pictures.OPERATIONS,
    *acting.OPERATIONS,
    *referring.OPERATIONS,
    *papers.OPERATIONS,
    Operation("POST", f"{_CASE}/ready", "assignment", "Every study is released",
              lambda c: assignment.mark_ready(c.tx, c.who, c.case_id), None, None, 204),
    Operation("POST", f"{_CASE}/reopen", "assignment", "Back to the check of the studies",
              lambda c: assignment.reopen_studies(c.tx, c.who, c.case_id), None, None, 204),
    *readers_api.OPERATIONS,
    Operation("POST", f"{_CASE}/offer", "assignment", "Offer the case to a specialist",
              lambda c: assignment.offer(c.tx, c.who, c.case_id, c.body.specialist_id), bodies.Specialist, None, 204),
    Operation("POST", f"{_CASE}/accept", "assignment", "Accept: the price is captured, then the images are granted",
              lambda c: assignment.accept(c.tx, c.who, c.case_id, c.gateway), None, None, 204),
    Operation("POST", f"{_CASE}/take-back", "assignment", "Take an offer back",
              lambda c: assignment.take_back(c.tx, c.who, c.case_id, c.body.reason), bodies.ReasonGiven, None, 204),
    Operation("POST", f"{_CASE}/decline", "assignment", "Decline the case; the money goes back",
              lambda c: assignment.decline(c.tx, c.who, c.case_id, c.body.reason), bodies.ReasonGiven, None, 204),
    Operation("PUT", f"{_CASE}/report", "report", "Keep what is written so far", _save_report,
              bodies.ReportDraft, None, 204),
    Operation("GET", f"{_CASE}/report", "report", "The version of the report that is in force",
              lambda c: reporting.read(c.tx, c.who, c.case_id), result=ReportView),
    Operation("GET", f"{_CASE}/report.pdf", "report", "The report as PDF/A",
              lambda c: report_pdf.render(reporting.read(c.tx, c.who, c.case_id)), result=bytes,
              media_type="application/pdf"),
    *report_versions.OPERATIONS,
    Operation("POST", f"{_CASE}/report/sign", "report", "Sign the report with the password of the account", _sign,
              bodies.Signature, Signed, apart=True),
    Operation("POST", f"{_CASE}/publish", "report", "Give the report to the patient",
              lambda c: reporting.publish(c.tx, c.who, c.case_id), None, None, 204),
    Operation("POST", f"{_CASE}/follow-ups", "report", "Ask about the report",
              lambda c: intake.follow_up(c.tx, c.who, c.case_id, c.body.text), bodies.Words, None, 204),
    Operation("POST", f"{_CASE}/follow-ups/{{question}}/answer", "report",
              "Answer a question about the report, signed with the password of the account", _answer_follow_up,
              bodies.SignedWords, Signed, apart=True),
    Operation("POST", f"{_CASE}/close", "report", "Close a published case",
              lambda c: reporting.close(c.tx, c.who, c.case_id), None, None, 204),
    Operation("POST", f"{_CASE}/paid-outside", "payment", "Record a payment made outside",
              lambda c: payments.record_outside(c.tx, c.who, c.case_id, method=c.body.method,
                                                reference=c.body.reference), bodies.PaidOutside, None, 204),
    Operation("POST", f"{_CASE}/refund", "payment", "Give money back", _refund, bodies.Refund, None, 204),
    Operation("GET", "/api/v1/specialists/{specialist}/licences", "people", "A specialist's licences", _licences,
              result=list[LicenceView]),
    Operation("PUT", "/api/v1/licences", "people", "Record or renew a licence", _set_licence,
              bodies.NewLicence, None, 204),
    Operation("GET", "/api/v1/licence-rules", "people", "What places ask", _rules, result=list[RuleLine]),
    Operation("POST", "/api/v1/licence-rules", "people", "Record what a place asks", _add_rule,
              bodies.NewRule, None, 204),
    *timing.OPERATIONS,
    *aftercare.OPERATIONS,
    *desk.OPERATIONS,
    *asking.OPERATIONS,
    *saved_replies.OPERATIONS,
    *handing.OPERATIONS,
    *mailing.OPERATIONS,
    *administration.OPERATIONS,
)
# fmt: on


def routes(db: Database, archive: Archive, gateway: Gateway | None, settings: Settings) -> list[Route]:
    """Every route of the API."""

    @cache
    def described() -> dict[str, Any]:
        return document(OPERATIONS, importlib.metadata.version("overread"), settings.base_url)

    def openapi(_request: Request) -> Response:
        return JSON(described())

    made = [Route(op.path, _endpoint(op, db, archive, gateway, settings), methods=[op.method]) for op in OPERATIONS]
    return [Route("/api/v1/openapi.json", openapi), *made]


def _endpoint(
    op: Operation, db: Database, archive: Archive, gateway: Gateway | None, settings: Settings
) -> Callable[[Request], Awaitable[Response]]:
    def work(request: Request, raw: bytes) -> Response:
        who = None if op.public else principal(request, db)
        query, body = _asked(op, request), _parsed(op, raw)
        # Some answers hold sentences with a time in them.
        reading = zones.reading_in(who.zone if who else "")
        with reading, nullcontext() if op.apart else db.transaction() as tx:
            result = op.run(
                Call(
                    tx,  # type: ignore[arg-type]  # one that works apart asks for none
                    who,  # type: ignore[arg-type]  # a public operation asks nobody
                    dict(request.path_params),
                    query,
                    body,
                    gateway,
                    settings,
                    archive,
                    request.client.host if request.client else "",
                )
            )
        return _answer(op, result, request)

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(work, request, await whole_body.read(request, op.raw or _MOST_BYTES))

    return endpoint


def _answer(op: Operation, result: Any, request: Request) -> Response:
    # Nothing of a case may stay in a shared cache or in the browser's.
    headers = {"Cache-Control": "no-store"}
    if op.status == 204:
        return Response(status_code=204, headers=headers)
    if isinstance(result, bytes):
        return Response(result, media_type=op.media_type, headers=headers)
    if isinstance(result, Page):
        if result.next:
            # RFC 8288 3.2: relative to the address that was asked, whatever name the client knows us by.
            asked = {**request.query_params, AFTER.name: result.next}
            headers["Link"] = f'<{request.url.path}?{urlencode(asked)}>; rel="next"'
        result = result.rows
    if isinstance(result, Made):
        headers["Location"] = f"/api/v1/cases/{result.case_id}"
    return JSON(result, op.status, headers=headers)


def _asked(op: Operation, request: Request) -> Mapping[str, str]:
    """The parameters of the query. Raises BadInput for one that is unknown, given twice or has another value."""
    given, known = request.query_params.multi_items(), {one.name: one for one in op.parameters}
    for name, value in given if known else ():
        if name not in known or len(request.query_params.getlist(name)) > 1:
            one = "may be given once only" if name in known else "is no parameter here"
            raise BadInput(f"{op.name}: query parameters", safe=f"{name[:40]!r} {one}.")
        if "\x00" in value or (known[name].choices and value not in known[name].choices):
            these = f" is one of {', '.join(known[name].choices)}" if known[name].choices else " can't hold a NUL"
            raise BadInput(f"{op.name}: parameter {name}", safe=f"{name}{these}.")
    return dict(given)


def _parsed(op: Operation, raw: bytes) -> Any:
    if op.raw:
        return raw
    if op.body is None:
        return None
    if b"\\u0000" in raw:
        raise BadInput("a NUL in a body", safe="A text can't hold the character NUL.")
    try:
        return op.body.model_validate_json(raw or b"{}")
    except ValidationError as error:
        # Without the input: it may hold what no log and no answer should repeat.
        found = [f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors(include_input=False)]
        raise BadInput(f"{op.name}: {len(found)} fields", safe="; ".join(found[:10]), reasons=found[:50]) from error
