"""A case as its coordinator works it, put together for the template: identity, copies, specialists, trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from starlette.responses import Response

from cases.service import assignment, read, replies, reporting, versions, visits
from cases.states import (
    ENDED,
    OBSTACLE_LABELS,
    OPEN,
    REFUSAL_LABELS,
    UPLOADABLE,
    CaseEvent,
    CaseState,
    ClockEvent,
    OfferOutcome,
    RecordEvent,
    Refusal,
    StudyEvent,
    StudyState,
)
from cases.views import CoordinatorCase, CoordinatorStudy, OfferView, ReportState, Review, StepView, VersionView
from overread.kit import audit, zones
from overread.kit.audit import AuditRow
from overread.kit.errors import NotFound
from overread.kit.language import Phrase, gettext
from overread.kit.paging import Page
from overread.kit.words import counted
from overread.web import (
    answers,
    asked_card,
    desk_card,
    labels,
    next_step,
    paging,
    papers,
    places,
    referred,
    render,
    reports,
    undelivered,
)
from overread.web.contexts import TxContext

#: Pictures shown at once; the rest follows when these are decided.
_MOST_PREVIEWS = 24
_TRAIL, _LONG_TRAIL = 15, 100
_DECISIONS: Mapping[str, dict[str, str]] = {
    Review.PENDING_REVIEW: render.status(Phrase("To review"), "warn"),
    Review.APPROVED: render.status(Phrase("Approved"), "good"),
    Review.WITHHELD: render.status(Phrase("Withheld"), "bad"),
}
#: Steps that somebody gives a reason for, or words, and how they are told where the next decision is made.
_SAID: Mapping[str, str] = {
    CaseEvent.ASK_INFO: Phrase("asked the patient"),
    CaseEvent.ANSWER_INTAKE: Phrase("answered"),
    CaseEvent.ANSWER_REVIEW: Phrase("answered"),
    CaseEvent.INFO_EXPIRE: Phrase("closed the case"),
    CaseEvent.SEND_BACK: Phrase("sent the report back"),
    CaseEvent.DECLINE: Phrase("declined the case"),
    CaseEvent.WITHDRAW: Phrase("withdrew the case"),
    RecordEvent.CORRECT: Phrase("corrected the patient’s identity"),
    ClockEvent.PROMISE: Phrase("gave the patient a new time"),
    ClockEvent.PAUSE: Phrase("stopped the clock"),
    ClockEvent.RESUME: Phrase("let the clock go on"),
    StudyEvent.CONFIRM: Phrase("confirmed that it is the patient’s"),
    StudyEvent.RELEASE: Phrase("checked and released it"),
    StudyEvent.REVOKE: Phrase("took it out"),
}
_OUTCOMES: Mapping[str, dict[str, str]] = {
    OfferOutcome.ACCEPTED: render.status(Phrase("Accepted"), "good"),
    OfferOutcome.DECLINED: render.status(Phrase("Declined"), "warn"),
    OfferOutcome.EXPIRED: render.status(Phrase("No answer in time"), "warn"),
    OfferOutcome.TAKEN_BACK: render.status(Phrase("Taken back"), "neutral"),
}
_RESULTS = {
    True: render.status(Phrase("Same"), "good"),
    False: render.status(Phrase("Differs"), "bad"),
    None: render.status(Phrase("Not known"), "warn"),
}
_FOUND_BY = {
    "upload": Phrase("sent by the patient"),
    "reference": Phrase("found by its reference number"),
    "hand": Phrase("matched by hand"),
    "document": Phrase("document"),
}


def worked(ctx: TxContext) -> CoordinatorCase:
    """The case of the address as a coordinator sees it. Raises NotFound."""
    case = read.show(ctx.tx, ctx.who, ctx.uuid())
    if not isinstance(case, CoordinatorCase):
        raise NotFound(f"case {ctx.uuid()} is shown to {ctx.who.role} elsewhere")
    return case


def case_page(ctx: TxContext) -> Response:
    """The case."""
    case = worked(ctx)
    url = f"/queue/{case.case_id}"

    def action(event: CaseEvent, path: str) -> str:
        return f"{url}/{path}" if event in case.actions else ""

    shown = [_study(case, study) for study in case.studies]
    ready = [study.study_uid for study, one in zip(case.studies, shown, strict=True) if one["release_action"]]
    trail, whole = _trail(ctx, case.case_id), ctx.query("trail") == "all"
    specialists = _specialists(ctx, case) if CaseEvent.OFFER in case.actions else []
    due = labels.due(case.state, case.due_at, stands=case.paused_at is not None)
    refundable = case.paid is not None and case.paid.is_taken
    known = versions.listed(ctx.tx, ctx.who, case.case_id) if case.has_signed_report else []
    # What is signed waits to be published.
    waits = next((one for one in known if one.state == ReportState.SIGNED), None)
    after = _after(ctx, case, url, known, waits)
    recalled = reports.taken_back(after["versions"])
    may_answer = any(e in case.actions for e in (CaseEvent.ANSWER_INTAKE, CaseEvent.ANSWER_REVIEW))
    return ctx.page(
        "coordinator/case.html",
        erase_url=f"/erasures/{ctx.uuid()}",
        referral=referred.shown(ctx, case.case_id),
        case={
            "reference": case.reference,
            "title": case.title,
            "status": labels.case(case.state, recalled=recalled),
            "due": due,
            "late": case.late,
            "clock": _clock_words(case),
            "kind": gettext("%(program)s: %(kind)s", program=case.program, kind=case.kind),
            "questions": [q.text for q in case.questions],
            "story": answers.story(case),
            "place": places.name(case.place),
            "paid": labels.paid(case.paid),
            "delegate": labels.RELATIONS[case.authority.relation] if case.authority else "",
            "patient": {
                "name": case.patient_name,
                "birth_date": case.birth_date,
                "sex": labels.SEXES.get(case.sex, ""),
                "email": case.email,
                "phone": case.phone,
                "address": case.address,
                "language": answers.language(case.language, interpreter=case.interpreter),
                "physician": answers.physician(case),
                "first_report_by": case.first_report_by,
            },
        },
        steps=next_step.steps(case, shown, sum(one["eligible"] for one in specialists), waits, recalled=recalled),
        visit_url="/aftercare#visits" if visits.waits(ctx.tx, ctx.who, case.case_id) else "",
        clock=_clock(case, url),
        desk=desk_card.card(ctx, case, url),
        asked=asked_card.shown(case),
        ask_form=asked_card.form(),
        checklist=desk_card.checklist(case, url),
        replies=replies.for_case(ctx.tx, ctx.who, case.case_id),
        undelivered=undelivered.of_case(ctx, case.case_id),
        authority=_authority(case, url),
        identity=_identity(case, url),
        documents=papers.listed(ctx, case.case_id, f"{url}/documents"),
        document_action=f"{url}/documents" if CaseState(case.state) in UPLOADABLE else "",
        document_form=papers.choices(),
        take_back_action=action(CaseEvent.TAKE_BACK, "take-back"),
        answer_action=f"{url}/answer" if may_answer else "",
        viewer_action=f"{url}/viewer" if case.view_id else "",
        studies=shown,
        # One has a button of its own.
        release_all={"action": f"{url}/release", "studies": " ".join(ready), "count": len(ready)}
        if ready[1:]
        else None,
        apart=case.apart,
        specialists=specialists,
        offers=[_offer(offer) for offer in case.offers if offer.outcome != "open"],
        decisions=[_told(step) for step in case.steps if step.study_uid is None and step.event in _SAID],
        exceptions=[f"{who} ({OBSTACLE_LABELS[about]}): {reason}" for who, about, reason in case.exceptions],
        refunds=[{"at": render.moment(r.at), "text": r.text, "reason": r.reason} for r in case.refunds],
        assign_action=action(CaseEvent.OFFER, "offer"),
        exception_action=action(CaseEvent.OFFER, "exception"),
        decline_action=action(CaseEvent.DECLINE, "decline"),
        info_action=action(CaseEvent.ASK_INFO, "info"),
        # The number makes a refund that is sent twice one refund.
        refund_action=f"{url}/refund?request={uuid4()}" if refundable else "",
        report=reports.shown(reporting.read(ctx.tx, ctx.who, case.case_id, waits.number)) if waits else None,
        after=after,
        messages=[
            {
                "sender": n.author,
                "at": render.moment(n.at),
                "text": n.text,
                # What a specialist or another coordinator wrote is not one's own.
                "mine": not n.from_patient and n.author == ctx.who.name,
            }
            for n in case.notes
        ],
        message_action=f"{url}/messages",
        audit=[
            {
                "at": render.moment(row.at),
                "who": f"{row.actor}, {row.role}",
                "what": labels.action(row.action),
                "detail": ", ".join(
                    filter(None, [labels.look(row.at, row.until, row.instances), labels.detail(row.detail)])
                ),
            }
            for row in trail
        ],
        audit_url=f"{url}?trail=all#trail",
        audit_pager=paging.links(ctx, url, trail, part="trail", trail="all") if whole else None,
        values=ctx.form.values(),
    )


def _study(case: CoordinatorCase, study: CoordinatorStudy) -> dict[str, Any]:
    url = f"/queue/{case.case_id}/studies/{study.study_uid}"
    found, review = study.original, study.review
    state = StudyState(study.state)
    items = sorted(review.items, key=lambda item: item.state != Review.PENDING_REVIEW) if review else []
    shown = items[:_MOST_PREVIEWS]
    root = f"/cases/{case.case_id}/dicomweb/studies/{study.view_study_uid}"
    pending = [item for item in shown if item.state == Review.PENDING_REVIEW and not item.left_out]
    live = case.state not in ENDED
    may_revoke = live and state not in (StudyState.REVOKED, StudyState.RECEIVING)
    return {
        "uid": study.study_uid,
        "title": labels.title(found.modalities, found.description) if found else gettext("Study"),
        "date": render.day(found.study_date) if found else None,
        "series": found.series if found else 0,
        "instances": found.instances if found else 0,
        "state": labels.study(study.state, study.status),
        "decisions": [_told(step) for step in case.steps if step.study_uid == study.study_uid and step.event in _SAID],
        "received": f"{_FOUND_BY.get(study.found_by, study.found_by)}, {zones.dated(study.arrived_at)}",
        "viewer_url": "",
        "identity": [
            {
                "label": row.label,
                "claimed": row.claimed,
                "found": render.person(row.found) if row.is_name else row.found,
                "result": _RESULTS[row.equal if row.known else None],
            }
            for row in study.identity
        ],
        "confirmed": study.confirmed,
        "reasons": _withheld(study),
        "copies": (
            gettext(
                "%(what)s: %(clean)s clean, %(pending)s to review, %(approved)s approved, %(withheld)s withheld",
                what=counted(review.instances, "copy", "copies"),
                clean=review.clean,
                pending=review.pending,
                approved=review.approved,
                withheld=review.withheld,
            )
            if review
            else ""
        ),
        "previews": [
            {
                "src": f"{root}/series/{item.view_series_uid}/instances/{item.view_sop_uid}/thumbnail",
                "url": f"{url}/pixels/{item.view_sop_uid}",
                "label": gettext("Document")
                if item.left_out
                else gettext("%(frames)s frames", frames=item.frames)
                if item.frames > 1
                else gettext("Picture"),
                "sop_instance_uid": item.view_sop_uid,
                "digest": item.digest,
                "state": _DECISIONS[item.state],
                "pending": item.state == Review.PENDING_REVIEW,
                "left_out": item.left_out,
                "reason": "; ".join(reason.rstrip(".") for reason in item.reasons),
                "withheld": item.state == Review.WITHHELD,
            }
            for item in shown
        ],
        "pixels_url": f"{url}/pixels" if items else "",
        "series_url": f"{url}/series" if review and review.instances else "",
        "previews_more": len(items) - len(shown),
        "pending_uids": " ".join(item.view_sop_uid for item in pending),
        "pending_digests": " ".join(item.digest for item in pending),
        "review_action": f"{url}/decide" if live and shown else "",
        "review_all_action": f"{url}/decide" if live and pending else "",
        "match_action": f"{url}/confirm" if live and state is StudyState.MISMATCH else "",
        "mismatch_action": f"{url}/revoke" if live and state is StudyState.MISMATCH else "",
        "release_action": f"{url}/release"
        if live and state is StudyState.DEID_REVIEW and not (review and review.pending)
        else "",
        "revoke_action": f"{url}/revoke" if may_revoke and state is not StudyState.MISMATCH else "",
    }


def _clock(case: CoordinatorCase, url: str) -> dict[str, str]:
    """What can be done with the clock, as the page's part about it takes it."""
    paths = {one: f"{url}/{one}" if one in case.clock_actions else "" for one in ClockEvent}
    return {
        "promise_action": paths[ClockEvent.PROMISE],
        "pause_action": paths[ClockEvent.PAUSE],
        "resume_action": paths[ClockEvent.RESUME],
        "instead_of": case.due_at.isoformat() if case.due_at else "",
        "zone": str(zones.current()),
    }


