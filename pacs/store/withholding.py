"""Keeping a study of the originals from being read, without losing a byte of it: a report that was recalled."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from overread.kit import clock
from pacs.index import changes
from pacs.index.models import Study, Withheld


def withhold(tx: Session, study_pk: int) -> None:
    """Let nobody but coordinators find or get a study, from the next request on; idempotent.

    An answer that is being sent is cut off within a second (`overread.kit.standing`).
    """
    made = insert(Withheld).values(study_pk=study_pk, at=clock.now()).on_conflict_do_nothing()
    if tx.execute(made.returning(Withheld.study_pk)).first() is not None:
        changes.record(tx, tx.get_one(Study, study_pk), changes.Kind.REVOKED)


def give_back(tx: Session, study_pk: int) -> None:
    """Let it be read again by whom it was; idempotent."""
    if tx.execute(delete(Withheld).where(Withheld.study_pk == study_pk).returning(Withheld.study_pk)).first():
        changes.record(tx, tx.get_one(Study, study_pk), changes.Kind.RELEASED)
