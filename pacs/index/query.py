"""Search of the index: one typed query, for QIDO-RS and C-FIND (PS3.18 8.3.4, 10.6; PS3.4 C.2.2.2).

Results come newest study first, in an order that is total: pages of a search never leave a match out while studies
arrive, but may repeat one, because the newer push the others on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from psycopg.rows import namedtuple_row
from sqlalchemy import ColumnElement, Select, and_, exists, func, select, true
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.orm import Session, aliased

from overread.kit.db import Connection, reading
from overread.kit.paging import Keyset, Page
from pacs.dicom import tags
from pacs.dicom.transfer_syntaxes import UNSHOWN
from pacs.index import answer, attributes, keys, matching, nested, visibility
from pacs.index.answer import Included
from pacs.index.attributes import MOMENTS, Kind, Level
from pacs.index.bounds import bounded
from pacs.index.keys import COLUMNS, KEPT, TIMEZONE, Key, path, supported, takes_list
from pacs.index.models import Instance, Series, Study
from pacs.index.scope import ORIGINAL, Scope

__all__ = [
    "Level",
    "Query",
    "Result",
    "StudySummary",
    "conditions",
    "search",
    "summaries",
    "summary_page",
    "supported",
    "takes_list",
]

MAX_RESULTS = 1000
MAX_OFFSET = 10_000_000
_RECEIVED = (Study.received_at, Study.pk)
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for. `keys`: tag (8 hexadecimal digits, upper case; inside sequences the tags with dots between
    them, from the outermost) to the text that must match.

    `include`: further attributes to return, written like keys; `include_all`: every attribute that is kept. `limit` is
    capped. `fuzzy`: names may also match by their words and sounds (PS3.4 C.2.2.2.1.1); `empty_values`: the text `""`
    asks for what has no value (C.2.2.2.7); `multiple_values`: each of several values must be there (C.2.2.2.8).
    `moments`: ranges of a date and of its time are one range from moment to moment (C.2.2.2.5).
    """

    level: Level
    keys: Mapping[str, str] = field(default_factory=dict)
    study_uid: str | None = None
    series_uid: str | None = None
    include: frozenset[str] = frozenset()
    include_all: bool = False
    limit: int = 100
    offset: int = 0
    fuzzy: bool = False
    empty_values: bool = False
    multiple_values: bool = False
    moments: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """One match: its UIDs and its attributes as DICOM JSON."""

    study_uid: str
    series_uid: str
    sop_uid: str
    attributes: dict[str, Any]


def search(tx: Session | Connection, scope: Scope, query: Query) -> tuple[list[Result], bool]:
    """The matches in a stable order, newest study first, and whether there are more behind them.

    `tx`: a connection with `pacs.index.bounds.SETTINGS`, where the search shares no transaction with anything else.
    Raises BadInput where a key can't be read, or the search takes too long.
    """
    limit = max(0, min(query.limit, MAX_RESULTS))
    wanted = Included(frozenset(map(path, (*query.include, *filter(supported, query.keys)))), query.include_all)
    sql, values = compiled_sql(scope, query)
    with bounded(tx), reading(tx).cursor(row_factory=namedtuple_row) as cursor:
        found = cursor.execute(sql, values).fetchall()
    return [_result(query, wanted, row) for row in found[:limit]], len(found) > limit


# -- the statement ----------------------------------------------------------------------------------------------------

_STUDY = (Study.study_uid, Study.attributes, Study.modalities, Study.series_count, Study.instance_count)
_SERIES = (Series.series_uid, Series.attributes.label("series_attributes"), Series.instance_count.label("instances"))


def _columns(scope: Scope) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """A study's and a series' columns. Where a scope shows a part of a study, the part is counted."""
    if not scope.parts:
        return _STUDY, _SERIES
    seen, inner = aliased(Instance), aliased(Series)
    shown = (seen.study_pk == Study.pk, visibility.instances(scope, seen))
    in_series = (seen.series_pk == Series.pk, visibility.instances(scope, seen))
    modalities = select(inner.modality).distinct().where(inner.study_pk == Study.pk, inner.modality != "")
    modalities = modalities.where(exists().where(seen.series_pk == inner.pk, visibility.instances(scope, seen)))
    study = (
        Study.study_uid,
        Study.attributes,
        func.array(modalities.scalar_subquery()).label("modalities"),
        select(func.count(seen.series_pk.distinct())).where(*shown).scalar_subquery().label("series_count"),
        select(func.count()).where(*shown).scalar_subquery().label("instance_count"),
    )
    counted = select(func.count()).where(*in_series).scalar_subquery()
    return study, (*_SERIES[:2], counted.label("instances"))


