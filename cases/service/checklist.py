"""Ticking the checklist of a case's kind of opinion, before a specialist is asked."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from cases import checklists, parts
from cases.desk_models import Tick
from cases.desk_views import ChecklistItem
from cases.models import Case
from cases.repository import load
from cases.service import presentation
from cases.states import LABELS, CaseState
from overread.kit import audit
from overread.kit.errors import Conflict, NotFound
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal


def of_case(tx: Session, case: Case) -> tuple[ChecklistItem, ...]:
    """The checklist of a case that a coordinator was let see."""
    done = checklists.ticks(tx, case)
    return tuple(
        ChecklistItem(one, presentation.name_of(tx, done[one].ticked_by), done[one].ticked_at)
        if one in done
        else ChecklistItem(one, "", None)
        for one in case.kind.checklist
    )


def tick(tx: Session, who: Principal, case_id: UUID, item: str, *, done: bool) -> None:
    """Say that an item was seen to, or was not after all; who ticked it first stays. Idempotent.

    Raises Forbidden, NotFound where the kind has no such item (any more); Conflict once a specialist was asked.
    """
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_DESK, case_id)
    if item not in case.kind.checklist:
        raise NotFound("an item of a checklist", safe=gettext("The checklist has changed. Please look at it again."))
    found = checklists.ticks(tx, case).get(item)
    if (found is not None) == done:
        return
    if case.state not in (CaseState.SUBMITTED, CaseState.NEEDS_INFO):
        raise Conflict(
            f"the checklist of case {case_id}, which is {case.state}",
            safe=gettext("This is not possible while the case is “%(state)s”.", state=LABELS[case.state]),
        )
    if found is None:
        tx.add(Tick(case_id=case.id, item=item, ticked_by=who.id))
    else:
        tx.delete(found)
    tx.flush()
    number = list(case.kind.checklist).index(item) + 1
    audit.record(tx, who, "case.checklist", "case", case.id, case_id=case.id, number=number, done=done)
