"""Which event is heard by whom: the one place where a lower room's news reaches a higher one."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from billing import handlers as billing_handlers
from billing.unconfigured import Unconfigured
from cases import digest, kept, mail
from cases import handlers as case_handlers
from overread.kit import addresses, attempts, ended, jobs, retention, tokens
from overread.kit.jobs import Bus
from overread.services import Services
from pacs.index import changes
from pacs.index.events import StudyGrowing, StudySettled
from pacs.serve import metadata
from pacs.store import commitment, damage, settle, sweep
from pacs.store.commitment import CommitmentRequested
from pacs.ups import service, subscriptions
from viewer_bridge import launch


def wire(services: Services) -> Bus:
    """The bus with every handler, for the worker."""
    bus = Bus(services.db)

    def pacs_settle(event: StudyGrowing) -> None:
        settle.on_study_growing(services.archive, event)

    def pacs_metadata(event: StudySettled) -> None:
        metadata.on_study_settled(services.archive, event, f"{services.settings.base_url}/dicomweb")

    def pacs_commitment(event: CommitmentRequested) -> None:
        commitment.on_requested(services.archive, event)

    bus.subscribe(StudyGrowing, pacs_settle)
    bus.subscribe(StudySettled, pacs_metadata)
    bus.subscribe(CommitmentRequested, pacs_commitment)
    if not isinstance(services.gateway, Unconfigured):
        billing_handlers.subscribe(bus, services.db, services.gateway)
    case_handlers.subscribe(bus, services.db, services.archive, services.gateway, services.mailer, services.settings)

    def blobs_sweep() -> None:
        # Where there was no room to note an end, there may be now.
        ended.write_down(services.db, services.settings.keys_dir)
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
        retention.in_batches(services.db, changes.sweep)
        retention.in_batches(services.db, partial(kept.sweep_audit, services.settings.audit_days))

    def digests_send() -> None:
        with services.db.transaction() as tx:
            digest.send(tx, timedelta(minutes=services.settings.digest_minutes))

    bus.every("* * * * *", digests_send)
    bus.every("7 * * * *", attempts_sweep)
    bus.every("17 * * * *", blobs_sweep)
    bus.every("37 3 * * *", results_expire)
    bus.every("27 * * * *", launches_sweep)
    bus.every("47 3 * * *", ended_sweep)
    return bus
