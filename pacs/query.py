"""Search of the index: one typed query, for QIDO-RS now and C-FIND later (PS3.18 8.3.4, 10.6; PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, and_, any_, exists, false, func, literal, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from overread.kit.errors import BadInput
from pacs import index
from pacs.models import Holder, Instance, Series, Study
from pacs.scope import Scope

MAX_RESULTS = 1000


class Level(Enum):
    """The level of a query's results."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for. `keys`: tag (8 hexadecimal digits, upper case) to the text that must match.

    `include`: further attributes to return; `include_all`: every attribute that is kept. `limit` is capped.
    """

    level: Level
    keys: Mapping[str, str] = field(default_factory=dict)
    study_uid: str | None = None
    series_uid: str | None = None
    include: frozenset[str] = frozenset()
    include_all: bool = False
    limit: int = 100
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """One match: its UIDs and its attributes as DICOM JSON."""

    study_uid: str
    series_uid: str
    sop_uid: str
    attributes: dict[str, Any]


_Column = InstrumentedAttribute[Any]
#: Matching keys (PS3.18 Table 10.6.1-5) and their columns, from the study's level downwards.
_STUDY: dict[str, _Column] = {
    "00080020": Study.study_date,
    "00080030": Study.study_time,
    "00080050": Study.accession,
    "00080061": Study.modalities,
    "00080090": Study.referrer,
    "00081030": Study.description,
    "00100010": Study.patient_name,
    "00100020": Study.patient_id,
    "00100030": Study.birth_date,
    "00100040": Study.sex,
    "0020000D": Study.study_uid,
    "00200010": Study.study_id,
}
_SERIES: dict[str, _Column] = {
    "00080021": Series.series_date,
    "00080031": Series.series_time,
    "00080060": Series.modality,
    "0008103E": Series.description,
    "00180015": Series.body_part,
    "0020000E": Series.series_uid,
    "00200011": Series.number,
    "00400244": Series.performed_date,
}
_INSTANCE: dict[str, _Column] = {
    "00080016": Instance.sop_class,
    "00080018": Instance.sop_uid,
    "00200013": Instance.number,
    "00280010": Instance.rows,
    "00280011": Instance.columns,
    "00280008": Instance.frames,
}
_UIDS = frozenset(("0020000D", "0020000E", "00080018", "00080016"))
_NAMES = frozenset(("00100010", "00080090"))
_DATES = frozenset(("00080020", "00080021", "00100030", "00400244"))
_TIMES = frozenset(("00080030", "00080031"))
_NUMBERS = frozenset(("00200011", "00200013", "00280010", "00280011", "00280008"))


def supported(tag: str) -> bool:
    """Whether a key is matched; others are ignored with a warning (PS3.18 8.3.4.1)."""
    return tag in _STUDY or tag in _SERIES or tag in _INSTANCE


def search(tx: Session, scope: Scope, query: Query) -> tuple[list[Result], bool]:
    """The matches in a stable order, newest study first, and whether there are more behind them."""
    limit = max(0, min(query.limit, MAX_RESULTS))
    statement = _select(scope, query).offset(query.offset).limit(limit + 1)
    found = tx.execute(statement).all()
    more = len(found) > limit
    return [_result(query, tuple(row)) for row in found[:limit]], more


def _select(scope: Scope, query: Query) -> Select[*tuple[Any, ...]]:
    conditions = [within(scope)]
    if query.study_uid is not None:
        conditions.append(Study.study_uid == query.study_uid)
    if query.series_uid is not None:
        conditions.append(Series.series_uid == query.series_uid)
    of_study, of_series, of_instance = (_matches(query, columns) for columns in (_STUDY, _SERIES, _INSTANCE))
    conditions += of_study
    newest = (Study.study_date.desc().nulls_last(), Study.pk.desc())
    if query.level is Level.STUDY:
        # Keys of lower levels: a study matches when one of its instances matches them all (PS3.18 10.6.1.2).
        lower = [*of_series, *of_instance]
        if lower:
            below = select(Instance.pk).join(Series, Series.pk == Instance.series_pk)
            conditions.append(below.where(Instance.study_pk == Study.pk, *lower).exists())
        return select(Study).where(*conditions).order_by(*newest)
    if query.level is Level.SERIES:
        conditions += of_series
        conditions.append(_any_instance(scope, of_instance))
        columns = select(Study, Series).join(Series, Series.study_pk == Study.pk)
        return columns.where(*conditions).order_by(*newest, Series.number.nulls_last(), Series.pk)
    conditions += [*of_series, *of_instance, may_see(scope)]
    rows = select(Study, Series, Instance).join(Series, Series.study_pk == Study.pk)
    rows = rows.join(Instance, Instance.series_pk == Series.pk)
    return rows.where(*conditions).order_by(
        *newest, Series.number.nulls_last(), Series.pk, Instance.number.nulls_last(), Instance.pk
    )


def _matches(query: Query, columns: Mapping[str, _Column]) -> list[ColumnElement[bool]]:
    return [_match(tag, columns[tag], text) for tag, text in query.keys.items() if tag in columns]


def within(scope: Scope) -> ColumnElement[bool]:
    """The condition on a study's row that keeps a query inside its scope."""
    conditions: list[ColumnElement[bool]] = [Study.view_id == scope.view_id]
    if scope.study_uids is not None:
        conditions.append(Study.study_uid.in_(scope.study_uids))
    if scope.holder_id is not None:
        conditions.append(exists().where(Holder.study_pk == Study.pk, Holder.holder_id == scope.holder_id))
    if not scope.unreleased:
        conditions.append(Study.released.is_(True))
    return and_(*conditions)


