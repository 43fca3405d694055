"""The change feed: nothing is missed, whoever commits when."""

from __future__ import annotations

import threading
from uuid import UUID, uuid4

from overread.kit import principals
from overread.kit.db import Database
from overread.kit.principals import Principal, Role
from pacs import changes
from pacs.models import Study
from pacs.scope import ORIGINAL, Scope, originals

SYSTEM = Principal(uuid4(), Role.COORDINATOR, "a coordinator")


def study(uid: str, view_id: UUID = ORIGINAL, holder_id: UUID | None = None) -> Study:
    return Study(
        pk=int(uid.partition(".")[2]), study_uid=uid, view_id=view_id, holder_id=holder_id or uuid4(), leads=True
    )


def numbers(database: Database, scope: Scope | None = None, after: int = 0, limit: int = 100) -> list[str]:
    with database.transaction() as tx:
        return [one.study_uid for one in changes.read(tx, scope or originals(SYSTEM), after, limit)]


def test_a_number_is_not_seen_before_a_lower_one(database: Database) -> None:
    """The second writer takes its number only when the first has committed."""
    second_done = threading.Event()

    def second() -> None:
        with database.transaction() as tx:
            changes.record(tx, study("1.2"), changes.Kind.STABLE)
        second_done.set()

    with database.transaction() as tx:
        changes.record(tx, study("1.1"), changes.Kind.STABLE)
        writer = threading.Thread(target=second)
        writer.start()
        assert not second_done.wait(0.3)
        assert numbers(database) == []
    writer.join(60)
    assert numbers(database) == ["1.1", "1.2"]


def test_many_writers_and_a_reader_that_follows(database: Database) -> None:
    """A reader that always goes on behind the last number it saw has seen every change in the end."""
    writers, each = 4, 15
    stop = threading.Event()
    seen: list[str] = []

    def write(name: int) -> None:
        for number in range(each):
            with database.transaction() as tx:
                changes.record(tx, study(f"{name}.{number}"), changes.Kind.STABLE)

    def follow() -> None:
        after = 0
        while True:
            last = stop.is_set()
            with database.transaction() as tx:
                found = changes.read(tx, originals(SYSTEM), after, 7)
                seen.extend(one.study_uid for one in found)
                after = found[-1].number if found else after
            if last and not found:
                return

    reader = threading.Thread(target=follow)
    reader.start()
    threads = [threading.Thread(target=write, args=(name,)) for name in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    stop.set()
    reader.join(60)
    assert sorted(seen) == sorted(f"{name}.{number}" for name in range(writers) for number in range(each))


def test_a_change_that_was_rolled_back_is_not_told(database: Database) -> None:
    class Undone(Exception):
        pass

    try:
        with database.transaction() as tx:
            changes.record(tx, study("1.1"), changes.Kind.STABLE)
            raise Undone
    except Undone:
        pass
    assert numbers(database) == []


def test_each_hears_of_its_own(database: Database) -> None:
    with database.transaction() as tx:
        mine = principals.create(tx, role=Role.HOSPITAL, name="a hospital").as_principal(via="api")
        changes.record(tx, study("1.1", holder_id=mine.id), changes.Kind.STABLE)
        changes.record(tx, study("1.2"), changes.Kind.STABLE)
        view = uuid4()
        changes.record(tx, study("1.3", view), changes.Kind.DELETED)
        changes.record(tx, study("1.3", view), changes.Kind.RELEASED)
    assert numbers(database) == ["1.1", "1.2"]
    assert numbers(database, originals(mine)) == ["1.1"]
    assert numbers(database, Scope(view)) == ["1.3"]
    assert numbers(database, Scope(view, unreleased=True)) == ["1.3", "1.3"]
    assert numbers(database, Scope(ORIGINAL, study_uids=frozenset(("1.2",)), unreleased=True)) == ["1.2"]
    assert numbers(database, Scope(ORIGINAL, studies=frozenset((2,)), unreleased=True)) == ["1.2"]
    assert numbers(database, limit=1) == ["1.1"]
