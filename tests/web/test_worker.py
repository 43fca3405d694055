"""What the worker does by the clock, as it is wired."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, text

from cases import digest
from cases.models import Message
from overread import wiring
from overread.kit import audit, clock, tokens
from overread.kit.audit import AuditRow
from overread.kit.principals import TokenRow
from overread.services import Services
from pacs.index import changes
from pacs.index.changes import Kind
from pacs.index.models import Change, Study
from pacs.index.scope import ORIGINAL
from tests.cases.test_lists import stray
from tests.cases.world import BORN, World


def test_the_coordinators_mail_goes_when_its_period_is_over(world: World, services: Services) -> None:
    with world.db.transaction() as tx:
        digest.note(tx, "unmatched", item=stray(tx, world, 1, "DOE^JO", BORN, at=clock.now()))
    for minutes, mails in ((15, 0), (0, 1), (0, 1)):
        settings = services.settings.model_copy(update={"digest_minutes": minutes})
        bus = wiring.wire(replace(services, settings=settings))
        [send] = [
            action for cron, name, action in bus._periodic if name == "cases.send_digests" and cron == "* * * * *"
        ]
        send()
        world.drain()
        assert len(world.mails()) == mails


def test_what_is_too_old_goes_once_a_day(world: World, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    models = (TokenRow, Message, Change, AuditRow)

    def counted() -> dict[str, int]:
        with world.db.transaction() as tx:
            failed = tx.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'old'"))
            return {"failed": failed, **{one.__name__: len(tx.query(one).all()) for one in models}}

    with world.db.transaction() as tx:
        for one in models:
            tx.execute(delete(one))
        tokens.issue(tx, world.patient.id, lasts=timedelta(days=1))
        tx.add(Message(case_id=None, recipient_id=world.patient.id, template="published", facts={}, sent_at=now))
        for kind in (Kind.GROWING, Kind.STABLE):
            changes.record(
                tx, Study(pk=1, study_uid="1.1", view_id=ORIGINAL, sender_id=world.patient.id, leads=True), kind
            )
        audit.record(tx, world.patient, "something.read", "study", "1.1")
        job = (
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES ('o', 'old', 'failed') RETURNING id"
        )
        event = "INSERT INTO procrastinate_events (job_id, type, at) VALUES (:job, 'failed', :now)"
        tx.execute(text(event), {"job": tx.scalar(text(job)), "now": now})
    settings = services.settings.model_copy(update={"audit_days": 500})
    bus = wiring.wire(replace(services, settings=settings))
    [sweep] = [action for cron, name, action in bus._periodic if name == "overread.sweep_old" and cron == "47 3 * * *"]
    sweep()
    assert counted() == {"failed": 1, "TokenRow": 1, "Message": 1, "Change": 2, "AuditRow": 1}
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=499))
    sweep()
    assert counted() == {"failed": 0, "TokenRow": 0, "Message": 0, "Change": 1, "AuditRow": 1}
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=501))
    sweep()
    assert counted() == {"failed": 0, "TokenRow": 0, "Message": 0, "Change": 1, "AuditRow": 0}
