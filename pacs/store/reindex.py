"""The index anew from the headers that are kept: after an attribute was given a column, or is read in another way.

The server may run meanwhile. UIDs and counts stay as they are, and nobody is told: no study has changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import psycopg
from sqlalchemy import func, select

from overread.kit.db import Database, raw
from pacs.dicom import json_values
from pacs.index import columns
from pacs.index.models import Review, Study
from pacs.store import sql

#: Headers that are read at once.
_ROWS = 500


def reindex(database: Database) -> Iterator[int]:
    """Read the columns of every study again, one after the other; gives how many rows of each were changed."""
    last = 0
    while True:
        with database.transaction() as tx:
            study_pk = tx.scalar(select(func.min(Study.pk)).where(Study.pk > last))
            if study_pk is None:
                return
            changed = _study(raw(tx), study_pk)
        yield changed
        last = study_pk


def _study(connection: psycopg.Connection[Any], study_pk: int) -> int:
    """A study's rows by its headers: its own and its series' by their first, as they were written."""
    # Nobody writes to it meanwhile.
    found = connection.execute(sql.TO_REINDEX, (study_pk,)).fetchone()
    if found is None:
        return 0
    study: dict[str, Any] | None = None
    series: dict[int, dict[str, Any]] = {}
    changed = last = 0
    while rows := connection.execute(sql.HEADERS, (study_pk, last, _ROWS)).fetchall():
        instances = []
        for pk, series_pk, series_uid, sop_uid, review, deflated in rows:
            header = orjson.loads(json_values.inflate(deflated))
            instances.append({"pk": pk, **columns.of_instance(header), "sop_uid": sop_uid})
            # The header of what no copy could be made of says nothing.
            if review == Review.UNUSABLE:
                continue
            if study is None:
                study = {"pk": study_pk, **columns.of_study(header), "study_uid": found[0]}
            if series_pk not in series:
                series[series_pk] = {"pk": series_pk, **columns.of_series(header), "series_uid": series_uid}
        changed += _written(connection, sql.REINDEX_INSTANCES, instances)
        last = rows[-1][0]
    changed += _written(connection, sql.REINDEX_SERIES, list(series.values()))
    return changed + (_written(connection, sql.REINDEX_STUDY, [study]) if study is not None else 0)


def _written(connection: psycopg.Connection[Any], statement: str, rows: list[dict[str, Any]]) -> int:
    return connection.execute(statement, (orjson.dumps(rows).decode(),)).rowcount
