"""Which event is heard by whom: the one place where a lower room's news reaches a higher one.

The names of jobs stand here, and stay: what waits in the queue goes by them (`tests/overread/test_job_names.py`).
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from billing import events as billed
from billing.handlers import Handlers as BillingHandlers
from billing.unconfigured import Unconfigured
from cases import digest, kept, mail
from cases import events as cased
from cases.handlers import Handlers as CaseHandlers
from cases.service import eligibility, referrals
from overread.kit import addresses, attempts, ended, jobs, retention, tokens
from overread.kit.bus import Bus
from overread.services import Services
from pacs.index import changes, events
from pacs.serve import metadata
from pacs.store import commitment, damage, stable, sweep
from pacs.store.commitment import CommitmentRequested
from pacs.ups import service, subscriptions
from viewer_bridge import launch


def wire(services: Services) -> Bus:
    """The bus with every handler, for the worker."""
    bus = Bus(services.db)
    wire_archive(bus, services)
    if not isinstance(services.gateway, Unconfigured):
        wire_billing(bus, BillingHandlers(services.db, services.gateway))
    wire_cases(bus, CaseHandlers(services.archive, services.gateway, services.mailer, services.settings.base_url))
    wire_clock(bus, services)
    return bus


def wire_archive(bus: Bus, services: Services) -> None:
    """What the archive hears of itself."""
    archive = services.archive
    root = f"{services.settings.base_url}/dicomweb"
    bus.subscribe(events.StudyReceiving, "pacs.await_stable", partial(stable.on_study_receiving, archive))
    bus.subscribe(
        events.StudyStable, "pacs.keep_metadata", lambda event: metadata.on_study_stable(archive, event, root)
    )
    bus.subscribe(CommitmentRequested, "pacs.examine_commitment", partial(commitment.on_requested, archive))


def wire_billing(bus: Bus, billing: BillingHandlers) -> None:
    """What billing hears of itself, and does by the clock."""
    bus.subscribe(billed.PaymentUncertain, "billing.sync_payment", billing.sync_payment)
    bus.subscribe(billed.WebhookReceived, "billing.process_webhook", billing.process_webhook)
    bus.subscribe(billed.PaymentAuthorisationEnding, "billing.renew_authorisation", billing.renew_authorisation)
    bus.subscribe(billed.AuthorisationReplaced, "billing.release_authorisation", billing.release_authorisation)
    bus.schedule("*/10 * * * *", "billing.reconcile", billing.reconcile)


def wire_cases(bus: Bus, cases: CaseHandlers) -> None:
    """What the case layer hears of the archive, of billing and of itself."""
    bus.subscribe(events.StudyStable, "cases.match_study", cases.match_study)
    bus.subscribe(events.StudyDeleted, "cases.forget_study", cases.forget_study)
    bus.subscribe(events.EvidenceStored, "cases.file_evidence", cases.file_evidence)
    bus.subscribe(events.BlobsDamaged, "cases.tell_damage", cases.tell_damage)
    for secured in (billed.PaymentAuthorised, billed.PaymentMethodSaved):
        bus.subscribe(secured, "cases.submit_paid", cases.submit_paid)
    for problem in (billed.PaymentFailed, billed.PaymentExpired, billed.PaymentActionRequired):
        bus.subscribe(problem, "cases.tell_payment_problem", cases.tell_payment_problem)
    # Told for whoever listens to the program; nothing in it has to follow.
    bus.ignore(billed.PaymentCaptured, billed.PaymentVoided, billed.PaymentPartlyRefunded, billed.PaymentRefunded)
    bus.ignore(billed.PaymentDisputeWon, billed.PaymentDisputeLost)
    bus.subscribe(billed.PaymentDisputed, "cases.tell_dispute", cases.tell_dispute)
    bus.subscribe(billed.PaymentAuthorisationEnding, "cases.tell_authorisation_ending", cases.tell_authorisation_ending)
    bus.subscribe(cased.CaseSubmitted, "cases.compare_identity", cases.compare_identity)
    bus.subscribe(cased.ReferralTakenUp, "cases.place_waiting", cases.place_waiting)
    bus.subscribe(cased.StudyMatched, "cases.deidentify_study", cases.deidentify_study)
    bus.subscribe(cased.CaseErased, "cases.destroy_files", cases.destroy_files)
    bus.subscribe(cased.AuthorisationDue, "cases.authorise", cases.authorise)
    bus.subscribe(cased.RefundDue, "cases.refund", cases.refund)
    bus.subscribe(cased.OfferEnds, "cases.expire_offer", cases.expire_offer)
    bus.subscribe(cased.SpecialistWanted, "cases.offer_next", cases.offer_next)
    bus.subscribe(cased.ReadingMoved, "cases.update_worklist", cases.update_worklist)
    bus.subscribe(cased.InformationOverdue, "cases.remind_information", cases.remind_information)
    bus.subscribe(cased.ImagesAwaited, "cases.remind_of_images", cases.remind_of_images)
    bus.subscribe(cased.DueNear, "cases.warn_of_due", cases.warn_of_due)
    bus.subscribe(cased.ReportPublished, "cases.archive_report", cases.archive_report)
    bus.subscribe(cased.ReportUnread, "cases.remind_unread", cases.remind_unread)
    bus.subscribe(cased.StillWaits, "cases.nudge", cases.nudge)
    bus.subscribe(cased.ClosingNear, "cases.tell_closing", cases.tell_closing)
    bus.subscribe(cased.ClosingDue, "cases.close", cases.close)
    bus.subscribe(cased.MailQueued, "cases.send_mail", cases.send_mail)


def wire_clock(bus: Bus, services: Services) -> None:
    """What is done by the clock."""
    settings = services.settings

    def blobs_sweep() -> None:
        # Where there was no room to note an end, there may be now.
        ended.write_down(services.db, settings.keys_dir)
        sweep.sweep(services.archive)
        damage.look_again(services.archive)

    def launches_sweep() -> None:
        with services.db.transaction() as tx:
            launch.sweep(tx)

    def results_expire() -> None:
        with services.db.transaction() as tx:
            commitment.expire(tx)
            subscriptions.expire(tx)
            service.expire(tx)

    def attempts_sweep() -> None:
        with services.db.transaction() as tx:
            attempts.sweep(tx)
            addresses.sweep(tx)

    def ended_sweep() -> None:
        retention.in_batches(services.db, tokens.sweep)
        retention.in_batches(services.db, jobs.sweep)
        retention.in_batches(services.db, partial(mail.sweep, services.mailer))
        retention.in_batches(services.db, referrals.sweep)
        retention.in_batches(services.db, changes.sweep)
        retention.in_batches(services.db, partial(kept.sweep_audit, settings.audit_days))

    def digests_send() -> None:
        with services.db.transaction() as tx:
            digest.send(tx, timedelta(minutes=settings.digest_minutes))

    def waiting_tell() -> None:
        with services.db.transaction() as tx:
            eligibility.tell(tx)

    bus.schedule("* * * * *", "cases.send_digests", digests_send)
    bus.schedule("*/10 * * * *", "cases.tell_waiting", waiting_tell)
    bus.schedule("7 * * * *", "overread.sweep_attempts", attempts_sweep)
    bus.schedule("17 * * * *", "pacs.sweep_blobs", blobs_sweep)
    bus.schedule("27 * * * *", "viewer_bridge.sweep_launches", launches_sweep)
    bus.schedule("37 3 * * *", "pacs.expire_results", results_expire)
    bus.schedule("47 3 * * *", "overread.sweep_old", ended_sweep)
