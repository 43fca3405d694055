"""How the text of one key matches a column: PS3.4 C.2.2.2, as PS3.18 8.3.4.1 takes it over.

Every function gives a condition, and raises BadInput where the text can't be read as its value representation asks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    DateTime,
    Interval,
    Time,
    and_,
    any_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY
from sqlalchemy.types import Text

from overread.kit.errors import BadInput
from overread.kit.language import gettext
from pacs.dicom import tags
from pacs.index.folding import MAX_LEXEME, fold_name, sound, words

Condition = ColumnElement[bool]

MAX_LENGTH = 1024  # characters of a key's value
MAX_VALUES = 500  # values of a list
_MAX_WILDCARDS = 16
#: PS3.5 6.2.1.1: a name's group has five components.
_COMPONENTS = 5
_MAX_PIECES = 8  # words of a name that the index is asked for; the whole is compared anyhow
_MAX_LIST = MAX_VALUES * 65
_DAY = timedelta(days=1)


def checked(text: str) -> str:
    """A key's text without the spaces around it; what no value can be is refused."""
    if "\0" in text:
        raise BadInput("a key holds NUL", safe=gettext("A search key's value holds a NUL character."))
    if len(text) > _MAX_LIST or (len(text) > MAX_LENGTH and not re.fullmatch(r"[0-9.,\\]+", text)):
        raise BadInput(
            "a key is too long",
            safe=gettext("A search key's value has at most %(max_length)s characters.", max_length=MAX_LENGTH),
        )
    text = re.sub(r"\*{2,}", "*", text.strip(" "))
    if text.count("*") + text.count("?") > _MAX_WILDCARDS:
        raise BadInput(
            "too many wild cards",
            safe=gettext(
                "A search key's value has at most %(max_wildcards)s wild cards.", max_wildcards=_MAX_WILDCARDS
            ),
        )
    return text


def is_universal(text: str) -> bool:
    """Whether every value, and none, matches (C.2.2.2.3)."""
    return text in ("", "*")


def values(text: str) -> list[str]:
    """The values of a list: commas part them in an address (PS3.18 8.3.4.1), backslashes elsewhere."""
    found = [part.strip(" ") for part in re.split(r"[\\,]", text)]
    found = [part for part in found if part]
    if len(found) > MAX_VALUES:
        raise BadInput(
            "too many values", safe=gettext("A search key has at most %(max_values)s values.", max_values=MAX_VALUES)
        )
    return found


def has_wildcard(text: str) -> bool:
    """Whether wild card matching is asked for (C.2.2.2.4)."""
    return "*" in text or "?" in text


def like(text: str) -> str:
    """The pattern of PostgreSQL's LIKE that a wild card pattern is."""
    return re.sub(r"([\\%_])", r"\\\1", text).replace("*", "%").replace("?", "_")


def string(column: Any, text: str) -> Condition:
    """A single value or wild cards; case and accents count (C.2.2.2.1, C.2.2.2.4)."""
    found: Condition = column.like(like(text)) if has_wildcard(text) else column == text
    return found


def uids(text: str) -> list[str]:
    """The UIDs of a list (C.2.2.2.2)."""
    found = values(text)
    if not all(re.fullmatch(r"[0-9.]{1,64}", uid) for uid in found):
        raise BadInput(
            "a key is no UID", safe=gettext("A UID has digits and dots only, 64 at most; a list has commas between.")
        )
    return found


def uid(column: Any, text: str) -> Condition:
    """One UID or one of a list (C.2.2.2.2)."""
    found: Condition = column == any_(cast(uids(text), ARRAY(Text)))
    return found


def number(text: str) -> int:
    """A whole number as an IS or US key gives it."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise BadInput("a key is no number", safe=gettext("A number to search for must be a whole number."))
    return int(text)


def codes(column: Any, text: str, *, every: bool) -> Condition:
    """An array that holds one of the values, or `every` one (C.2.2.2.8)."""
    wanted = values(text)
    plain = [value for value in wanted if not has_wildcard(value)]
    if every or len(plain) == len(wanted):
        array = cast(wanted if every else plain, ARRAY(Text))
        found: Condition = column.contains(array) if every else column.overlap(array)
        return found
    member = func.unnest(column).column_valued("member")
    return exists(select(member).where(or_(*(string(member, value) for value in wanted))))


@dataclass(frozen=True, slots=True)
class NameColumns:
    """A person's name in the index: folded, and its words with their weight in the text search vector."""

    folded: Any
    vector: Any
    weight: str


