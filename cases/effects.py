"""What a transition brings about, in its own transaction: rows, grants, and events for what must not hold it up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from cases import awaited, check_ins, digest, erasure, events, imaging, notify, promises, sharing, versions
from cases.guards import theirs_here, waits_for_images
from cases.models import Case, Offer
from cases.move import Move, StudyMove
from cases.report_states import ReportEvent
from cases.repository import latest_report, open_offer, studies_of
from cases.states import RUNNING, CaseEvent, CaseState, OfferOutcome, StudyState
from overread.kit import audit, clock, jobs
from overread.kit.errors import Conflict
from overread.kit.principals import Principal
from viewer_bridge import grants

#: Reminders to the patient while information is missing, then the end of the case.
INFO_REMINDERS = (3, 7)
INFO_EXPIRES = 14

_OUTCOMES = {
    CaseEvent.REFUSE_OFFER: OfferOutcome.DECLINED,
    CaseEvent.OFFER_EXPIRE: OfferOutcome.EXPIRED,
}


def _start_clock(move: Move) -> None:
    move.case.submitted_at = clock.now()
    if waits_for_images(move.tx, move.case):
        awaited.ask(move.tx, move.case)
    else:
        promises.start(move.tx, move.case, move.case.kind.reading_days)


def _compare_again(move: Move) -> None:
    # What a hospital sent while the form was half filled in was compared with half an identity.
    jobs.emit(move.tx, events.CaseSubmitted(str(move.case.id)))


def _stop_clock(move: Move) -> None:
    promises.stop(move.tx, move.case)
    move.case.resume_to = move.source


def _resume_clock(move: Move) -> None:
    promises.resume(move.tx, move.case, by=move.who)
    move.case.resume_to = None
    begin_clock(move.tx, move.case)


def _remind(move: Move) -> None:
    assert move.case.paused_at is not None
    asked_at = move.case.paused_at.isoformat()
    for days in (*INFO_REMINDERS, INFO_EXPIRES):
        jobs.emit(move.tx, events.InformationOverdue(str(move.case.id), asked_at, days), after=timedelta(days=days))


def _authorise_payment(move: Move) -> None:
    jobs.emit(move.tx, events.AuthorisationDue(str(move.case.id)))


def _return_money(move: Move) -> None:
    # Who withdraws while a specialist reads gets back what the policy says; whoever else ends a case, all of it.
    late = move.event is CaseEvent.WITHDRAW and CaseState.IN_REVIEW in (move.source, move.case.resume_to)
    percent = move.case.program.late_refund_percent if late else 100
    # By a job: the provider may be slow or away, and the case must end now.
    jobs.emit(move.tx, events.RefundDue(str(move.case.id), percent))


def _follow_reading(move: Move) -> None:
    jobs.emit(move.tx, events.ReadingMoved(str(move.case.id)))


def _end_grants(move: Move) -> None:
    grants.revoke(move.tx, move.case.id, by=move.who)


def _open_offer(move: Move) -> None:
    assert move.specialist_id is not None
    lasts = timedelta(hours=move.case.program.offer_hours)
    offer = Offer(
        case_id=move.case.id,
        specialist_id=move.specialist_id,
        offered_by=move.who.id if move.who else None,
        expires_at=clock.now() + lasts,
        fee=move.case.kind.specialist_fee,
    )
    move.tx.add(offer)
    move.tx.flush()
    move.offer = offer
    jobs.emit(move.tx, events.OfferEnds(str(move.case.id), str(offer.id)), after=lasts)


def _end_offer(move: Move) -> None:
    offer = open_offer(move.tx, move.case.id)
    if offer is None:
        return
    offer.outcome = _OUTCOMES.get(move.event, OfferOutcome.TAKEN_BACK)
    offer.answered_at, offer.reason, offer.refusal = clock.now(), move.reason, move.refusal
    move.offer = offer


def _next_specialist(move: Move) -> None:
    if move.case.program.next_by_itself and move.offer is not None:
        # By a job: nobody's refusal waits for, or fails with, the search for somebody else.
        jobs.emit(move.tx, events.SpecialistWanted(str(move.case.id), str(move.offer.id)))


def _assign(move: Move) -> None:
    offer = open_offer(move.tx, move.case.id)
    assert offer is not None
    offer.outcome, offer.answered_at = OfferOutcome.ACCEPTED, clock.now()
    move.case.specialist_id = offer.specialist_id
    move.offer = offer


def _make_grant(move: Move) -> None:
    _grant(move.tx, move.case, move.who)


def _grant(tx: Session, case: Case, by: Principal | None) -> None:
    # An opinion that needs no images may have none; what is released later is granted then.
    if case.specialist_id is not None and case.view_id is not None:
        grants.grant(tx, case.specialist_id, case.id, case.view_id, promises.grant_until(case), by=by)


def _seal_report(move: Move) -> None:
    _move_report(move, ReportEvent.SIGN)


def _send_report_back(move: Move) -> None:
    _move_report(move, ReportEvent.SEND_BACK)


def _publish_report(move: Move) -> None:
    _move_report(move, ReportEvent.PUBLISH)
    move.case.published_at = clock.now()


def _move_report(move: Move, event: ReportEvent) -> None:
    report = latest_report(move.tx, move.case.id)
    assert report is not None
    versions.moved(move.tx, move.case, report, event, move.actor, move.who, move.reason)


def _destroy(move: Move) -> None:
    erasure.destroy(move.tx, move.case)


def _mail_referrer(move: Move) -> None:
    sharing.tell_of_report(move.tx, move.case)


def _mail_patient(template: str) -> Callable[[Move], None]:
    return lambda move: notify.queue_patient(move.tx, move.case, template)


def _mail_received(move: Move) -> None:
    notify.queue_patient(move.tx, move.case, "submitted" if move.case.due_at else "submitted_waiting")


def _tell_coordinators(kind: str) -> Callable[[Move], None]:
    return lambda move: digest.note(move.tx, kind, move.case)


def _mail_offered(template: str) -> Callable[[Move], None]:
    def send(move: Move) -> None:
        assert move.offer is not None
        notify.queue(move.tx, move.case, move.offer.specialist_id, template, expires=move.offer.expires_at)

    return send


def _mail_assigned(template: str) -> Callable[[Move], None]:
    def send(move: Move) -> None:
        if move.case.specialist_id is not None:
            notify.queue(move.tx, move.case, move.case.specialist_id, template)

    return send


def _mail_all(*effects: Callable[[Move], None]) -> Callable[[Move], None]:
    def send(move: Move) -> None:
        for effect in effects:
            effect(move)

    return send


EFFECTS: Mapping[str, Callable[[Move], None]] = {
    "start_clock": _start_clock,
    "compare_again": _compare_again,
    "stop_clock": _stop_clock,
    "resume_clock": _resume_clock,
    "remind": _remind,
    "authorise_payment": _authorise_payment,
    "return_money": _return_money,
    "follow_reading": _follow_reading,
    "end_grants": _end_grants,
    "open_offer": _open_offer,
    "end_offer": _end_offer,
    "next_specialist": _next_specialist,
    "assign": _assign,
    "make_grant": _make_grant,
    "seal_report": _seal_report,
    "send_report_back": _send_report_back,
    "publish_report": _publish_report,
    "destroy": _destroy,
    "mail_submitted": _mail_all(_mail_received, _tell_coordinators("new_case")),
    "mail_needs_info": _mail_patient("needs_info"),
    "mail_answered": _mail_assigned("answered"),
    "mail_expired": _mail_all(_mail_patient("expired"), _mail_assigned("ended")),
    "mail_offer": _mail_offered("offer"),
    "mail_accepted": _mail_all(_mail_patient("accepted"), _mail_assigned("accepted_by_you")),
    "mail_offer_refused": _tell_coordinators("offer_refused"),
    "mail_offer_taken_back": _mail_offered("offer_taken_back"),
    "mail_signed": _tell_coordinators("signed"),
    "check_in": lambda move: check_ins.after_reading(move.tx, move.case),
    "mail_published": _mail_all(_mail_patient("published"), _mail_referrer),
    "mail_closed": _mail_patient("closed"),
    "mail_declined": _mail_all(_mail_patient("declined"), _mail_assigned("ended")),
    "mail_withdrawn": _mail_all(_mail_patient("withdrawn"), _mail_assigned("ended")),
}


def _deidentify_study(move: StudyMove) -> None:
    jobs.emit(move.tx, events.StudyMatched(str(move.case.id), move.study.study_uid))


def _begin_clock(move: StudyMove) -> None:
    if not move.study.is_document:
        begin_clock(move.tx, move.case)


def begin_clock(tx: Session, case: Case) -> None:
    """The images that a hospital was waited for are here: from now on the time counts. Nothing where it does already.

    While something else stops the clock it waits, and begins when that is over.
    """
    waits = case.due_at is None and case.submitted_at is not None and case.state in RUNNING and case.paused_at is None
    if waits and theirs_here(tx, case):
        promises.start(tx, case, case.kind.reading_days)
        notify.queue_patient(tx, case, "images_arrived")


def _release_view(move: StudyMove) -> None:
    assert move.who is not None
    case = move.case
    imaging.release(move.tx, move.who, _view(move), move.study.study_uid)
    move.study.released_at = clock.now()
    reads = case.state is CaseState.IN_REVIEW or case.resume_to is CaseState.IN_REVIEW
    if reads and case.specialist_id is not None and grants.find(move.tx, case.specialist_id, case.id) is None:
        _grant(move.tx, case, move.who)


def _freeze_view(move: StudyMove) -> None:
    if move.case.view_id is not None:
        imaging.revoke(move.tx, move.who, move.case.view_id, move.study.study_uid)


def _drop_copies(move: StudyMove) -> None:
    if move.case.view_id is not None:
        imaging.drop(move.tx, move.case.view_id, move.study.study_uid)


def _revoke_view(move: StudyMove) -> None:
    """Freeze a study: it leaves the view at once; without any other study in it the grants end too."""
    _freeze_view(move)
    if move.study.released_at is not None and move.case.specialist_id is not None:
        # It may have been seen: somebody else's images were shown to a specialist under this case.
        audit.record(
            move.tx, move.who, "incident.opened", "study", move.study.study_uid, case_id=move.case.id, kind="revoked"
        )
        notify.queue_coordinators(move.tx, move.case, "incident")
    others = [s for s in studies_of(move.tx, move.case.id) if s.id != move.study.id]
    if not any(s.state is StudyState.RELEASED for s in others):
        grants.revoke(move.tx, move.case.id, by=move.who)


def _mail_new_images(move: StudyMove) -> None:
    if move.case.state is CaseState.IN_REVIEW and move.case.specialist_id is not None:
        notify.queue(move.tx, move.case, move.case.specialist_id, "new_images")


def _tell_of_study(kind: str) -> Callable[[StudyMove], None]:
    def send(move: StudyMove) -> None:
        # A draft is not theirs to open yet; they hear of it as a whole when it is submitted.
        if move.case.state is not CaseState.DRAFT:
            digest.note(move.tx, kind, move.case)

    return send


def _view(move: StudyMove) -> UUID:
    if move.case.view_id is None:
        raise Conflict(f"case {move.case.id} has no view")
    return move.case.view_id


STUDY_EFFECTS: Mapping[str, Callable[[StudyMove], None]] = {
    "deidentify_study": _deidentify_study,
    "begin_clock": _begin_clock,
    "release_view": _release_view,
    "freeze_view": _freeze_view,
    "revoke_view": _revoke_view,
    "drop_copies": _drop_copies,
    "mail_new_images": _mail_new_images,
    "mail_mismatch": _tell_of_study("mismatch"),
    "mail_deid_review": _tell_of_study("deid_review"),
    "mail_unreadable": _tell_of_study("unreadable"),
}
