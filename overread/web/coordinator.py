"""The coordinator's pages: the queue by due time, the inbox of unmatched studies, and what is done with a case."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any
from uuid import UUID

from sqlalchemy import select
from starlette.responses import Response
from starlette.routing import BaseRoute

from cases import identity, reference
from cases.identity import Verdict
from cases.models import Case, CaseStudy
from cases.repository import by_reference, inbox, visible
from cases.service import approval, assignment, inboxes, intake, payments, read, reporting, studies
from cases.service.approval import SuggestionsOpen
from cases.states import FINAL, CaseState
from cases.views import CaseLine
from overread.kit.principals import Role
from overread.services import Services
from overread.web import labels, render
from overread.web.casework import case_page, worked
from overread.web.forms import Check, FieldErrors
from overread.web.pixels import asked
from overread.web.viewers import open_viewer
from overread.web.visits import Desk, Visit, go

_OURS = (CaseState.SUBMITTED, CaseState.READY, CaseState.SIGNED)
_FILTERS = (("", "All open"), ("ours", "Waits for us"), ("late", "Late"), ("ended", "Ended"))


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
        f"{case}/viewer": open_viewer,
        f"{case}/release": release_all,
        f"{study}/confirm": confirm,
        f"{study}/revoke": revoke,
        f"{study}/release": release,
        f"{study}/decide": decide,
    }
    return [
        desk.get("/queue", queue),
        desk.get(case, case_page),
        *(desk.post(path, handler, case_page) for path, handler in actions.items()),
        desk.get("/inbox", inbox_page),
        desk.post("/inbox/{item}/match", match, inbox_page),
        desk.post("/inbox/{item}/leave", leave, inbox_page),
    ]


def queue(visit: Visit) -> Response:
    """Open cases by due time."""
    chosen, query = visit.query("filter"), visit.query("q")
    by_state = read.counts(visit.tx, visit.who)
    # The ended ones are many: they are only read where they are wanted.
    ended = read.listing(visit.tx, visit.who, states=tuple(FINAL)) if query or chosen == "ended" else []
    shown = {"": read.queue(visit.tx, visit.who), "ended": ended}
    shown["ours"] = [line for line in shown[""] if line.state in _OURS]
    shown["late"] = [line for line in shown[""] if line.late]
    lines = shown.get(chosen, shown[""])
    counts = {name: len(found) for name, found in shown.items()} | {"ended": sum(by_state.get(s, 0) for s in FINAL)}
    if query:
        lines = _searched(visit, [*shown[""], *shown["ended"]], query)
    return visit.page(
        "coordinator/queue.html",
        cases=[
            {
                "reference": line.reference,
                "url": f"/queue/{line.case_id}",
                "title": line.title,
                "patient": line.patient_name,
                "status": labels.case(line.state),
                "due": render.moment(line.due_at) if CaseState(line.state) in labels.RUNNING else None,
                "late": line.late,
                "assigned": line.specialist,
                "images": line.studies,
                "note": line.note,
            }
            for line in lines
        ],
        filters=[
            {
                "label": label,
                "href": f"/queue?filter={value}" if value else "/queue",
                "current": value == chosen and not query,
                "count": counts[value],
            }
            for value, label in _FILTERS
        ],
        inbox={"count": len(inbox(visit.tx)), "url": "/inbox"},
        query=query,
        search_action="/queue",
    )


def inbox_page(visit: Visit) -> Response:
    """Studies that are in no case, and those that are kept apart from one."""
    waiting = inboxes.listed(visit.tx, visit.who)
    open_states = tuple(state for state in CaseState if state not in FINAL and state is not CaseState.DRAFT)
    candidates = list(visit.tx.scalars(visible(visit.who).where(Case.state.in_(open_states)).limit(500)))
    out = inboxes.taken_out(visit.tx, visit.who, waiting)
    return visit.page(
        "coordinator/inbox.html",
        # What was taken out of a case goes back into it only where its number is typed: it is not offered.
        studies=[_waiting(item, candidates, out) for item in waiting],
        typed=visit.form.text("case"),
    )


def match(visit: Visit) -> Response:
    """Put a study of the inbox into the case whose reference number was typed."""
    named = reference.find(visit.form.text("case"))
    case = by_reference(visit.tx, named) if named else None
    if case is None:
        raise FieldErrors({str(_item(visit)): "There is no case with this reference number. Please check it."})
    studies.match_by_hand(visit.tx, visit.who, _item(visit), case.id)
    return go(f"/queue/{case.id}", "matched")


def leave(visit: Visit) -> Response:
    """A study of the inbox belongs to no case: only its sender goes on seeing it."""
    inboxes.leave(visit.tx, visit.who, _item(visit), visit.form.text("reason"))
    return go("/inbox", "left")


def _item(visit: Visit) -> UUID:
    return visit.uuid("item")


def write(visit: Visit) -> Response:
    """A message to the patient."""
    intake.write_note(visit.tx, visit.who, visit.uuid(), _needed(visit, "text", "Please write the message."))
    return _done(visit, "sent")


def ask(visit: Visit) -> Response:
    """Ask the patient for something; the clock stops."""
    intake.ask_info(visit.tx, visit.who, visit.uuid(), _needed(visit, "text", "Please write what is missing."))
    return _done(visit, "asked")


def answer(visit: Visit) -> Response:
    """Record what the patient answered by telephone or letter; the clock goes on."""
    intake.answer_info(visit.tx, visit.who, visit.uuid(), _needed(visit, "text", "Please write the answer."))
    return _done(visit, "answered")


def ready(visit: Visit) -> Response:
    """Every study is checked and released."""
    assignment.mark_ready(visit.tx, visit.who, visit.uuid())
    return _done(visit, "ready")


def reopen(visit: Visit) -> Response:
    """Back to the check of the studies."""
    assignment.reopen_studies(visit.tx, visit.who, visit.uuid())
    return _done(visit, "changed")


def offer(visit: Visit) -> Response:
    """Offer the case to the specialist who was chosen."""
    assignment.offer(visit.tx, visit.who, visit.uuid(), visit.form_uuid("specialist"))
    return _done(visit, "offered")


def take_back(visit: Visit) -> Response:
    """Take an open offer back."""
    assignment.take_back(visit.tx, visit.who, visit.uuid(), visit.form.text("reason"))
    return _done(visit, "taken-back")


def record_exception(visit: Visit) -> Response:
    """Let a specialist read although no licence covers the place, with a reason that is kept."""
    specialist = visit.form_uuid("specialist")
    assignment.record_exception(visit.tx, visit.who, visit.uuid(), specialist, visit.form.text("reason"))
    return _done(visit, "exception")


def decline(visit: Visit) -> Response:
    """The program can't take the case."""
    assignment.decline(visit.tx, visit.who, visit.uuid(), visit.form.text("reason"))
    return _done(visit, "declined")


