"""Launch codes: they open a viewer once, soon, for one case, and only while the grant stands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from overread.kit import clock, tokens
from overread.kit.audit import AuditRow
from overread.kit.db import Database
from overread.kit.errors import Forbidden, NotFound, NotSignedIn, OverreadError, Unprocessable
from overread.kit.principals import Principal, PrincipalRow, Role, TokenRow
from viewer_bridge import grants, launch
from viewer_bridge.models import Grant, LaunchCode

CASE, VIEW = uuid4(), uuid4()
STUDIES = ["1.2.3", "1.2.4"]


@pytest.fixture
def granted(db: Database, specialist: Principal) -> Principal:
    with db.transaction() as tx:
        grants.grant(tx, specialist.id, CASE, VIEW, clock.now() + timedelta(hours=1))
    return specialist


def _create(db: Database, who: Principal) -> str:
    with db.transaction() as tx:
        return launch.create(tx, who, CASE, STUDIES)


def _redeem(db: Database, code: str) -> launch.Launch | OverreadError:
    try:
        with db.transaction() as tx:
            return launch.redeem(tx, code)
    except NotFound as error:
        return error


def test_a_code_opens_its_studies_with_a_token_for_its_case(db: Database, granted: Principal) -> None:
    opened = _redeem(db, _create(db, granted))
    assert isinstance(opened, launch.Launch)
    assert (opened.case_id, opened.study_uids) == (CASE, STUDIES)
    with db.transaction() as tx:
        who = tokens.verify(tx, opened.token)
    assert (who.id, who.role, who.case_id) == (granted.id, Role.SPECIALIST, CASE)


def test_sixteen_at_once_open_one_viewer(db: Database, granted: Principal) -> None:
    code = _create(db, granted)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: _redeem(db, code), range(16)))
    assert [type(answer) for answer in answers].count(launch.Launch) == 1
    with db.transaction() as tx:
        assert len(list(tx.scalars(select(TokenRow).where(TokenRow.kind == tokens.VIEWER)))) == 1


def test_revoking_while_it_is_opened_leaves_no_token_that_works(db: Database, granted: Principal) -> None:
    for _ in range(8):
        with db.transaction() as tx:
            grants.grant(tx, granted.id, CASE, VIEW, clock.now() + timedelta(hours=1))
        code = _create(db, granted)

        def revoke() -> int:
            with db.transaction() as tx:
                return grants.revoke(tx, CASE)

        with ThreadPoolExecutor(2) as pool:
            opening, ending = pool.submit(_redeem, db, code), pool.submit(revoke)
            opened = opening.result()
            assert ending.result() == 1
        if isinstance(opened, launch.Launch):
            with db.transaction() as tx, pytest.raises(NotSignedIn):
                tokens.verify(tx, opened.token)


@pytest.mark.parametrize("change", ["used", "old", "revoked", "grant over", "account closed", "unknown"])
def test_every_refusal_reads_the_same(db: Database, granted: Principal, change: str) -> None:
    code = _create(db, granted)
    with db.transaction() as tx:
        match change:
            case "used":
                launch.redeem(tx, code)
            case "old":
                tx.execute(update(TokenRow).values(expires_at=clock.now()))
            case "revoked":
                grants.revoke(tx, CASE, granted.id)
            case "grant over":
                tx.execute(update(Grant).values(until=clock.now()))
            case "account closed":
                tx.execute(update(PrincipalRow).values(active=False))
            case _:
                code = "A" * 43
    refusal = _redeem(db, code)
    assert isinstance(refusal, NotFound)
    assert refusal.safe == "This link was used before or is too old. Go back to the case and open the viewer again."
    assert code not in str(refusal)


def test_the_token_ends_with_the_grant(db: Database, granted: Principal) -> None:
    opened = _redeem(db, _create(db, granted))
    assert isinstance(opened, launch.Launch)
    with db.transaction() as tx:
        held = grants.find(tx, granted.id, CASE)
        assert held is not None
        expires = tx.scalars(select(TokenRow.expires_at).where(TokenRow.kind == tokens.VIEWER)).one()
    assert opened.until == held.until
    assert expires is not None
    assert abs(expires - held.until) < timedelta(seconds=5)


def test_a_coordinator_needs_no_grant(db: Database, coordinator: Principal) -> None:
    opened = _redeem(db, _create(db, coordinator))
    assert isinstance(opened, launch.Launch)
    assert opened.until <= clock.now() + tokens.VIEWER_LENGTH


def test_a_viewer_s_token_makes_no_codes(db: Database, granted: Principal) -> None:
    with db.transaction() as tx, pytest.raises(Forbidden):
        launch.create(tx, replace(granted, case_id=CASE), CASE, STUDIES)


@pytest.mark.parametrize("studies", [[], ["1.2.x"], ["1" * 65], ["1.2,3"], ["1.2"] * 51])
def test_what_can_t_be_opened(db: Database, granted: Principal, studies: list[str]) -> None:
    with db.transaction() as tx, pytest.raises(Unprocessable):
        launch.create(tx, granted, CASE, studies)


def test_neither_code_nor_token_is_kept(db: Database, granted: Principal) -> None:
    code = _create(db, granted)
    opened = _redeem(db, code)
    assert isinstance(opened, launch.Launch)
    with db.transaction() as tx:
        kept = str([vars(row) for model in (LaunchCode, TokenRow, AuditRow) for row in tx.scalars(select(model))])
    assert code not in kept
    assert opened.token not in kept


def test_opening_is_in_the_audit_log(db: Database, granted: Principal) -> None:
    _redeem(db, _create(db, granted))
    with db.transaction() as tx:
        query = select(AuditRow).where(AuditRow.action.startswith("viewer.")).order_by(AuditRow.id)
        lines = [(line.action, line.actor_id, line.case_id, line.detail["studies"]) for line in tx.scalars(query)]
    assert lines == [
        ("viewer.launch", granted.id, CASE, STUDIES),
        ("viewer.opened", granted.id, CASE, STUDIES),
    ]


def test_old_codes_are_swept(db: Database, granted: Principal) -> None:
    kept = _create(db, granted)
    _create(db, granted)
    with db.transaction() as tx:
        old = clock.now() - timedelta(days=2)
        tx.execute(update(TokenRow).where(TokenRow.id != tokens.named(tx, kept)).values(expires_at=old))
        assert launch.sweep(tx) == 1
    assert isinstance(_redeem(db, kept), launch.Launch)