_INSTANCE = (*map(keys.column, attributes.read(Level.INSTANCE)), Instance.transfer_syntax)
_NEWEST = (Study.study_date.desc().nulls_last(), Study.pk.desc())
_BY_SERIES = (*_NEWEST, Series.number.nulls_last(), Series.pk)
_BY_INSTANCE = (*_BY_SERIES, Instance.number.nulls_last(), Instance.pk)


def compiled_sql(scope: Scope, query: Query) -> tuple[str, Mapping[str, Any]]:
    """The statement in PostgreSQL's words, and its values. Raises BadInput."""
    if query.keys:
        return _compiled(scope, query)
    return _list(
        scope, query.level, query.study_uid, query.series_uid, _opens_headers(query), query.limit, query.offset
    )


def _compiled(scope: Scope, query: Query) -> tuple[str, Mapping[str, Any]]:
    compiled = statement(scope, query).compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return str(compiled), compiled.params


@lru_cache(512)
def _list(
    scope: Scope, level: Level, study: str | None, series: str | None, headers: bool, limit: int, offset: int
) -> tuple[str, Mapping[str, Any]]:
    """Of what viewers ask for again and again. Searches by keys are not remembered: they name patients."""
    whole = Query(level, {}, study, series, include_all=headers, limit=limit, offset=offset)
    return _compiled(scope, whole)


def statement(scope: Scope, query: Query) -> Select[*tuple[Any, ...]]:
    """First the keys of one page's rows and one more, mostly from an index alone; then these rows. Raises BadInput."""
    asked = conditions(scope, query)
    limit = max(0, min(query.limit, MAX_RESULTS)) + 1
    of_study, of_series = _columns(scope)
    pages: Select[*tuple[Any, ...]]
    if query.level is Level.STUDY:
        pages = select(Study.pk).where(*asked).order_by(*_NEWEST)
        page = pages.limit(limit).offset(min(query.offset, MAX_OFFSET)).subquery("page")
        return select(*of_study).join(page, page.c.pk == Study.pk).order_by(*_NEWEST)
    if query.level is Level.SERIES:
        pages = select(Series.pk).join(Study, Study.pk == Series.study_pk).where(*asked).order_by(*_BY_SERIES)
        page = pages.limit(limit).offset(min(query.offset, MAX_OFFSET)).subquery("page")
        rows = select(*of_study, *of_series).join(Series, Series.study_pk == Study.pk)
        return rows.join(page, page.c.pk == Series.pk).order_by(*_BY_SERIES)
    pages = select(Instance.pk).join(Study, Study.pk == Instance.study_pk).join(Series, Series.pk == Instance.series_pk)
    pages = pages.where(*asked).order_by(*_BY_INSTANCE)
    page = pages.limit(limit).offset(min(query.offset, MAX_OFFSET)).subquery("page")
    columns = (*_INSTANCE, Instance.metadata_deflated) if _opens_headers(query) else _INSTANCE
    rows = select(*of_study, *of_series, *columns).join(Series, Series.study_pk == Study.pk)
    return (
        rows.join(Instance, Instance.series_pk == Series.pk)
        .join(page, page.c.pk == Instance.pk)
        .order_by(*_BY_INSTANCE)
    )


def _opens_headers(query: Query) -> bool:
    """Whether more is asked of an instance than its columns, and those of its study and series, say."""
    return query.include_all or any(key not in COLUMNS and path(key)[0] not in KEPT for key in query.include)


def conditions(scope: Scope, query: Query) -> list[ColumnElement[bool]]:
    """Of every level's keys, and of the scope. Raises BadInput.

    By lower levels' keys a study or series matches where one of its series or instances matches them all (relational
    queries, PS3.18 10.6.1.2, PS3.4 C.4.1.2.2.1).
    """
    query = replace(query, keys={key: matching.checked(one) for key, one in query.keys.items() if supported(key)})
    by_level = _keys(query)
    of_study, of_series, of_instance = (by_level[level] for level in Level)
    found = [visibility.studies(scope), *of_study]
    if query.study_uid is not None:
        found.append(Study.study_uid == query.study_uid)
    if query.series_uid is not None:
        of_series.append(Series.series_uid == query.series_uid)
    if query.level is Level.INSTANCE:
        return [*found, *of_series, *of_instance, visibility.instances(scope)]
    seen = _has_instance(scope, of_instance)
    if query.level is Level.SERIES:
        return [*found, *of_series, *seen]
    if of_series or of_instance:
        found.append(exists().where(Series.study_pk == Study.pk, *of_series, *seen))
    return found


