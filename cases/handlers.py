"""What events bring about in cases (`overread.wiring`); every handler is idempotent, each in its own transaction.

A payment's event never carries the truth: handlers look the payment up, because by the time that they run it may have
moved on.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.errors import NotRefundable
from billing.events import (
    PaymentAuthorisationEnding,
    PaymentDisputed,
    PaymentEvent,
)
from billing.gateway import Gateway
from cases import awaited, events, imaging, money, notify, nudges, outbox, promises, readings, report_dicom
from cases.effects import INFO_EXPIRES
from cases.machine import transition
from cases.mail import Mailer
from cases.models import Case, Report
from cases.move import Move
from cases.report_states import ReportState
from cases.repository import load_unasked
from cases.service import assignment, closing, inboxes, payments, studies
from cases.states import ENDED, Actor, CaseEvent, CaseState
from overread.kit import jobs, log
from pacs.index.events import BlobsDamaged, EvidenceStored, StudyDeleted, StudyStable
from pacs.store.archive import Archive

_logger = log.get(__name__)

#: While a case is in one of these, somebody still has to pay for it.
_WAITS_FOR_MONEY = (
    CaseState.SUBMITTED,
    CaseState.NEEDS_INFO,
    CaseState.READY,
    CaseState.OFFERED,
)


class Handlers:
    """What is done about each event; `gateway` is None where no payment provider is configured."""

    def __init__(self, archive: Archive, gateway: Gateway | None, mailer: Mailer, base_url: str) -> None:
        self._db, self._archive = archive.db, archive
        self._gateway, self._mailer, self._base_url = gateway, mailer, base_url

    def match_study(self, event: StudyStable) -> None:
        """A study has arrived: match it, or put it into the inbox."""
        with self._db.transaction() as tx:
            studies.on_stable(tx, self._archive, event)

    def place_waiting(self, event: events.ReferralTakenUp) -> None:
        """A referral became a case: what came before with its number is matched to it."""
        with self._db.transaction() as tx:
            for arrived in inboxes.named(tx, UUID(event.case_id)):
                studies.on_stable(tx, self._archive, arrived)

    def forget_study(self, event: StudyDeleted) -> None:
        """A study was deleted: it waits for no case any more."""
        with self._db.transaction() as tx:
            inboxes.forget(tx, event.study_pk)

    def compare_identity(self, event: events.CaseSubmitted) -> None:
        """A case was submitted: what came before is compared with the identity that stands now."""
        with self._db.transaction() as tx:
            studies.compare_again(tx, UUID(event.case_id))

    def deidentify_study(self, event: events.StudyMatched) -> None:
        """A study is the patient's: make its de-identified copy."""
        studies.deidentify(self._archive, UUID(event.case_id), event.study_uid)

    def file_evidence(self, event: EvidenceStored) -> None:
        """A specialist stored what they made of a case's images: it goes to the patient whose images they are."""
        studies.bring_back(self._archive, UUID(event.view_id), event.sop_uid)

    def destroy_files(self, event: events.CaseErased) -> None:
        """A case was erased: what lay in files goes as well."""
        self._mailer.forget(event.message_ids)
        imaging.destroy_files(self._archive, UUID(event.case_id))

    def submit_paid(self, event: PaymentEvent) -> None:
        """The price is held, or a card is saved: submit the draft where all else is there.

        Money for a case that has ended goes straight back.
        """
        with self._db.transaction() as tx:
            case = _case(tx, event.subject_ref)
            if case is None:
                return
            if case.state in ENDED:
                jobs.emit(tx, events.RefundDue(str(case.id), 100))
                return
            payments.submit_if_complete(tx, case, "The payment was authorised.")

    def tell_payment_problem(self, event: PaymentEvent) -> None:
        """A hold was refused, ran out, or its owner must confirm it: the patient gets a link, coordinators a note."""
        with self._db.transaction() as tx:
            case = _case(tx, event.subject_ref)
            if case is None or case.state not in _WAITS_FOR_MONEY or money.is_taken(tx, case):
                return
            if money.is_authorised(tx, case):
                return
            notify.queue_patient(tx, case, "pay_again")
            notify.queue_coordinators(tx, case, "payment_problem")

    def tell_dispute(self, event: PaymentDisputed) -> None:
        """The payer's bank has taken the money back: the coordinators look at it."""
        with self._db.transaction() as tx:
            case = _case(tx, event.subject_ref)
            if case is not None:
                notify.queue_coordinators(tx, case, "payment_problem")

    def tell_authorisation_ending(self, event: PaymentAuthorisationEnding) -> None:
        """A hold ends within a day and nobody has accepted yet."""
        with self._db.transaction() as tx:
            case = _case(tx, event.subject_ref)
            if case is not None and case.state in _WAITS_FOR_MONEY:
                notify.queue_coordinators(tx, case, "hold_ending")

    def authorise(self, event: events.AuthorisationDue) -> None:
        """A case is ready: hold the price on the card that was saved."""
        with self._db.transaction() as tx:
            case = _case(tx, event.case_id)
            if case is not None and case.state in _WAITS_FOR_MONEY:
                money.authorise(tx, self._gateway, case)

    def refund(self, event: events.RefundDue) -> None:
        """A case ended: void the hold or refund. Tried again while the provider is silent."""
        with self._db.transaction() as tx:
            case = _case(tx, event.case_id)
            if case is None or case.state not in ENDED:
                return
            try:
                money.give_back(tx, self._gateway, case, event.percent)
            except NotRefundable as error:
                # Trying again won't help: a person has to look (a dispute, a refund made by hand).
                _logger.warning("refund_not_possible", case=str(case.id), reason=str(error))
                notify.queue_coordinators(tx, case, "refund_problem")

    def expire_offer(self, event: events.OfferEnds) -> None:
        """The time to accept is over."""
        with self._db.transaction() as tx:
            assignment.expire_offer(tx, UUID(event.case_id), UUID(event.offer_id))

    def offer_next(self, event: events.SpecialistWanted) -> None:
        """An offer came to nothing: the next specialist is asked, or coordinators hear that nobody is left."""
        with self._db.transaction() as tx:
            assignment.offer_next(tx, UUID(event.case_id), UUID(event.offer_id))

    def update_worklist(self, event: events.ReadingMoved) -> None:
        """An offer or a reading moved: its work items say so."""
        with self._db.transaction() as tx:
            case = _case(tx, event.case_id)
            if case is not None:
                readings.bring_up_to_date(tx, case)

    def remind_information(self, event: events.InformationOverdue) -> None:
        """Information has not come: a reminder, and in the end the case is closed."""
        with self._db.transaction() as tx:
            case = _case(tx, event.case_id)
            if case is None or case.state is not CaseState.NEEDS_INFO or case.paused_at is None:
                return
            if case.paused_at != datetime.fromisoformat(event.asked_at):
                return
            if event.days >= INFO_EXPIRES:
                reason = f"No answer within {event.days} days."
                transition(Move(tx, case, CaseEvent.INFO_EXPIRE, Actor.SYSTEM, None, reason=reason))
                return
            notify.queue_patient(tx, case, "reminder", days=event.days, left=INFO_EXPIRES - event.days)

    def remind_of_images(self, event: events.ImagesAwaited) -> None:
        """The images that a hospital sends have not come: a reminder."""
        with self._db.transaction() as tx:
            awaited.remind(tx, _case(tx, event.case_id), event)

    def warn_of_due(self, event: events.DueNear) -> None:
        """A case is due soon, or its due time has passed."""
        with self._db.transaction() as tx:
            promises.warn(tx, _case(tx, event.case_id), event)

    def archive_report(self, event: events.ReportPublished) -> None:
        """A report was published: it goes into the archive beside the images that it tells of."""
        report_dicom.archive_report(self._archive, UUID(event.case_id), UUID(event.report_id))

    def remind_unread(self, event: events.ReportUnread) -> None:
        """A published report was not opened for some days."""
        with self._db.transaction() as tx:
            report = tx.get(Report, UUID(event.report_id))
            case = _case(tx, event.case_id)
            waits = report is not None and report.state is ReportState.PUBLISHED and report.first_read_at is None
            if case is not None and waits:
                notify.queue_patient(tx, case, "unread")

    def nudge(self, event: events.StillWaits) -> None:
        """What somebody was promised may still wait for whoever is to act."""
        with self._db.transaction() as tx:
            nudges.fire(tx, _case(tx, event.case_id), event)

    def tell_closing(self, event: events.ClosingNear) -> None:
        """A case closes by itself in some days."""
        with self._db.transaction() as tx:
            closing.tell(tx, _case(tx, event.case_id), event)

    def close(self, event: events.ClosingDue) -> None:
        """A case closes by itself."""
        with self._db.transaction() as tx:
            closing.close(tx, _case(tx, event.case_id), event)

    def tell_damage(self, _event: BlobsDamaged) -> None:
        """Images can't be given: coordinators, who promise them, hear of it, and admins, who have the server mended."""
        with self._db.transaction() as tx:
            notify.queue_coordinators(tx, None, "damaged")
            notify.queue_admins(tx, None, "damaged")

    def send_mail(self, event: events.MailQueued) -> None:
        """Send a mail that waits."""
        outbox.send(self._db, self._mailer, self._base_url, UUID(event.message_id))


def _case(tx: Session, case_id: str) -> Case | None:
    try:
        return load_unasked(tx, UUID(case_id), lock=True)
    except ValueError:
        # Billing serves others, too: a subject that is no UUID is no case.
        return None
