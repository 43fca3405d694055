"""Who may change a draft, and of which edition."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from cases import parts
from cases.models import Case
from cases.repository import load
from cases.service import presentation
from cases.states import CaseState
from overread.kit.errors import Conflict
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal


def load_draft(tx: Session, who: Principal, case_id: UUID, edition: str | None = None) -> Case:
    """A draft that `who` may change, locked. `edition`: the one that they were shown, if they were.

    Raises NotFound, Forbidden; Conflict where it was sent, or says something else by now.
    """
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_CHANGE, case_id)
    if case.state is not CaseState.DRAFT:
        raise Conflict(
            f"case {case_id} is {case.state}", safe=gettext("The request was sent already and can't be changed.")
        )
    if edition not in (None, presentation.edition(case)):
        raise Conflict(
            f"another edition of case {case_id}",
            safe=gettext(
                "This request was changed since you opened it, perhaps in another window. Nothing was saved now: "
                "compare what you wrote with what is saved, then save again."
            ),
        )
    return case
