"""Lists in pages: each begins behind the last row of the page before, by the values that order the list (a keyset).

No page counts rows from the start, so a list may be as long as it likes; and what comes, goes or changes its place
meanwhile makes no other row skipped or repeated.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Select, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from overread.kit.errors import BadInput
from overread.kit.language import Phrase

_T = TypeVar("_T")
Column = ColumnElement[Any] | InstrumentedAttribute[Any]
_Other = TypeVar("_Other")
_MOST_CURSOR = 1000
_UNKNOWN = Phrase("This page of the list is not known. Please begin at the first.")
_PARSED: dict[type, Any] = {datetime: datetime.fromisoformat, UUID: UUID}


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """Some rows of a list; `next` is the cursor of the page behind them, empty at the list's end."""

    rows: Sequence[_T]
    next: str

    def __iter__(self) -> Iterator[_T]:
        return iter(self.rows)

    def of(self, rows: Sequence[_Other]) -> Page[_Other]:
        """What was made of these rows, in the same place of the list."""
        return Page(rows, self.next)


class Keyset:
    """The order of a list: by columns that are never null, and together unique; all ascending, or all descending.

    `private`: the values may stand in no address (a name, say): the cursor has the last one alone, which is unique by
    itself, and the others are looked up. It is of no use once that row is gone.
    """

    def __init__(self, *columns: Column, descending: bool = False, private: bool = False) -> None:
        self._columns = columns
        self._descending = descending
        self._told = columns[-1:] if private else columns

    def page(self, tx: Session, query: Select[_T], after: str, limit: int) -> Page[_T]:
        """The `limit` rows of a query of one entity behind a cursor; the first ones without. Raises BadInput."""
        order = tuple_(*self._columns)
        if after:
            values = zip(self._behind(tx, after), self._columns, strict=True)
            last = tuple_(*(literal(value, column.type) for value, column in values))
            query = query.where(order < last if self._descending else order > last)
        sorted_by = [c.desc() if self._descending else c.asc() for c in self._columns]
        wide: Select[Any] = query.add_columns(*self._columns).order_by(None).order_by(*sorted_by).limit(limit + 1)
        found = tx.execute(wide).all()
        cursor = _written(found[limit - 1][-len(self._told) :]) if len(found) > limit else ""
        return Page([row[0] for row in found[:limit]], cursor)

    def _behind(self, tx: Session, cursor: str) -> Sequence[Any]:
        """The values of the row that a cursor names."""
        values = self._values(cursor)
        if self._told == self._columns:
            return values
        [(column, value)] = zip(self._told, values, strict=True)
        row = tx.execute(select(*self._columns).where(column == value)).one_or_none()
        if row is None:
            raise BadInput("a cursor of a row that is gone", safe=_UNKNOWN)
        return row

    def _values(self, cursor: str) -> list[Any]:
        """What a cursor names. It comes from a client: whatever it is, each value is one of its column's type."""
        try:
            if len(cursor) > _MOST_CURSOR:
                raise ValueError
            padding = b"=" * (-len(cursor) % 4)
            found = orjson.loads(base64.b64decode(cursor.encode("ascii") + padding, b"-_", validate=True))
            if not isinstance(found, list):
                raise TypeError
            return [_read(c.type.python_type, one) for c, one in zip(self._told, found, strict=True)]
        except (ValueError, TypeError, AttributeError) as error:
            raise BadInput("no cursor of this list", safe=_UNKNOWN) from error


def _written(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(values))).rstrip(b"=").decode()


def _read(kind: type, value: Any) -> Any:
    if kind in _PARSED:
        value = _PARSED[kind](value)
        if isinstance(value, datetime) and value.tzinfo is None:
            raise ValueError
    # A number is no truth value, nor the other way round.
    if type(value) is not kind or (isinstance(value, str) and "\x00" in value):
        raise TypeError
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise ValueError
    return value
