"""Business time: when a program is open, and what that makes of "in five days". Pure: no clock, no database.

A day of the program has at most one open stretch, by its wall clock; days off have none. Days are counted as open
days: what begins an hour after opening is due an hour after opening, so at the same local hour wherever the days are
alike, and never while the program is closed. Time that stands still, and warnings, are counted in open hours. Stretches
are measured between moments, so that both changes of summer time cost nobody an hour. A program that is open round the
clock every day counts calendar days by this same rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from overread.kit import zones

#: Minutes of a wall clock's day.
MIDNIGHT = 24 * 60
#: No stretch is shorter, so that a search comes to its end; nor has a program more days off than these.
SHORTEST, MOST_DAYS_OFF = 60, 400

#: A weekday's opening and closing in minutes since midnight, None where it is closed.
Hours = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a program is open. `week`: Monday first. Raises ValueError for one that is never open."""

    zone: tzinfo
    week: tuple[Hours, ...]
    days_off: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        if len(self.week) != 7 or not any(self.week):
            raise ValueError("a program is open on at least one of seven days")
        for hours in self.week:
            if hours is not None and not (hours[0] >= 0 and hours[0] + SHORTEST <= hours[1] <= MIDNIGHT):
                raise ValueError(f"an open stretch of {hours}")
        if len(self.days_off) > MOST_DAYS_OFF:
            raise ValueError(f"{len(self.days_off)} days off")

    def stretch(self, day: date) -> tuple[datetime, datetime] | None:
        """From when to when it is open on a day (UTC); None where it is not."""
        hours = self.week[day.weekday()]
        if hours is None or day in self.days_off:
            return None
        opens, closes = (self._moment(day, minutes) for minutes in hours)
        # What a clock skips as summer begins, or a country that changes sides of the date line, is no time.
        return (opens, closes) if opens < closes else None

    def is_open(self, at: datetime) -> bool:
        """Whether a moment is within an open stretch, its ends included."""
        opens, _ = next(_onwards(self, at))
        return opens <= at

    def _moment(self, day: date, minutes: int) -> datetime:
        days, minutes = divmod(minutes, MIDNIGHT)
        wall = time(minutes // 60, minutes % 60)
        return datetime.combine(day + timedelta(days=days), wall, self.zone).astimezone(UTC)


def calendar(zone: str, week: Sequence[Sequence[int] | None], days_off: Iterable[Mapping[str, Any]]) -> Calendar:
    """A calendar of what is kept of a program: the zone's name, minutes of the week, and days off with their names."""
    hours = tuple((int(one[0]), int(one[1])) if one else None for one in week)
    return Calendar(zones.zone(zone), hours, frozenset(date.fromisoformat(str(one["day"])) for one in days_off))


def _onwards(calendar: Calendar, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The open stretches that end at a moment or later, without an end: there are fewer days off than open ones."""
    # A day before, for a zone that is ahead of its own date.
    day = at.astimezone(calendar.zone).date() - timedelta(days=1)
    while True:
        found = calendar.stretch(day)
        if found is not None and found[1] >= at:
            yield found
        day += timedelta(days=1)


def due(calendar: Calendar, start: datetime, days: int) -> datetime:
    """The moment `days` open days after `start`, as long after opening as it was then (at most until closing).

    What starts while the program is closed starts when it next opens. Raises ValueError for less than a day.
    """
    if days < 1:
        raise ValueError(f"a reading time of {days} days")
    # A stretch that ends as something starts has no time left for it.
    stretches = (one for one in _onwards(calendar, start) if one[1] > start)
    opens, _ = next(stretches)
    into = max(start - opens, timedelta(0))
    for _ in range(days - 1):
        next(stretches)
    opens, closes = next(stretches)
    if closes.astimezone(calendar.zone).time() == time.min:
        # Midnight would be read as the day after, on which it may be closed.
        closes -= timedelta(minutes=1)
    return min(opens + into, closes)


def between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """How long the program is open from one moment to another; nothing where they are the other way round."""
    total = timedelta(0)
    for opens, closes in _onwards(calendar, start):
        if opens >= end:
            return total
        total += max(min(closes, end) - max(opens, start), timedelta(0))
    raise AssertionError("stretches have no end")


def later(calendar: Calendar, at: datetime, by: timedelta) -> datetime:
    """A moment that much open time later; the same one for none."""
    left = by
    if left <= timedelta(0):
        return at
    for opens, closes in _onwards(calendar, at):
        begins = max(opens, at)
        if closes - begins >= left:
            return begins + left
        left -= closes - begins
    raise AssertionError("stretches have no end")


def earlier(calendar: Calendar, at: datetime, by: timedelta) -> datetime:
    """A moment that much open time before."""
    left, day = by, at.astimezone(calendar.zone).date() + timedelta(days=1)
    while left > timedelta(0):
        found = calendar.stretch(day)
        if found is not None and found[0] < at:
            ends = min(found[1], at)
            if ends - found[0] >= left:
                return ends - left
            left -= ends - found[0]
        day -= timedelta(days=1)
    return at


def next_open(calendar: Calendar, at: datetime) -> datetime:
    """The first moment from this one on at which the program is open."""
    opens, _ = next(one for one in _onwards(calendar, at) if one[1] > at)
    return max(opens, at)
