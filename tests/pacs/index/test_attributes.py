"""pacs.index.attributes: the table, the models, the statements and the data dictionary say the same."""

from __future__ import annotations

import pytest
from pydicom.datadict import keyword_for_tag
from sqlalchemy import BigInteger, Date, Integer, Text, Time
from sqlalchemy.types import String

from pacs.index import attributes, columns
from pacs.index.attributes import Attribute, Kind, Level
from pacs.index.keys import column
from pacs.index.models import Instance, Series, Study
from pacs.store import sql

MODELS = {Level.STUDY: Study, Level.SERIES: Series, Level.INSTANCE: Instance}
#: What a column is by how the standard writes its values (PS3.5 6.2).
KINDS = {
    "PN": Kind.NAME,
    "UI": Kind.UID,
    "DA": Kind.DATE,
    "TM": Kind.TIME,
    "IS": Kind.NUMBER,
    "US": Kind.NUMBER,
}
TYPES = {Kind.DATE: Date, Kind.TIME: Time, Kind.NUMBER: BigInteger, Kind.NAME: Text, Kind.TEXT: Text, Kind.UID: String}
_IN_COLUMNS = [one for one in attributes.TABLE if one.column]


def test_an_attribute_stands_once_in_a_level() -> None:
    rows = [(one.level, one.tag) for one in attributes.TABLE]
    assert len(rows) == len(set(rows)) > 70
    named = [(one.level, one.column) for one in _IN_COLUMNS]
    assert len(named) == len(set(named)) > 25


@pytest.mark.parametrize("one", _IN_COLUMNS, ids=lambda one: keyword_for_tag(one.tag))
def test_a_column_is_what_its_attribute_s_values_are(one: Attribute) -> None:
    if one.kind is Kind.CODES:
        assert (one.counted, one.vr) == (True, "CS")
        return
    assert one.kind is KINDS.get(one.vr, Kind.TEXT)
    # What is counted never needs so many bits as a number that somebody wrote.
    assert isinstance(column(one).type, Integer if one.counted else TYPES[one.kind])


@pytest.mark.parametrize("level", Level)
def test_the_statements_write_columns_that_are_there(level: Level) -> None:
    there = set(MODELS[level].__table__.columns.keys())
    written = set(columns.TYPES[level])
    assert written <= there
    assert written >= {one.column for one in attributes.read(level)}


def test_an_instance_gives_every_column_that_is_written() -> None:
    nothing = columns.of({})
    assert list(nothing.study) == list(columns.TYPES[Level.STUDY])
    assert list(nothing.series) == list(columns.TYPES[Level.SERIES])
    assert list(nothing.instance) == list(columns.TYPES[Level.INSTANCE])


def test_the_statement_of_every_instance_is_one_that_is_remembered() -> None:
    """psycopg 3.3 remembers how to send statements of up to 4,096 characters."""
    assert len(sql.WRITE) <= 4096
    assert "{" not in sql.WRITE
