"""What events bring about in cases. `subscribe` wires them; every handler is idempotent, each in its own transaction.

A payment's event never carries the truth: handlers look the payment up, because by the time that they run it may have
moved on.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.errors import NotRefundable
from billing.events import (
    PaymentActionRequired,
    PaymentAuthorised,
    PaymentDisputed,
    PaymentEvent,
    PaymentExpired,
    PaymentFailed,
    PaymentHoldEnding,
    PaymentMethodSaved,
)
from billing.gateway import Gateway
from cases import events, imaging, money, notify, readings, report_dicom
from cases.effects import INFO_EXPIRES
from cases.machine import transition
from cases.mail import Mailer
from cases.models import Case, Message, Report
from cases.move import Move
from cases.repository import load_unasked
from cases.service import assignment, inboxes, payments, studies
from cases.states import FINAL, Actor, CaseEvent, CaseState
from overread.kit import addresses, clock, jobs, log, principals
from overread.kit.db import Database
from overread.kit.principals import PrincipalRow, Role
from overread.kit.settings import Settings
from pacs.index.events import BlobsDamaged, ObjectDerived, StudyGone, StudySettled
from pacs.store.archive import Archive

_logger = log.get(__name__)

#: While a case is in one of these, somebody still has to pay for it.
_WAITS_FOR_MONEY = (
    CaseState.SUBMITTED,
    CaseState.NEEDS_INFO,
    CaseState.READY,
    CaseState.OFFERED,
)


def on_study_settled(archive: Archive, event: StudySettled) -> None:
    """A study has arrived: match it, or put it into the inbox."""
    with archive.db.transaction() as tx:
        studies.settle(tx, archive, event)


def on_study_gone(db: Database, event: StudyGone) -> None:
    """A study was deleted: it waits for no case any more."""
    with db.transaction() as tx:
        inboxes.forget(tx, event.study_pk)


def on_case_submitted(db: Database, event: events.CaseSubmitted) -> None:
    """A case was submitted: what came before is compared with the identity that stands now."""
    with db.transaction() as tx:
        studies.compare_again(tx, UUID(event.case_id))


def on_study_matched(archive: Archive, event: events.StudyMatched) -> None:
    """A study is the patient's: make its de-identified copy."""
    studies.derive(archive, UUID(event.case_id), event.study_uid)


def on_object_derived(archive: Archive, event: ObjectDerived) -> None:
    """A specialist stored what they made of a case's images: it goes to the patient whose images they are."""
    studies.bring_back(archive, UUID(event.view_id), event.sop_uid)


def on_case_erased(archive: Archive, mailer: Mailer, event: events.CaseErased) -> None:
    """A case was erased: what lay in files goes as well."""
    mailer.forget(event.message_ids)
    imaging.destroy_files(archive, UUID(event.case_id))


def on_payment_secured(db: Database, event: PaymentEvent) -> None:
    """The price is held, or a card is saved: submit the draft where all else is there.

    Money for a case that has ended goes straight back.
    """
    with db.transaction() as tx:
        case = _case(tx, event.subject_ref)
        if case is None:
            return
        if case.state in FINAL:
            jobs.emit(tx, events.MoneyToReturn(str(case.id), 100))
            return
        payments.submit_if_complete(tx, case, "The payment was authorised.")


def on_payment_problem(db: Database, event: PaymentEvent) -> None:
    """A hold was refused, ran out, or its owner must confirm it: the patient gets a link, the coordinators a note."""
    with db.transaction() as tx:
        case = _case(tx, event.subject_ref)
        if case is None or case.state not in _WAITS_FOR_MONEY or money.is_taken(tx, case):
            return
        if money.is_held(tx, case):
            return
        notify.queue(tx, case, case.patient_id, "pay_again")
        notify.queue_coordinators(tx, case, "payment_problem")


def on_payment_disputed(db: Database, event: PaymentDisputed) -> None:
    """The payer's bank has taken the money back: the coordinators look at it."""
    with db.transaction() as tx:
        case = _case(tx, event.subject_ref)
        if case is not None:
            notify.queue_coordinators(tx, case, "payment_problem")


