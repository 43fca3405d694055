"""The checklist of a kind of opinion: what coordinators see to before a specialist is asked. Written by admins.

An item is its words: where they are changed, it has to be ticked anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.desk_models import Tick
from cases.models import Case
from overread.kit.errors import Unprocessable
from overread.kit.language import gettext
from overread.kit.texts import one_line

MOST, LONGEST = 30, 300


def kept(items: Sequence[str]) -> list[str]:
    """The items as a kind keeps them, each once. Raises Unprocessable."""
    clean = list(dict.fromkeys(text for one in items if (text := one_line(one))))
    if len(clean) > MOST or any(len(one) > LONGEST for one in clean):
        raise Unprocessable(
            "a checklist",
            safe=gettext(
                "A checklist has %(most)s items at most, each of %(long)s characters at most.", most=MOST, long=LONGEST
            ),
        )
    return clean


def ticks(tx: Session, case: Case) -> dict[str, Tick]:
    """What was ticked, by the item's words."""
    return {one.item: one for one in tx.scalars(select(Tick).where(Tick.case_id == case.id))}


def open_items(tx: Session, case: Case) -> list[str]:
    """What is not ticked yet."""
    if not case.kind.checklist:
        return []
    done = ticks(tx, case)
    return [one for one in case.kind.checklist if one not in done]
