"""Grants: one a principal and case, active only between now and their end, ended with everything given under them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from overread.kit import clock, tokens
from overread.kit.audit import AuditRow
from overread.kit.db import Database
from overread.kit.errors import NotFound, NotSignedIn, Unprocessable
from overread.kit.principals import Principal, Role
from tests.viewer_bridge.conftest import person
from viewer_bridge import grants, launch
from viewer_bridge.models import Grant

CASE, VIEW = uuid4(), uuid4()


def _grant(db: Database, who: Principal, *, hours: float = 1, view: UUID = VIEW) -> UUID:
    with db.transaction() as tx:
        return grants.grant(tx, who.id, CASE, view, clock.now() + timedelta(hours=hours))


def test_a_grant_is_found_for_its_principal_and_case_alone(db: Database, specialist: Principal) -> None:
    granted = _grant(db, specialist)
    with db.transaction() as tx:
        other = person(tx, Role.SPECIALIST, "Dr. Rot")
        found = grants.find(tx, specialist.id, CASE)
        assert found is not None
        assert (found.id, found.view_id) == (granted, VIEW)
        assert grants.find(tx, other.id, CASE) is None
        assert found is not None
        assert grants.view(tx, specialist.id, CASE) == found.view_id
        assert grants.view(tx, other.id, CASE) is None
        assert grants.find(tx, specialist.id, uuid4()) is None
        assert [grant.id for grant in grants.active(tx, CASE)] == [granted]


def test_granting_again_moves_the_grant(db: Database, specialist: Principal) -> None:
    other_view = uuid4()
    assert _grant(db, specialist, hours=1) == _grant(db, specialist, hours=9, view=other_view)
    with db.transaction() as tx:
        (only,) = grants.active(tx, CASE)
        assert only.view_id == other_view
        assert only.until > clock.now() + timedelta(hours=8)


def test_sixteen_at_once_make_one_grant(db: Database, specialist: Principal) -> None:
    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(lambda _: _grant(db, specialist), range(16)))
    assert len(ids) == 1
    with db.transaction() as tx:
        assert tx.scalar(select(func.count()).select_from(Grant)) == 1


def test_an_expired_grant_is_not_found_and_comes_back_when_granted_again(db: Database, specialist: Principal) -> None:
    granted = _grant(db, specialist)
    with db.transaction() as tx:
        tx.execute(update(Grant).values(until=clock.now() - timedelta(seconds=1)))
        assert grants.find(tx, specialist.id, CASE) is None
        assert grants.view(tx, specialist.id, CASE) is None
        assert grants.active(tx, CASE) == []
    assert _grant(db, specialist) == granted
    with db.transaction() as tx:
        assert grants.find(tx, specialist.id, CASE) is not None


def test_revoking_ends_tokens_and_codes_of_this_case_only(db: Database, specialist: Principal) -> None:
    _grant(db, specialist)
    elsewhere = uuid4()
    with db.transaction() as tx:
        viewer = launch.redeem(tx, launch.create(tx, specialist, CASE, ["1.2.3"])).token
        unused = launch.create(tx, specialist, CASE, ["1.2.3"])
        kept = tokens.issue(tx, specialist.id, tokens.VIEWER, case_id=elsewhere, lasts=timedelta(hours=1))
        api = tokens.issue(tx, specialist.id)
    with db.transaction() as tx:
        assert grants.revoke(tx, CASE) == 1
        assert grants.revoke(tx, CASE) == 0
    with db.transaction() as tx:
        assert grants.find(tx, specialist.id, CASE) is None
        assert grants.view(tx, specialist.id, CASE) is None
        with pytest.raises(NotSignedIn):
            tokens.verify(tx, viewer)
        assert tokens.verify(tx, kept).case_id == elsewhere
        assert tokens.verify(tx, api).id == specialist.id
    # A new grant does not bring an old code back to life.
    _grant(db, specialist)
    with db.transaction() as tx, pytest.raises(NotFound):
        launch.redeem(tx, unused)


def test_one_principal_s_grant_is_revoked_without_the_others(db: Database, specialist: Principal) -> None:
    with db.transaction() as tx:
        other = person(tx, Role.SPECIALIST, "Dr. Rot")
    _grant(db, specialist)
    kept = _grant(db, other)
    with db.transaction() as tx:
        assert grants.revoke(tx, CASE, specialist.id) == 1
        assert [grant.id for grant in grants.active(tx, CASE)] == [kept]


def test_a_revoked_grant_stays_as_history(db: Database, specialist: Principal) -> None:
    first = _grant(db, specialist)
    with db.transaction() as tx:
        grants.revoke(tx, CASE)
    second = _grant(db, specialist)
    with db.transaction() as tx:
        rows = {row.id: row.revoked_at for row in tx.scalars(select(Grant))}
    assert rows.keys() == {first, second}
    assert rows[first] is not None
    assert rows[second] is None


def test_every_change_is_in_the_audit_log(db: Database, specialist: Principal) -> None:
    granted = _grant(db, specialist)
    with db.transaction() as tx:
        grants.revoke(tx, CASE)
    with db.transaction() as tx:
        lines = list(tx.scalars(select(AuditRow).order_by(AuditRow.id)))
    assert [(line.action, line.object_id, line.case_id) for line in lines] == [
        ("grant.made", str(granted), CASE),
        ("grant.revoked", str(granted), CASE),
    ]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SPECIALIST])
def test_only_specialists_are_granted(db: Database, role: Role) -> None:
    with db.transaction() as tx:
        somebody = person(tx, role)
    with pytest.raises(Unprocessable):
        _grant(db, somebody)


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        (lambda db, who: _grant(db, who, hours=-1), Unprocessable),
        (lambda db, who: _grant(db, Principal(uuid4(), Role.SPECIALIST, "nobody")), NotFound),
    ],
)
def test_what_can_t_be_granted(
    db: Database, specialist: Principal, attempt: Callable[[Database, Principal], UUID], error: type[Exception]
) -> None:
    with pytest.raises(error):
        attempt(db, specialist)
    with db.transaction() as tx:
        assert grants.active(tx, CASE) == []
