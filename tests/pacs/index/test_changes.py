"""The change feed: nothing is missed, whoever commits when."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from overread.kit import clock, principals, retention
from overread.kit.db import Database
from overread.kit.principals import Principal, Role
from pacs.index import changes
from pacs.index.models import Change, Study
from pacs.index.scope import ORIGINAL, Scope, originals

SYSTEM = Principal(uuid4(), Role.COORDINATOR, "a coordinator")


def study(uid: str, view_id: UUID = ORIGINAL, sender_id: UUID | None = None) -> Study:
    return Study(
        pk=int(uid.partition(".")[2]), study_uid=uid, view_id=view_id, sender_id=sender_id or uuid4(), leads=True
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
        changes.record(tx, study("1.1", sender_id=mine.id), changes.Kind.STABLE)
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


def said(database: Database, scope: Scope, after: int) -> dict[str, tuple[str, str, bool, frozenset[str]]]:
    """What somebody knows who reads on behind a number: how far each study is, whether it is out, what is gone."""
    known: dict[str, tuple[str, str, bool, frozenset[str]]] = {}
    with database.transaction() as tx:
        for one in changes.read(tx, scope, after, changes.MOST):
            progress, out, gone, parts = known.get(one.study_uid, ("", "", False, frozenset[str]()))
            part = one.sop_uid or one.series_uid
            if one.kind in ("released", "revoked"):
                out = one.kind
            elif one.kind != "deleted":
                progress, gone = f"{one.kind} {one.instances}", False
            elif part is None:
                progress, gone, parts = "", True, frozenset()
            else:
                parts |= {part}
            known[one.study_uid] = (progress, out, gone, parts)
    return known


@pytest.mark.parametrize("seed", range(3))
def test_whoever_reads_late_knows_what_they_would_have_known(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    choice = random.Random(seed)
    now, view = clock.now(), uuid4()
    holders = [uuid4(), uuid4()]
    monkeypatch.setattr(retention, "_BATCH", 10)
    with database.transaction() as tx:
        for number in range(300):
            days = timedelta(days=number)
            monkeypatch.setattr(clock, "now", lambda days=days: now + days)
            pk = choice.randrange(12)
            one = study(f"1.{pk}", view if pk % 3 == 0 else ORIGINAL, choice.choice(holders))
            one.leads = choice.random() < 0.7
            kind = choice.choice(list(changes.Kind))
            series, sop = choice.choice([(None, None), ("1.7", None), ("1.7", "1.7.1"), ("1.7", "1.7.2")])
            named = {"series_uid": series, "sop_uid": sop} if kind is changes.Kind.DELETED else {}
            changes.record(tx, one, kind, instances=choice.randrange(3), **named)
    readers = [originals(SYSTEM), Scope(view), Scope(view, unreleased=True)]
    readers += [Scope(ORIGINAL, studies=frozenset((pk,)), unreleased=True) for pk in (1, 2, 4)]
    readers += [Scope(ORIGINAL, sender_id=one, unreleased=True) for one in holders]
    asked = [(reader, after) for reader in readers for after in range(0, 300, 23)]
    before = [said(database, *one) for one in asked]
    with database.transaction() as tx:
        numbers = {one.number: one.at for one in tx.query(Change)}
    assert retention.in_batches(database, changes.sweep) > 60
    assert [said(database, *one) for one in asked] == before
    with database.transaction() as tx:
        left = {one.number for one in tx.query(Change)}
    assert all(number in left for number, at in numbers.items() if at >= clock.now() - changes.KEPT)


def test_steps_on_the_way_go_after_three_months(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: now[0])
    mine = study("1.1")
    steps = [changes.Kind.GROWING, changes.Kind.STABLE, changes.Kind.RELEASED, changes.Kind.REVOKED]
    with database.transaction() as tx:
        for kind in steps:
            changes.record(tx, mine, kind)
    told = originals(SYSTEM)

    def kinds() -> list[str]:
        with database.transaction() as tx:
            return [one.kind for one in changes.read(tx, told, 0, 100)]

    now[0] += changes.KEPT
    assert retention.in_batches(database, changes.sweep) == 0
    now[0] += timedelta(microseconds=1)
    assert retention.in_batches(database, changes.sweep) == 2
    assert kinds() == ["stable", "revoked"]
    with database.transaction() as tx:
        changes.record(tx, mine, changes.Kind.DELETED)
    assert retention.in_batches(database, changes.sweep) == 1
    # Whoever may hear only whether it is out hears nothing of what is gone.
    assert kinds() == ["revoked", "deleted"]