def publish(visit: Visit) -> Response:
    """Give the signed report to the patient."""
    reporting.publish(visit.tx, visit.who, visit.uuid())
    return _done(visit, "published")


def close(visit: Visit) -> Response:
    """Close a published case."""
    reporting.close(visit.tx, visit.who, visit.uuid())
    return _done(visit, "closed")


def refund(visit: Visit) -> Response:
    """Give money back, up to the coordinator's limit."""
    case = worked(visit)
    check = Check(visit.form)
    amount = check.amount("amount", case.paid.currency if case.paid else "", "Please give an amount, such as 90.00.")
    check.done()
    payments.refund(
        visit.tx,
        visit.who,
        case.case_id,
        visit.services.gateway,
        amount=amount,
        reason=visit.form.text("reason"),
        request_id=visit.query("request") or "page",
    )
    return _done(visit, "changed")


def confirm(visit: Visit) -> Response:
    """A study with another identity is this patient's all the same."""
    studies.confirm(visit.tx, visit.who, visit.uuid(), _study_uid(visit), visit.form.text("reason"))
    return _done(visit, "confirmed")


def revoke(visit: Visit) -> Response:
    """Take a study out; nobody sees it any more with the next request."""
    studies.reject(visit.tx, visit.who, visit.uuid(), _study_uid(visit), visit.form.text("reason"))
    return _done(visit, "revoked")


