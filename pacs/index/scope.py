"""What a principal may see of the archive.

Every query and every retrieval takes a `Scope`; nobody but the rooms that own the rule makes one. The originals are
one view, the de-identified copy of each case is another: a scope names exactly one, so that a specialist's request can
never reach an original header.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from overread.kit import permissions
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role

#: The view that holds the originals.
ORIGINAL = UUID(int=0)
#: The program's own people send as one: what the night shift began, the day shift goes on with.
STAFF = UUID(int=2)


@dataclass(frozen=True, slots=True)
class Scope:
    """One view, narrowed. The originals of all senders are narrowed to the leading one of each Study Instance UID.

    `sender_id`: only what this sender sent. `study_uids`: only these studies (UIDs of the view). `studies`: only these
    senders' or joined studies (`pacs.index.models.Study.pk`), no two of one UID; of those that are in `uploads`, what
    was sent for `case_id` alone; of those in `until`, nothing behind an instance (`pacs.index.models.Instance.pk`).
    `unreleased`: also what no coordinator has released yet. `withheld`: also what must not be read for now.
    """

    view_id: UUID
    sender_id: UUID | None = None
    study_uids: frozenset[str] | None = None
    studies: frozenset[int] | None = None
    uploads: frozenset[int] = frozenset()
    until: frozenset[tuple[int, int]] = frozenset()
    case_id: UUID | None = None
    unreleased: bool = False
    withheld: bool = False

    @property
    def leading(self) -> bool:
        """Whether of the originals with one UID the leading one alone is meant."""
        return self.view_id == ORIGINAL and self.sender_id is None and self.studies is None

    @property
    def parts(self) -> bool:
        """Whether parts of studies are shown, so that what their rows count is not what is shown."""
        return bool(self.uploads or self.until)


#: Nothing at all: keys are tried in it.
NOTHING = Scope(ORIGINAL, studies=frozenset())


def sender_of(who: Principal) -> UUID:
    """As whose a principal's objects are kept: their own, or of the program's staff together."""
    return STAFF if who.role in (Role.COORDINATOR, Role.ADMIN) else who.id


def one_study(study_pk: int) -> Scope:
    """One sender's or joined study of the originals, for the archive's own jobs."""
    return Scope(ORIGINAL, studies=frozenset((study_pk,)), unreleased=True)


def originals(who: Principal) -> Scope:
    """The originals that a principal may see at /dicomweb. Raises Forbidden for roles that see none.

    Coordinators and admins see all (every access of an admin is audited), but what is withheld coordinators alone;
    hospitals what they sent, patients their own.
    """
    permissions.require(who, Permission.IMAGES_ORIGINAL)
    if who.role in (Role.COORDINATOR, Role.ADMIN):
        return Scope(ORIGINAL, unreleased=True, withheld=who.role is Role.COORDINATOR)
    return sent_by(who.id)


def sent_by(sender_id: UUID) -> Scope:
    """What one sender sent, as it was sent."""
    return Scope(ORIGINAL, sender_id=sender_id, unreleased=True)


def reviewed(who: Principal, view_id: UUID) -> Scope:
    """A view with what is pending or not released in it, for whoever decides that. Raises Forbidden."""
    permissions.require(who, Permission.IMAGES_REVIEW)
    return Scope(view_id, unreleased=True)
