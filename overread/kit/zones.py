"""Time zones: whoever is answered reads moments in their own; what is stored and computed stays in UTC.

A zone goes by its name in the IANA database ("Europe/Berlin"). As with the language of an answer (`language`), who
reads is set once around a request, and read where a moment is written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

#: Of whom nothing is known.
DEFAULT = "UTC"
#: Longer than every name in the database.
LONGEST = 64

_current: ContextVar[tzinfo] = ContextVar("zone", default=UTC)


@cache
def names() -> tuple[str, ...]:
    """The zones that people can choose, by name: places, and UTC. The database's other names are for machines."""
    places = (name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/")))
    return (DEFAULT, *sorted(places))


def known(name: str | None) -> bool:
    """Whether there is such a zone to choose."""
    return name in names()


@cache
def zone(name: str | None) -> tzinfo:
    """The zone of this name; UTC for none, and for one that a newer database has dropped."""
    return ZoneInfo(name) if name and known(name) else UTC


def current() -> tzinfo:
    """The zone of whoever is answered now."""
    return _current.get()


@contextmanager
def reading_in(name: str | None) -> Iterator[None]:
    """Write moments out in this zone within the block."""
    token = _current.set(zone(name))
    try:
        yield
    finally:
        _current.reset(token)


def local(at: datetime) -> datetime:
    """A moment in the zone of whoever is answered."""
    return at.astimezone(_current.get())


def short(at: datetime) -> str:
    """What the zone of a moment is called then: "CET", or, where it has no letters of its own, "UTC+3"."""
    name = at.tzname() or ""
    if name.isalpha():
        return name
    offset = at.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset else 0
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}"


def sentence(at: datetime, name: str | None = None) -> str:
    """A moment as a sentence holds it: "Tuesday 24 November, 11:42 CET"; without a zone's name, the reader's."""
    there = at.astimezone(zone(name)) if name else local(at)
    return f"{there:%A} {there.day} {there:%B, %H:%M} {short(there)}"


def dated(at: datetime, name: str | None = None) -> str:
    """A moment of any year: "24 November 2026, 11:42 CET"."""
    there = at.astimezone(zone(name)) if name else local(at)
    return f"{there.day} {there:%B %Y, %H:%M} {short(there)}"
