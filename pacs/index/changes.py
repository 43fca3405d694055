"""The change feed: what became of studies, in an order that a reader can follow without missing anything.

A row is written for a study's events, never for its instances. Its number is taken under a lock that lasts until the
commit: numbers become visible in their order, so that whoever has read number n has seen all below it.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from overread.kit import clock
from overread.kit.db import reading
from pacs.index import visibility
from pacs.index.models import Change, Study
from pacs.index.scope import Scope

MOST = 1000
#: How long each step on the way to what is so now is told.
KEPT = timedelta(days=90)
#: The advisory lock of whoever takes a number; any constant that nobody else uses.
_LOCK = 0x0C4A6E5


class Kind(StrEnum):
    """What happened to a study."""

    #: Instances came, and more may come.
    GROWING = "growing"
    #: Nothing has come for a while: the study is as whole as it will be for now.
    STABLE = "stable"
    #: The study, or the series or instance that the change names, is gone.
    DELETED = "deleted"
    #: A coordinator let the study be seen by those with a grant, or took that back.
    RELEASED = "released"
    REVOKED = "revoked"


def record(
    tx: Session,
    study: Study,
    kind: Kind,
    *,
    series_uid: str | None = None,
    sop_uid: str | None = None,
    instances: int = 0,
) -> None:
    """Add a change. Writers wait for each other from here to their commit, so call it late in a transaction."""
    tx.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    # Executed now and not with the next flush: the number must be taken after the lock.
    tx.execute(
        insert(Change).values(
            view_id=study.view_id,
            study_pk=study.pk,
            study_uid=study.study_uid,
            series_uid=series_uid,
            sop_uid=sop_uid,
            kind=kind.value,
            instances=instances,
            sender_id=study.sender_id,
            leads=study.leads,
            at=clock.now(),
        )
    )


def read(tx: Session, scope: Scope, after: int, limit: int) -> list[Change]:
    """The changes that a scope may hear of behind a number, in order, at most MOST."""
    query = select(Change).where(visibility.changes(scope), Change.number > after)
    return list(tx.scalars(query.order_by(Change.number).limit(max(1, min(limit, MOST)))))


# A change may go once everybody who may hear of it hears of a newer one that says all that it said: how far the study
# is, whether it may be seen, or that the whole of it is gone, its parts with it.
_SWEEP = """
DELETE FROM pacs_change WHERE number IN (
    SELECT number FROM pacs_change old WHERE at < %(before)s AND EXISTS (
        SELECT FROM pacs_change new WHERE new.study_pk = old.study_pk AND new.number > old.number
        AND new.sender_id = old.sender_id AND new.leads >= old.leads AND (
            old.kind IN ('growing', 'stable') AND new.kind IN ('growing', 'stable')
            OR old.kind IN ('released', 'revoked') AND new.kind IN ('released', 'revoked')
            OR old.kind IN ('growing', 'stable', 'deleted') AND new.kind = 'deleted'
            AND new.series_uid IS NULL AND new.sop_uid IS NULL
        )
    ) LIMIT %(most)s
)
"""


def sweep(tx: Session, most: int) -> int:
    """Delete some of the changes that are old and that newer ones made needless; how many.

    What became of each study stays, so that a reader, however late, misses nothing that is so.
    """
    return reading(tx).execute(_SWEEP, {"before": clock.now() - KEPT, "most": most}).rowcount
