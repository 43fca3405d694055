"""What a principal may see of the archive.

Every query and every retrieval takes a `Scope`; nobody but the rooms that own the rule makes one. The originals are
one view, the de-identified copy of each case is another: a scope names exactly one, so that a specialist's request can
never reach an original header.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from overread.kit.errors import Forbidden
from overread.kit.principals import Principal, Role

#: The view that holds the originals.
ORIGINAL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Scope:
    """One view, narrowed.

    `holder_id`: only instances that this principal sent. `study_uids`: only these studies (UIDs of the view).
    `unreleased`: also what no coordinator has released yet.
    """

    view_id: UUID
    holder_id: UUID | None = None
    study_uids: frozenset[str] | None = None
    unreleased: bool = False


#: The archive's own jobs see the originals whole. Nothing that a principal asks for is answered by it.
OF_THE_ARCHIVE = Scope(ORIGINAL, unreleased=True)
#: Nothing at all: keys are tried in it.
NOTHING = Scope(ORIGINAL, study_uids=frozenset())


def originals(who: Principal) -> Scope:
    """The originals that a principal may see at /dicomweb. Raises Forbidden for roles that see none.

    Coordinators and admins see all (every access of an admin is audited), hospitals what they sent, patients their own.
    """
    who.require(Role.COORDINATOR, Role.ADMIN, Role.HOSPITAL, Role.PATIENT)
    if who.role in (Role.COORDINATOR, Role.ADMIN):
        return Scope(ORIGINAL, unreleased=True)
    if who.role in (Role.HOSPITAL, Role.PATIENT):
        return Scope(ORIGINAL, holder_id=who.id, unreleased=True)
    raise Forbidden(f"{who.role} sees no originals")


def reviewed(who: Principal, view_id: UUID) -> Scope:
    """A view with what is held or not released in it, for whoever decides that. Raises Forbidden."""
    who.require(Role.COORDINATOR)
    return Scope(view_id, unreleased=True)
