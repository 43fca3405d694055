"""pacs.index: dates, times and texts as columns."""

from __future__ import annotations

from datetime import date

import pytest

from pacs import index


def _of(value: str) -> index.Json:
    return {"00080030": {"vr": "TM", "Value": [value]}}


@pytest.mark.parametrize(
    ("text", "clock"),
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
def test_times_become_one_form(text: str, clock: str) -> None:
    assert index.clock(_of(text), "00080030") == clock


@pytest.mark.parametrize("text", ["", "25", "1", "noon", "1060", "103015.1234567", "1030-11", "١٠"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert index.clock(_of(text), "00080030") is None


def test_retired_dates_are_dates() -> None:
    assert index.day(_of("2020.01.31"), "00080030") == date(2020, 1, 31)


def test_texts_fit_into_an_index() -> None:
    keys = index.keys({"00100020": {"vr": "LO", "Value": ["  " + "漢" * 30_000]}})
    assert len(keys.study["patient_id"].encode()) < 2000
    assert index.matched(_of(" A 1 "), "00080030") == "A 1"
