"""Looks in the audit log: one line for all that is read in one go, its number exact, also of those who are killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import select

from overread.kit import audit, audit_looks
from overread.kit.audit import AuditRow
from overread.kit.audit_looks import IDLE, LONGEST, record_look
from overread.kit.db import Connection, Database
from overread.kit.principals import Principal, Role

WHO = Principal(uuid4(), Role.SPECIALIST, "Dr. Read", via="api", via_id=uuid4())


def give(db: Database, instances: int | None = 1, who: Principal = WHO, **more: Any) -> None:
    action = more.pop("action", "instances.read")
    db.at_once(lambda connection: record_look(connection, who, action, "study", "1.2", instances=instances, **more))


def lines(db: Database) -> list[AuditRow]:
    with db.transaction() as tx:
        return list(tx.scalars(select(AuditRow).order_by(AuditRow.at, AuditRow.id)))


def test_requests_at_once_are_one_line_and_none_is_lost(database: Database) -> None:
    def read(n: int) -> None:
        if n % 5:
            give(database, n)
        else:
            # As what sends over DIMSE does, and another process: not together with the others.
            with database.transaction() as tx:
                record_look(tx, WHO, "instances.read", "study", "1.2", instances=n)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(read, range(400)))
    [line] = lines(database)
    assert line.instances == sum(range(400))
    assert (line.actor_id, line.actor, line.role, line.outcome) == (WHO.id, "Dr. Read", "specialist", audit.SUCCESS)
    assert not audit_looks._queues


def test_a_look_ends_when_nothing_is_read_for_a_while(database: Database, now: list[datetime]) -> None:
    began = now[0]
    for minutes in (0, 9, 19, 30, 31):
        now[0] = began + timedelta(minutes=minutes)
        give(database, 2)
    found = [(line.at - began, line.until and line.until - began, line.instances) for line in lines(database)]
    minute = timedelta(minutes=1)
    assert found == [(0 * minute, 19 * minute, 6), (30 * minute, 31 * minute, 4)]
    assert [line.look is None for line in lines(database)] == [True, False]


@pytest.mark.parametrize(("rest", "looks"), [(IDLE, 1), (IDLE + timedelta(microseconds=1), 2)])
def test_the_moment_that_ends_a_look(database: Database, now: list[datetime], rest: timedelta, looks: int) -> None:
    give(database)
    now[0] += rest
    give(database)
    assert len(lines(database)) == looks


def test_no_look_is_longer_than_half_a_day(database: Database, now: list[datetime]) -> None:
    began = now[0]
    while now[0] - began < LONGEST * 2:
        give(database)
        now[0] += IDLE
    found = lines(database)
    assert [line.instances for line in found] == [72, 72]
    assert all(line.until and line.until - line.at < LONGEST for line in found)


@pytest.mark.parametrize("wrong", [timedelta(hours=2), timedelta(days=400)])
def test_a_clock_that_ran_ahead_holds_no_look_open(database: Database, now: list[datetime], wrong: timedelta) -> None:
    now[0] += wrong
    give(database, 3)
    now[0] -= wrong
    give(database, 4)
    give(database, 5)
    assert [line.instances for line in lines(database)] == [9, 3]


def test_credentials_cases_destinations_and_kinds_are_looks_of_their_own(database: Database) -> None:
    other = Principal(WHO.id, WHO.role, WHO.name, via="api", via_id=uuid4())
    for _ in range(2):
        give(database)
        give(database, who=other)
        give(database, case_id=uuid4())
        give(database, destination="SHELF")
        give(database, destination="WARD")
        give(database, action="metadata.read")
    assert sorted(line.instances or 0 for line in lines(database)) == [1, 1, 2, 2, 2, 2, 2]


def test_what_was_refused_stays_a_line_of_its_own(database: Database) -> None:
    for _ in range(3):
        give(database)
        with database.transaction() as tx:
            audit.record(tx, WHO, "instances.read", "study", "1.2", outcome=audit.REFUSED)
    found = [(line.outcome, line.instances) for line in lines(database)]
    assert sorted(found, key=str) == [("refused", None)] * 3 + [("success", 3)]


def test_what_is_not_counted_moves_the_end_of_its_look_each_minute(database: Database, now: list[datetime]) -> None:
    began = now[0]
    for second in range(0, 300, 7):
        now[0] = began + timedelta(seconds=second)
        give(database, None, action="pixels.read")
    [line] = lines(database)
    assert line.instances is None
    assert line.until is not None
    assert timedelta(minutes=4) <= line.until - began < timedelta(minutes=5)
    now[0] += IDLE * 2
    give(database, None, action="pixels.read")
    assert len(lines(database)) == 2


def test_what_a_transaction_takes_back_is_not_counted(database: Database) -> None:
    give(database)
    with database.transaction() as tx:
        record_look(tx, WHO, "instances.read", "study", "1.2", instances=50)
        tx.rollback()
    assert [line.instances for line in lines(database)] == [1]


def test_what_was_taken_back_hides_no_later_one(database: Database) -> None:
    with database.transaction() as tx:
        record_look(tx, WHO, "studies.search", "study", "all")
        tx.rollback()
    assert lines(database) == []
    give(database, None, action="studies.search")
    assert len(lines(database)) == 1


class Broken:
    """A connection that holds on until others wait behind it, and then fails."""

    def __init__(self, goes_on: threading.Event, works: threading.Event) -> None:
        self._goes_on, self._works = goes_on, works

    def execute(self, *_: object) -> None:
        self._works.set()
        assert self._goes_on.wait(60)
        raise psycopg.OperationalError("gone")


def test_the_request_whose_connection_fails_is_not_counted_and_the_others_behind_it_are(database: Database) -> None:
    goes_on, works = threading.Event(), threading.Event()

    def fail() -> None:
        broken = cast(Connection, Broken(goes_on, works))
        with pytest.raises(psycopg.OperationalError):
            record_look(broken, WHO, "instances.read", "study", "1.2", instances=1000)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(fail)
        assert works.wait(60)
        second = pool.submit(fail)
        rest = [pool.submit(give, database, n) for n in (1, 2, 3)]
        [queue] = audit_looks._queues.values()
        while queue.users < 5:
            threading.Event().wait(0.01)
        goes_on.set()
        for one in (first, second, *rest):
            one.result(60)
    assert [line.instances for line in lines(database)] == [6]
    assert not audit_looks._queues


_READER = """
import os, sys, threading
from uuid import UUID
from overread.kit.audit_looks import record_look
from overread.kit.db import Database
from overread.kit.principals import Principal, Role
db = Database(sys.argv[1])
who = Principal(UUID(int=1), Role.PATIENT, "P")
def read():
    while True:
        db.at_once(lambda c: record_look(c, who, "instances.read", "study", "1.2", instances=1))
        os.write(1, b"given\\n")
for _ in range(4):
    threading.Thread(target=read, daemon=True).start()
threading.Event().wait()
"""


def test_a_killed_process_has_given_no_instance_that_was_not_counted(database: Database) -> None:
    given = 0
    # Two processes, as two web workers are.
    program = [sys.executable, "-c", _READER, database.url]
    readers = [subprocess.Popen(program, stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for process in readers:
            assert process.stdout is not None
            for _ in range(60):
                assert process.stdout.readline() == b"given\n"
    finally:
        for process in readers:
            process.kill()
            given += 60 + process.communicate()[0].count(b"given\n")
    [line] = lines(database)
    assert line.instances is not None
    # What the eight threads had in their hands may be counted, and was not given yet.
    assert given <= line.instances <= given + 8


def test_an_erased_look_goes_on_in_no_line(database: Database) -> None:
    case_id = uuid4()
    give(database, 5, case_id=case_id)
    with database.transaction() as tx:
        audit.forget(tx, case_id, ["1.2"])
    give(database, 1, case_id=case_id)
    erased, new = lines(database)
    assert (erased.object_id, erased.look, erased.instances) == ("erased", None, None)
    assert (new.object_id, new.instances) == ("1.2", 1)
