"""Budgets of tries: counted before they are looked at, exactly, by whichever process, and whatever the clock did."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from overread.kit import attempts, clock
from overread.kit.attempts import Attempt, Budget, network
from overread.kit.db import Database
from overread.kit.errors import OverreadError, TooManyRequests

TEN = Budget("test", "subject", 10, timedelta(seconds=90))


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = clock.now()
        monkeypatch.setattr(clock, "now", self.read)

    def read(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def spent(db: Database, *budgets: Budget) -> bool:
    try:
        attempts.spend(db, *budgets)
    except TooManyRequests:
        return True
    return False


def test_sixty_at_once_are_ten(database: Database, moved: Clock) -> None:
    with ThreadPoolExecutor(16) as pool:
        refused = list(pool.map(lambda _: spent(database, TEN), range(60)))
    assert refused.count(False) == 10


def test_who_has_spent_it_waits_for_one_try_and_not_for_an_end(database: Database, moved: Clock) -> None:
    assert [spent(database, TEN) for _ in range(11)] == [False] * 10 + [True]
    with pytest.raises(TooManyRequests, match="throttled") as refused:
        attempts.spend(database, TEN, safe="Too many wrong passwords.")
    assert 90 <= refused.value.extra["retry_after"] <= 92
    assert refused.value.safe == "Too many wrong passwords. Wait 2 minutes, then try again."
    moved.move(seconds=89)
    assert spent(database, TEN)
    moved.move(seconds=2)
    assert [spent(database, TEN) for _ in range(2)] == [False, True]
    # However often it is refused, it is no longer.
    assert all(spent(database, TEN) for _ in range(50))
    moved.move(seconds=90)
    assert not spent(database, TEN)
    moved.move(minutes=15)
    assert [spent(database, TEN) for _ in range(11)] == [False] * 10 + [True]


def test_a_good_try_is_given_back(database: Database, moved: Clock) -> None:
    for _ in range(40):
        assert not spent(database, TEN)
        attempts.give_back(database, TEN)
    assert [spent(database, TEN) for _ in range(11)] == [False] * 10 + [True]


def test_where_one_budget_is_spent_the_others_are_not_charged(database: Database, moved: Clock) -> None:
    one = Budget("one", "x", 1, timedelta(hours=1))
    assert not spent(database, TEN, one)
    assert all(spent(database, TEN, one) for _ in range(30))
    assert [spent(database, TEN) for _ in range(10)] == [False] * 9 + [True]


@pytest.mark.parametrize("ahead", [timedelta(minutes=20), timedelta(days=1), timedelta(days=4000)])
def test_a_clock_that_ran_ahead_locks_nobody_out(database: Database, moved: Clock, ahead: timedelta) -> None:
    moved.now += ahead
    for _ in range(11):
        spent(database, TEN)
    moved.now -= ahead
    assert [spent(database, TEN) for _ in range(11)] == [False] * 10 + [True]


def test_a_clock_that_runs_a_little_ahead_lets_nobody_guess_more(database: Database, moved: Clock) -> None:
    moved.move(seconds=30)
    assert [spent(database, TEN) for _ in range(11)] == [False] * 10 + [True]
    moved.move(seconds=-30)
    assert all(spent(database, TEN) for _ in range(20))


def test_what_tells_nothing_any_more_is_swept(database: Database, moved: Clock) -> None:
    spent(database, TEN)
    moved.move(days=30)
    spent(database, Budget("test", "future", 10, timedelta(seconds=90)))
    moved.move(days=-29)
    spent(database, Budget("test", "now", 10, timedelta(seconds=90)))
    with database.transaction() as tx:
        attempts.sweep(tx)
        assert tx.scalar(select(func.count()).select_from(Attempt)) == 1


def test_nothing_of_an_address_is_kept(database: Database) -> None:
    attempts.spend(database, *attempts.signing_in("Someone@Example.org", "192.0.2.1"))
    with database.transaction() as tx:
        keys = tx.scalars(select(Attempt.key)).all()
    assert len(keys) == 3
    assert {len(key) for key in keys} == {32}
    assert not any(b"example" in key.lower() or b"192" in key for key in keys)


def test_a_network_is_counted_and_not_each_of_its_addresses() -> None:
    assert network("192.0.2.1") == network("::ffff:192.0.2.1") == "192.0.2.1"
    assert network("2001:db8:1:2::1") == network("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert network("2001:db8:1:2::1") != network("2001:db8:1:3::1")
    assert network("fe80::1%eth0") == network("fe80::2")
    assert network("unknown") == "unknown"


@given(st.text(max_size=60))
def test_any_text_is_an_address_to_count(text: str) -> None:
    assert isinstance(network(text), str)


def test_a_refusal_says_when_to_come_back() -> None:
    from overread.kit import http

    assert http.error_headers(TooManyRequests("x", retry_after=77)) == {"Retry-After": "77"}
    assert http.error_headers(TooManyRequests("x")) == {"Retry-After": "60"}
    assert isinstance(TooManyRequests("x"), OverreadError)
