"""What ends a person's access ends all of it: every kind of credential by every event, and letting in revives none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from overread.kit import principals, tokens
from overread.kit.db import Database, Session
from overread.kit.errors import NotSignedIn
from overread.kit.principals import PrincipalRow, Role, TokenRow

CASE = uuid4()
KINDS = (tokens.API, tokens.SESSION, tokens.VIEWER, tokens.LAUNCH)
EVENTS: dict[str, Callable[[Session, UUID], object]] = {
    "locked": tokens.lock_out,
    "locked and let in again": lambda tx, who: _there_and_back(tx, who),
    "password": lambda tx, who: tokens.change_password(tx, who, "another three words"),
    "everywhere": tokens.revoke_all,
}


def _there_and_back(tx: Session, who: UUID) -> None:
    tokens.lock_out(tx, who)
    tokens.let_in(tx, who)


def person(tx: Session, name: str = "A") -> UUID:
    return principals.create(tx, role=Role.PATIENT, name=name).id


def credential(tx: Session, who: UUID, kind: str, parent: str | None = None) -> str:
    case = CASE if kind in (tokens.VIEWER, tokens.LAUNCH) else None
    under = tokens.verify(tx, parent, *KINDS).via_id if parent else None
    return tokens.issue(tx, who, kind, lasts=tokens.SESSION_LENGTH, case_id=case, parent_id=under)


def opens(tx: Session, token: str) -> bool:
    try:
        tokens.verify(tx, token, *KINDS)
    except NotSignedIn:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_ends_every_kind_and_nobody_else_s(tx: Session, kind: str, event: str) -> None:
    mine, other = person(tx), person(tx, "B")
    token, theirs = credential(tx, mine, kind), credential(tx, other, kind)
    EVENTS[event](tx, mine)
    assert not opens(tx, token)
    assert opens(tx, theirs)
    tokens.let_in(tx, mine)
    assert not opens(tx, token)
    assert opens(tx, credential(tx, mine, kind))


@pytest.mark.parametrize("kind", [tokens.VIEWER, tokens.LAUNCH])
def test_what_a_session_gave_out_ends_with_it(tx: Session, kind: str) -> None:
    who = person(tx)
    here, there = credential(tx, who, tokens.SESSION), credential(tx, who, tokens.SESSION)
    mine, theirs = credential(tx, who, kind, here), credential(tx, who, kind, there)
    tokens.revoke(tx, here)
    assert [opens(tx, one) for one in (here, mine, there, theirs)] == [False, False, True, True]


def test_what_a_viewer_gives_out_hangs_on_the_session_too(tx: Session) -> None:
    who = person(tx)
    session = credential(tx, who, tokens.SESSION)
    later = credential(tx, who, tokens.VIEWER, credential(tx, who, tokens.VIEWER, session))
    tokens.revoke(tx, session)
    assert not opens(tx, later)


def test_an_ended_session_and_a_locked_person_are_given_nothing(tx: Session) -> None:
    who = person(tx)
    session = credential(tx, who, tokens.SESSION)
    under = tokens.verify(tx, session, tokens.SESSION).via_id
    tokens.revoke(tx, session)
    with pytest.raises(NotSignedIn):
        tokens.issue(tx, who, tokens.VIEWER, case_id=CASE, parent_id=under)
    tokens.lock_out(tx, who)
    with pytest.raises(NotSignedIn):
        tokens.issue(tx, who)
    assert tx.scalars(select(TokenRow).where(TokenRow.revoked_at.is_(None))).all() == []


def test_a_code_is_spent_once_and_never_after_its_owner_s_end(tx: Session) -> None:
    who = person(tx)
    code, ended = credential(tx, who, tokens.LAUNCH), credential(tx, who, tokens.LAUNCH)
    assert tokens.spend(tx, code) is not None
    assert tokens.spend(tx, code) is None
    tokens.revoke_all(tx, who)
    assert tokens.spend(tx, ended) is None
    assert tokens.spend(tx, "nonsense") is None


@pytest.mark.parametrize("first", ["issue", "end"])
def test_of_an_end_and_a_new_credential_at_once_nothing_stays_open(database: Database, first: str) -> None:
    """Each order: who comes second waits for the first to commit, and then sees what it did."""
    with database.transaction() as tx:
        who = person(tx)
    holding, release = threading.Event(), threading.Event()

    def issue(tx: Session) -> str | None:
        try:
            return credential(tx, who, tokens.SESSION)
        except NotSignedIn:
            return None

    def end(tx: Session) -> None:
        tokens.lock_out(tx, who)

    steps: dict[str, Callable[[Session], str | None]] = {"issue": issue, "end": end}

    def begin(work: Callable[[Session], str | None]) -> str | None:
        with database.transaction() as tx:
            made = work(tx)
            holding.set()
            release.wait(30)
        return made

    def follow(work: Callable[[Session], str | None]) -> str | None:
        holding.wait(30)
        with database.transaction() as tx:
            return work(tx)

    second = "end" if first == "issue" else "issue"
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.submit(begin, steps[first]), pool.submit(follow, steps[second])
        holding.wait(30)
        # The other one waits for the row: nothing but our release lets it go on.
        assert not wait([two], timeout=0.3).done
        release.set()
        made = [token for token in (one.result(), two.result()) if token]
    with database.transaction() as tx:
        tokens.let_in(tx, who)
        assert [opens(tx, token) for token in made] == ([False] if first == "issue" else [])
        assert tx.scalars(select(PrincipalRow.active)).one()
