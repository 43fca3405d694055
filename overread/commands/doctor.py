"""What a person has to look at: jobs that can't be done, files that can't be given, payments that are not in order,
letters that no font has.
"""

from __future__ import annotations

from collections import Counter

from sqlalchemy import func, select

from billing.health import health
from overread.kit import fonts, jobs
from overread.kit.db import Database, Session
from pacs.store.damage import DamagedBlob


def complaints(database_url: str) -> list[str]:
    """A sentence for each thing that is wrong, and what to do; none where all is well."""
    db = Database(database_url, pool_size=1)
    try:
        with db.transaction() as tx:
            return [*_parked(tx), *_failed(tx), *_damaged(tx), *_payments(tx), *_fonts()]
    finally:
        db.close()


def _parked(tx: Session) -> list[str]:
    found = jobs.parked(tx)
    first: dict[tuple[str, str], str] = {}
    for one in found:
        first.setdefault((one.event, one.handler), f"{one.since:%Y-%m-%d %H:%M} UTC")
    counted = Counter((one.event, one.handler) for one in found)
    return [
        f"{count} jobs wait for a program or a setting that knows {' of '.join(filter(None, (handler, event)))}, "
        f"the first since {first[event, handler]}: they run when the worker starts and knows it."
        for (event, handler), count in counted.items()
    ]


def _failed(tx: Session) -> list[str]:
    return [
        f"{count} jobs {name} failed for good: the log says why (job_id); they are kept for {jobs.KEPT.days} days."
        for name, count in jobs.failed(tx)
    ]


def _damaged(tx: Session) -> list[str]:
    count = tx.scalar(select(func.count()).select_from(DamagedBlob)) or 0
    return [f"{count} blobs are missing or damaged: run `overread verify`, and bring them back."] if count else []


def _payments(tx: Session) -> list[str]:
    found = health(tx)
    sentences = {
        "messages of the payment provider wait: the worker does not run, or its log says why": found.webhooks_waiting,
        "payments have another amount at the provider than here: see them there": found.differing,
        "captures were begun and are not done: the provider is asked again every ten minutes": found.late,
    }
    return [f"{count} {sentence}." for sentence, count in sentences.items() if count]


def _fonts() -> list[str]:
    sentence = fonts.lacking()
    return [sentence] if sentence else []
