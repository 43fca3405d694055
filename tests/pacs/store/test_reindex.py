"""pacs.store.reindex: the columns anew from the headers that are kept."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.data import get_testdata_file
from sqlalchemy import text

from overread.kit.db import Database
from pacs.dicom import json_values
from pacs.index import columns
from pacs.index.attributes import Level
from pacs.store import reindex
from pacs.store.archive import Archive
from pacs.store.ingest import Source
from pacs.views import views
from tests.pacs.store.test_ingest import put, sample, someone
from tests.pacs.views.test_views import LEADING, stored_study, view_of

TABLES = {Level.STUDY: "pacs_study", Level.SERIES: "pacs_series", Level.INSTANCE: "pacs_instance"}
#: What tells rows apart is never written anew.
_UIDS = frozenset(("study_uid", "series_uid", "sop_uid"))
_NOTHING = {"text": "'?'", "date": "DATE '1901-01-01'", "time": "TIME '01:01'", "bigint": "-7", "jsonb": "'{}'"}
_NOTHING["tsvector"] = "''"


def rows(database: Database) -> dict[Level, list[dict[str, Any]]]:
    """Every column of every row."""
    with database.transaction() as tx:
        return {
            level: [dict(row) for row in tx.execute(text(f"SELECT * FROM {table} ORDER BY pk")).mappings()]
            for level, table in TABLES.items()
        }


def spoil(database: Database, where: str = "true") -> None:
    """Write something else into every column that is read from a header."""
    with database.transaction() as tx:
        for level, table in TABLES.items():
            set_ = ", ".join(f"{c} = {_NOTHING[kind]}" for c, kind in columns.TYPES[level].items() if c not in _UIDS)
            tx.execute(text(f"UPDATE {table} SET {set_} WHERE {where}"))


@pytest.fixture
def filled(archive: Archive, database: Database) -> Database:
    """Originals of several kinds, a study of three instances, and its de-identified copy."""
    hospital = Source(someone(database), "stow")
    for name in ("CT_small.dcm", "MR_small.dcm", "rtdose.dcm"):
        assert isinstance(get_testdata_file(name), str)
        put(archive, hospital, sample(name))
    study_uid, _ = stored_study(archive)
    views.deidentify(archive, view_of(archive), LEADING, study_uid)
    return database


def test_every_column_is_what_it_was_and_nothing_else_changes(filled: Database) -> None:
    before = rows(filled)
    assert len(before[Level.STUDY]) == 5
    spoil(filled)
    spoiled = rows(filled)
    assert all(a != b for level in Level for a, b in zip(before[level], spoiled[level], strict=True))
    assert sum(reindex.reindex(filled)) == sum(map(len, before.values()))
    assert rows(filled) == before


def test_what_is_right_is_left_alone(filled: Database) -> None:
    assert list(reindex.reindex(filled)) == [0] * 5
    spoil(filled, "pk = (SELECT min(pk) FROM pacs_study)")
    before = rows(filled)
    assert sorted(reindex.reindex(filled))[-1] >= 1
    assert rows(filled) != before
    assert list(reindex.reindex(filled)) == [0] * 5


def test_studies_of_more_headers_than_are_read_at_once(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows(filled)
    monkeypatch.setattr(reindex, "_ROWS", 2)
    spoil(filled)
    assert sum(reindex.reindex(filled)) == sum(map(len, before.values()))
    assert rows(filled) == before


def test_what_no_copy_could_be_made_of_says_nothing_of_its_study(filled: Database) -> None:
    before = rows(filled)
    nothing = json_values.deflate({})
    with filled.transaction() as tx:
        last = tx.execute(text("SELECT max(pk) FROM pacs_study WHERE source_uid IS NOT NULL")).scalar_one()
        first = "pk = (SELECT min(pk) FROM pacs_instance WHERE study_pk = :study)"
        change = f"UPDATE pacs_instance SET review = 'unusable', metadata_deflated = :nothing WHERE {first}"
        tx.execute(text(change), {"study": last, "nothing": nothing})
    assert sum(reindex.reindex(filled)) == 1
    after = rows(filled)
    assert (after[Level.STUDY], after[Level.SERIES]) == (before[Level.STUDY], before[Level.SERIES])
    assert after[Level.INSTANCE] != before[Level.INSTANCE]
