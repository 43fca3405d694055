"""Writing the index's rows: studies and series with their aggregates, instances, and for which case they were sent.

Rows are written for one sender, or for the view whose copies they are. A study's instances are written by one
statement, whatever their number, that brings the aggregates up to date as well. What has to happen once only, when a
study or series is new or a study begins to grow again, comes before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg
from sqlalchemy.orm import Session

from overread.kit import clock, jobs
from overread.kit.db import raw
from pacs.index.columns import Columns
from pacs.index.events import StudyReceiving
from pacs.index.models import Review
from pacs.store import sql

#: A study that got nothing for so long is stable.
STABLE_AFTER = timedelta(seconds=3)


@dataclass(slots=True)
class Row:
    """An instance to be written: its columns, the case that it was sent for, and the AE title that it was sent to."""

    keys: Columns
    blob: str
    blob_size: int
    transfer_syntax: str
    metadata: bytes
    ranges: Sequence[int]
    header: bytes | None = None
    trailer: bytes = b""
    source_pk: int | None = None
    review: str = Review.ORIGINAL
    reasons: Sequence[str] = ()
    proof: dict[str, Any] = field(default_factory=dict)
    case_id: UUID | None = None
    called_ae: str = ""


@dataclass(slots=True)
class Written:
    """What became of a study's rows.

    `inserted` are positions in the batch; `strangers` those whose patient is not the study's; `existing` gives for the
    others the digest of the bytes that have their SOP Instance UID already.
    """

    began_to_grow: bool
    inserted: set[int]
    strangers: set[int]
    existing: dict[int, str] = field(default_factory=dict)

    def missing(self, count: int) -> list[int]:
        """The positions, of so many, of which nothing is known yet."""
        return sorted(set(range(count)) - self.inserted - self.strangers - self.existing.keys())


def add(
    connection: psycopg.Connection[Any], view_id: UUID, batches: Sequence[tuple[UUID, Sequence[Row]]]
) -> list[Written | None]:
    """Write rows of senders' studies that grow already, whose series are known, all or none: one statement a study.

    None for a study that doesn't, or isn't here: `write` does it. It also finds out about what is `missing` after this.
    """
    watched = [_parameters(view_id, sender_id, rows, watch=True, quick=True) for sender_id, rows in batches]
    if len(watched) == 1:
        answers = [connection.execute(sql.WRITE, watched[0])]
    else:
        with connection.pipeline():
            answers = [connection.execute(sql.WRITE, parameters) for parameters in watched]
    found = [answer.fetchone() for answer in answers]
    return [_written(one, rows) if one else None for one, (_, rows) in zip(found, batches, strict=True)]


def write(
    tx: Session,
    view_id: UUID,
    sender_id: UUID,
    rows: Sequence[Row],
    *,
    source_uid: str | None = None,
    released: bool = True,
    watch: bool = True,
) -> Written:
    """Write rows of one study of a sender, new or not.

    `watch`: see to it that somebody looks when the study is stable.
    """
    connection = raw(tx)
    # Planning the large statement anew takes longer than running it.
    connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    about = _parameters(view_id, sender_id, rows, watch=watch, quick=False)
    connection.execute(sql.OPENING, about)
    opened = connection.execute(sql.OPEN_STUDY, {**about, "study": _study(rows[0].keys, source_uid, released)})
    about["study_pk"] = next(opened)[0]
    series = {row.keys.series_uid: row.keys.series for row in rows}
    connection.execute(sql.OPEN_SERIES, {**about, "series": orjson.dumps(list(series.values())).decode()})
    found = connection.execute(sql.WRITE, about).fetchone()
    assert found is not None
    was_receiving = found[1]
    written = _written(found, rows)
    written.existing, news = _existing(connection, sender_id, rows, written.missing(len(rows)))
    # What is refused, because it has other bytes, changes nothing.
    again = {rows[position].called_ae for position, blob in written.existing.items() if blob == rows[position].blob}
    if again - {""}:
        news |= connection.execute(sql.CALLED, {**about, "called": list(again - {""})}).fetchone() is not None
    if len(written.inserted) < len(rows):
        connection.execute(sql.DROP_EMPTY_SERIES, about)
        connection.execute(sql.DROP_EMPTY_STUDY, about)
    written.began_to_grow = bool(written.inserted or news) and watch and not was_receiving
    if written.began_to_grow:
        connection.execute(sql.GROW, about)
        jobs.emit(tx, StudyReceiving(about["study_pk"]), after=STABLE_AFTER)
    return written


def _written(found: Sequence[Any], rows: Sequence[Row]) -> Written:
    _, _, put, fitting = found
    left = set(put)
    inserted: set[int] = set()
    for position, row in enumerate(rows):
        # Twice in a batch, an instance was inserted once.
        if (name := f"{row.keys.sop_uid} {row.blob}") in left:
            left.discard(name)
            inserted.add(position)
    return Written(False, inserted, set(range(len(rows))) - {position - 1 for position in fitting})


def _study(first: Columns, source_uid: str | None, released: bool) -> str:
    study = {**first.study, "source_uid": source_uid, "released": released}
    return orjson.dumps(study).decode()


def _parameters(view_id: UUID, sender_id: UUID, rows: Sequence[Row], *, watch: bool, quick: bool) -> dict[str, Any]:
    """The statement's parameters: what is text travels as JSON, which costs a fraction of as many arrays."""
    return {
        "view_id": view_id,
        "sender_id": sender_id,
        "study_uid": rows[0].keys.study_uid,
        "series_uids": list({row.keys.series_uid for row in rows}),
        "modalities": sorted({row.keys.series["modality"] for row in rows} - {""}),
        "now": clock.now(),
        "watch": watch,
        "quick": quick,
        "called": list({row.called_ae for row in rows} - {""}),
        "instances": orjson.dumps([_instance(row) for row in rows]).decode(),
        "metadata": [row.metadata for row in rows],
        "headers": [row.header for row in rows],
        "trailers": [row.trailer for row in rows],
    }


def _instance(row: Row) -> dict[str, Any]:
    keys = row.keys
    return {
        **keys.instance,
        "series_uid": keys.series_uid,
        "patient_id": keys.study["patient_id"],
        "birth_date": keys.study["birth_date"],
        "syntax": row.transfer_syntax,
        "blob": row.blob,
        "size": row.blob_size,
        "ranges": row.ranges,
        "source_pk": row.source_pk,
        "review": row.review,
        "reasons": row.reasons,
        "proof": row.proof,
        "case_id": row.case_id,
    }


def _existing(
    connection: psycopg.Connection[Any], sender_id: UUID, rows: Sequence[Row], positions: Sequence[int]
) -> tuple[dict[int, str], bool]:
    """The digests that stand under the UIDs of rows that were not inserted; and whether one was sent for a new case."""
    if not positions:
        return {}, False
    uids = [rows[position].keys.sop_uid for position in positions]
    known = {
        sop: (pk, study, blob) for pk, study, sop, blob in connection.execute(sql.FIND, (sender_id, uids)).fetchall()
    }
    digests: dict[int, str] = {}
    news = False
    for position in positions:
        row = rows[position]
        pk, study_pk, blob = known[row.keys.sop_uid]
        digests[position] = blob
        if blob == row.blob and row.case_id is not None:
            values = (pk, row.case_id, study_pk, clock.now())
            news |= connection.execute(sql.SENT_FOR, values).fetchone() is not None
    return digests, news
