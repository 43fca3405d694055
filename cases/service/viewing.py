"""Looking at a case's images: the hosted viewer, and a specialist's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cases import access
from overread.kit import audit, clock, tokens
from overread.kit.errors import Conflict, NotFound
from overread.kit.language import gettext
from overread.kit.principals import Principal
from viewer_bridge import grants, launch

#: The longest that a token for one's own viewer lasts.
LONGEST = tokens.VIEWER_LENGTH


@dataclass(frozen=True, slots=True)
class ViewerToken:
    """A token that opens one case's images, shown once, and until when."""

    token: str
    until: datetime


def view_studies(tx: Session, who: Principal, case_id: UUID) -> list[str]:
    """The UIDs (of the view) that a viewer may open for `who` now, for a launch link.

    Raises NotFound for a specialist without a grant, Conflict where nothing is there to open.
    """
    scope = access.scope(tx, who, case_id)
    found = access.released(tx, case_id, scope)
    if not found:
        raise Conflict(f"case {case_id} has nothing to open", safe=gettext("There are no images to open yet."))
    return found


def open_viewer(tx: Session, who: Principal, case_id: UUID, study_uid: str = "") -> str:
    """A one-time code that opens the hosted viewer with a study, or with all that `who` may see.

    Raises as `view_studies`, and NotFound for a study that this person may not open.
    """
    allowed = view_studies(tx, who, case_id)
    if study_uid and study_uid not in allowed:
        raise NotFound(f"study {study_uid[:64]!r} of case {case_id} for {who.id}")
    chosen = [study_uid] if study_uid else allowed[: launch.MOST_STUDIES]
    return launch.create(tx, who, case_id, chosen)


def own_viewer(tx: Session, who: Principal, case_id: UUID) -> ViewerToken:
    """A token for the viewer of a specialist's own, for this case alone. Raises NotFound where no grant stands."""
    # Held until the commit: a grant that ends at this moment either ends this token too, or is found ended here.
    grant = grants.find(tx, who.id, case_id, hold=True)
    if grant is None:
        raise NotFound(f"no grant of {who.id} for case {case_id}")
    until = min(clock.now() + LONGEST, grant.until)
    lasts = until - clock.now()
    made = tokens.issue(tx, who.id, tokens.VIEWER, lasts=lasts, case_id=case_id, parent_id=who.via_id)
    audit.record(tx, who, "viewer.token", "case", case_id, case_id=case_id)
    return ViewerToken(made, until)
