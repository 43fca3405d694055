"""The names that jobs go by: what waits in the queue knows its event and its handler by them, for up to two weeks.

A name in these lists may go only when no job of any server can have it any more: an event, a handler or a job that is
renamed in the program keeps its name here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from billing.events import PaymentCaptured, WebhookReceived
from billing.models import WebhookEvent
from billing.stripe_gateway import StripeGateway
from cases.mail import FolderMailer
from overread import cli, wiring
from overread.kit import fonts, jobs
from overread.kit.bus import Bus
from overread.kit.db import Database, raw
from overread.kit.settings import Settings
from overread.services import Services
from pacs.store.archive import Archive
from pacs.store.damage import DamagedBlob

HANDLERS = {
    "billing.authorisation_replaced": ["billing.release_authorisation"],
    "billing.payment_action_required": ["cases.tell_payment_problem"],
    "billing.payment_authorisation_ending": ["billing.renew_authorisation", "cases.tell_authorisation_ending"],
    "billing.payment_authorised": ["cases.submit_paid"],
    "billing.payment_captured": [],
    "billing.payment_dispute_lost": [],
    "billing.payment_dispute_won": [],
    "billing.payment_disputed": ["cases.tell_dispute"],
    "billing.payment_expired": ["cases.tell_payment_problem"],
    "billing.payment_failed": ["cases.tell_payment_problem"],
    "billing.payment_method_saved": ["cases.submit_paid"],
    "billing.payment_partly_refunded": [],
    "billing.payment_refunded": [],
    "billing.payment_uncertain": ["billing.sync_payment"],
    "billing.payment_voided": [],
    "billing.webhook_received": ["billing.process_webhook"],
    "cases.authorisation_due": ["cases.authorise"],
    "cases.closing_due": ["cases.close"],
    "cases.closing_near": ["cases.tell_closing"],
    "cases.due_near": ["cases.warn_of_due"],
    "cases.erased": ["cases.destroy_files"],
    "cases.images_awaited": ["cases.remind_of_images"],
    "cases.information_overdue": ["cases.remind_information"],
    "cases.mail_queued": ["cases.send_mail"],
    "cases.offer_ends": ["cases.expire_offer"],
    "cases.reading_moved": ["cases.update_worklist"],
    "cases.referral_taken_up": ["cases.place_waiting"],
    "cases.refund_due": ["cases.refund"],
    "cases.report_published": ["cases.archive_report"],
    "cases.report_unread": ["cases.remind_unread"],
    "cases.still_waits": ["cases.nudge"],
    "cases.specialist_wanted": ["cases.offer_next"],
    "cases.study_matched": ["cases.deidentify_study"],
    "cases.submitted": ["cases.compare_identity"],
    "pacs.blobs_damaged": ["cases.tell_damage"],
    "pacs.commitment_requested": ["pacs.examine_commitment"],
    "pacs.evidence_stored": ["cases.file_evidence"],
    "pacs.study_deleted": ["cases.forget_study"],
    "pacs.study_receiving": ["pacs.await_stable"],
    "pacs.study_stable": ["cases.match_study", "pacs.keep_metadata"],
}
BY_THE_CLOCK = {
    "* * * * *": ["cases.send_digests"],
    "*/10 * * * *": ["billing.reconcile", "cases.tell_waiting"],
    "7 * * * *": ["overread.sweep_attempts"],
    "17 * * * *": ["pacs.sweep_blobs"],
    "27 * * * *": ["viewer_bridge.sweep_launches"],
    "37 3 * * *": ["pacs.expire_results"],
    "47 3 * * *": ["overread.sweep_old"],
}


def test_the_names_of_jobs_stay(database: Database, archive: Archive, gateway: StripeGateway, tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path})
    bus = wiring.wire(Services(settings, database, archive, gateway, FolderMailer(tmp_path, "a@b.example")))
    assert bus.names() == {event: heard for event, heard in HANDLERS.items() if heard} | BY_THE_CLOCK
    assert {name for name in jobs.Event.registry if not name.startswith("tests.")} == set(HANDLERS)


def test_an_event_that_nobody_hears_just_now_waits(database: Database) -> None:
    """Where the payment settings are gone, what the provider said is not lost."""
    bus = Bus(database)
    bus.ignore(PaymentCaptured)
    bus.fan_out(WebhookReceived.name, {"event_id": "1"})
    bus.fan_out(PaymentCaptured.name, {})
    with database.transaction() as tx:
        rows = raw(tx).execute("SELECT queue_name, task_name, args FROM procrastinate_jobs").fetchall()
    assert rows == [(jobs.PARKED, jobs.EVENT_TASK, {"event": WebhookReceived.name, "data": {"event_id": "1"}})]


def test_the_doctor_says_what_somebody_has_to_look_at(
    database: Database,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OVERREAD_DATABASE_URL", database_url)
    monkeypatch.setattr(sys, "argv", ["overread", "doctor", "--data-dir", str(tmp_path)])

    def told() -> tuple[object, list[str]]:
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capsys.readouterr().out.splitlines()

    assert told() == (0, ["All is well."])
    with database.transaction() as tx:
        for _ in range(2):
            arguments = {"event": "pacs.unheard_of", "handler": "cases.unheard_of", "data": {}}
            jobs.defer(tx, jobs.HANDLER_TASK, arguments, queue=jobs.PARKED)
        tx.add(DamagedBlob(blob="ab" * 32))
        tx.add(WebhookEvent(provider="stripe", external_id="evt_1", type="charge.refunded", payload={}))
        raw(tx).execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)"
            " VALUES ('overread', 'overread.handle', '{\"handler\": \"cases.send_mail\"}', 'failed')"
        )
    code, lines = told()
    assert code == 1
    assert len(lines) == 4
    assert lines[0].startswith("2 jobs wait for a program or a setting that knows cases.unheard_of of pacs.unheard_of,")
    assert lines[1].startswith("1 jobs cases.send_mail failed for good: ")
    assert lines[2].startswith("1 blobs are missing or damaged: run `overread verify`")
    assert lines[3].startswith("1 messages of the payment provider wait: ")
    monkeypatch.setattr(fonts, "has", lambda letter: letter != "ก")
    assert told()[1][4:] == ["No font has Thai: reports name such letters in words until fonts-noto-core is installed."]
