"""The coordinators' own: who looks after a case, tags, notes for each other, what is new, the queue's filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from cases import notify, owners, parts, queue_filters
from cases.desk_models import CaseTag, InternalNote, Ownership, QueueChoice, Seen
from cases.desk_views import DeskView, InternalNoteView
from cases.models import Case
from cases.repository import load, visible
from cases.service import presentation
from cases.states import LABELS, CaseState
from overread.kit import audit, clock, permissions, principals
from overread.kit.errors import Conflict, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role
from overread.kit.texts import one_line, trimmed

MOST_TAG, MOST_TAGS, MOST_NOTE = 30, 10, 4_000
_MOST_KNOWN, _MOST_NOTES, _MOST_CHOICE = 100, 500, 10
#: What a page shows as owner where nobody is.
Nobody = Literal["nobody"]


def of_case(tx: Session, case: Case) -> DeskView:
    """What coordinators keep of a case that one of them was let see."""
    notes = tx.scalars(
        select(InternalNote).where(InternalNote.case_id == case.id).order_by(InternalNote.at, InternalNote.id)
    ).all()
    owner = owners.owner_of(tx, case.id)
    return DeskView(
        owner,
        presentation.name_of(tx, owner),
        queue_filters.tags_of(tx, [case.id]).get(case.id, ()),
        tuple(sorted(tx.scalars(_known(case.program_id)), key=str.casefold)),
        tuple(InternalNoteView(n.at, presentation.name_of(tx, n.author_id), n.text) for n in notes),
    )


def colleagues(tx: Session, who: Principal) -> list[tuple[UUID, str]]:
    """The coordinators who may look after cases, by name. Raises Forbidden."""
    permissions.require(who, Permission.DESK_USE)
    return [(one.id, one.name) for one in principals.with_role(tx, Role.COORDINATOR)]


def give(
    tx: Session, who: Principal, case_id: UUID, owner_id: UUID | None, *, instead_of: UUID | Nobody | None = None
) -> None:
    """Take a case, give it to a colleague, who is told, or leave it to nobody (None). Idempotent.

    `instead_of`: who looked after it when `who` decided. Raises Forbidden, NotFound; Conflict where that is somebody
    else by now; Unprocessable where the new owner is no coordinator.
    """
    case = _worked(tx, who, case_id)
    before = owners.owner_of(tx, case.id)
    if owner_id == before:
        return
    if instead_of is not None and instead_of != (before or "nobody"):
        safe = (
            gettext(
                "%(name)s looks after this case by now. Look again, then decide.", name=presentation.name_of(tx, before)
            )
            if before
            else gettext("Nobody looks after this case any more. Look again, then decide.")
        )
        raise Conflict(f"another owner of case {case_id}", safe=safe)
    if owner_id is not None and owner_id not in dict(colleagues(tx, who)):
        raise Unprocessable("an owner who is none", safe=gettext("Only a coordinator can look after a case."))
    tx.execute(delete(Ownership).where(Ownership.case_id == case.id))
    if owner_id is not None:
        tx.execute(insert(Ownership).values(case_id=case.id, owner_id=owner_id, since=clock.now()))
        if owner_id != who.id:
            notify.queue(tx, case, owner_id, "case_given")
    audit.record(tx, who, "case.owner", "case", case.id, case_id=case.id, owner=str(owner_id) if owner_id else "")


def write(tx: Session, who: Principal, case_id: UUID, text: str) -> None:
    """Write a note for the other coordinators; the same once more at once is the second click.

    Raises Forbidden, NotFound, Conflict, Unprocessable.
    """
    case = _worked(tx, who, case_id)
    text = trimmed(text)
    if not text or len(text) > MOST_NOTE:
        raise Unprocessable("note", safe=gettext("A note has from one to %(most)s characters.", most=MOST_NOTE))
    of_case = select(InternalNote).where(InternalNote.case_id == case.id)
    last = tx.scalars(of_case.order_by(InternalNote.at.desc(), InternalNote.id.desc()).limit(1)).one_or_none()
    if last is not None and (last.author_id, last.text) == (who.id, text):
        return
    if (tx.scalar(select(func.count()).select_from(of_case.subquery())) or 0) >= _MOST_NOTES:
        raise Conflict("notes", safe=gettext("A case has %(most)s internal notes at most.", most=_MOST_NOTES))
    tx.add(InternalNote(case_id=case.id, author_id=who.id, text=text))
    tx.flush()
    # Not the words: the audit log knows nobody's.
    audit.record(tx, who, "case.internal_note", "case", case.id, case_id=case.id)


def set_tags(tx: Session, who: Principal, case_id: UUID, tags: Sequence[str]) -> None:
    """Say which tags a case has; what none of a program's cases has, is added to its list by that.

    Raises Forbidden, NotFound, Conflict, Unprocessable for too many or too long ones.
    """
    case = _worked(tx, who, case_id)
    # "Urgent" and "urgent" are one; what is known already says how it is written.
    known = {one.casefold(): one for one in tx.scalars(_known(case.program_id))}
    clean = [one_line(one) for one in tags]
    wanted = {one.casefold(): known.get(one.casefold(), one) for one in reversed(clean) if one}
    if len(wanted) > MOST_TAGS or not all(map(_is_tag, wanted.values())):
        raise Unprocessable(
            "tags",
            safe=gettext(
                "A case has %(most)s tags at most, each of %(long)s characters at most and without a comma.",
                most=MOST_TAGS,
                long=MOST_TAG,
            ),
        )
    if len(known.keys() | wanted.keys()) > _MOST_KNOWN:
        raise Unprocessable(
            "known tags",
            safe=gettext("The program has %(most)s tags already: please use one of them.", most=_MOST_KNOWN),
        )
    now = frozenset(wanted.values())
    if now == frozenset(queue_filters.tags_of(tx, [case.id]).get(case.id, ())):
        return
    tx.execute(delete(CaseTag).where(CaseTag.case_id == case.id))
    tx.add_all(CaseTag(case_id=case.id, tag=one) for one in sorted(now))
    tx.flush()
    audit.record(tx, who, "case.tags", "case", case.id, case_id=case.id, count=len(now))


def mark(tx: Session, who: Principal, case_id: UUID, *, seen: bool) -> None:
    """Say that `who` has seen what is in a case, or is to be told of it as new again. Raises Forbidden, NotFound."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.CASE_DESK, case_id)
    if seen:
        at = clock.now()
        row = insert(Seen).values(coordinator_id=who.id, case_id=case.id, at=at)
        tx.execute(row.on_conflict_do_update(index_elements=["coordinator_id", "case_id"], set_={"at": at}))
    else:
        tx.execute(delete(Seen).where(Seen.coordinator_id == who.id, Seen.case_id == case.id))


