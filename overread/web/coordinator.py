"""The coordinator's pages: the queue by due time, and what is done with a case."""

from __future__ import annotations

from itertools import zip_longest

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import approval, assignment, inboxes, intake, payments, read, reporting, studies
from cases.service.approval import SuggestionsOpen
from cases.service.read import Show
from cases.states import ENDED, RUNNING, CaseState
from cases.views import Review
from overread.kit.principals import Role
from overread.services import Services
from overread.web import labels, paging, render
from overread.web.casework import case_page, worked
from overread.web.forms import Check, FieldErrors
from overread.web.pixels import asked
from overread.web.viewers import open_viewer
from overread.web.visits import Desk, Visit, go

#: A list of cases, its name in the address, and what it is called.
_FILTERS = (
    (Show.OPEN, "", "All open"),
    (Show.OURS, "ours", "Waits for us"),
    (Show.LATE, "late", "Late"),
    (Show.ENDED, "ended", "Ended"),
)


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
    ]


def queue(visit: Visit) -> Response:
    """Open cases by due time; those that were found, and the ended ones, newest first."""
    show = next((one for one, value, _ in _FILTERS if value and value == visit.query("filter")), Show.OPEN)
    search = visit.query("q")
    # Who looks for a case finds it wherever it stands.
    shown = Show.ALL if search else show
    after = visit.query(paging.AFTER)
    page = read.listing(visit.tx, visit.who, shown, search=search, after=after, limit=paging.ROWS)
    counts = read.counts(visit.tx, visit.who, *(one for one, _, _ in _FILTERS))
    kept = {"q": search} if search else {"filter": next(value for one, value, _ in _FILTERS if one is show)}
    return visit.page(
        "coordinator/queue.html",
        cases=[
            {
                "reference": line.reference,
                "url": f"/queue/{line.case_id}",
                "title": line.title,
                "patient": line.patient_name,
                "status": labels.case(line.state),
                "due": render.moment(line.due_at) if CaseState(line.state) in RUNNING else None,
                "ended": line.state in ENDED,
                "late": line.late,
                "assigned": line.specialist,
                "images": line.studies,
                "note": line.note,
            }
            for line in page
        ],
        filters=[
            {
                "label": label,
                "href": paging.address("/queue", filter=value),
                "current": one is show and not search,
                "count": counts[one],
            }
            for one, value, label in _FILTERS
        ],
        pager=paging.links(visit, "/queue", page, **kept),
        inbox={"count": inboxes.count(visit.tx, visit.who), "url": "/inbox"},
        query=search,
        search_action="/queue",
    )


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
    decision = {"approve": Review.APPROVED, "withhold": Review.WITHHELD}.get(visit.form.text("decision"))
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
