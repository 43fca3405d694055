"""Dates of one case moved by the same whole number of days (PS3.15 E.3.6), so that every interval stays exact.

Whole days leave the time of day alone: decay correction and contrast phases compute from times that have no date
of their own, and would break where a moved time wraps at midnight.
"""

from __future__ import annotations

import hmac
import re
from datetime import date, timedelta
from hashlib import sha256

#: The offset lies between these, in days, always into the past: no study seems to come from the future.
FEWEST_DAYS = 30
MOST_DAYS = 3650

_date = re.compile(r"(\d{4})([-./]?)(\d{2})\2(\d{2})", re.ASCII).fullmatch
_datetime = re.compile(r"(\d{4})(\d{2})?(\d{2})?((?:\d{2}){0,3})(\.\d{1,6})?([+-]\d{4})?", re.ASCII).fullmatch
_time = re.compile(r"([01]\d|2[0-3])(?::?[0-5]\d(?::?(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?", re.ASCII).fullmatch
_zone = re.compile(r"[+-](?:0\d|1[0-4])[0-5]\d", re.ASCII).fullmatch
_clock = re.compile(r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:[0-5]\d|60)?)?", re.ASCII).fullmatch


def offset_days(secret: bytes) -> int:
    """Give the case's offset: a negative number of days, between -MOST_DAYS and -FEWEST_DAYS."""
    number = int.from_bytes(hmac.digest(secret, b"dates", sha256)[:8], "big")
    return -(FEWEST_DAYS + number % (MOST_DAYS - FEWEST_DAYS + 1))


def _move(year: int, month: int, day: int, days: int) -> date | None:
    try:
        return date(year, month, day) + timedelta(days)
    except (ValueError, OverflowError):
        return None


def _text(moved: date, separator: str = "") -> str:
    return f"{moved.year:04d}{separator}{moved.month:02d}{separator}{moved.day:02d}"


def shift_date(value: str, days: int) -> str | None:
    """Move a DA (PS3.5 6.2), YYYYMMDD or the old YYYY.MM.DD; None if it is not a date of the calendar.

    A range "A-B", "A-" or "-B" (PS3.4 C.2.2.2.5) is moved at both ends.
    """
    match = _date(value)
    if match is None:
        low, dash, high = value.partition("-")
        if not dash or not (low or high):
            return None
        ends = [shift_date(end.strip(), days) if end.strip() else "" for end in (low, high)]
        return None if None in ends else f"{ends[0]}-{ends[1]}"
    moved = _move(int(match[1]), int(match[3]), int(match[4]), days)
    return None if moved is None else _text(moved, match[2])


def shift_datetime(value: str, days: int) -> str | None:
    """Move a DT (PS3.5 6.2): the date part moves, time, fraction and zone stay; None if it is not valid.

    A value of a year or a month alone moves from its first day and keeps its precision. A range of two values,
    whose dash may also begin a zone, is not valid in a data set and not taken.
    """
    match = _datetime(value)
    if match is None:
        return None
    year, month, day, clock, fraction, zone = match.groups()
    if (clock or fraction) and not day:
        return None
    if (clock and _clock(clock) is None) or (fraction and len(clock) < 6) or (zone and _zone(zone) is None):
        return None
    moved = _move(int(year), int(month or 1), int(day or 1), days)
    if moved is None:
        return None
    length = 4 if month is None else 6 if day is None else 8
    return _text(moved)[:length] + clock + (fraction or "") + (zone or "")


def check_time(value: str) -> str | None:
    """Give a TM (PS3.5 6.2) or a range of two back if it is valid, also in the old HH:MM:SS form, else None."""
    if _time(value):
        return value
    low, dash, high = value.partition("-")
    ends = [end.strip() for end in (low, high)]
    if dash and any(ends) and all(not end or _time(end) for end in ends):
        return f"{ends[0]}-{ends[1]}"
    return None


def shift(value: str, vr: str, days: int) -> str | None:
    """Move every part of a multi-valued DA or DT, check every part of a TM; one bad part makes it None."""
    moved: list[str] = []
    for part in value.split("\\"):
        plain = part.strip(" \0")
        if not plain:
            moved.append("")
            continue
        result = (
            shift_date(plain, days) if vr == "DA" else shift_datetime(plain, days) if vr == "DT" else check_time(plain)
        )
        if result is None:
            return None
        moved.append(result)
    return "\\".join(moved)


def valid_zone(value: str) -> bool:
    """Tell whether `value` is a Timezone Offset From UTC (0008,0201): &ZZXX."""
    return _zone(value) is not None


_age = re.compile(r"(\d{3})([DWMY])", re.ASCII).fullmatch
_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}


def cap_age(value: str, cap: int) -> str | None:
    """Give an AS back, or `cap` + 1 years for everyone older than `cap`; None if it is not an age (PS3.5 6.2)."""
    match = _age(value.strip(" \0"))
    if match is None:
        return None
    years = int(match[1]) / _PER_YEAR[match[2]]
    return f"{cap + 1:03d}Y" if years >= cap + 1 else match[0]