def release(visit: Visit) -> Response:
    """Show a study to the specialist."""
    studies.release(visit.tx, visit.who, visit.uuid(), _study_uid(visit))
    return _done(visit, "released")


def release_all(visit: Visit) -> Response:
    """Show all studies that the page showed as ready to the specialist."""
    studies.release_all(visit.tx, visit.who, visit.uuid(), visit.form.text("studies").split())
    return _done(visit, "released-all")


def decide(visit: Visit) -> Response:
    """Approve or withhold one picture, or all that the page showed as held."""
    decision = {"approve": "approved", "withhold": "withheld"}.get(visit.form.text("decision"))
    uids, digests = visit.form.text("sop_instance_uid").split(), visit.form.text("digest").split()
    if not uids or decision is None:
        raise FieldErrors({"form": "Please choose a picture and what to do with it."})
    # A page that names no bytes approves nothing.
    looked_at = dict(zip_longest(uids, digests[: len(uids)], fillvalue=""))
    despite = visit.form.text("despite") == "yes"
    archive = visit.services.archive
    try:
        approval.decide_many(archive, visit.who, visit.uuid(), uids, decision, looked_at, despite=despite)
    except SuggestionsOpen as error:
        return asked(visit, error, f"/queue/{visit.uuid()}")
    return _done(visit, "decided")


def _done(visit: Visit, done: str) -> Response:
    return go(f"/queue/{visit.uuid()}", done)


def _study_uid(visit: Visit) -> str:
    return str(visit.request.path_params["study"])


def _needed(visit: Visit, name: str, missing: str) -> str:
    check = Check(visit.form)
    text = check.text(name, missing, 4000)
    check.done()
    return text


def _searched(visit: Visit, lines: list[CaseLine], query: str) -> list[CaseLine]:
    if "." in query and query.replace(".", "").isdigit():
        # A study's UID; the lines are the caller's own, so a case that isn't theirs is never found.
        named = set(visit.tx.scalars(select(CaseStudy.case_id).where(CaseStudy.study_uid == query)))
        return [line for line in lines if line.case_id in named]
    found, words = reference.find(query), query.casefold()
    return [line for line in lines if line.reference == found or words in line.patient_name.casefold()]


def _waiting(item: inboxes.InboxItem, candidates: list[Case], out: set[tuple[UUID, int]]) -> dict[str, Any]:
    found = item.study
    same = [
        {"reference": case.reference, "label": "Same name and birth date"}
        for case in candidates
        if found
        and (case.id, found.pk) not in out
        and identity.compare(case.patient_name, case.birth_date, found.patient_name, found.birth_date).verdict
        is Verdict.SAME
    ]
    came_for = item.case_id is not None and found is not None and (item.case_id, found.pk) not in out
    kept_from = [{"reference": item.case_reference, "label": "It came for this case"}] if came_for else []
    return {
        "id": str(item.id),
        "title": labels.title(found.modalities, found.description) if found else "Study",
        "date": render.day(found.study_date) if found else None,
        "instances": found.instances if found else 0,
        "patient": render.person(found.patient_name) if found else "",
        "birth_date": render.day(found.birth_date) if found else None,
        "patient_id": found.patient_id if found else "",
        "accession": found.accession if found else "",
        "from_": item.sender,
        "reason": item.reason,
        "thumbnail": f"/senders/{item.holder_id}/dicomweb/studies/{item.study_uid}/thumbnail" if found else "",
        "received": render.moment(item.arrived_at),
        "match_action": f"/inbox/{item.id}/match",
        "leave_action": f"/inbox/{item.id}/leave",
        "suggestions": [*kept_from, *(one for one in same if one["reference"] != item.case_reference)][:5],
    }
