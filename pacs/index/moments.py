"""Dates and times as search keys: single ones and ranges (PS3.4 C.2.2.2.5), with offsets from UTC (PS3.5 6.2, DT).

What is given of a moment is what is compared: 202506 is all of June. A moment of a key that has an offset, its own or
that of Timezone Offset From UTC among the keys, is compared with the held one as it is at that offset, where that says
its own (by itself, or by its data set's Timezone Offset From UTC). Where either says none both are taken as they stand.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Interval, and_, case, cast, func, literal
from sqlalchemy.types import Integer, Text

from overread.kit.errors import BadInput
from overread.kit.language import gettext
from pacs.index import matching
from pacs.index.keys import TIMEZONE

#: Offsets reach from -1200 to +1400: other digits behind a hyphen are a range's end.
_ZONE = "(?:0[0-9]|1[0-4])[0-5][0-9]"
_OWN = f"[+-]{_ZONE}$"


def _form(offset: str) -> re.Pattern[str]:
    end = rf"(\d{{2,14}}(?:\.\d{{1,6}})?){offset}"
    return re.compile(rf"(?:{end})?(?:(-)(?:{end})?)?", re.ASCII)


# An address's plus may be a space.
_ZONED, _PLAIN = _form(f"([-+ ]{_ZONE})?"), _form("()")
#: A month that there is, a day and an hour that may be, and perhaps minutes and seconds.
_WHOLE = r"^[1-9]\d{3}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])([0-5]\d([0-5]\d)?)?(\.\d{1,6})?$"


def within(vr: str, text: str, held: ColumnElement[Any], tag: str, zone: timedelta | None) -> ColumnElement[bool]:
    """The condition that an attribute of DICOM JSON lies where a key says. Raises BadInput.

    `zone`: the offset that the keys are meant at, if any.
    """
    first, first_zone, dash, last, last_zone = _read(vr, text)
    low, high = (first, first_zone), (last, last_zone) if dash else (first, first_zone)
    written: ColumnElement[Any] = held[(tag, "Value", 0)].astext
    conditions: list[ColumnElement[bool]] = [written.is_not(None)]
    for (end, own), above in ((low, True), (high, False)):
        if end:
            there = matching.offset(own) if own else zone
            value = func.left(_at(written, held, there) if vr == "DT" else written, len(end))
            conditions.append(value >= end if above else value <= end)
    return and_(*conditions)


def _read(vr: str, text: str) -> tuple[str, ...]:
    """The first end and its offset, the hyphen, the last end and its offset; empty where there is none."""
    found = (_ZONED if vr == "DT" else _PLAIN).fullmatch(text)
    if not found or not (found[1] or found[4]):
        raise BadInput(
            "a bad date",
            safe=gettext(
                "A date or time must be digits (YYYYMMDDHHMMSS), with an offset as +HHMM or -HHMM where it has one; "
                "a range has a hyphen."
            ),
        )
    return found.groups("")


def _at(written: ColumnElement[Any], held: ColumnElement[Any], there: timedelta | None) -> ColumnElement[Any]:
    """A held date and time as it is at an offset, as far as it tells its own and the hour; else as it stands."""
    bare = func.regexp_replace(written, _OWN, "", type_=Text())
    if there is None:
        return bare
    # What a data set says of all its times counts where one says nothing of itself.
    its = func.coalesce(
        func.substring(written, _OWN),
        func.substring(held[(TIMEZONE, "Value", 0)].astext, f"^{_OWN}"),
        type_=Text(),
    )
    minutes = _number(its, 2, 2) * 60 + _number(its, 4, 2)
    away = case((func.left(its, 1) == "-", -minutes), else_=minutes)
    digits = func.split_part(bare, ".", 1, type_=Text())
    # No day of a month is asked whether there is such: the calendar counts on from the first.
    month = func.to_timestamp(func.left(digits, 6), "YYYYMM")
    clock = func.make_interval(
        0, 0, 0, _number(digits, 7, 2) - 1, _number(digits, 9, 2), _number(digits, 11, 2), _number(digits, 13, 2)
    )
    moved = month + clock + literal(there, Interval) - func.make_interval(0, 0, 0, 0, 0, away)
    shown = func.left(func.to_char(moved, "YYYYMMDDHH24MISS"), func.length(digits), type_=Text())
    rest = func.substring(bare, r"\..*$", type_=Text())
    known = and_(its.is_not(None), bare.regexp_match(_WHOLE))
    return case((known, shown.concat(func.coalesce(rest, ""))), else_=bare)


def _number(text: ColumnElement[Any], start: int, length: int) -> ColumnElement[Any]:
    """Digits of a text as a number, 0 where there are none."""
    return cast(func.coalesce(func.nullif(func.substr(text, start, length), ""), "0"), Integer)
