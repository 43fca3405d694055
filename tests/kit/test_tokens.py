"""Credentials: tokens that end, and an address that is one account's."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from overread.kit import principals, tokens
from overread.kit.db import Session
from overread.kit.errors import Conflict, Forbidden, NotSignedIn
from overread.kit.principals import Role, TokenRow


def test_a_token_is_its_owner_until_it_is_revoked(tx: Session) -> None:
    owner = principals.create(tx, role=Role.HOSPITAL, name="St. Example")
    token = tokens.issue(tx, owner.id)
    assert tokens.verify(tx, token).id == owner.id
    kept = tx.scalars(select(TokenRow.digest)).one()
    assert token.encode() not in kept
    tokens.revoke(tx, token)
    with pytest.raises(NotSignedIn):
        tokens.verify(tx, token)


def test_an_expired_token_a_wrong_one_and_one_of_another_kind_are_refused(tx: Session) -> None:
    owner = principals.create(tx, role=Role.PATIENT, name="P")
    expired = tokens.issue(tx, owner.id, lasts=timedelta(seconds=-1))
    session = tokens.issue(tx, owner.id, tokens.SESSION)
    for token in (expired, "wrong", "", session):
        with pytest.raises(NotSignedIn):
            tokens.verify(tx, token)
    assert tokens.verify(tx, session, tokens.SESSION).via == "session"


def test_a_locked_person_s_tokens_open_nothing(tx: Session) -> None:
    owner = principals.create(tx, role=Role.ADMIN, name="A")
    token = tokens.issue(tx, owner.id)
    owner.active = False
    tx.flush()
    with pytest.raises(NotSignedIn):
        tokens.verify(tx, token)


def test_a_viewer_s_token_is_for_its_case_alone(tx: Session) -> None:
    owner = principals.create(tx, role=Role.SPECIALIST, name="S")
    case = uuid4()
    token = tokens.issue(tx, owner.id, tokens.VIEWER, case_id=case)
    who = tokens.verify(tx, token)
    assert who.case_id == case
    with pytest.raises(Forbidden):
        who.require(Role.SPECIALIST)
    tokens.revoke_viewers(tx, owner.id, case)
    with pytest.raises(NotSignedIn):
        tokens.verify(tx, token)


def test_an_address_has_one_account(tx: Session) -> None:
    principals.create(tx, role=Role.PATIENT, name="P", email="Someone@Example.org")
    with pytest.raises(Conflict):
        principals.create(tx, role=Role.PATIENT, name="Q", email="someone@example.ORG")


def test_a_known_browser_is_its_person_s_alone(tx: Session) -> None:
    mine, other = (principals.create(tx, role=Role.PATIENT, name=name).id for name in "PQ")
    token = tokens.issue(tx, mine, tokens.DEVICE, lasts=tokens.DEVICE_LENGTH)
    assert tokens.device(tx, token, mine) is not None
    assert tokens.device(tx, token, other) is None
    with pytest.raises(NotSignedIn):
        tokens.verify(tx, token, tokens.API, tokens.SESSION, tokens.VIEWER)
    tokens.revoke(tx, token)
    assert tokens.device(tx, token, mine) is None