def on_hold_ending(db: Database, event: PaymentHoldEnding) -> None:
    """A hold ends within a day and nobody has accepted yet."""
    with db.transaction() as tx:
        case = _case(tx, event.subject_ref)
        if case is not None and case.state in _WAITS_FOR_MONEY:
            notify.queue_coordinators(tx, case, "hold_ending")


def on_hold_wanted(db: Database, gateway: Gateway | None, event: events.HoldWanted) -> None:
    """A case is ready: hold the price on the card that was saved."""
    with db.transaction() as tx:
        case = _case(tx, event.case_id)
        if case is not None and case.state in _WAITS_FOR_MONEY:
            money.hold(tx, gateway, case)


def on_money_to_return(db: Database, gateway: Gateway | None, event: events.MoneyToReturn) -> None:
    """A case ended: void the hold or refund. Tried again while the provider is silent."""
    with db.transaction() as tx:
        case = _case(tx, event.case_id)
        if case is None or case.state not in FINAL:
            return
        try:
            money.give_back(tx, gateway, case, event.percent)
        except NotRefundable as error:
            # Trying again won't help: a person has to look (a dispute, a refund made by hand).
            _logger.warning("refund_not_possible", case=str(case.id), reason=str(error))
            notify.queue_coordinators(tx, case, "refund_problem")


def on_offer_ends(db: Database, event: events.OfferEnds) -> None:
    """The time to accept is over."""
    with db.transaction() as tx:
        assignment.expire_offer(tx, UUID(event.case_id), UUID(event.offer_id))


def on_reading_moved(db: Database, event: events.ReadingMoved) -> None:
    """An offer or a reading moved: its work items say so."""
    with db.transaction() as tx:
        case = _case(tx, event.case_id)
        if case is not None:
            readings.bring_up_to_date(tx, case)


def on_info_overdue(db: Database, event: events.InfoOverdue) -> None:
    """Information has not come: a reminder, and in the end the case is closed."""
    with db.transaction() as tx:
        case = _case(tx, event.case_id)
        if case is None or case.state is not CaseState.NEEDS_INFO or case.paused_at is None:
            return
        if case.paused_at != datetime.fromisoformat(event.asked_at):
            return
        if event.days >= INFO_EXPIRES:
            reason = f"No answer within {event.days} days."
            transition(Move(tx, case, CaseEvent.INFO_EXPIRE, Actor.SYSTEM, None, reason=reason))
            return
        notify.queue(tx, case, case.patient_id, "reminder", days=event.days, left=INFO_EXPIRES - event.days)


def on_report_published(archive: Archive, event: events.ReportPublished) -> None:
    """A report was published: it goes into the archive beside the images that it tells of."""
    report_dicom.archive_report(archive, UUID(event.case_id), UUID(event.report_id))


def on_report_unread(db: Database, event: events.ReportUnread) -> None:
    """A published report was not opened for some days."""
    with db.transaction() as tx:
        report = tx.get(Report, UUID(event.report_id))
        case = _case(tx, event.case_id)
        if case is not None and report is not None and report.first_read_at is None:
            notify.queue(tx, case, case.patient_id, "unread")


def on_blobs_damaged(db: Database, _event: BlobsDamaged) -> None:
    """Images can't be given: coordinators, who promise them, hear of it, and admins, who have the server mended."""
    with db.transaction() as tx:
        notify.queue_coordinators(tx, None, "damaged")
        for person in principals.with_role(tx, Role.ADMIN):
            notify.queue(tx, None, person.id, "damaged")


def send_mail(db: Database, mailer: Mailer, base_url: str, event: events.MailQueued) -> None:
    """Send a mail that waits. It may be sent twice where the process dies in between, never not at all."""
    with db.transaction() as tx:
        query = select(Message).where(Message.id == UUID(event.message_id)).with_for_update()
        message = tx.scalars(query).one_or_none()
        if message is None or message.sent_at is not None:
            return
        person = tx.get(PrincipalRow, message.recipient_id)
        if person is not None and person.active:
            if message.template == notify.CONFIRMATION:
                if person.pending_email and person.pending_email == message.facts["to"]:
                    link = addresses.make_link(tx, person)
                    mailer.send(notify.rendered(message, person.pending_email, base_url, link))
            elif person.email:
                mailer.send(notify.rendered(message, person.email, base_url))
        message.sent_at = clock.now()


