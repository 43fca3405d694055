"""What patients can ask for: the programs, their prices and places; and what an admin changes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.models import Price
from cases import licences
from cases.models import SUBJECTS, Program, ProgramSpecialist
from cases.repository import active_program
from cases.service import kinds
from cases.views import ProgramView
from overread.kit import audit, permissions, principals
from overread.kit.errors import Conflict, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role
from overread.kit.texts import trimmed

_MOST_UNSUITED = 1_000


@dataclass(frozen=True, slots=True)
class Readers:
    """A program, and the specialists who read for it."""

    program_id: UUID
    slug: str
    name: str
    specialists: tuple[UUID, ...]


def on_offer(tx: Session) -> list[ProgramView]:
    """Every active program with a kind of opinion that can be chosen, by name; the public site shows them."""
    active = tx.scalars(select(Program).where(Program.active).order_by(Program.name)).all()
    served = licences.served_places(tx, active)
    current = kinds.in_force(tx)
    found = [_view(program, served[program.id], current) for program in active]
    return [program for program in found if program.kinds]


def program(tx: Session, slug: str) -> ProgramView:
    """An active program. Raises NotFound."""
    found = active_program(tx, slug)
    return _view(found, licences.served_places(tx, [found])[found.id], kinds.in_force(tx))


def create(tx: Session, who: Principal, slug: str, name: str, **fields: Any) -> UUID:
    """Open a program; `fields` are columns of `Program`. Raises Forbidden, Conflict where the slug is taken."""
    permissions.require(who, Permission.PROGRAMS_MANAGE)
    if tx.scalar(select(Program.id).where(Program.slug == slug)):
        raise Conflict(f"program {slug!r} exists", safe=gettext("There is a program with this short name already."))
    made = Program(slug=slug, name=name, **fields)
    tx.add(made)
    tx.flush()
    audit.record(tx, who, "program.create", "program", made.id, slug=slug)
    return made.id


def require_subjects(subjects: Sequence[str]) -> None:
    """Raises Unprocessable for what no opinion is about (`SUBJECTS`)."""
    if not set(subjects) <= set(SUBJECTS):
        raise Unprocessable("subject", safe=gettext("The subject is one of: %(names)s.", names=", ".join(SUBJECTS)))


def set_scope(tx: Session, who: Principal, slug: str, subjects: Sequence[str], unsuited: str) -> None:
    """Say what a program gives opinions about (`SUBJECTS`; all, where none is named), and what it is not for.

    Drafts about something else can't be sent any more. Raises Forbidden, NotFound, Unprocessable.
    """
    permissions.require(who, Permission.PROGRAMS_MANAGE)
    program = active_program(tx, slug)
    require_subjects(subjects)
    if len(unsuited) > _MOST_UNSUITED:
        raise Unprocessable(
            "unsuited", safe=gettext("A text is too long: %(most)s characters at most.", most=_MOST_UNSUITED)
        )
    program.subjects = [] if set(subjects) == set(SUBJECTS) else [one for one in SUBJECTS if one in subjects]
    program.unsuited = trimmed(unsuited)
    tx.flush()
    audit.record(tx, who, "program.scope", "program", program.id, subjects=program.subjects)


def readers(tx: Session, who: Principal) -> list[Readers]:
    """Who reads for which program, by the program's name. Raises Forbidden."""
    permissions.require(who, Permission.PROGRAMS_READ)
    rows = tx.scalars(select(ProgramSpecialist).order_by(ProgramSpecialist.specialist_id)).all()
    active = tx.scalars(select(Program).where(Program.active).order_by(Program.name))
    return [
        Readers(one.id, one.slug, one.name, tuple(row.specialist_id for row in rows if row.program_id == one.id))
        for one in active
    ]


def set_reader(tx: Session, who: Principal, slug: str, specialist_id: UUID, *, reads: bool) -> None:
    """Let a specialist read for a program, or no more: then they neither accept nor sign. Idempotent.

    Raises Forbidden, NotFound, Unprocessable for somebody who is no specialist.
    """
    permissions.require(who, Permission.PROGRAMS_MANAGE)
    program = active_program(tx, slug)
    if principals.get(tx, specialist_id).role != Role.SPECIALIST:
        raise Unprocessable("no specialist", safe=gettext("Only specialists read for a program."))
    row = tx.get(ProgramSpecialist, (program.id, specialist_id))
    if (row is not None) == reads:
        return
    if row is None:
        tx.add(ProgramSpecialist(program_id=program.id, specialist_id=specialist_id))
    else:
        tx.delete(row)
    tx.flush()
    action = "program.reader_added" if reads else "program.reader_removed"
    audit.record(tx, who, action, "program", program.id, specialist=str(specialist_id))


def places(programs: Sequence[ProgramView]) -> frozenset[str]:
    """The places from which at least one of these programs takes patients."""
    return frozenset().union(*(program.places for program in programs))


def _view(program: Program, served: frozenset[str], current: Mapping[str, Price]) -> ProgramView:
    return ProgramView(
        program_id=program.id,
        slug=program.slug,
        name=program.name,
        tagline=program.tagline,
        kinds=kinds.on_offer(program, current),
        late_refund_percent=program.late_refund_percent,
        places=served,
        excluded_places=tuple(program.excluded_places),
        subjects=program.scope,
        unsuited=program.unsuited,
    )
