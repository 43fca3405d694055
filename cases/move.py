"""A move: one event about to happen to a case or to a study in it, with what its guards and effects need."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from cases.models import Case, CaseStudy, Offer
from cases.states import Actor, CaseEvent, CaseState, Refusal, StudyEvent
from overread.kit.principals import Principal
from overread.kit.texts import trimmed


@dataclass(slots=True)
class Move:
    """An event of a case. `who` is None for the system; `specialist_id` is whom OFFER names.

    `refusal`: why a specialist declines.
    """

    tx: Session
    case: Case
    event: CaseEvent
    actor: Actor
    who: Principal | None
    reason: str = ""
    specialist_id: UUID | None = None
    offer: Offer | None = None
    refusal: Refusal | None = None
    # The state that was left, for the effects.
    source: CaseState = field(default=CaseState.DRAFT, init=False)

    def __post_init__(self) -> None:
        self.reason = trimmed(self.reason)


@dataclass(slots=True)
class StudyMove:
    """An event of a study in a case."""

    tx: Session
    case: Case
    study: CaseStudy
    event: StudyEvent
    actor: Actor
    who: Principal | None
    reason: str = ""

    def __post_init__(self) -> None:
        self.reason = trimmed(self.reason)
