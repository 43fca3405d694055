"""How well a specialist fits a case, and what keeps them from it, with the reasons. Pure: no clock, no database.

Fit is compared point by point, what matters most first (`Fit.score`); there are no weights to argue about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cases.states import Obstacle
from cases.subspecialties import SUBSPECIALTIES
from cases.tongues import LANGUAGES
from overread.kit.language import gettext
from overread.kit.words import counted


@dataclass(frozen=True, slots=True)
class Need:
    """What a case asks for. `subspecialties`: any of them will do; none: the images don't say.

    `subjects` are of `models.SUBJECTS`. `language`: a code of `tongues`, "" where no known one was named; `today` and
    `due` (None: no time is promised yet) are days by the specialist's calendar.
    """

    subspecialties: frozenset[str]
    subjects: frozenset[str]
    language: str
    today: date
    due: date | None


@dataclass(frozen=True, slots=True)
class Ability:
    """How a specialist reads, and what they have to read without the case in question.

    `subspecialties` and `subjects` are confirmed; `unconfirmed`: they have said more than that. `open`: cases that
    they read or were offered, `due_before` of them due no later than this one; `week`: taken in the last seven days,
    or offered. `leave`: first and last days.
    """

    subspecialties: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    unconfirmed: bool = False
    languages: frozenset[str] = frozenset()
    most_open: int | None = None
    most_week: int | None = None
    leave: tuple[tuple[date, date], ...] = ()
    open: int = 0
    due_before: int = 0
    week: int = 0


@dataclass(frozen=True, slots=True)
class Fit:
    """`score`: points to be compared from left to right, more is better; sentences for and against."""

    score: tuple[int, ...]
    pros: tuple[str, ...]
    cons: tuple[str, ...]


def fit(need: Need, one: Ability) -> Fit:
    """How well a specialist fits."""
    pros: list[str] = []
    cons: list[str] = []
    region = _matched(need.subspecialties, one.subspecialties)
    if region > 1:
        pros.append(gettext("Reads this region: %(names)s.", names=_named(need.subspecialties & one.subspecialties)))
    elif region < 1:
        cons.append(gettext("Another subspecialty: %(names)s.", names=_named(one.subspecialties)))
    elif need.subspecialties:
        cons.append(gettext("No subspecialty is confirmed."))
    kind = _matched(need.subjects, one.subjects)
    if kind > 1:
        pros.append(gettext("Reads such images: %(names)s.", names=", ".join(sorted(need.subjects & one.subjects))))
    elif kind < 1:
        cons.append(gettext("Has not said that they read %(names)s.", names=", ".join(sorted(need.subjects))))
    if one.unconfirmed:
        cons.append(gettext("Has entered a profile that is not confirmed yet."))
    tongue = _matched(frozenset({need.language} - {""}), one.languages)
    if tongue > 1:
        pros.append(gettext("Writes %(language)s.", language=gettext(LANGUAGES[need.language])))
    elif tongue < 1:
        cons.append(gettext("Does not write %(language)s.", language=gettext(LANGUAGES[need.language])))
    away = _days_away(need, one)
    if away:
        cons.append(gettext("Away on %(days)s until it is due.", days=counted(away, "day", "days")))
    room = _room(one)
    if room is not None and room > 0:
        pros.append(gettext("Has room for %(cases)s.", cases=counted(room, "more case", "more cases")))
    if one.due_before:
        cons.append(gettext("Has %(cases)s to finish before.", cases=counted(one.due_before, "case", "cases")))
    elif one.open == 0:
        pros.append(gettext("Has nothing to read just now."))
    free = int(room is None or room > 0)
    return Fit((region, kind, tongue, free, -away, -one.due_before, -one.open), tuple(pros), tuple(cons))


def blocked(need: Need, one: Ability) -> list[tuple[Obstacle, str]]:
    """What keeps a specialist from taking one more case: leave when it is due, or a limit that they have set."""
    found = []
    on = need.due or need.today
    for first, last in one.leave:
        if first <= on <= last:
            text = gettext("On leave when it is due: %(first)s to %(last)s.", first=_day(first), last=_day(last))
            found.append((Obstacle.LEAVE, text))
            break
    if one.most_open is not None and one.open >= one.most_open:
        text = gettext(
            "Has %(number)s open cases and wants no more than %(most)s.", number=one.open, most=one.most_open
        )
        found.append((Obstacle.LIMIT, text))
    if one.most_week is not None and one.week >= one.most_week:
        text = gettext(
            "Took or was offered %(number)s in the last seven days and wants no more than %(most)s.",
            number=counted(one.week, "case", "cases"),
            most=one.most_week,
        )
        found.append((Obstacle.LIMIT, text))
    return found


def _matched(wanted: frozenset[str], has: frozenset[str]) -> int:
    """2 where they have something in common, 0 where both say something else, 1 where one of them says nothing."""
    return 1 if not wanted or not has else 2 if wanted & has else 0


def _days_away(need: Need, one: Ability) -> int:
    """Days of leave from today until it is due, or today alone where no time is promised."""
    until = max(need.due or need.today, need.today)
    days = {
        first + timedelta(days=number)
        for first, last in _within(one.leave, need.today, until)
        for number in range((last - first).days + 1)
    }
    return len(days)


def _within(leave: Sequence[tuple[date, date]], begin: date, end: date) -> list[tuple[date, date]]:
    cut = [(max(first, begin), min(last, end)) for first, last in leave]
    return [(first, last) for first, last in cut if first <= last]


def _room(one: Ability) -> int | None:
    """How many more cases they want; None where they have set no limit."""
    rooms = [one.most_open - one.open] if one.most_open is not None else []
    rooms += [one.most_week - one.week] if one.most_week is not None else []
    return max(min(rooms), 0) if rooms else None


def _named(keys: frozenset[str]) -> str:
    return ", ".join(gettext(SUBSPECIALTIES[key].label) for key in sorted(keys))


def _day(day: date) -> str:
    return f"{day:%-d %B %Y}"