def name(columns: NameColumns, text: str, *, fuzzy: bool) -> Condition:
    """A person's name, whatever its case and accents; one of its groups, or those that the key has (C.2.2.2.1).

    `fuzzy`: also names that have each of the key's words, in any order and component: by its beginning, or by one that
    sounds alike (C.2.2.2.1.1).
    """
    pattern = fold_name(text)
    groups = pattern.split("=")
    if not pattern.strip("=*"):
        return true()  # delimiters alone say nothing
    if len(groups) == 1:
        literally = or_(*(_group(columns, place, pattern) for place in (1, 2, 3)))
        index = _pieces(pattern, columns.weight)
    else:
        literally = and_(*(_group(columns, place, one) for place, one in enumerate(groups[:3], 1) if one))
        index = [lexeme for one in groups[:3] for lexeme in _pieces(one, columns.weight)]
    index = index[:_MAX_PIECES]
    alike = [_alike(word, columns.weight) for word in words(pattern)[:_MAX_PIECES]] if fuzzy else []
    if not alike:
        return and_(_decided(literally), _has(columns, index)) if index else _decided(literally)
    fuzzily = _has(columns, alike)
    if not has_wildcard(pattern):
        return fuzzily  # as is whatever matches literally, too
    if not index:
        return _decided(or_(literally, fuzzily))
    # Said once more as one question, which the index can answer.
    either = [f"(({' & '.join(index)}) | ({' & '.join(alike)}))"]
    return and_(_has(columns, either), _decided(or_(literally, fuzzily)))


def _decided(condition: Condition) -> Condition:
    """A condition of which the planner supposes nothing (a half).

    It would take the pattern's for another rare thing beside the words', and sort tens of thousands of common names
    instead of walking along the newest studies until a page is full.
    """
    return and_(case((condition, true()), else_=false()))


def _has(columns: NameColumns, lexemes: Sequence[str]) -> Condition:
    found: Condition = columns.vector.bool_op("@@")(cast(" & ".join(lexemes), TSQUERY))
    return found


def _group(columns: NameColumns, place: int, pattern: str) -> Condition:
    group = func.split_part(columns.folded, "=", place)
    whole = group
    if re.search(r"\^[\^*]*\*$", pattern):
        # Components that are left out at a name's end are empty: Kim is Kim^^^^, and Kim^* finds it.
        whole = func.concat(group, "^" * (_COMPONENTS - 1))
    return and_(group != "", string(whole, pattern))


def _pieces(pattern: str, weight: str) -> list[str]:
    """What the vector of a name that matches a folded pattern must hold: the pieces between the wild cards."""
    found = []
    for piece in re.finditer(r"\w+", pattern):
        begins = piece.start() == 0 or pattern[piece.start() - 1] not in "*?"
        ends = piece.end() == len(pattern) or pattern[piece.end()] not in "*?"
        lexeme = piece[0][:MAX_LEXEME]
        prefix = "" if begins and ends and len(piece[0]) < MAX_LEXEME else "*"
        if begins:
            found.append(f"'^{lexeme}':{prefix}{weight}")
        elif weight == "A":
            found.append(f"('{lexeme}':*A | '^{lexeme}':*A)")
    return sorted(found, key=len, reverse=True)


def _alike(word: str, weight: str) -> str:
    code = sound(word)
    begins = f"'^{word[:MAX_LEXEME]}':*{weight}"
    return f"({begins} | '~{code}':{weight})" if code else begins


# -- dates and times --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """What a date or time key asks for: the first and the last, None where it is open; and how it was written."""

    first: Any
    last: Any
    form: str


