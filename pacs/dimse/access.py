"""What a peer may query, fetch and be sent: the scopes of its principal, as the room that owns the rule gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from overread.kit.db import Session
from overread.kit.errors import NotFound
from overread.kit.principals import Principal, Role
from pacs.index.scope import Scope, originals
from pacs.index.selection import Named
from pacs.serve import retrieve
from pacs.serve.retrieve import Located
from pacs.store.archive import Archive


class Access(NamedTuple):
    """One scope, and the case that it belongs to."""

    scope: Scope
    case_id: UUID | None = None


#: Gives what a principal may see just now, nothing for whoever may see nothing; with a case, of that one alone.
Accesses = Callable[[Session, Principal, UUID | None], list[Access]]
#: Gives where objects go that a principal made of a study they see (a UID), None where they may send none of it.
Takes = Callable[[Session, Principal, str], Access | None]


class Selected(NamedTuple):
    """An instance, and the access that it was found by."""

    access: Access
    named: Named


def sent_by(_tx: Session, who: Principal, _case_id: UUID | None) -> list[Access]:
    """A hospital sees what it sent itself; nobody else sees anything without a case."""
    return [Access(originals(who))] if who.role is Role.HOSPITAL else []


def nothing(_tx: Session, _who: Principal, _study_uid: str) -> None:
    """Without cases nobody makes anything of what they see."""
    return


def locate(archive: Archive, accesses: Accesses, who: Principal, wanted: Selected) -> Located:
    """An instance that was found before, if it may still be seen. Raises NotFound.

    A retrieval may take an hour, and what was granted ends at a moment.
    """
    with archive.db.transaction() as tx:
        if wanted.access not in accesses(tx, who, wanted.access.case_id):
            raise NotFound(f"what {who.id} was granted has ended")
        named = wanted.named
        [located] = retrieve.locate(tx, wanted.access.scope, named.study_uid, named.series_uid, named.sop_uid)
    return located


def look(archive: Archive, accesses: Accesses, who: Principal, wanted: Selected, located: Located) -> None:
    """Whether an instance that is being sent may still be seen, as it was. Raises NotFound."""
    if locate(archive, accesses, who, wanted).tag != located.tag:
        raise NotFound("an instance was changed while it was sent")
