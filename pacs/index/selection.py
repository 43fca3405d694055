"""Which instances a retrieval by keys is about (PS3.4 C.4.2.2.1): their names, without their headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import select

from overread.kit.db import Session
from pacs.index import query
from pacs.index.bounds import bounded
from pacs.index.models import Instance, Series, Study
from pacs.index.query import Level, Query
from pacs.index.scope import Scope


class Named(NamedTuple):
    """An instance of a scope, by its UIDs, and what it takes to send it."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    transfer_syntax: str


def instances(tx: Session, scope: Scope, keys: Mapping[str, str], most: int) -> list[Named]:
    """The instances that match keys (as of `pacs.index.query.Query`), study by study, series by series; `most` at most.

    Raises BadInput, TooSlow.
    """
    found = (
        select(Study.study_uid, Series.series_uid, Instance.sop_uid, Instance.sop_class, Instance.transfer_syntax)
        .join(Series, Series.study_pk == Study.pk)
        .join(Instance, Instance.series_pk == Series.pk)
        .where(*query.conditions(scope, Query(Level.INSTANCE, keys)))
        .order_by(Study.pk, Series.number.nulls_last(), Series.pk, Instance.number.nulls_last(), Instance.pk)
        .limit(most)
    )
    with bounded(tx):
        return [Named(*row) for row in tx.execute(found)]
