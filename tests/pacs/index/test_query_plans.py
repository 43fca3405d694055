"""How the database searches: by indexes, whatever is asked; counted in rows and plans, not in seconds."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest

from benchmarks import qido
from overread.kit.db import Connection, Database
from overread.kit.errors import BadInput
from pacs.index import bounds, patients, query
from pacs.index.patients import Name
from pacs.index.query import Level, Query
from pacs.index.scope import ORIGINAL, Scope
from tests.conftest import new_database

_STUDIES = 6000
_HOSPITAL = UUID(int=1)


@pytest.fixture(scope="module")
def filled(postgres: str, template: str) -> Iterator[Database]:
    with new_database(postgres, template) as url:
        database = Database(url)
        random.seed(1)
        qido.fill(database, 0, _STUDIES, [UUID(int=n) for n in range(1, 11)])
        yield database
        database.close()


def _scope(hospital: bool) -> Scope:
    return Scope(ORIGINAL, sender_id=_HOSPITAL if hospital else None, unreleased=True)


@pytest.mark.parametrize("shape", qido.SHAPES, ids=[name for name, _, _ in qido.SHAPES])
def test_no_shape_reads_a_whole_table(filled: Database, shape: qido.Shape) -> None:
    _, hospital, make = shape
    random.seed(2)
    keys, others = make(_STUDIES)
    asked = qido.asked(keys, {**others, **({"offset": "150"} if "offset" in others else {})})
    plan = "\n".join(qido.explain(filled, _scope(hospital), asked))
    assert "Seq Scan" not in plan
    read = [int(rows) for rows in re.findall(r"actual time=\S+ rows=(\d+)", plan)]
    assert max(read) < _STUDIES / 5


@pytest.mark.parametrize(
    ("keys", "after"),
    [
        ({}, patients.FIRST),
        ({}, Name("P0000700", ("", "", "x", "", "O"))),
        ({"00100020": "P0000100"}, patients.FIRST),
        ({"00100020": "P00001*"}, patients.FIRST),
        ({"00100010": "Smith1^Anna"}, patients.FIRST),
        ({"00100020": "P0000100", "00100021": "A"}, patients.FIRST),
    ],
)
def test_a_page_of_patients_is_read_along_the_index(filled: Database, keys: dict[str, str], after: Name) -> None:
    wanted = patients.newest(_scope(hospital=False), Query(Level.STUDY, keys), after, 50)
    statement = wanted.compile(dialect=query._DIALECT, compile_kwargs={"render_postcompile": True})
    words = f"EXPLAIN (ANALYZE) {statement}".encode()
    plan = "\n".join(
        filled.at_once(lambda found: [line for (line,) in found.execute(words, statement.params)], bounds.SETTINGS)
    )
    assert "Seq Scan" not in plan
    assert max(int(rows) for rows in re.findall(r"actual time=\S+ rows=(\d+)", plan)) < _STUDIES / 5


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("hospital", [False, True])
def test_a_search_is_one_statement_whatever_it_finds(
    filled: Database, level: Level, hospital: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    execute = psycopg.Cursor.execute

    def heard(self: psycopg.Cursor[object], sql: str, *values: object, **options: object) -> object:
        asked.append(sql)
        return execute(self, sql, *values, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(psycopg.Cursor, "execute", heard)

    def find(connection: Connection) -> tuple[list[query.Result], bool]:
        asked.clear()
        return query.search(connection, _scope(hospital), Query(level, {"00080060": "CT"}, limit=50))

    found, more = filled.at_once(find, bounds.SETTINGS)
    assert len(found) == 50
    assert more
    assert len(asked) == 1


def test_default_attributes_of_instances_open_no_header(filled: Database) -> None:
    statement = str(query.statement(_scope(hospital=False), Query(Level.INSTANCE)))
    assert "metadata_deflated" not in statement
    more = str(query.statement(_scope(hospital=False), Query(Level.INSTANCE, include=frozenset(["00180050"]))))
    assert "metadata_deflated" in more


def test_a_search_that_takes_too_long_is_refused_in_words(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "SETTINGS", "SET statement_timeout = '1ms'")
    # No index knows of these: every instance is looked at.
    asked = Query(Level.INSTANCE, {"00081030": "*x*y*z*", "00101001": "*x*"})
    with pytest.raises(BadInput, match="too long") as refused, filled.transaction() as tx:
        query.search(tx, _scope(hospital=False), asked)
    assert "Narrow it" in refused.value.safe
    with pytest.raises(BadInput, match="too long"):
        filled.at_once(lambda connection: query.search(connection, _scope(hospital=False), asked), bounds.SETTINGS)
    # It is ready for the next statement; on a busy machine any may take longer than this, so that none is asked.
    state = filled.at_once(lambda connection: connection.info.transaction_status, bounds.SETTINGS)
    assert state is psycopg.pq.TransactionStatus.IDLE
    with filled.transaction() as tx:
        assert query.summaries(tx, Scope(ORIGINAL, study_uids=frozenset(), unreleased=True)) == []