def dates(text: str) -> Span:
    """A date or a range of dates (C.2.2.2.5)."""
    return _span(text, _date, "A date must be written as YYYYMMDD, a range as YYYYMMDD-YYYYMMDD.")


def times(text: str) -> Span:
    """A time or a range; 10 is all of the hour, 1030 all of the minute."""
    return _span(text, _time, "A time must be written as HHMMSS, a range as HHMMSS-HHMMSS.")


def _span(text: str, read: Any, sentence: str) -> Span:
    first, dash, last = (part.strip(" ") for part in text.partition("-"))
    if not first and not last:
        raise BadInput("a range without ends", safe=sentence)
    try:
        low = read(first, False) if first else None
        high = read(last if dash else first, True) if last or not dash else None
    except ValueError as error:
        raise BadInput("a key is no date or time", safe=sentence) from error
    return Span(low, high, ("<" if first else "") + dash + (">" if last else ""))


def _date(text: str, _end: bool) -> date:
    if not re.fullmatch(r"[0-9]{8}", text):
        raise ValueError(text)
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _time(text: str, end: bool) -> time:
    if not re.fullmatch(r"[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?", text):
        raise ValueError(text)
    if text[4:6] == "60":
        text = text[:4] + "59"  # a leap second, kept as the second before
    digits = text.replace(".", "")
    digits += ("235959999999" if end else "000000000000")[len(digits) :]
    return time(int(digits[:2]), int(digits[2:4]), int(digits[4:6]), int(digits[6:]))


def within(column: Any, span: Span) -> Condition:
    """Between the ends, which belong to it; what has no value is not found."""
    conditions = [column >= span.first] if span.first is not None else []
    if span.last is not None:
        conditions.append(column <= span.last)
    return and_(*conditions)


def moment(day: Any, clock: Any, days: Span | None, clocks: Span | None) -> Condition:
    """A date and a time of day. Ranges of both, of one form, are one range from moment to moment (C.2.2.2.5).

    PS3.18 8.3.4.1 asks for that always. A date that says no time is found where the date decides alone.
    """
    if days is None or clocks is None or days.form != clocks.form or "-" not in days.form:
        parts = ((day, days), (clock, clocks))
        return and_(true(), *(within(column, span) for column, span in parts if span is not None))
    conditions = [within(day, days)]
    if days.first is not None:
        conditions.append(or_(day > days.first, clock >= clocks.first))
    if days.last is not None:
        conditions.append(or_(day < days.last, clock <= clocks.last))
    return and_(*conditions)


def offset(text: str) -> timedelta:
    """A Timezone Offset From UTC: +HHMM or -HHMM (PS3.3 C.12.1.1.8)."""
    # An address's plus is a space, unless it was written as %2B.
    found = re.fullmatch(r"([+-]?)([0-9]{2})([0-5][0-9])", text.strip(" "))
    if found is None or int(found[2]) > 14:
        raise BadInput("a key is no offset", safe=gettext("A Timezone Offset From UTC is written as +HHMM or -HHMM."))
    away = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return -away if found[1] == "-" else away


def elsewhere(attributes: Any, day: Any, clock: Any, asked: timedelta) -> tuple[Any, Any]:
    """Date and time as they are at another offset, where the study says its own; else as they stand."""
    own = func.jsonb_extract_path_text(attributes, tags.TimezoneOffsetFromUTC.key, "Value", "0")
    written = func.substr(own, 1, 3).concat(":").concat(func.substr(own, 4, 2))
    its = case((own.regexp_match("^[+-][01][0-9][0-5][0-9]$"), cast(written, Interval)), else_=literal(asked, Interval))
    there = cast(day, DateTime) + cast(clock, Interval) + literal(asked, Interval) - its
    return func.coalesce(cast(there, Date), day), func.coalesce(cast(there, Time), clock)


def about(days: Span) -> Span:
    """The days that a range may reach at another offset; the index is asked for them."""
    first = days.first and max(days.first, date.min + _DAY) - _DAY
    last = days.last and min(days.last, date.max - _DAY) + _DAY
    return Span(first, last, days.form)
