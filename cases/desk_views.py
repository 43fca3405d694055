"""What coordinators keep of a case among themselves, as their pages and their API show it; nobody else is shown it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Whose(StrEnum):
    """Cases by who looks after them."""

    ALL = "all"
    MINE = "mine"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Narrow:
    """Which cases of the queue; without anything, all of them."""

    whose: Whose = Whose.ALL
    tag: str = ""
    unread: bool = False


@dataclass(frozen=True, slots=True)
class DeskLine:
    """Of a case in a list. `owner_id`: the coordinator who looks after it; `unread`: something is new to the reader."""

    owner_id: UUID | None
    owner: str
    tags: tuple[str, ...]
    unread: bool


@dataclass(frozen=True, slots=True)
class InternalNoteView:
    """What a coordinator wrote to the others."""

    at: datetime
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """What is seen to before a specialist is asked; who did, and when: None while nobody has."""

    text: str
    ticked_by: str
    ticked_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeskView:
    """Of a case on its page. `known_tags`: those that cases of the program have; notes oldest first."""

    owner_id: UUID | None
    owner: str
    tags: tuple[str, ...]
    known_tags: tuple[str, ...]
    notes: tuple[InternalNoteView, ...]
