"""Patients as a query's results (PS3.4 C.6.1.1.2): the studies of a scope, gathered by their patient IDs.

What is said of a patient is what their newest study says. Studies without a patient ID are nobody's here: the unique
key of a result can't be empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from overread.kit.db import Session
from pacs import query
from pacs.bounds import bounded
from pacs.models import Study
from pacs.query import Query
from pacs.scope import Scope

#: Attributes of the Patient Identification and Demographic modules that are matched and returned (PS3.4 C.6.1.1.2).
TAGS = frozenset(
    f"0010{number}"
    for number in ("0010", "0020", "0021", "0022", "0030", "0032", "0040", "1000", "1001", "1002", "2160", "4000")
)
#: Number of Patient Related Studies, Series and Instances.
COUNTS = ("00201200", "00201202", "00201204")


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient and their attributes as DICOM JSON, with the counts of what the scope has of them."""

    patient_id: str
    attributes: dict[str, Any]


def search(tx: Session, scope: Scope, asked: Query, after: str, most: int) -> list[Patient]:
    """The patients with a study that matches, `most` at most, by ID, from the first behind `after`.

    Raises BadInput, TooSlow.
    """
    ids = (
        select(Study.patient_id)
        .where(*query.conditions(scope, asked), Study.patient_id > after)
        .distinct()
        .order_by(Study.patient_id)
        .limit(most)
    )
    with bounded(tx):
        found = list(tx.scalars(ids))
        newest = (
            select(
                func.max(Study.pk).label("pk"),
                func.count().label("studies"),
                func.sum(Study.series_count).label("series"),
                func.sum(Study.instance_count).label("instances"),
            )
            .where(query.within(scope), Study.patient_id.in_(found))
            .group_by(Study.patient_id)
            .subquery("newest")
        )
        rows = tx.execute(
            select(Study.patient_id, Study.attributes, newest.c.studies, newest.c.series, newest.c.instances)
            .join(newest, newest.c.pk == Study.pk)
            .order_by(Study.patient_id)
        ).all()
    return [Patient(row.patient_id, _attributes(row)) for row in rows]


def _attributes(row: Any) -> dict[str, Any]:
    found = {tag: value for tag, value in row.attributes.items() if tag in TAGS}
    counts = zip(COUNTS, (row.studies, row.series, row.instances), strict=True)
    return {**found, **{tag: {"vr": "IS", "Value": [int(count)]} for tag, count in counts}}