def _clock_words(case: CoordinatorCase) -> str:
    """What is said of the clock where no due time stands."""
    if case.state in ENDED or case.state == CaseState.PUBLISHED:
        return gettext("Nothing is due")
    return gettext("The clock stands still") if case.paused_at else gettext("The clock has not begun")


def _told(step: StepView) -> dict[str, Any]:
    """A step with the reason that somebody gave for it."""
    return {"at": render.moment(step.at), "who": step.who, "what": _SAID[step.event], "reason": step.reason}


def _offer(offer: OfferView) -> dict[str, Any]:
    """How an offer ended, and why."""
    return {
        "who": offer.specialist,
        "at": render.moment(offer.answered_at or offer.expires_at),
        "outcome": _OUTCOMES[offer.outcome],
        "refusal": "" if offer.refusal in ("", Refusal.OTHER) else REFUSAL_LABELS[Refusal(offer.refusal)],
        "reason": offer.reason,
    }


def _withheld(study: CoordinatorStudy) -> list[str]:
    """Why a study, or a part of it, is not shown to the specialist; nothing once all of it is decided."""
    if study.state in (StudyState.MISMATCH, StudyState.UNREADABLE, StudyState.REVOKED):
        return [study.reason] if study.reason else []
    review = study.review
    return review.reasons if review and (review.pending or review.withheld) else []


