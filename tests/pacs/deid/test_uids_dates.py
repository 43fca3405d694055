"""UIDs and dates: references stay closed, intervals stay exact, and two cases can't be joined."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.deid.dates import FEWEST_DAYS, MOST_DAYS, cap_age, check_time, offset_days, shift, shift_date, shift_datetime
from pacs.deid.uids import is_public, is_standard, new_uid, new_uids
from pacs.dicom.part10 import valid_uid

secrets = st.binary(min_size=32, max_size=32)
uids = st.lists(st.integers(0, 10**9), min_size=3, max_size=6).map(lambda parts: "1.3.6.1." + ".".join(map(str, parts)))
days = st.dates(date(1900, 1, 1), date(2100, 1, 1))


def da(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


@given(secrets, uids)
def test_a_new_uid_is_valid_and_always_the_same(secret: bytes, uid: str) -> None:
    new = new_uid(secret, uid)
    assert new == new_uid(secret, uid) != uid
    assert valid_uid(new)
    assert len(new) <= 44
    assert new.startswith("2.25.")
    assert not any(part != "0" and part.startswith("0") for part in new.split("."))


@given(secrets, secrets, uids, uids)
def test_no_two_uids_and_no_two_cases_meet(one: bytes, other: bytes, uid: str, second: str) -> None:
    assert (new_uid(one, uid) == new_uid(one, second)) == (uid == second)
    assert (new_uid(one, uid) == new_uid(other, uid)) == (one == other)


def test_the_standards_own_uids_stay() -> None:
    secret = bytes(32)
    for uid in ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.4.1.1"):
        assert is_standard(uid)
        assert new_uid(secret, uid) == uid
    assert is_public("2.16.840.1.113883.6.96")
    assert not is_public("1.2.840.113619.2.1")
    assert not is_standard("1.2.840.10008.9.9.9.1")
    assert new_uids(secret, "1.2.3\\\\1.2.840.10008.1.2 ") == f"{new_uid(secret, '1.2.3')}\\\\1.2.840.10008.1.2"


@given(st.text(max_size=80))
def test_anything_that_calls_itself_a_uid_is_mapped(uid: str) -> None:
    assert valid_uid(new_uid(b"s" * 32, uid))


@given(secrets)
def test_the_offset_goes_into_the_past_and_is_the_cases_own(secret: bytes) -> None:
    assert -MOST_DAYS <= offset_days(secret) <= -FEWEST_DAYS
    assert offset_days(secret) == offset_days(secret)


@given(secrets, days, days)
def test_intervals_are_exact(secret: bytes, first: date, second: date) -> None:
    offset = offset_days(secret)
    moved = [shift(da(day), "DA", offset) for day in (first, second)]
    assert None not in moved
    low, high = (datetime.strptime(str(day), "%Y%m%d").date() for day in moved)  # noqa: DTZ007
    assert high - low == second - first
    assert low == first + timedelta(offset)


@given(days, st.times(), st.sampled_from(["", "+0100", "-0530", "+1400"]), st.booleans())
def test_a_datetime_moves_with_its_date_and_keeps_time_and_zone(
    day: date, time: object, zone: str, fraction: bool
) -> None:
    clock = str(time)[:8].replace(":", "") + (".123456" if fraction else "")
    moved = shift_datetime(da(day) + clock + zone, -400)
    assert moved == str(shift_date(da(day), -400)) + clock + zone


@pytest.mark.parametrize(
    ("value", "vr", "moved"),
    [
        ("20200301", "DA", "20200229"),
        ("2020.03.01", "DA", "2020.02.29"),
        ("20200301-20200302", "DA", "20200229-20200301"),
        ("20200301-", "DA", "20200229-"),
        ("20200301\\20200302", "DA", "20200229\\20200301"),
        ("20200301 ", "DA", "20200229"),
        ("20200231", "DA", None),
        ("2020", "DA", None),
        ("00010101", "DA", None),
        ("Zq", "DA", None),
        ("20200301101112.5+0100", "DT", "20200229101112.5+0100"),
        ("202003", "DT", "202002"),
        ("2020", "DT", "2019"),
        ("2020030125", "DT", None),
        ("20200301Zq", "DT", None),
        ("101112.123456", "TM", "101112.123456"),
        ("10:11:12", "TM", "10:11:12"),
        ("10", "TM", "10"),
        ("1011-1200", "TM", "1011-1200"),
        ("256199", "TM", None),
        ("Zq", "TM", None),
    ],
)
def test_odd_forms(value: str, vr: str, moved: str | None) -> None:
    assert shift(value, vr, -1) == moved


@given(st.text(max_size=30))
def test_what_is_no_time_is_not_kept(value: str) -> None:
    kept = check_time(value)
    assert kept is None or set(kept) <= set("0123456789:.-")
    assert shift(value, "DA", -1) is None or not set(str(shift(value, "DA", -1))) - set("0123456789.-/\\")


@pytest.mark.parametrize(("age", "capped"), [("090Y", "090Y"), ("999M", "999M"), ("120Y", "090Y"), ("9Y", None)])
def test_ages(age: str, capped: str | None) -> None:
    assert cap_age(age, 89) == capped
