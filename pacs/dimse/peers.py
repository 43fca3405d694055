"""Which application entities may connect, and the principal that each acts for."""

from __future__ import annotations

import re
import socket
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from overread.kit import audit, permissions, principals
from overread.kit.errors import Conflict, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role
from pacs.dimse.calling import Target
from pacs.index.models import Peer

#: PS3.5 6.2: an AE title has at most 16 characters of the default repertoire, no backslash, not only spaces.
_AE_TITLE = re.compile(r"[ !-\[\]-~]{1,16}")


def register(
    tx: Session,
    ae_title: str,
    host: str,
    port: int,
    role: Role,
    who: Principal | None = None,
    *,
    owner_id: UUID | None = None,
) -> Peer:
    """Register a peer, or change its address. Raises Unprocessable, NotFound, Conflict where its owner would change.

    A peer acts for `owner_id`, a specialist or a hospital that is known already; without it, for a principal of its
    own, named after it, that is made the first time.
    """
    title = ae_title.strip()
    if not _AE_TITLE.fullmatch(title):
        raise Unprocessable(
            "a bad AE title", safe=gettext("An AE title has 1 to 16 ASCII characters and no backslash.")
        )
    if not 1 <= port <= 65535 or not host.strip():
        raise Unprocessable("a bad address", safe=gettext("A peer needs a host and a port from 1 to 65535."))
    if role not in (Role.HOSPITAL, Role.SPECIALIST):
        raise Unprocessable("a bad role", safe=gettext("A peer is a hospital's or a specialist's."))
    if owner_id is not None and principals.get(tx, owner_id).role != role:
        raise Unprocessable(
            f"the owner of {title} is no {role.value}",
            safe=gettext("The owner of this peer is no %(role)s.", role=role.value),
        )
    existing = tx.get(Peer, title)
    if existing is None:
        owner = principals.get(tx, owner_id) if owner_id else principals.create(tx, role=role, name=title)
        statement = insert(Peer).values(ae_title=title, host=host.strip(), port=port, principal_id=owner.id)
        tx.execute(statement)
    else:
        if principals.get(tx, existing.principal_id).role != role:
            raise Conflict(
                "role change",
                safe=gettext("%(title)s is registered with another role. Give this peer another title.", title=title),
            )
        if owner_id not in (None, existing.principal_id):
            # What its principal was given to see would be another's at once.
            raise Conflict(
                "owner change",
                safe=gettext("%(title)s is registered for somebody else. Choose another title.", title=title),
            )
        existing.host, existing.port = host.strip(), port
    tx.flush()
    owner_text = str(owner_id) if owner_id else None
    audit.record(tx, who, "peer.register", "peer", title, host=host, port=port, owner=owner_text)
    return tx.get_one(Peer, title)


def listed(tx: Session, who: Principal) -> list[Peer]:
    """Every registered peer, by title. For admins and coordinators."""
    permissions.require(who, Permission.PEERS_READ)
    return list(tx.scalars(select(Peer).order_by(Peer.ae_title)))


def acting_for(tx: Session, who: Principal) -> list[Peer]:
    """The peers that act for a principal, by title."""
    return list(tx.scalars(select(Peer).where(Peer.principal_id == who.id).order_by(Peer.ae_title)))


def identify(tx: Session, ae_title: str, address: str) -> Principal | None:
    """The principal that a calling AE at this network address acts for, or None where it may not connect."""
    peer = tx.get(Peer, ae_title.strip())
    if peer is None or address not in _addresses(peer.host):
        return None
    return principal(tx, peer.ae_title, via="dimse")


def principal(tx: Session, ae_title: str, *, via: str) -> Principal | None:
    """The principal that a peer acts for, or None where there is no such peer, or its principal is locked out."""
    peer = tx.get(Peer, ae_title.strip())
    row = principals.get(tx, peer.principal_id) if peer is not None else None
    return row.as_principal(via=via) if row is not None and row.active else None


def target(tx: Session, ae_title: str, who: Principal) -> Target | None:
    """A peer that is sent what `who` may see: one of their own alone, whose principal therefore sees the same."""
    peer = tx.get(Peer, ae_title.strip())
    if peer is None or peer.principal_id != who.id:
        return None
    return Target(peer.ae_title, peer.host, peer.port)


def _addresses(host: str) -> set[str]:
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return set()