def may_see(scope: Scope) -> ColumnElement[bool]:
    """The condition on an instance's row, besides that on its study."""
    conditions: list[ColumnElement[bool]] = [Instance.view_id == scope.view_id]
    if scope.holder_id is not None:
        conditions.append(exists().where(Holder.instance_pk == Instance.pk, Holder.holder_id == scope.holder_id))
    conditions.append(Instance.review != "unusable" if scope.unreleased else Instance.visible.is_(True))
    return and_(*conditions)


def _any_instance(scope: Scope, conditions: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    return exists().where(Instance.series_pk == Series.pk, may_see(scope), *conditions)


def _match(tag: str, column: _Column, text: str) -> ColumnElement[bool]:
    text = text.strip(" ")
    if text in ("", "*"):
        return true()  # universal matching, PS3.4 C.2.2.2.3
    if tag in _UIDS:
        return column.in_([uid for uid in re.split(r"[\\,]", text) if uid])  # a list of UIDs, C.2.2.2.2
    if tag in _DATES:
        return _in_range(column, text, _date)
    if tag in _TIMES:
        return _in_range(column, text, _time)
    if tag in _NUMBERS:
        return column == int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else false()
    if tag == "00080061":  # Modalities in Study: any of the study's modalities
        wanted = [part for part in re.split(r"[\\,]", text) if part]
        if any("*" in part or "?" in part for part in wanted):
            joined = func.array_to_string(column, "\\")
            return or_(*(joined.regexp_match("(^|\\\\)" + _regex(part) + "($|\\\\)") for part in wanted))
        return or_(*(literal(modality) == any_(column) for modality in wanted))
    folded: Any = func.lower(column) if tag in _NAMES else column
    if tag in _NAMES:
        return _name(folded, text.lower())
    if "*" in text or "?" in text:
        return column.like(_like(text), escape="\\")
    return column == text


def _name(column: Any, text: str) -> ColumnElement[bool]:
    """A person's name: any one of its groups, whatever the case; trailing empty components don't count."""
    groups = [func.split_part(column, "=", i) for i in (1, 2, 3)] if "=" not in text else [column]
    return or_(*(func.rtrim(group, "^").like(_like(text.rstrip("^")), escape="\\") for group in groups))


def _like(text: str) -> str:
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    return escaped.replace("*", "%").replace("?", "_")  # wildcards, PS3.4 C.2.2.2.4


def _regex(text: str) -> str:
    return re.escape(text).replace(r"\*", "[^\\\\]*").replace(r"\?", "[^\\\\]")


def _in_range(column: _Column, text: str, read: Any) -> ColumnElement[bool]:
    """A value, or a range open at either end (PS3.4 C.2.2.2.5)."""
    first, dash, last = text.partition("-")
    low, high = read(first, False), read(last if dash else first, True)
    conditions = [column.is_not(None)] if column.type.python_type is date else [column != ""]
    if low is not None:
        conditions.append(column >= low)
    if high is not None:
        conditions.append(column <= high)
    return and_(*conditions)


def _date(text: str, _end: bool) -> date | None:
    if not text:
        return None
    try:
        return datetime.strptime(text.strip(), "%Y%m%d").date()  # noqa: DTZ007  a DICOM date has no zone
    except ValueError as error:
        raise BadInput(
            "a date key is not a date", safe="A date must be written as YYYYMMDD, a range as YYYYMMDD-YYYYMMDD."
        ) from error


def _time(text: str, end: bool) -> str | None:
    text = text.strip()
    if not text:
        return None
    if not re.fullmatch(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?", text):
        raise BadInput("a time key is not a time", safe="A time must be written as HHMMSS, a range as HHMMSS-HHMMSS.")
    # 10 means all of the hour, 1030 all of the minute: pad the upper end with nines, which sort behind any digits.
    return text + "9" * (13 - len(text)) if end else text


def _result(query: Query, row: tuple[Any, ...]) -> Result:
    study: Study = row[0]
    series: Series | None = row[1] if len(row) > 1 else None
    instance: Instance | None = row[2] if len(row) > 2 else None
    attributes: dict[str, Any] = {}
    if query.level is Level.STUDY or query.study_uid is None:
        attributes |= _study_attributes(study)
    if series is not None and (query.level is Level.SERIES or query.series_uid is None):
        attributes |= _series_attributes(series)
    if instance is not None:
        attributes |= _instance_attributes(query, instance)
    attributes["0020000D"] = {"vr": "UI", "Value": [study.study_uid]}
    if series is not None:
        attributes["0020000E"] = {"vr": "UI", "Value": [series.series_uid]}
    return Result(
        study.study_uid,
        series.series_uid if series else "",
        instance.sop_uid if instance else "",
        dict(sorted(attributes.items())),
    )


def _study_attributes(study: Study) -> dict[str, Any]:
    return {
        **study.attributes,
        # Left out where no series says one: viewers stumble over a list without values.
        **({"00080061": {"vr": "CS", "Value": sorted(study.modalities)}} if study.modalities else {}),
        "00201206": {"vr": "IS", "Value": [study.series_count]},
        "00201208": {"vr": "IS", "Value": [study.instance_count]},
    }


def _series_attributes(series: Series) -> dict[str, Any]:
    return {**series.attributes, "00201209": {"vr": "IS", "Value": [series.instance_count]}}


def _instance_attributes(query: Query, instance: Instance) -> dict[str, Any]:
    metadata: dict[str, Any] = orjson.loads(index.inflate(instance.metadata_deflated))
    # Available Transfer Syntax UID, PS3.18 Table 10.6.3-5
    metadata["00083002"] = {"vr": "UI", "Value": [instance.transfer_syntax]}
    if query.include_all:
        return {tag: value for tag, value in metadata.items() if "BulkDataURI" not in value}
    wanted = {*index.INSTANCE_TAGS, "00083002", *query.include}
    return {tag: metadata[tag] for tag in wanted if tag in metadata}


@dataclass(frozen=True, slots=True)
class StudySummary:
    """A study as the rooms above show it; `birth_date` and `study_date` are YYYYMMDD or empty."""

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


def summaries(tx: Session, scope: Scope, study_uid: str | None = None) -> list[StudySummary]:
    """The studies of a scope, newest received first, at most MAX_RESULTS."""
    statement = select(Study).where(within(scope)).order_by(Study.received_at.desc()).limit(MAX_RESULTS)
    if study_uid is not None:
        statement = statement.where(Study.study_uid == study_uid)
    return [
        StudySummary(
            study_uid=row.study_uid,
            patient_name=row.patient_name,
            patient_id=row.patient_id,
            birth_date=_compact(row.birth_date),
            sex=row.sex,
            study_date=_compact(row.study_date),
            description=row.description,
            accession=row.accession,
            modalities=sorted(row.modalities),
            series=row.series_count,
            instances=row.instance_count,
            received_at=row.received_at,
        )
        for row in tx.scalars(statement)
    ]


def _compact(day: date | None) -> str:
    return day.isoformat().replace("-", "") if day else ""
