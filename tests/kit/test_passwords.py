"""Passwords: hashed few at once in a line that has an end, never within a transaction, and alike for everybody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import update

from overread.kit import passwords, principals, proofs, tokens
from overread.kit.attempts import proving_again
from overread.kit.db import Database, Session
from overread.kit.errors import Busy, Forbidden, NotSignedIn, Unprocessable
from overread.kit.passwords import Line
from overread.kit.principals import Principal, PrincipalRow, Role

WORDS = "correct horse battery"
ARGON2ID = "$argon2id$v=19$m=65536,t=3,p=4$"


@contextmanager
def occupied(line: Line, hashes: int = 1) -> Iterator[None]:
    """So many hashes are being made, and none of them comes to its end within the block."""
    begun, go = threading.Semaphore(0), threading.Event()

    def work() -> None:
        begun.release()
        go.wait()

    with ThreadPoolExecutor(hashes) as pool:
        asked = [pool.submit(line.wait_for, work) for _ in range(hashes)]
        for _ in asked:
            begun.acquire()
        try:
            yield
        finally:
            go.set()
    for one in asked:
        one.result()


@pytest.mark.parametrize(("length", "good"), [(0, False), (9, False), (10, True), (1000, True), (1001, False)])
def test_a_password_has_ten_to_a_thousand_characters(length: int, good: bool) -> None:
    password = "é" * length
    if good:
        kept = passwords.hashed(password)
        assert kept.startswith(ARGON2ID)
        assert passwords.fits(password, kept)
        assert not passwords.fits(password[:-1] + "e", kept)
        return
    with pytest.raises(Unprocessable) as refused:
        passwords.hashed(password)
    assert refused.value.safe == "Choose a password of at least 10 characters."


def test_no_more_are_hashed_at_once_than_said() -> None:
    line, lock, now, most = Line(at_once=2, waiting=18), threading.Lock(), 0, 0
    both = threading.Barrier(2)

    def work() -> int:
        nonlocal now, most
        with lock:
            now, most = now + 1, max(most, now + 1)
        # Two are there at once, or this never ends.
        both.wait(60)
        with lock:
            now -= 1
        return 1

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(lambda _: line.wait_for(work), range(20))) == 20
    assert most == 2


def test_beyond_the_end_of_the_line_nobody_waits() -> None:
    line = Line(at_once=1, waiting=2, patience=60)
    done: list[int] = []
    with ThreadPoolExecutor(2) as pool, occupied(line):
        waiting = [pool.submit(line.wait_for, lambda: done.append(1)) for _ in range(2)]
        until_full(line)
        with pytest.raises(Busy, match="too many") as refused:
            line.wait_for(lambda: done.append(2))
    assert refused.value.status == 503
    assert refused.value.extra == {"retry_after": 60}
    assert "wait 60 seconds, then try again" in refused.value.safe
    for one in waiting:
        one.result()
    # Who waited was served, and then there is room again.
    line.wait_for(lambda: done.append(3))
    assert done == [1, 1, 3]


def until_full(line: Line) -> None:
    """Return when no place of the line is left."""
    deadline = time.monotonic() + 60
    while line._places.acquire(blocking=False):
        line._places.release()
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_who_waits_in_vain_is_told_and_nothing_is_done() -> None:
    line = Line(at_once=1, waiting=1, patience=0.01)
    done: list[int] = []
    with occupied_by_thread(line) as go:
        with pytest.raises(Busy, match="waited too long") as refused:
            line.wait_for(lambda: done.append(1))
        go.set()
    assert refused.value.extra == {"retry_after": 1}
    assert not done
    Line(patience=60).wait_for(lambda: done.append(2))
    assert done == [2]


@contextmanager
def occupied_by_thread(line: Line) -> Iterator[threading.Event]:
    """The same for a line without patience: what has begun is waited for all the same."""
    begun, go = threading.Event(), threading.Event()
    found: list[str] = []

    def work() -> str:
        begun.set()
        go.wait()
        return "made"

    one = threading.Thread(target=lambda: found.append(line.wait_for(work)))
    one.start()
    begun.wait()
    yield go
    one.join()
    assert found == ["made"]


def test_within_a_transaction_nothing_is_hashed(database: Database) -> None:
    kept = passwords.hashed(WORDS)
    for ask in (lambda: passwords.hashed(WORDS), lambda: passwords.fits(WORDS, kept)):
        with database.transaction(), pytest.raises(RuntimeError, match="within a transaction"):
            ask()
    with pytest.raises(LookupError), database.transaction():
        raise LookupError
    assert passwords.fits(WORDS, kept)


# Who shows a password.


def _without(tx: Session) -> PrincipalRow:
    return principals.create(tx, role=Role.PATIENT, name="P", email="p@example.org")


def _with(tx: Session) -> PrincipalRow:
    row = _without(tx)
    row.password_hash = KEPT
    return row


def _locked(tx: Session) -> PrincipalRow:
    row = _with(tx)
    row.active = False
    return row


KEPT = passwords.hashed(WORDS)
ACCOUNTS: dict[str, tuple[Callable[[Session], PrincipalRow | None], bool]] = {
    "an account": (_with, True),
    "locked": (_locked, False),
    "without a password": (_without, False),
    "none": (lambda _tx: None, False),
}
BUDGET = proving_again("somebody")


def show(db: Database, password: str = WORDS, told: list[int] | None = None) -> proofs.Authenticated | None:
    refused = [] if told is None else told
    return proofs.authenticate(
        db, BUDGET, lambda tx: principals.by_email(tx, "p@example.org"), password, lambda _tx: refused.append(1)
    )


@pytest.mark.parametrize("kind", ACCOUNTS)
def test_one_hash_of_one_cost_is_verified_whoever_asks(
    database: Database, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    make, good = ACCOUNTS[kind]
    with database.transaction() as tx:
        make(tx)
    verified: list[str] = []
    hasher = passwords._hasher()

    class Watched:
        def verify(self, password: str, kept: str) -> bool:
            verified.append(kept)
            return hasher.verify(password, kept)

    monkeypatch.setattr(passwords, "_hasher", Watched)
    told: list[int] = []
    found = show(database, told=told)
    assert (found is not None) is good
    assert told == ([] if good else [1])
    assert [kept.startswith(ARGON2ID) for kept in verified] == [True]
    assert show(database, "another one") is None
    assert len(verified) == 2


def test_what_was_not_looked_at_is_no_try(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Line(at_once=1, waiting=0)
    monkeypatch.setattr(passwords, "LINE", full)
    told: list[int] = []
    with occupied(full):
        for _ in range(3 * BUDGET[0].most):
            with pytest.raises(Busy):
                show(database, told=told)
    assert not told
    assert show(database, told=told) is None
    assert told == [1]


@pytest.mark.parametrize("event", ["changed", "locked", "taken away"])
def test_a_password_counts_as_long_as_it_is_the_account_s(database: Database, event: str) -> None:
    with database.transaction() as tx:
        who = _with(tx).as_principal(via="session")
    proof = proofs.by_password(database, who, WORDS, "192.0.2.1")
    other = Principal(uuid4(), Role.PATIENT, "Q")
    with database.transaction() as tx:
        proof.require(tx, who)
        assert proof.by.account(tx).id == who.id
        with pytest.raises(Forbidden):
            proof.require(tx, other)
    with database.transaction() as tx:
        if event == "changed":
            tokens.change_password(tx, who.id, "another hash")
        elif event == "locked":
            tokens.lock_out(tx, who.id)
        else:
            tx.execute(update(PrincipalRow).where(PrincipalRow.id == who.id).values(password_hash=None))
    with database.transaction() as tx, pytest.raises(NotSignedIn):
        proof.require(tx, who)


def test_no_hash_is_told_by_what_holds_it(database: Database) -> None:
    with database.transaction() as tx:
        who = _with(tx).as_principal(via="session")
    assert "argon2" not in repr(proofs.by_password(database, who, WORDS, "192.0.2.1"))
