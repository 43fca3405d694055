"""Whether a program can help somebody, asked before an account; and who wants to hear when that changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from cases import licences, notify
from cases.guards import EMERGENCY
from cases.models import PlaceWish, Program
from cases.place_codes import norm_place
from cases.repository import active_program
from cases.service import programs
from overread.kit import clock
from overread.kit.language import gettext

#: How long an address waits to be told; then it is forgotten.
KEPT = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a program can help, or why not, as sentences. `may_wait`: it is the place alone, which may change."""

    reasons: tuple[str, ...]
    may_wait: bool

    @property
    def can_help(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.reasons


def check(tx: Session, program_slug: str, place: str, subject: str = "", *, emergency: bool = False) -> Answer:
    """Whether a program takes somebody who is in a place, with images of a kind (`SUBJECTS`; "" for any).

    Raises NotFound for no active program, Unprocessable for what can be no place or subject.
    """
    program = active_program(tx, program_slug)
    programs.require_subjects([subject] if subject else [])
    elsewhere = not licences.is_served(tx, program, norm_place(place))
    found = []
    if emergency:
        found.append(str(EMERGENCY))
    if subject and subject not in program.scope:
        found.append(gettext("This program gives no opinions about that."))
    if elsewhere:
        found.append(str(licences.NOT_SERVED))
    return Answer(tuple(found), may_wait=elsewhere and len(found) == 1)


def wait(tx: Session, program_slug: str, place: str, email: str) -> None:
    """Keep an address that wants to hear once when a program takes patients from a place. Idempotent.

    Whoever asks is told the same, whether the address waits already or not. Raises NotFound, Unprocessable.
    """
    program = active_program(tx, program_slug)
    values = {"program_id": program.id, "place": norm_place(place), "email": email.strip().lower()}
    tx.execute(insert(PlaceWish).values(**values).on_conflict_do_nothing())


def tell(tx: Session) -> int:
    """Mail those who wait for a place that is served now, once, and forget them; how many were told.

    By the clock, because a rule begins on its day, a licence ends on its own, and a specialist may be let in again.
    """
    tx.execute(delete(PlaceWish).where(PlaceWish.created_at < clock.now() - KEPT))
    waiting = tx.scalars(select(Program).where(Program.active, Program.id.in_(select(PlaceWish.program_id)))).all()
    wishes = [wish for program in waiting for wish in _waiting(tx, program)]
    for wish in wishes:
        notify.queue_address(tx, wish.email, "place_served")
        tx.delete(wish)
    return len(wishes)


def _waiting(tx: Session, program: Program) -> Sequence[PlaceWish]:
    served = licences.served_places(tx, [program])[program.id]
    query = select(PlaceWish).where(PlaceWish.program_id == program.id, PlaceWish.place.in_(served))
    return tx.scalars(query.order_by(PlaceWish.id).with_for_update(skip_locked=True)).all()
