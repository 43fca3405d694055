"""Writing the index's rows: studies and series with their aggregates, instances, and who holds them.

A study's instances are written by one statement, whatever their number; a second brings the aggregates up to date. The
first locks the study's row until the transaction ends, so the aggregates stay right however many write at once.
"""

from __future__ import annotations

from collections import Counter
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
from pacs import sql
from pacs.events import StudyGrowing
from pacs.index import Keys

#: A study that got nothing for so long has settled.
QUIET = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Held:
    """Who sent an instance, which way, for which case, and to which AE title."""

    holder_id: UUID
    via: str
    case_id: UUID | None = None
    called_ae: str = ""


@dataclass(slots=True)
class Row:
    """An instance to be written: its columns, and who holds it (nobody, in a view)."""

    keys: Keys
    blob: str
    blob_size: int
    transfer_syntax: str
    metadata: bytes
    ranges: Sequence[int]
    header: bytes | None = None
    trailer: bytes = b""
    source_pk: int | None = None
    review: str = "original"
    reasons: Sequence[str] = ()
    proof: dict[str, Any] = field(default_factory=dict)
    held: Held | None = None


@dataclass(slots=True)
class Written:
    """What became of a study's rows.

    `inserted` are positions in the batch; `strangers` those whose patient is not the study's; `existing` gives for the
    others the digest of the bytes that have their SOP Instance UID already.
    """

    began_to_grow: bool
    inserted: set[int]
    strangers: set[int]
    existing: dict[int, str]


def write(
    tx: Session,
    view_id: UUID,
    rows: Sequence[Row],
    *,
    source_uid: str | None = None,
    released: bool = True,
    watch: bool = True,
) -> Written:
    """Write the rows of one study. `watch`: see to it that somebody looks when the study has settled."""
    connection = raw(tx)
    # What doesn't wait for an answer travels together: one round trip where all is new and the series known.
    with connection.pipeline():
        # Planning the large statement anew takes longer than running it.
        connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        parameters = _parameters(view_id, rows, source_uid, released, watch)
        found = connection.execute(sql.WRITE_STUDY, parameters).fetchone()
        assert found is not None
        study_pk, was_settling, put, added, fitting = found
        if added:
            connection.execute(sql.ADD_SERIES, (added, study_pk))
        left = {(one["sop"], one["blob"]) for one in put}
        inserted: set[int] = set()
        for position, row in enumerate(rows):
            if (row.keys.sop_uid, row.blob) in left:
                left.discard((row.keys.sop_uid, row.blob))
                inserted.add(position)
        strangers = set(range(len(rows))) - {position - 1 for position in fitting}
        others = [p for p in range(len(rows)) if p not in inserted and p not in strangers]
        existing, news = _existing(connection, view_id, rows, others)
        grew = bool(inserted) or news
        if len(inserted) < len(rows):
            missing = Counter(row.keys.series_uid for p, row in enumerate(rows) if p not in inserted)
            connection.execute(sql.CORRECT_SERIES, (list(missing), list(missing.values()), study_pk))
            settling = was_settling or (grew and watch)
            connection.execute(sql.CORRECT_STUDY, (missing.total(), settling, study_pk))
            connection.execute(sql.DROP_EMPTY_SERIES, (study_pk,))
            connection.execute(sql.DROP_EMPTY_STUDY, (study_pk,))
        begins = grew and watch and not was_settling
        if begins:
            jobs.emit(tx, StudyGrowing(rows[0].keys.study_uid), after=QUIET)
    return Written(begins, inserted, strangers, existing)


def _parameters(
    view_id: UUID, rows: Sequence[Row], source_uid: str | None, released: bool, watch: bool
) -> dict[str, Any]:
    """The statement's parameters: what is text travels as JSON, which costs a fraction of as many arrays."""
    first = rows[0].keys
    study = {**first.study, "study_uid": first.study_uid, "source_uid": source_uid, "released": released}
    series: dict[str, dict[str, Any]] = {}
    for row in rows:
        uid = row.keys.series_uid
        if uid not in series:
            series[uid] = {"series_uid": uid, **row.keys.series, "count": 0}
        series[uid]["count"] += 1
    return {
        "view_id": view_id,
        "now": clock.now(),
        "watch": watch,
        "count": len(rows),
        "modalities": sorted({one["modality"] for one in series.values()} - {""}),
        "holders": list({row.held.holder_id for row in rows if row.held is not None}),
        "study": orjson.dumps(study).decode(),
        "series": orjson.dumps(list(series.values())).decode(),
        "instances": orjson.dumps([_instance(row) for row in rows]).decode(),
        "metadata": [row.metadata for row in rows],
        "headers": [row.header for row in rows],
        "trailers": [row.trailer for row in rows],
    }


def _instance(row: Row) -> dict[str, Any]:
    keys, held = row.keys, row.held
    return {
        "sop_uid": keys.sop_uid,
        "series_uid": keys.series_uid,
        "sop_class": keys.sop_class,
        "patient_id": keys.study["patient_id"],
        "birth_date": keys.study["birth_date"],
        **keys.instance,
        "syntax": row.transfer_syntax,
        "blob": row.blob,
        "size": row.blob_size,
        "ranges": row.ranges,
        "source_pk": row.source_pk,
        "review": row.review,
        "reasons": row.reasons,
        "proof": row.proof,
        "holder": held.holder_id if held else None,
        "via": held.via if held else "",
        "case_id": held.case_id if held else None,
        "ae": held.called_ae if held else "",
    }


def _existing(
    connection: psycopg.Connection[Any], view_id: UUID, rows: Sequence[Row], positions: Sequence[int]
) -> tuple[dict[int, str], bool]:
    """The digests that stand under the UIDs of rows that were not inserted; and whether somebody new holds one.

    Whoever sends the same bytes again holds that instance too; sent again for another case, the newer case counts.
    """
    if not positions:
        return {}, False
    uids = [rows[position].keys.sop_uid for position in positions]
    known = {
        sop: (pk, study, blob) for pk, study, sop, blob in connection.execute(sql.FIND, (view_id, uids)).fetchall()
    }
    digests: dict[int, str] = {}
    news = False
    for position in positions:
        row = rows[position]
        pk, study_pk, blob = known[row.keys.sop_uid]
        digests[position] = blob
        if blob == row.blob and row.held is not None:
            one = row.held
            values = (one.holder_id, pk, study_pk, one.via, one.case_id, one.called_ae, clock.now())
            news |= connection.execute(sql.HOLD, values).fetchone() is not None
    return digests, news