def _has_instance(scope: Scope, conditions: list[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    """That a series has an instance to be seen that matches. Who sees a study of the originals sees it whole."""
    if not conditions and scope.view_id == ORIGINAL and not scope.parts and scope.unreleased:
        return []
    of_series = and_(Instance.study_pk == Series.study_pk, Instance.series_pk == Series.pk)
    return [exists().where(of_series, visibility.instances(scope), *conditions)]


def _keys(query: Query) -> dict[Level, list[ColumnElement[bool]]]:
    found: dict[Level, list[ColumnElement[bool]]] = {level: [] for level in Level}
    asked = {key: one for key, one in query.keys.items() if not matching.is_universal(one)}
    zone = matching.offset(asked.pop(TIMEZONE)) if TIMEZONE in asked else None
    inside: dict[Level, dict[nested.Path, str]] = {Level.STUDY: {}, Level.SERIES: {}}
    for key in [key for key, one in asked.items() if query.empty_values and one == '""' and key in COLUMNS]:
        found[COLUMNS[key].level].append(_empty(COLUMNS[key]))
        del asked[key]
    for day, clock in MOMENTS:
        days, clocks = asked.pop(day, None), asked.pop(clock, None)
        if days is not None or clocks is not None:
            found[COLUMNS[day].level] += _moment(day, clock, days, clocks, zone, query)
    for key, one in asked.items():
        if key in COLUMNS:
            found[COLUMNS[key].level].append(_match(COLUMNS[key], one, query))
            if key == tags.Modality.key and not matching.has_wildcard(one):
                # Said of the study, too, which knows it without its series.
                found[Level.STUDY].append(Study.modalities.contains([one]))
        else:
            inside[KEPT[path(key)[0]]][path(key)] = one
    for level, model in ((Level.STUDY, Study), (Level.SERIES, Series)):
        found[level] += nested.matches(
            model.attributes, inside[level], every=query.multiple_values, empty=query.empty_values
        )
    return found


def _match(key: Key, one: str, query: Query) -> ColumnElement[bool]:
    match key.kind:
        case Kind.NAME:
            return matching.name(key.column, one, fuzzy=query.fuzzy)
        case Kind.UID:
            return matching.uid(key.column, one)
        case Kind.DATE:
            return matching.within(key.column, matching.dates(one))
        case Kind.NUMBER:
            return and_(key.column == matching.number(one))
        case Kind.CODES:
            return matching.codes(key.column, one, every=query.multiple_values)
        case _:
            return matching.string(key.column, one)


def _moment(
    day: str, clock: str, days: str | None, clocks: str | None, zone: timedelta | None, query: Query
) -> list[ColumnElement[bool]]:
    date_column, time_column = COLUMNS[day].column, COLUMNS[clock].column
    spans = (matching.dates(days) if days is not None else None, matching.times(clocks) if clocks is not None else None)
    there = (date_column, time_column)
    if zone is not None:
        there = matching.elsewhere(Study.attributes, date_column, time_column, zone)
    if not query.moments:
        pairs = zip(there, spans, strict=True)
        return [matching.within(column, span) for column, span in pairs if span is not None]
    if zone is None:
        return [matching.moment(*there, *spans)]
    near = [matching.within(date_column, matching.about(spans[0]))] if spans[0] is not None else []
    return [*near, matching.moment(*there, *spans)]


def _empty(key: Key) -> ColumnElement[bool]:
    if key.kind is Kind.NAME:
        return and_(key.column.folded == "")
    if key.kind is Kind.CODES:
        return and_(func.cardinality(key.column) == 0)
    return and_(key.column == "") if key.kind in (Kind.TEXT, Kind.UID) else and_(key.column.is_(None))


# -- results ----------------------------------------------------------------------------------------------------------


def _result(query: Query, wanted: Included, row: Any) -> Result:
    """Attributes of the level, and of those above it where the address names none (PS3.18 10.6.3.3)."""
    study = answer.of_study(wanted, row.attributes, row.modalities, row.series_count, row.instance_count)
    whole = query.level is Level.STUDY or query.study_uid is None
    found = study if whole else answer.only(wanted, study, (tags.TimezoneOffsetFromUTC.key,))
    found[tags.StudyInstanceUID.key] = {"vr": "UI", "Value": [row.study_uid]}
    if query.level is Level.STUDY:
        return Result(row.study_uid, "", "", dict(sorted(found.items())))
    series = answer.of_series(wanted, row.series_attributes, row.instances)
    whole = query.level is Level.SERIES or query.series_uid is None
    found |= series if whole else answer.only(wanted, series, ())
    found[tags.SeriesInstanceUID.key] = {"vr": "UI", "Value": [row.series_uid]}
    if query.level is Level.SERIES:
        return Result(row.study_uid, row.series_uid, "", dict(sorted(found.items())))
    header = row.metadata_deflated if _opens_headers(query) else b""
    found |= answer.of_instance(wanted, row, header)
    return Result(row.study_uid, row.series_uid, row.sop_uid, dict(sorted(found.items())))


@dataclass(frozen=True, slots=True)
class StudySummary:
    """A study as the rooms above show it; `birth_date` and `study_date` are YYYYMMDD or empty."""

    pk: int
    sender_id: UUID
    study_uid: str
    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    study_date: str
    description: str
    accession: str
    modalities: list[str]
    series: int
    instances: int
    received_at: datetime


def summaries(tx: Session, scope: Scope) -> list[StudySummary]:
    """The studies of a scope, newest received first: of one that is short, or names them; else `summary_page`."""
    return _summaries(tx, scope, true())


def summary_page(tx: Session, scope: Scope, after: str, limit: int) -> Page[StudySummary]:
    """The studies of a scope in pages, newest received first. Raises BadInput for a cursor that is none."""
    page = Keyset(*_RECEIVED, descending=True).page(tx, select(Study).where(visibility.studies(scope)), after, limit)
    return page.of(_summaries(tx, scope, Study.pk.in_([study.pk for study in page])))


def _summaries(tx: Session, scope: Scope, chosen: ColumnElement[bool]) -> list[StudySummary]:
    (_, _, modalities, series, instances), _ = _columns(scope)
    columns = (Study, modalities.label("kinds"), series.label("series"), instances.label("instances"))
    statement = (
        select(*columns).where(visibility.studies(scope), chosen).order_by(*(column.desc() for column in _RECEIVED))
    )
    return [_summary(*row) for row in tx.execute(statement)]


def _summary(row: Study, kinds: list[str], in_series: int, in_all: int) -> StudySummary:
    return StudySummary(
        pk=row.pk,
        sender_id=row.sender_id,
        study_uid=row.study_uid,
        patient_name=row.patient_name,
        patient_id=row.patient_id,
        birth_date=_compact(row.birth_date),
        sex=row.sex,
        study_date=_compact(row.study_date),
        description=row.description,
        accession=row.accession,
        modalities=sorted(kinds),
        series=in_series,
        instances=in_all,
        received_at=row.received_at,
    )


def unshown(tx: Session, scope: Scope) -> dict[str, int]:
    """How many instances of each study, by its UID, are in a transfer syntax that no browser can show."""
    rows = (
        select(Study.study_uid, func.count())
        .join(Instance, Instance.study_pk == Study.pk)
        .where(visibility.studies(scope), visibility.instances(scope), Instance.transfer_syntax.in_(UNSHOWN))
    )
    return dict(tx.execute(rows.group_by(Study.study_uid)).all())


def body_parts(tx: Session, scope: Scope) -> set[str]:
    """What the series of a scope's studies say in Body Part Examined (PS3.3 C.7.3.1)."""
    rows = select(Series.body_part).join(Study, Study.pk == Series.study_pk).where(visibility.studies(scope))
    return set(tx.scalars(rows.where(Series.body_part != "").distinct()))


def body_parts_by_study(tx: Session, scope: Scope) -> dict[str, list[str]]:
    """The same for each study by its UID, in alphabetical order; without those that say nothing."""
    rows = (
        select(Study.study_uid, Series.body_part)
        .join(Study, Study.pk == Series.study_pk)
        .where(visibility.studies(scope), Series.body_part != "")
        .distinct()
        .order_by(Study.study_uid, Series.body_part)
    )
    found: dict[str, list[str]] = {}
    for uid, part in tx.execute(rows):
        found.setdefault(uid, []).append(part)
    return found


def _compact(day: date | None) -> str:
    return day.isoformat().replace("-", "") if day else ""
