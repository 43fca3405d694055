"""Events: they exist exactly when their transaction commits, and every handler hears them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import text

from overread.kit import jobs
from overread.kit.bus import Bus
from overread.kit.db import Database
from overread.kit.jobs import Event


@dataclass(frozen=True)
class Rang(Event):
    name = "tests.rang"

    door: str
    times: list[int]


def waiting(database: Database) -> int:
    """The jobs that tell of a Rang; the worker's own enqueue themselves whenever a minute begins."""
    query = text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND args->>'event' = 'tests.rang'")
    with database.transaction() as tx:
        return int(tx.scalar(query) or 0)


def drain(bus: Bus) -> None:
    """The worker's loop in a thread of its own: once for the events, once for the handlers that they call for."""
    for _ in range(2):
        thread = threading.Thread(target=bus.run, kwargs={"wait": False})
        thread.start()
        thread.join(60)
        assert not thread.is_alive()


def test_every_handler_hears_an_event(database: Database) -> None:
    heard: list[tuple[str, Rang]] = []

    def first(event: Rang) -> None:
        heard.append(("first", event))

    def second(event: Rang) -> None:
        heard.append(("second", event))

    bus = Bus(database)
    bus.subscribe(Rang, "tests.first", first)
    bus.subscribe(Rang, "tests.second", second)
    with database.transaction() as tx:
        jobs.emit(tx, Rang("front", [1, 2]))
    drain(bus)
    assert sorted(name for name, _ in heard) == ["first", "second"]
    assert {event.door for _, event in heard} == {"front"}
    assert heard[0][1].times == [1, 2]
    assert waiting(database) == 0


def test_an_event_of_a_transaction_that_fails_never_was(database: Database) -> None:
    def failing() -> None:
        with database.transaction() as tx:
            jobs.emit(tx, Rang("back", []))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert waiting(database) == 0


def test_a_later_event_waits(database: Database) -> None:
    heard: list[Rang] = []
    bus = Bus(database)
    bus.subscribe(Rang, "tests.hear", heard.append)
    with database.transaction() as tx:
        jobs.emit(tx, Rang("later", []), after=timedelta(hours=1))
    drain(bus)
    assert heard == []
    assert waiting(database) == 1


def test_jobs_that_a_clock_which_ran_ahead_has_dated_run_when_they_should(database: Database) -> None:
    with database.transaction() as tx:
        for after in (timedelta(seconds=3), timedelta(days=2)):
            jobs.emit(tx, Rang("front", [1]), after=after)
        jobs.emit(tx, Rang("back", [2]), after=timedelta(days=5))
    with database.transaction() as tx:
        # The first two were enqueued by a clock a year ahead.
        year = "interval '365 days'"
        late = "(SELECT id FROM procrastinate_jobs ORDER BY id LIMIT 2)"
        tx.execute(text(f"UPDATE procrastinate_jobs SET scheduled_at = scheduled_at + {year} WHERE id IN {late}"))
        tx.execute(text(f"UPDATE procrastinate_events SET at = at + {year} WHERE job_id IN {late}"))
    counted = []
    for _ in range(2):
        with database.transaction() as tx:
            counted.append(jobs.put_back(tx))
    assert counted == [2, 0]
    with database.transaction() as tx:
        query = text(
            "SELECT round(extract(epoch FROM scheduled_at - now()) / 86400) FROM procrastinate_jobs ORDER BY id"
        )
        assert tx.scalars(query).all() == [0, 2, 5]


def test_a_job_that_is_not_known_is_parked_until_it_is(database: Database) -> None:
    """An event, a handler and fields that only another program knows: none is lost, none is tried again and again."""
    heard: list[Rang] = []
    data = {"door": "front", "times": [1]}
    with database.transaction() as tx:
        jobs.defer(tx, jobs.EVENT_TASK, {"event": "tests.unknown", "data": data})
        jobs.defer(tx, jobs.HANDLER_TASK, {"event": "tests.rang", "handler": "tests.hear", "data": data})
        jobs.defer(tx, jobs.HANDLER_TASK, {"event": "tests.rang", "handler": "tests.hear", "data": {"bell": "x"}})
    drain(Bus(database))
    expected = [("tests.rang", "tests.hear")] * 2 + [("tests.unknown", "")]
    with database.transaction() as tx:
        assert sorted((one.event, one.handler) for one in jobs.parked(tx)) == expected
        assert jobs.failed(tx) == []
        assert jobs.sweep(tx, 10) == 0
    knowing = Bus(database)
    knowing.subscribe(Rang, "tests.hear", heard.append)
    drain(knowing)
    assert heard == [Rang("front", [1])]
    with database.transaction() as tx:
        assert sorted((one.event, one.handler) for one in jobs.parked(tx)) == expected[1:]
        jobs.forget(tx, ["front", "bell"])
        assert jobs.parked(tx) == []


def test_no_two_events_and_no_two_handlers_have_one_name(database: Database) -> None:
    with pytest.raises(TypeError, match=r"two events are called 'tests\.rang'"):

        class Again(Event):
            name = "tests.rang"

    bus = Bus(database)
    bus.subscribe(Rang, "tests.hear", print)
    with pytest.raises(TypeError, match=r"two handlers of tests\.rang are called 'tests\.hear'"):
        bus.subscribe(Rang, "tests.hear", lambda _event: None)


def test_an_event_without_a_name_is_not_told(database: Database) -> None:
    with pytest.raises(TypeError, match="Event has no name"), database.transaction() as tx:
        jobs.emit(tx, Event())