def subscribe(
    bus: jobs.Bus, db: Database, archive: Archive, gateway: Gateway | None, mailer: Mailer, settings: Settings
) -> None:
    """Register every handler of this room. `gateway` is None where no payment provider is configured."""

    def cases_study_settled(event: StudySettled) -> None:
        on_study_settled(archive, event)

    def cases_study_gone(event: StudyGone) -> None:
        on_study_gone(db, event)

    def cases_submitted(event: events.CaseSubmitted) -> None:
        on_case_submitted(db, event)

    def cases_study_matched(event: events.StudyMatched) -> None:
        on_study_matched(archive, event)

    def cases_object_derived(event: ObjectDerived) -> None:
        on_object_derived(archive, event)

    def cases_erased(event: events.CaseErased) -> None:
        on_case_erased(archive, mailer, event)

    def cases_payment_secured(event: PaymentEvent) -> None:
        on_payment_secured(db, event)

    def cases_payment_problem(event: PaymentEvent) -> None:
        on_payment_problem(db, event)

    def cases_payment_disputed(event: PaymentDisputed) -> None:
        on_payment_disputed(db, event)

    def cases_hold_ending(event: PaymentHoldEnding) -> None:
        on_hold_ending(db, event)

    def cases_hold_wanted(event: events.HoldWanted) -> None:
        on_hold_wanted(db, gateway, event)

    def cases_money_to_return(event: events.MoneyToReturn) -> None:
        on_money_to_return(db, gateway, event)

    def cases_offer_ends(event: events.OfferEnds) -> None:
        on_offer_ends(db, event)

    def cases_reading_moved(event: events.ReadingMoved) -> None:
        on_reading_moved(db, event)

    def cases_info_overdue(event: events.InfoOverdue) -> None:
        on_info_overdue(db, event)

    def cases_report_published(event: events.ReportPublished) -> None:
        on_report_published(archive, event)

    def cases_report_unread(event: events.ReportUnread) -> None:
        on_report_unread(db, event)

    def cases_blobs_damaged(event: BlobsDamaged) -> None:
        on_blobs_damaged(db, event)

    def cases_send_mail(event: events.MailQueued) -> None:
        send_mail(db, mailer, settings.base_url, event)

    bus.subscribe(StudySettled, cases_study_settled)
    bus.subscribe(StudyGone, cases_study_gone)
    bus.subscribe(events.CaseSubmitted, cases_submitted)
    bus.subscribe(events.StudyMatched, cases_study_matched)
    bus.subscribe(ObjectDerived, cases_object_derived)
    bus.subscribe(events.CaseErased, cases_erased)
    bus.subscribe(PaymentAuthorised, cases_payment_secured)
    bus.subscribe(PaymentMethodSaved, cases_payment_secured)
    for problem in (PaymentFailed, PaymentExpired, PaymentActionRequired):
        bus.subscribe(problem, cases_payment_problem)
    bus.subscribe(PaymentDisputed, cases_payment_disputed)
    bus.subscribe(PaymentHoldEnding, cases_hold_ending)
    bus.subscribe(events.HoldWanted, cases_hold_wanted)
    bus.subscribe(events.MoneyToReturn, cases_money_to_return)
    bus.subscribe(events.OfferEnds, cases_offer_ends)
    bus.subscribe(events.ReadingMoved, cases_reading_moved)
    bus.subscribe(events.InfoOverdue, cases_info_overdue)
    bus.subscribe(events.ReportPublished, cases_report_published)
    bus.subscribe(events.ReportUnread, cases_report_unread)
    bus.subscribe(BlobsDamaged, cases_blobs_damaged)
    bus.subscribe(events.MailQueued, cases_send_mail)


def _case(tx: Session, case_id: str) -> Case | None:
    try:
        return load_unasked(tx, UUID(case_id), lock=True)
    except ValueError:
        # Billing serves others, too: a subject that is no UUID is no case.
        return None
