"""Pages of a list against the whole list, sorted by plain Python."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, literal_column, select
from sqlalchemy.orm import Session

from overread.kit.audit import AuditRow
from overread.kit.db import Database
from overread.kit.errors import BadInput
from overread.kit.paging import Keyset, Page
from overread.kit.principals import PrincipalRow
from tests.conftest import new_database

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = {
    "one": Keyset(AuditRow.id),
    "two, newest first": Keyset(AuditRow.at, AuditRow.id, descending=True),
    "text": Keyset(AuditRow.actor, AuditRow.at, AuditRow.id),
    "private": Keyset(func.lower(AuditRow.actor), AuditRow.id, private=True),
    "a truth value": Keyset(AuditRow.actor_id.is_(None), AuditRow.id, descending=True),
    "with null": Keyset(
        func.coalesce(AuditRow.case_id, literal_column("uuid 'ffffffff-ffff-ffff-ffff-ffffffffffff'")), AuditRow.id
    ),
}


def _sorted(name: str, rows: list[AuditRow]) -> list[UUID]:
    last = UUID(int=(1 << 128) - 1)
    keys = {
        "one": lambda row: (row.id,),
        "two, newest first": lambda row: (row.at, row.id),
        "text": lambda row: (row.actor, row.at, row.id),
        "private": lambda row: (row.actor.lower(), row.id),
        "a truth value": lambda row: (row.actor_id is None, row.id),
        "with null": lambda row: (row.case_id or last, row.id),
    }
    descending = name in ("two, newest first", "a truth value")
    return [row.id for row in sorted(rows, key=keys[name], reverse=descending)]


def _row(number: int, at: int, actor: str, case: int | None) -> AuditRow:
    return AuditRow(
        id=UUID(int=number),
        at=EPOCH + timedelta(seconds=at),
        actor_id=UUID(int=7) if at % 2 else None,
        actor=actor,
        role="system",
        action="x",
        object_kind="x",
        object_id="x",
        outcome="success",
        case_id=UUID(int=case) if case else None,
        detail={},
    )


def _pages(tx: Session, order: Keyset, limit: int) -> Iterator[Page[AuditRow]]:
    page = order.page(tx, select(AuditRow), "", limit)
    yield page
    while page.next:
        page = order.page(tx, select(AuditRow), page.next, limit)
        yield page


ROWS = st.lists(
    # Few moments, names and cases, so that most keys tie.
    st.tuples(st.integers(0, 2), st.sampled_from(["ada", "Ada", "Bob", "zoë", ""]), st.sampled_from([None, 1, 2])),
    max_size=25,
)


@pytest.fixture(scope="module")
def empty(postgres: str, template: str) -> Iterator[Database]:
    """A database for all examples; each undoes what it did."""
    with new_database(postgres, template) as url:
        database = Database(url)
        yield database
        database.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, limit=st.integers(1, 8), name=st.sampled_from(sorted(KEYS)), seed=st.integers(0, 1000))
def test_pages_are_the_whole_list_in_order(
    empty: Database, rows: list[tuple[int, str, int | None]], limit: int, name: str, seed: int
) -> None:
    numbers = random.Random(seed).sample(range(1, 1000), len(rows))
    made = [_row(number, *row) for number, row in zip(numbers, rows, strict=True)]
    with empty.transaction() as tx:
        tx.add_all(made)
        tx.flush()
        pages = list(_pages(tx, KEYS[name], limit))
        assert [row.id for page in pages for row in page] == _sorted(name, made)
        # Every page is full but the last, and the last has something, unless there is nothing at all.
        assert all(len(page.rows) == limit for page in pages[:-1])
        assert 0 < len(pages[-1].rows) <= limit or not made
        tx.execute(delete(AuditRow))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, more=ROWS, limit=st.integers(1, 5), name=st.sampled_from(sorted(KEYS)), seed=st.integers(0, 1000))
def test_what_comes_and_goes_meanwhile_skips_and_repeats_nothing_else(
    empty: Database,
    rows: list[tuple[int, str, int | None]],
    more: list[tuple[int, str, int | None]],
    limit: int,
    name: str,
    seed: int,
) -> None:
    chance = random.Random(seed)
    numbers = chance.sample(range(1, 1000), len(rows) + len(more))
    stay = [_row(number, *row) for number, row in zip(numbers, rows, strict=False)]
    come = [_row(number, *row) for number, row in zip(numbers[len(rows) :], more, strict=True)]
    go = [_row(number + 1000, *row) for number, row in zip(numbers[len(rows) :], more, strict=True)]
    with empty.transaction() as tx:
        tx.add_all([*stay, *go])
        tx.flush()
        seen: list[UUID] = []
        for page in _pages(tx, KEYS[name], limit):
            seen += [row.id for row in page]
            if come:
                tx.add(come.pop())
            # Of a private order the row that a cursor names has to stay.
            leaving = [one for one in go if one.id != (page.rows[-1].id if page.rows else None)]
            if leaving and chance.random() < 0.7:
                gone = chance.choice(leaving)
                go.remove(gone)
                tx.execute(delete(AuditRow).where(AuditRow.id == gone.id))
            tx.flush()
        assert len(seen) == len(set(seen))
        kept = {row.id for row in stay}
        assert [one for one in seen if one in kept] == _sorted(name, stay)
        tx.execute(delete(AuditRow))


def _cursor(value: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "ä",
        "=",
        "A" * 2000,
        "bm90IGpzb24",
        _cursor({}),
        _cursor([]),
        _cursor(None),
        _cursor(["2026-01-01T00:00:00+00:00"]),
        _cursor(["2026-01-01T00:00:00", str(UUID(int=1))]),
        _cursor([1, str(UUID(int=1))]),
        _cursor(["2026-01-01T00:00:00+00:00", 1]),
        _cursor(["2026-01-01T00:00:00+00:00", "no UUID"]),
        _cursor(["2026-01-01T00:00:00+00:00", str(UUID(int=1)), 1]),
        _cursor([None, None]),
        _cursor([True, str(UUID(int=1))]),
        _cursor([["2026-01-01T00:00:00+00:00"], str(UUID(int=1))]),
    ],
)
def test_what_is_no_cursor_is_refused(tx: Session, cursor: str) -> None:
    with pytest.raises(BadInput):
        KEYS["two, newest first"].page(tx, select(AuditRow), cursor, 10)


@given(text=st.one_of(st.text(max_size=40), st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text(max_size=8) | st.dates().map(str)
    | st.datetimes().map(datetime.isoformat) | st.uuids().map(str),
    lambda inner: st.lists(inner, max_size=3),
).map(_cursor)))  # fmt: skip
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_as_a_cursor_is_a_page_or_refused(empty: Database, text: str) -> None:
    for order in KEYS.values():
        try:
            with empty.transaction() as tx:
                order.page(tx, select(AuditRow), text, 1)
        except BadInput:
            pass


def test_a_private_cursor_names_nobody_and_ends_with_its_row(tx: Session) -> None:
    order = Keyset(PrincipalRow.name, PrincipalRow.id, private=True)
    people = [PrincipalRow(id=UUID(int=n), role="patient", name=f"Müller {n}") for n in (3, 2, 1)]
    tx.add_all(people)
    tx.flush()
    page = order.page(tx, select(PrincipalRow), "", 1)
    assert orjson.loads(base64.urlsafe_b64decode(page.next + "==")) == [str(UUID(int=1))]
    assert [row.name for row in order.page(tx, select(PrincipalRow), page.next, 5)] == ["Müller 2", "Müller 3"]
    tx.delete(page.rows[0])
    tx.flush()
    with pytest.raises(BadInput):
        order.page(tx, select(PrincipalRow), page.next, 5)
