"""Patients as a query's results (PS3.4 C.6.1.1.2): the studies of a scope, gathered by whom they are of.

A Patient ID is unique with its issuer alone (PS3.3 C.7.1.1), which many leave out. So people are told apart by Patient
ID and issuer, and where no issuer is said, by Patient ID, name, birth date and sex: one person who is spelt in two ways
comes twice, but two people never as one. What is said of a patient is what the newest of their studies that match says,
which is therefore no contradiction to the keys; the counts are of all their studies in the scope. Studies without a
Patient ID are nobody's here: the unique key of a result can't be empty. They are found by the Study Root.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, UnaryExpression, and_, case, cast, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, array, distinct_on
from sqlalchemy.sql.operators import custom_op

from overread.kit.db import Session
from pacs.dicom import tags
from pacs.index import attributes, query, visibility
from pacs.index.bounds import bounded
from pacs.index.models import Study
from pacs.index.query import Query
from pacs.index.scope import Scope

#: Issuer of Patient ID, and the Universal Entity ID of its qualifiers (PS3.3 Table 10-18): whose number an ID is.
ISSUER = frozenset(
    (tags.IssuerOfPatientID.key, f"{tags.IssuerOfPatientIDQualifiersSequence.key}.{tags.UniversalEntityID.key}")
)
#: The keys that tell people apart, besides the Patient ID: also its issuer's, name, birth date and sex.
APART = ISSUER | {tags.PatientName.key, tags.PatientBirthDate.key, tags.PatientSex.key}
#: Attributes of the Patient Identification and Demographic modules that are matched and returned (PS3.4 C.6.1.1.2).
TAGS = frozenset(one.key for one in attributes.TABLE if one.patient)
#: Number of Patient Related Studies, Series and Instances.
COUNTS = (
    tags.NumberOfPatientRelatedStudies.key,
    tags.NumberOfPatientRelatedSeries.key,
    tags.NumberOfPatientRelatedInstances.key,
)


class Name(NamedTuple):
    """By which a patient is told from all others: `person` is all that counts besides the Patient ID."""

    patient_id: str
    person: tuple[str, ...] = ()


#: Before the first patient.
FIRST = Name("")


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient and their attributes as DICOM JSON, with the counts of what the scope has of them."""

    name: Name
    attributes: dict[str, Any]


def search(tx: Session, scope: Scope, asked: Query, after: Name, most: int) -> list[Patient]:
    """The patients with a study that matches, `most` at most, in the order of their names, from the first after one.

    Raises BadInput, TooSlow.
    """
    matching = newest(scope, asked, after, most)
    with bounded(tx):
        found = {Name(row.patient_id, tuple(row.person)): row.attributes for row in tx.execute(matching)}
        if not found:
            return []
        names = list(found)
        counts = _counts(scope, names[0], names[-1], {name.patient_id for name in names})
        counted = {Name(row.patient_id, tuple(row.person)): row[2:] for row in tx.execute(counts)}
    return [Patient(name, _attributes(kept, counted.get(name, (0, 0, 0)))) for name, kept in found.items()]


def newest(scope: Scope, asked: Query, after: Name, most: int) -> Select[*tuple[Any, ...]]:
    """The statement: of each patient the newest study that matches, read along `ix_pacs_study_patient_id`."""
    found = _studies(*query.conditions(scope, asked))
    behind: ColumnElement[bool] = found.patient_id.bool_op("~>~")(after.patient_id)
    if after.person:
        # Said first as what the index knows.
        behind = and_(found.patient_id.bool_op("~>=~")(after.patient_id), or_(behind, found.person > _array(after)))
    who = (found.patient_id, found.person)
    page = (
        select(*who, found.pk)
        .ext(distinct_on(*who))
        .where(behind)
        .order_by(_ordered(who[0]), who[1], found.study_date.desc().nulls_last(), found.pk.desc())
        .limit(most)
        .subquery("page")
    )
    return (
        select(page.c.patient_id, page.c.person, Study.attributes)
        .join(page, page.c.pk == Study.pk)
        .order_by(_ordered(page.c.patient_id), page.c.person)
    )


def _counts(scope: Scope, first: Name, last: Name, ids: set[str]) -> Select[*tuple[Any, ...]]:
    """How many studies, series and instances the scope has of each patient of a page."""
    found = _studies(visibility.studies(scope), Study.patient_id.in_(ids))
    return (
        select(
            found.patient_id,
            found.person,
            func.count(),
            func.sum(found.series_count),
            func.sum(found.instance_count),
        )
        # Very many people may share the ID that the page begins or ends in the middle of.
        .where(
            or_(found.patient_id != first.patient_id, found.person >= _array(first)),
            or_(found.patient_id != last.patient_id, found.person <= _array(last)),
        )
        .group_by(found.patient_id, found.person)
    )


def _studies(*conditions: ColumnElement[bool]) -> Any:
    """The columns of studies, with whom they are of."""
    columns = (Study.pk, Study.patient_id, Study.study_date, Study.series_count, Study.instance_count)
    return select(*columns, _person().label("person")).where(*conditions).subquery("found").c


def _array(name: Name) -> ColumnElement[Any]:
    return literal(list(name.person), ARRAY(Text))


def _ordered(patient_id: ColumnElement[str]) -> UnaryExpression[str]:
    """In the order of `ix_pacs_study_patient_id`."""
    return UnaryExpression(patient_id, modifier=custom_op("USING ~<~"))


def _person() -> ColumnElement[Any]:
    """What tells a study's patient from others of the same Patient ID, as an array of texts.

    Names as they are matched: whatever their case and accents (`pacs.index.folding`).
    """
    issuer, universal = (_text(*path.split(".")) for path in sorted(ISSUER))
    birth = func.coalesce(func.to_char(Study.birth_date, "YYYYMMDD"), "")
    told = or_(issuer != "", universal != "")
    person = case(
        (told, array([issuer, universal])),
        else_=array([literal(""), literal(""), Study.patient_fold, birth, Study.sex]),
    )
    return cast(person, ARRAY(Text))


def _text(*tags: str) -> ColumnElement[str]:
    """The first value of an attribute, of the first item of the sequences above it; empty where there is none."""
    path = [part for tag in tags for part in (tag, "Value", "0")]
    return func.btrim(func.coalesce(func.jsonb_extract_path_text(Study.attributes, *path), ""))


def _attributes(kept: dict[str, Any], counted: Any) -> dict[str, Any]:
    found = {tag: value for tag, value in kept.items() if tag in TAGS}
    counts = zip(COUNTS, counted, strict=True)
    return {**found, **{tag: {"vr": "IS", "Value": [int(count)]} for tag, count in counts}}