def _specialists(ctx: TxContext, case: CoordinatorCase) -> list[dict[str, Any]]:
    return [
        {
            "id": str(person.specialist_id),
            "name": person.name,
            "eligible": person.eligible,
            "reasons": person.reasons,
            "pros": (gettext("May read for %(name)s.", name=places.name(case.place)), *person.pros)
            if person.eligible
            else (),
            "cons": person.cons if person.eligible else (),
            "excepted": " ".join(person.excepted),
            "load": gettext("%(reading)s open", reading=person.reading),
            "fee": render.money(person.fee, person.currency),
        }
        for person in assignment.eligible_specialists(ctx.tx, ctx.who, case.case_id)
    ]


def _after(
    ctx: TxContext, case: CoordinatorCase, url: str, known: Sequence[VersionView], waits: VersionView | None
) -> dict[str, Any]:
    """The report's versions, and what can be done after one was signed."""
    listed = reports.lines(ctx, case.case_id, known)
    given = case.state in (CaseState.PUBLISHED, CaseState.CLOSED)
    changing = given and any(one["discardable"] for one in listed)
    return {
        "versions": listed,
        "send_back_action": f"{url}/send-back" if waits else "",
        "ask_action": f"{url}/ask-change" if given else "",
        "asked": versions.asked_for(ctx.tx, ctx.who, case.case_id) if given else "",
        "discard_action": f"{url}/discard" if changing else "",
        "physicians_url": f"{url}/physicians" if given else "",
    }


def _trail(ctx: TxContext, case_id: UUID) -> Page[AuditRow]:
    most = _LONG_TRAIL if ctx.query("trail") == "all" else _TRAIL
    return audit.read(ctx.tx, ctx.who, case_id=case_id, after=ctx.query(paging.AFTER), limit=most)


def _identity(case: CoordinatorCase, url: str) -> dict[str, Any] | None:
    if CaseState(case.state) not in OPEN - {CaseState.PUBLISHED}:
        return None
    return {
        "action": f"{url}/identity",
        "name": case.patient_name,
        "born": case.birth_date.isoformat() if case.birth_date else "",
        "sex": case.sex,
        "sexes": labels.options(labels.SEXES),
    }


def _authority(case: CoordinatorCase, url: str) -> dict[str, Any] | None:
    given = case.authority
    if given is None:
        return None
    return {
        "relation": labels.RELATIONS[given.relation],
        "text": given.text,
        "given": render.moment(given.given_at),
        "checked": render.moment(given.checked_at),
        "note": given.note,
        "proof_url": f"{url}/authority" if given.proof else "",
        "action": f"{url}/authority",
    }
