"""How the work goes, as specialists say it: one click and, if they like, a word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.feedback_models import CheckIn
from cases.models import Program
from cases.service.presentation import name_of
from cases.surveys import HIGHEST, LOWEST
from overread.kit import audit, clock, permissions
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.paging import Keyset, Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import fitting

_MOST = 2_000
_NEWEST = Keyset(CheckIn.id, descending=True)


@dataclass(frozen=True, slots=True)
class CheckInView:
    """A specialist was asked after so many `readings`. `score`: 1 (badly) to 5 (very well); None: not answered."""

    check_in_id: UUID
    program: str
    specialist: str
    readings: int
    asked_at: datetime
    score: int | None
    text: str
    answered_at: datetime | None


def own(tx: Session, who: Principal) -> list[CheckInView]:
    """What a specialist is asked and has not answered, the newest of each program. Raises Forbidden."""
    permissions.require(who, Permission.CHECK_IN_ANSWER)
    query = select(CheckIn).where(CheckIn.specialist_id == who.id, CheckIn.answered_at.is_(None))
    newest = {one.program_id: one for one in tx.scalars(query.order_by(CheckIn.id))}
    return [_view(tx, one) for one in newest.values()]


def answer(tx: Session, who: Principal, check_in_id: UUID, score: int, text: str) -> None:
    """Say how it goes. The same twice is once. Raises Forbidden, NotFound, Conflict, Unprocessable."""
    permissions.require(who, Permission.CHECK_IN_ANSWER)
    query = select(CheckIn).where(CheckIn.id == check_in_id, CheckIn.specialist_id == who.id)
    found = tx.scalars(query.with_for_update()).one_or_none()
    if found is None:
        raise NotFound(f"check-in {check_in_id} of {who.id}")
    text = fitting(text, _MOST)
    if found.answered_at is not None:
        if (found.score, found.text) == (score, text):
            return
        raise Conflict("answered", safe=gettext("You have answered this already. Thank you."))
    if not LOWEST <= score <= HIGHEST:
        raise Unprocessable("a score", safe=gettext("Each answer is a number from 1 to 5."))
    found.score, found.text, found.answered_at = score, text, clock.now()
    tx.flush()
    audit.record(tx, who, "check_in.answer", "check_in", found.id)


def listed(tx: Session, who: Principal, *, after: str = "", limit: int = 200) -> Page[CheckInView]:
    """What specialists said, the newest first, for coordinators. Raises Forbidden."""
    permissions.require(who, Permission.AFTERCARE_MANAGE)
    page = _NEWEST.page(tx, select(CheckIn).where(CheckIn.answered_at.is_not(None)), after, limit)
    return page.of([_view(tx, one) for one in page])


def _view(tx: Session, one: CheckIn) -> CheckInView:
    return CheckInView(
        one.id,
        tx.get_one(Program, one.program_id).name,
        name_of(tx, one.specialist_id),
        one.readings,
        one.asked_at,
        one.score,
        one.text,
        one.answered_at,
    )
