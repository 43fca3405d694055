"""Keeping a study of the originals from being read, without losing a byte of it: a report that was recalled."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from pacs.index import changes
from pacs.index.models import Study


def withhold(tx: Session, study_pk: int) -> None:
    """Let nobody but coordinators find or get a study, from the next request on; idempotent.

    An answer that is being sent is cut off within a second (`overread.kit.standing`).
    """
    _set(tx, study_pk, withheld=True, told=changes.Kind.REVOKED)


def give_back(tx: Session, study_pk: int) -> None:
    """Let it be read again by whom it was; idempotent."""
    _set(tx, study_pk, withheld=False, told=changes.Kind.RELEASED)


def _set(tx: Session, study_pk: int, *, withheld: bool, told: changes.Kind) -> None:
    changed = update(Study).where(Study.pk == study_pk, Study.withheld.is_not(withheld)).values(withheld=withheld)
    if tx.execute(changed.returning(Study.pk)).first() is not None:
        changes.record(tx, tx.get_one(Study, study_pk, populate_existing=True), told)
