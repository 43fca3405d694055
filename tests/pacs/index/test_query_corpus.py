"""Every study, series and instance of the corpus is found by each of its own keys, whatever its character set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from overread.kit.db import Database
from overread.kit.errors import OverreadError
from pacs.dicom import dicomjson, json_values, part10
from pacs.dicom.dictionary import public_vr
from pacs.index import columns, folding, query
from pacs.index.attributes import MOMENTS
from pacs.index.keys import COLUMNS, KEPT
from pacs.index.query import Level, Query
from pacs.index.scope import ORIGINAL, STAFF, Scope
from pacs.store import rows
from tests.conftest import new_database
from tests.pacs import corpus

ALL = Scope(ORIGINAL, unreleased=True)
#: What doesn't stand for itself: universal, empty, or several values.
_SAYS_OTHER = ("", "*", '""')


@pytest.fixture(scope="module")
def written(postgres: str, template: str) -> Iterator[Database]:
    """An archive of the corpus' headers; of those that are no DICOM, or say no UIDs, nothing."""
    if corpus.sources() == [""]:
        pytest.skip("OVERREAD_CORPUS names no folder with a manifest.csv: no real files to search among")
    with new_database(postgres, template) as url:
        database = Database(url)
        for source in corpus.sources():
            for _, data in corpus.files(source):
                _write(database, data)
        yield database
        database.close()


def _write(database: Database, data: bytes) -> None:
    try:
        parsed = part10.parse(data)
    except OverreadError:
        return
    metadata = dicomjson.to_json(parsed.buf, parsed.elements, bulk_uri="/".join)
    keys = columns.of(metadata)
    if not all(map(part10.valid_uid, (keys.study_uid, keys.series_uid, keys.sop_uid, keys.sop_class))):
        return
    with database.transaction() as tx:
        row = rows.Row(
            keys, "0" * 64, len(data), parsed.meta.transfer_syntax, json_values.deflate(metadata), (0, len(data))
        )
        rows.write(tx, ORIGINAL, STAFF, [row], watch=False)


def everything(database: Database, level: Level) -> list[query.Result]:
    """Every result of a level with all that it has."""
    found: list[query.Result] = []
    more = True
    while more:
        with database.transaction() as tx:
            page, more = query.search(tx, ALL, Query(level, include_all=True, limit=500, offset=len(found)))
        found += page
    return found


def texts(tag: str, value: Any) -> list[str]:
    """The keys that an attribute's value must be found by: of a name each group as it is, folded, and half of it."""
    if isinstance(value, dict):
        ordered = [str(value.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")]
        groups = [group for group in ordered if group.strip(" ^")]
        halves = [group[: len(group) // 2 + 1] + "*" for group in groups]
        return [*groups, *map(folding.fold, groups), *halves, "=".join(ordered)] if groups else []
    vr = public_vr(int(tag, 16))
    if vr == "DA" and json_values.day({tag: {"Value": [value]}}, tag) is None:
        return []
    if vr == "TM" and json_values.clock({tag: {"Value": [value]}}, tag) is None:
        return []
    text = str(value).strip()
    # Retired spellings of dates and times are found by today's.
    text = text.replace(".", "")[:8] if vr == "DA" else text.replace(":", "") if vr == "TM" else text
    if vr in ("DS", "IS") and not re.fullmatch(r"[+-]?[0-9]{1,18}(\.0)?", text):
        return []  # numbers are matched where they are whole ones
    return [text.removesuffix(".0") if vr == "DS" else text]


@pytest.mark.parametrize("level", list(Level))
def test_everything_is_found_by_each_of_its_keys(written: Database, level: Level) -> None:
    keys = {tag for tag, of in KEPT.items() if of is level and public_vr(int(tag, 16)) != "SQ"}
    keys |= {tag for tag, key in COLUMNS.items() if key.level is level}
    clocks = {clock for _, clock in MOMENTS}
    results = everything(written, level)
    assert len(results) > 20
    asked: set[tuple[str, str]] = set()
    for one in results:
        for tag in keys & one.attributes.keys():
            values = one.attributes[tag].get("Value", [])
            for text in texts(tag, values[0]) if len(values) == 1 else []:
                if text in _SAYS_OTHER or (tag, text) in asked or (tag in clocks and "-" in text):
                    continue
                asked.add((tag, text))
                study_uid = one.study_uid if level is not Level.STUDY else None
                with written.transaction() as tx:
                    found, _ = query.search(tx, ALL, Query(level, {tag: text}, study_uid, limit=1000))
                assert (one.series_uid, one.sop_uid) in {(other.series_uid, other.sop_uid) for other in found}, (
                    tag,
                    text,
                )
                assert one.study_uid in {other.study_uid for other in found}, (tag, text)
    assert len({tag for tag, _ in asked}) > 5
