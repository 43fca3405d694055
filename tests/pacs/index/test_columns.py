"""pacs.index.columns: dates, times and texts as columns."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from pacs.dicom import json_values
from pacs.index import columns
from pacs.index.scope import ORIGINAL
from pacs.store import rows


def _of(value: str) -> json_values.Json:
    return {"00080030": {"vr": "TM", "Value": [value]}}


@pytest.mark.parametrize(
    ("written", "clock"),
    [
        ("10", "10:00:00.000000"),
        ("1030", "10:30:00.000000"),
        ("103015.25", "10:30:15.250000"),
        ("153855.039", "15:38:55.039000"),
        ("10:30:15.5", "10:30:15.500000"),
        ("235960", "23:59:59.000000"),
        ("103015 ", "10:30:15.000000"),
    ],
)
def test_times_become_one_form(written: str, clock: str) -> None:
    assert json_values.clock(_of(written), "00080030") == clock


@pytest.mark.parametrize("written", ["", "25", "1", "noon", "1060", "103015.1234567", "1030-11", "١٠"])
def test_what_is_no_time_is_none(written: str) -> None:
    assert json_values.clock(_of(written), "00080030") is None


def test_retired_dates_are_dates() -> None:
    assert json_values.day(_of("2020.01.31"), "00080030") == date(2020, 1, 31)


def test_texts_fit_into_an_index() -> None:
    keys = columns.of({"00100020": {"vr": "LO", "Value": ["  " + "漢" * 30_000]}})
    assert len(keys.study["patient_id"].encode()) < 2000
    assert columns.text(_of(" A 1 "), "00080030") == "A 1"


def test_a_study_that_grows_leaves_its_indexes_alone(tx: Session) -> None:
    """What is counted with every instance stands in no index: rows are rewritten within their page."""
    for number in range(1, 5):
        header: json_values.Json = {
            "00080016": {"vr": "UI", "Value": ["1.2.3"]},
            "00080018": {"vr": "UI", "Value": [f"1.2.3.{number}"]},
            "00080060": {"vr": "CS", "Value": ["CT"]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Kim^Anna"}]},
            "0020000D": {"vr": "UI", "Value": ["1.2.4"]},
            "0020000E": {"vr": "UI", "Value": ["1.2.5"]},
        }
        row = rows.Row(columns.of(header), f"{number:064}", 1, "1.2.840.10008.1.2.1", b"", (0, 1), called_ae="ONE")
        rows.write(tx, ORIGINAL, UUID(int=1), [row], watch=False)
    for table in ("pacs_study", "pacs_series"):
        counted = text(
            "SELECT pg_stat_get_xact_tuples_updated(o), pg_stat_get_xact_tuples_hot_updated(o)"
            f" FROM CAST('{table}' AS regclass) AS o"
        )
        updated, within_page = tx.execute(counted).one()
        assert updated == within_page >= 3
