"""Moments as people read them, in their own zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from overread.kit import zones

AT = datetime(2026, 11, 24, 11, 42, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Europe/Berlin", "Tuesday 24 November, 12:42 CET"),
        ("America/New_York", "Tuesday 24 November, 06:42 EST"),
        ("Asia/Kolkata", "Tuesday 24 November, 17:12 IST"),
        ("America/Sao_Paulo", "Tuesday 24 November, 08:42 UTC-3"),
        ("Asia/Kathmandu", "Tuesday 24 November, 17:27 UTC+5:45"),
        ("UTC", "Tuesday 24 November, 11:42 UTC"),
        ("Mars/Olympus_Mons", "Tuesday 24 November, 11:42 UTC"),
    ],
)
def test_a_moment_in_a_zone(name: str, told: str) -> None:
    assert zones.sentence(AT, name) == told
    with zones.reading_in(name):
        assert zones.sentence(AT) == told
        assert zones.local(AT) == AT
    assert zones.sentence(AT) == "Tuesday 24 November, 11:42 UTC"


def test_the_zones_to_choose_from() -> None:
    assert {"UTC", "Europe/Berlin", "America/New_York"} <= set(zones.names())
    assert not zones.known("Etc/GMT+5")
    assert not zones.known("../../etc/passwd")
    assert not zones.known("")
    assert not zones.known(None)
    assert max(map(len, zones.names())) <= zones.LONGEST
    assert zones.dated(AT, "Asia/Tokyo") == "24 November 2026, 20:42 JST"
