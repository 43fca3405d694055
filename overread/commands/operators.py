"""Who may use a server: tokens of programs and DICOM peers, from the command line; and whether it is well.

Loads little, because each of these is a command of its own that somebody waits for.
"""

from __future__ import annotations

import http.client
from uuid import UUID

from sqlalchemy import select

from overread.kit import audit, principals, tokens
from overread.kit.db import Database, Session
from overread.kit.errors import NotFound
from overread.kit.principals import PrincipalRow, Role
from overread.kit.settings import Settings, address
from pacs.dimse import peers


def create_token(settings: Settings, role: Role, name: str) -> str:
    """A bearer token for a program; its owner is made where there is none of this name and role."""
    db = _database(settings)
    try:
        with db.transaction() as tx:
            owner = machine(tx, role, name)
            token = tokens.issue(tx, owner.id)
            audit.record(tx, None, "token.create", "principal", owner.id)
    finally:
        db.close()
    return token


def end_tokens(settings: Settings, role: Role, name: str) -> int:
    """End every token of a program, for one that was lost or is not needed any more; how many stood. Raises NotFound.

    People's accounts, which have an e-mail address, are ended by themselves or by an admin.
    """
    db = _database(settings)
    try:
        with db.transaction() as tx:
            owner = _machine(tx, role, name)
            if owner is None:
                raise NotFound(f"no {role.value} has a token under the name {name}")
            ended = tokens.revoke_all(tx, owner.id)
            audit.record(tx, None, "token.end", "principal", owner.id, ended=ended)
    finally:
        db.close()
    return ended


def take_bounce(settings: Settings, content: bytes) -> bool:
    """Note a mail server's report; whether it tells that a mail of ours did not arrive. Raises BadInput."""
    from cases import bounces
    from overread import models

    models.load()
    db = _database(settings)
    try:
        with db.transaction() as tx:
            return bounces.take(tx, content)
    finally:
        db.close()


def machine(tx: Session, role: Role, name: str) -> PrincipalRow:
    """A principal without a password: people's accounts are never reused by their name."""
    return _machine(tx, role, name) or principals.create(tx, role=role, name=name)


def _machine(tx: Session, role: Role, name: str) -> PrincipalRow | None:
    of_this_name = (PrincipalRow.role == role.value, PrincipalRow.name == name, PrincipalRow.email.is_(None))
    return tx.scalars(select(PrincipalRow).where(*of_this_name)).first()


def add_peer(settings: Settings, ae_title: str, host: str, port: int, role: Role, owner: str | None) -> None:
    """Register a DICOM peer; `owner` is the e-mail address of an account, or the title of another peer."""
    db = _database(settings)
    try:
        with db.transaction() as tx:
            owner_id = _owner(tx, owner) if owner is not None else None
            peers.register(tx, ae_title, host, port, role, owner_id=owner_id)
    finally:
        db.close()


def _owner(tx: Session, owner: str) -> UUID:
    account = principals.by_email(tx, owner)
    other = peers.principal(tx, owner, via="command") if account is None else None
    found = account or other
    if found is None:
        raise NotFound(f"no account has the e-mail address {owner}, and no peer the title")
    return found.id


def _database(settings: Settings) -> Database:
    assert settings.database_url is not None
    return Database(settings.database_url, pool_size=1)


def healthy(host_port: str) -> bool:
    """Whether the server at HOST:PORT says that it is ready."""
    host, port = address(host_port)
    try:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
