"""Whose the instances of a study say that they are, one by one: a study's row says what its first instance said."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs.dicom import json_values, tags
from pacs.index import visibility
from pacs.index.models import Instance, Study
from pacs.index.scope import Scope

#: Rows are read so many at a time, however large a study is.
_ROWS = 500


@dataclass(frozen=True, slots=True)
class Identity:
    """Patient's Name (PN) and Patient's Birth Date (DA) as instances have them, empty where they don't."""

    name: str
    birth_date: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The identities in a scope, with how many instances have each, and the newest instance that was looked at."""

    identities: dict[Identity, int]
    last: int


def said(tx: Session, scope: Scope, after: int = 0) -> Seen:
    """Whose the instances of a scope's studies say that they are, of those behind an earlier `Seen.last`."""
    found: dict[Identity, int] = {}
    last = after
    statement = (
        select(Instance.pk, Instance.metadata_deflated)
        .join(Study, Study.pk == Instance.study_pk)
        .where(visibility.studies(scope), visibility.instances(scope), Instance.pk > after)
        .order_by(Instance.pk)
    )
    for pk, deflated in tx.execute(statement.execution_options(yield_per=_ROWS)):
        metadata = orjson.loads(json_values.inflate(deflated))
        name = json_values.name(metadata, tags.PatientName.key)
        one = Identity(name, json_values.string(metadata, tags.PatientBirthDate.key))
        found[one] = found.get(one, 0) + 1
        last = pk
    return Seen(found, last)
