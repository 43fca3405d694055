"""The DICOM peers, as admins register them and hospitals see their own."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from overread.kit import permissions, principals
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role
from pacs.dimse import peers
from pacs.index.models import Peer


@dataclass(frozen=True, slots=True)
class PeerView:
    """A peer, where it is, and whom it acts for."""

    ae_title: str
    host: str
    port: int
    role: str
    owner: str


def listed(tx: Session, who: Principal) -> list[PeerView]:
    """Every peer by title, for admins and coordinators. Raises Forbidden."""
    return [_view(tx, peer) for peer in peers.listed(tx, who)]


def own(tx: Session, who: Principal) -> list[PeerView]:
    """The peers that act for somebody, by title."""
    return [_view(tx, peer) for peer in peers.acting_for(tx, who)]


def register(
    tx: Session, who: Principal, ae_title: str, host: str, port: int, role: Role, *, owner_id: UUID | None = None
) -> None:
    """Register a peer, or change its address; without `owner_id` it acts for a principal of its own.

    Raises Forbidden for all but admins, Unprocessable, NotFound, Conflict where its owner would change.
    """
    permissions.require(who, Permission.PEERS_MANAGE)
    peers.register(tx, ae_title, host, port, role, who, owner_id=owner_id)


def _view(tx: Session, peer: Peer) -> PeerView:
    owner = principals.get(tx, peer.principal_id)
    return PeerView(peer.ae_title, peer.host, peer.port, owner.role, owner.name)
