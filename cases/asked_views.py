"""What a patient was asked for, item by item, as both sides see it; no specialist is shown it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cases.states import AskedKind


@dataclass(frozen=True, slots=True)
class AskedItemView:
    """One item. `missing`: the patient does not have it; `document`: what they added for it, may be "".

    `done`: it is answered, here, or said to be missing.
    """

    item_id: UUID
    number: int
    kind: AskedKind
    text: str
    answer: str
    missing: bool
    document: str
    done: bool
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class AskedView:
    """The newest list of items; `waits`: for the patient. `edition` names the answers as they are."""

    items: tuple[AskedItemView, ...]
    waits: bool
    edition: str