def tags(tx: Session, who: Principal) -> list[str]:
    """Every tag that a case of theirs has, by the alphabet. Raises Forbidden."""
    permissions.require(who, Permission.DESK_USE)
    cases = visible(who).with_only_columns(Case.id)
    found = tx.scalars(select(CaseTag.tag).where(CaseTag.case_id.in_(cases)).distinct())
    return sorted(found, key=str.casefold)


def remember(tx: Session, who: Principal, choice: Mapping[str, str]) -> None:
    """Keep how `who` has narrowed the queue, so that it is shown so again. Raises Forbidden, Unprocessable."""
    permissions.require(who, Permission.DESK_USE)
    kept = dict(choice)
    if len(kept) > _MOST_CHOICE or any(len(one) > 64 for pair in kept.items() for one in pair):
        raise Unprocessable("choice", safe=gettext("This filter is not known."))
    if remembered(tx, who) != kept:
        row = insert(QueueChoice).values(coordinator_id=who.id, choice=kept)
        tx.execute(row.on_conflict_do_update(index_elements=["coordinator_id"], set_={"choice": kept}))


def remembered(tx: Session, who: Principal) -> dict[str, str]:
    """How `who` last narrowed the queue. Raises Forbidden."""
    permissions.require(who, Permission.DESK_USE)
    return tx.scalar(select(QueueChoice.choice).where(QueueChoice.coordinator_id == who.id)) or {}


def _worked(tx: Session, who: Principal, case_id: UUID) -> Case:
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_DESK, case_id)
    if case.state is CaseState.ERASED:
        raise Conflict(
            f"the desk of case {case_id}, which is erased",
            safe=gettext("This is not possible while the case is “%(state)s”.", state=LABELS[case.state]),
        )
    return case


def _is_tag(text: str) -> bool:
    return len(text) <= MOST_TAG and "," not in text and text.isprintable()


def _known(program_id: UUID) -> Select[str]:
    cases = select(Case.id).where(Case.program_id == program_id)
    return select(CaseTag.tag).where(CaseTag.case_id.in_(cases)).distinct()
