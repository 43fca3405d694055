"""Business time: what "in five days" is, over days off, both changes of summer time and the ends of years."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cases import deadlines
from cases.deadlines import MIDNIGHT, Calendar, Hours
from overread.kit import zones

NINE_TO_FIVE: Hours = (9 * 60, 17 * 60)
OFFICE = (*[NINE_TO_FIVE] * 5, None, None)
ALWAYS = ((0, MIDNIGHT),) * 7
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
# Zones with both halves of the year, a half hour's change, none, and a day that one of them skipped.
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC")


@st.composite
def _hours(draw: st.DrawFn) -> Hours:
    opens = draw(st.integers(0, MIDNIGHT - deadlines.SHORTEST))
    return opens, draw(st.integers(opens + deadlines.SHORTEST, MIDNIGHT))


_DAYS = st.dates(date(2010, 1, 1), date(2029, 12, 31))
_MOMENTS = st.datetimes(datetime(2011, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_SPANS = st.timedeltas(timedelta(0), timedelta(days=40))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    week = draw(st.lists(st.none() | _hours(), min_size=7, max_size=7).filter(any))
    return Calendar(ZoneInfo(draw(st.sampled_from(ZONES))), tuple(week), draw(st.frozensets(_DAYS, max_size=20)))


def _local(calendar: Calendar, at: datetime) -> datetime:
    return at.astimezone(calendar.zone)


@given(calendars(), _MOMENTS, st.integers(1, 30))
@example(Calendar(BERLIN, OFFICE), datetime(2026, 10, 23, 10, tzinfo=UTC), 1)
@example(Calendar(BERLIN, ALWAYS, frozenset((date(2026, 12, 26),))), datetime(2026, 12, 25, 23, tzinfo=UTC), 1)
def test_a_due_time_lies_ahead_in_open_hours_and_never_on_a_day_off(
    calendar: Calendar, start: datetime, days: int
) -> None:
    due = deadlines.due(calendar, start, days)
    assert due > start
    assert calendar.is_open(due)
    there = _local(calendar, due)
    assert there.date() not in calendar.days_off
    assert calendar.week[there.weekday()] is not None


@given(calendars(), _MOMENTS, _SPANS, st.integers(1, 12), st.integers(0, 12))
def test_what_begins_later_or_takes_longer_is_never_due_earlier(
    calendar: Calendar, start: datetime, wait: timedelta, days: int, more: int
) -> None:
    due = deadlines.due(calendar, start, days)
    assert due <= deadlines.due(calendar, start + wait, days)
    assert due <= deadlines.due(calendar, start, days + more)


@given(calendars(), _MOMENTS, st.integers(1, 15))
def test_each_open_day_counts_once(calendar: Calendar, start: datetime, days: int) -> None:
    """Between the day on which it begins to count and the one on which it is due lie as many open days as were said."""
    begins = deadlines.next_open(calendar, start)
    if deadlines.between(calendar, start, begins + timedelta(minutes=1)) <= timedelta(0):
        # It begins with the end of a stretch: it counts from the next one.
        begins = deadlines.next_open(calendar, begins + timedelta(minutes=1))
    first = _local(calendar, begins).date()
    last = _local(calendar, deadlines.due(calendar, start, days)).date()
    after = (first + timedelta(days=n) for n in range(1, (last - first).days + 1))
    assert sum(calendar.stretch(day) is not None for day in after) == days


@given(calendars(), _MOMENTS, _SPANS)
def test_open_time_forwards_and_backwards_is_the_same(calendar: Calendar, at: datetime, by: timedelta) -> None:
    later = deadlines.later(calendar, at, by)
    assert later >= at + by
    assert deadlines.between(calendar, at, later) == by
    earlier = deadlines.earlier(calendar, at, by)
    assert earlier <= at - by
    assert deadlines.between(calendar, earlier, at) == by
    assert deadlines.between(calendar, at, earlier) == timedelta(0)


@given(calendars(), _MOMENTS, _SPANS, _SPANS)
def test_two_pauses_are_one_as_long(calendar: Calendar, at: datetime, one: timedelta, two: timedelta) -> None:
    assert deadlines.later(calendar, deadlines.later(calendar, at, one), two) == deadlines.later(
        calendar, at, one + two
    )


@given(calendars(), _MOMENTS)
def test_the_next_open_moment_is_open_and_the_first(calendar: Calendar, at: datetime) -> None:
    opens = deadlines.next_open(calendar, at)
    assert opens >= at
    assert calendar.is_open(opens)
    assert deadlines.between(calendar, at, opens) == timedelta(0)


def _at(zone: ZoneInfo, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-11-24T11:42", 1, "2026-11-25T11:42"),
        ("2026-11-24T11:42", 5, "2026-12-01T11:42"),
        # Before opening, after closing, at a weekend: it begins when the program opens.
        ("2026-11-24T03:00", 1, "2026-11-25T09:00"),
        ("2026-11-24T17:00", 1, "2026-11-26T09:00"),
        ("2026-11-28T12:00", 1, "2026-12-01T09:00"),
        # Both changes of summer time leave the hour of the day.
        ("2026-10-23T11:42", 1, "2026-10-26T11:42"),
        ("2026-03-27T11:42", 1, "2026-03-30T11:42"),
        # Over Christmas and the end of the year.
        ("2026-12-23T16:30", 3, "2026-12-30T16:30"),
        ("2026-12-31T10:00", 2, "2027-01-05T10:00"),
    ],
)
def test_what_people_expect(start: str, days: int, due: str) -> None:
    off = frozenset(map(date.fromisoformat, ("2026-12-24", "2026-12-25", "2027-01-01")))
    calendar = Calendar(BERLIN, OFFICE, off)
    assert deadlines.due(calendar, _at(BERLIN, start), days) == _at(BERLIN, due)


def test_round_the_clock_counts_calendar_days() -> None:
    calendar, start = Calendar(NEW_YORK, ALWAYS), _at(NEW_YORK, "2026-10-30T11:42")
    assert deadlines.due(calendar, start, 5) == _at(NEW_YORK, "2026-11-04T11:42")
    assert deadlines.due(Calendar(UTC, ALWAYS), start, 5) == start + timedelta(days=5)


def test_a_short_day_is_due_by_its_closing() -> None:
    week = (*[NINE_TO_FIVE] * 4, (9 * 60, 12 * 60), None, None)
    due = deadlines.due(Calendar(BERLIN, week), _at(BERLIN, "2026-11-26T16:30"), 1)
    assert due == _at(BERLIN, "2026-11-27T12:00")


def test_what_would_be_due_at_midnight_is_due_on_its_own_day() -> None:
    week = ((0, MIDNIGHT), (0, 12 * 60), None, None, None, None, (0, MIDNIGHT))
    begins = _at(BERLIN, "2026-10-25T23:59")
    # The 25th of October has twenty-five hours; the day after has not.
    due = deadlines.due(Calendar(BERLIN, week), begins, 1)
    assert due == _at(BERLIN, "2026-10-26T23:59")


def test_a_day_that_a_country_skipped_is_no_day() -> None:
    apia = Calendar(ZoneInfo("Pacific/Apia"), ALWAYS)
    assert apia.stretch(date(2011, 12, 30)) is None
    stretches = [found for n in range(25, 32) if (found := apia.stretch(date(2011, 12, n))) is not None]
    assert len(stretches) == 6
    assert all(one[1] == two[0] for one, two in pairwise(stretches))


@pytest.mark.parametrize(
    "week", [(None,) * 7, (NINE_TO_FIVE,) * 6, ((9 * 60, 9 * 60 + 59), *[None] * 6), ((0, MIDNIGHT + 1), *[None] * 6)]
)
def test_a_program_that_is_never_open_is_refused(week: tuple[Hours, ...]) -> None:
    with pytest.raises(ValueError, match="open"):
        Calendar(UTC, week)


def test_other_things_that_can_t_be() -> None:
    with pytest.raises(ValueError, match="days off"):
        Calendar(UTC, OFFICE, frozenset(date(2026, 1, 1) + timedelta(days=n) for n in range(401)))
    with pytest.raises(ValueError, match="reading time"):
        deadlines.due(Calendar(UTC, OFFICE), datetime.now(UTC), 0)


def test_a_calendar_of_what_is_kept() -> None:
    made = deadlines.calendar("Europe/Berlin", [[540, 1020], *[None] * 6], [{"day": "2026-12-28", "name": "x"}])
    assert (made.zone, made.week[0], made.days_off) == (BERLIN, NINE_TO_FIVE, frozenset((date(2026, 12, 28),)))
    opens, closes = made.stretch(date(2026, 12, 21)) or (None, None)
    assert opens == datetime.combine(date(2026, 12, 21), time(8), UTC)
    assert closes == datetime.combine(date(2026, 12, 21), time(16), UTC)
    assert made.stretch(date(2026, 12, 28)) is None
    assert zones.zone("No/Where") is UTC
