"""Saved replies: a program's texts that its coordinators write again and again, each with a name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import parts
from cases.desk_models import SavedReply
from cases.models import Program
from cases.repository import active_program, load
from cases.service import presentation
from overread.kit import audit, clock, permissions
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import one_line, trimmed

MOST, MOST_NAME, MOST_TEXT = 100, 80, 4_000


@dataclass(frozen=True, slots=True)
class Reply:
    """A saved reply; `changed_by`: a coordinator's name."""

    reply_id: UUID
    name: str
    text: str
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class ProgramReplies:
    """A program and its replies, by name."""

    slug: str
    name: str
    replies: tuple[Reply, ...]


def everywhere(tx: Session, who: Principal) -> list[ProgramReplies]:
    """The replies of every program. Raises Forbidden."""
    permissions.require(who, Permission.DESK_USE)
    programs = tx.scalars(select(Program).where(Program.active).order_by(Program.name))
    return [ProgramReplies(one.slug, one.name, _of(tx, one.id)) for one in programs]


def listed(tx: Session, who: Principal, program_slug: str) -> list[Reply]:
    """The replies of a program. Raises Forbidden, NotFound."""
    permissions.require(who, Permission.DESK_USE)
    return list(_of(tx, active_program(tx, program_slug).id))


def for_case(tx: Session, who: Principal, case_id: UUID) -> list[Reply]:
    """The replies that fit a case: those of its program. Raises Forbidden, NotFound."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.CASE_DESK, case_id)
    return list(_of(tx, case.program_id))


def add(tx: Session, who: Principal, program_slug: str, name: str, text: str) -> UUID:
    """Save a reply; the same name with the same text is the one that is there. Its id.

    Raises Forbidden, NotFound, Conflict where the name is taken or the program has too many, Unprocessable.
    """
    permissions.require(who, Permission.DESK_USE)
    name, text = _checked(name, text)
    program = active_program(tx, program_slug, lock=True)
    same = _named(tx, program.id, name)
    if same is not None and same.text == text:
        return same.id
    _require_free(same)
    if (tx.scalar(select(func.count()).where(SavedReply.program_id == program.id)) or 0) >= MOST:
        raise Conflict("replies", safe=gettext("A program has %(most)s saved replies at most.", most=MOST))
    made = SavedReply(program_id=program.id, name=name, text=text, changed_by=who.id)
    tx.add(made)
    tx.flush()
    audit.record(tx, who, "reply.add", "reply", made.id)
    return made.id


def change(
    tx: Session, who: Principal, reply_id: UUID, name: str, text: str, *, instead_of: datetime | None = None
) -> None:
    """Write a reply anew. `instead_of`: when the one that was read had been changed.

    Raises Forbidden, NotFound, Conflict where somebody changed it meanwhile or the name is taken, Unprocessable.
    """
    row = _locked(tx, who, reply_id)
    name, text = _checked(name, text)
    if (row.name, row.text) == (name, text):
        return
    if instead_of is not None and instead_of != row.changed_at:
        raise Conflict(
            f"reply {reply_id} was changed meanwhile",
            safe=gettext("Somebody has changed this reply meanwhile. Look at it as it is now, then save it again."),
        )
    if name != row.name:
        _require_free(_named(tx, row.program_id, name))
    row.name, row.text, row.changed_by, row.changed_at = name, text, who.id, clock.now()
    tx.flush()
    audit.record(tx, who, "reply.change", "reply", row.id)


def delete(tx: Session, who: Principal, reply_id: UUID) -> None:
    """Take a reply away; what was written with it stays. Raises Forbidden, NotFound."""
    row = _locked(tx, who, reply_id)
    tx.delete(row)
    tx.flush()
    audit.record(tx, who, "reply.delete", "reply", reply_id)


def _locked(tx: Session, who: Principal, reply_id: UUID) -> SavedReply:
    permissions.require(who, Permission.DESK_USE)
    found = tx.scalars(select(SavedReply).where(SavedReply.id == reply_id).with_for_update()).one_or_none()
    if found is None:
        raise NotFound(f"reply {reply_id}", safe=gettext("There is no such reply any more."))
    return found


def _of(tx: Session, program_id: UUID) -> tuple[Reply, ...]:
    rows = tx.scalars(select(SavedReply).where(SavedReply.program_id == program_id))
    found = (Reply(r.id, r.name, r.text, presentation.name_of(tx, r.changed_by), r.changed_at) for r in rows)
    return tuple(sorted(found, key=lambda one: one.name.casefold()))


def _named(tx: Session, program_id: UUID, name: str) -> SavedReply | None:
    query = select(SavedReply).where(SavedReply.program_id == program_id, SavedReply.name == name)
    return tx.scalars(query).one_or_none()


def _require_free(same: SavedReply | None) -> None:
    if same is not None:
        raise Conflict("the name of a reply", safe=gettext("The program has a reply with this name already."))


def _checked(name: str, text: str) -> tuple[str, str]:
    name, text = one_line(name), trimmed(text)
    if not name or len(name) > MOST_NAME or not text or len(text) > MOST_TEXT:
        raise Unprocessable(
            "a reply",
            safe=gettext(
                "A reply has a name of %(name)s characters and a text of %(text)s at most.",
                name=MOST_NAME,
                text=MOST_TEXT,
            ),
        )
    return name, text
