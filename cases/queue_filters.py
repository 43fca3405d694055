"""What coordinators narrow their queue by: whose a case is, a tag, and whether something in it is new to them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from cases import owners
from cases.desk_models import CaseTag, InternalNote, Ownership, Seen
from cases.desk_views import DeskLine, Narrow, Whose
from cases.models import Case, CaseStudy, Note, Step
from cases.states import Actor
from overread.kit.principals import Principal, PrincipalRow


def conditions(who: Principal, narrow: Narrow) -> list[ColumnElement[bool]]:
    """The same for a query of cases, as a coordinator asks it."""
    asked: list[ColumnElement[bool]] = []
    if narrow.whose is Whose.MINE:
        asked.append(exists().where(Ownership.case_id == Case.id, Ownership.owner_id == who.id))
    if narrow.whose is Whose.NOBODY:
        asked.append(Case.id.not_in(owners.standing().with_only_columns(Ownership.case_id)))
    if narrow.tag:
        asked.append(exists().where(CaseTag.case_id == Case.id, CaseTag.tag == narrow.tag))
    if narrow.unread:
        asked.append(unread(who))
    return asked


def unread(who: Principal) -> ColumnElement[bool]:
    """That something came into a case since `who` last opened it, and not from the coordinators' side.

    A message or a step of patient, specialist or the clock, a study or document, a colleague's internal note.
    """

    def newer(at: Any, *where: ColumnElement[bool]) -> ColumnElement[bool]:
        seen = exists().where(Seen.case_id == Case.id, Seen.coordinator_id == who.id, Seen.at >= at)
        return exists().where(*where, ~seen)

    return or_(
        newer(Note.at, Note.case_id == Case.id, Note.from_patient.is_(True)),
        newer(Step.at, Step.case_id == Case.id, Step.study_uid.is_(None), Step.actor != Actor.COORDINATOR.value),
        newer(CaseStudy.created_at, CaseStudy.case_id == Case.id, CaseStudy.sender_id != who.id),
        newer(InternalNote.at, InternalNote.case_id == Case.id, InternalNote.author_id != who.id),
    )


def lines(tx: Session, who: Principal, case_ids: Collection[UUID]) -> dict[UUID, DeskLine]:
    """What coordinators keep of these cases, for `who`, one of them."""
    owned = owners.standing().add_columns(PrincipalRow.name).where(Ownership.case_id.in_(case_ids))
    owner = {case_id: (owner_id, name) for case_id, owner_id, name in tx.execute(owned)}
    tags = tags_of(tx, case_ids)
    news = set(tx.scalars(select(Case.id).where(Case.id.in_(case_ids), unread(who))))
    return {one: DeskLine(*owner.get(one, (None, "")), tags.get(one, ()), one in news) for one in case_ids}


def tags_of(tx: Session, case_ids: Collection[UUID]) -> dict[UUID, tuple[str, ...]]:
    """The tags of these cases, by the alphabet."""
    found: dict[UUID, list[str]] = {}
    for case_id, tag in tx.execute(select(CaseTag.case_id, CaseTag.tag).where(CaseTag.case_id.in_(case_ids))):
        found.setdefault(case_id, []).append(tag)
    return {case_id: tuple(sorted(tags, key=str.casefold)) for case_id, tags in found.items()}
