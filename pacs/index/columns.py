"""The columns of `pacs.index.attributes`' table: their values from an instance's DICOM JSON, and their types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from pacs.dicom import json_values
from pacs.dicom.json_values import Json
from pacs.index import attributes
from pacs.index.attributes import Kind, Level
from pacs.index.folding import study_names

#: Characters of a text that is matched; more does not fit into an index.
_MAX_TEXT = 600


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one instance at its three levels."""

    study: dict[str, Any]
    series: dict[str, Any]
    instance: dict[str, Any]

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return str(self.study["study_uid"])

    @property
    def series_uid(self) -> str:
        """Series Instance UID."""
        return str(self.series["series_uid"])

    @property
    def sop_uid(self) -> str:
        """SOP Instance UID."""
        return str(self.instance["sop_uid"])

    @property
    def sop_class(self) -> str:
        """SOP Class UID."""
        return str(self.instance["sop_class"])


def text(metadata: Json, tag: str) -> str:
    """An attribute's values as one string, but what says nothing: spaces around them (PS3.5 6.2), excess."""
    return json_values.string(metadata, tag)[:_MAX_TEXT].strip()


_READ: dict[Kind, tuple[str, Callable[[Json, str], Any]]] = {
    Kind.NAME: ("text", json_values.name),
    Kind.TEXT: ("text", text),
    Kind.UID: ("text", json_values.uid),
    Kind.DATE: ("date", json_values.day),
    Kind.TIME: ("time", json_values.clock),
    Kind.NUMBER: ("bigint", json_values.number),
}
_PLANS = {level: [(one.column, one.key, _READ[one.kind][1]) for one in attributes.read(level)] for level in Level}
_KEPT = {level: attributes.kept(level) for level in (Level.STUDY, Level.SERIES)}
#: PostgreSQL's type of every column of a level that is read from an instance, by the column's name.
TYPES = {level: {one.column: _READ[one.kind][0] for one in attributes.read(level)} for level in Level}
TYPES[Level.STUDY] |= {"patient_fold": "text", "referrer_fold": "text", "names": "tsvector", "attributes": "jsonb"}
TYPES[Level.SERIES] |= {"attributes": "jsonb"}


def of(metadata: Json) -> Columns:
    """Read the columns from the DICOM JSON of an instance's header."""
    return Columns(of_study(metadata), of_series(metadata), of_instance(metadata))


def of_study(metadata: Json) -> dict[str, Any]:
    """The columns of its study."""
    found = _read(metadata, Level.STUDY)
    names = study_names(found["patient_name"], found["referrer"])
    folded = {"patient_fold": names.patient, "referrer_fold": names.referrer, "names": names.lexemes}
    return {**found, **folded, "attributes": _kept(metadata, Level.STUDY)}


def of_series(metadata: Json) -> dict[str, Any]:
    """The columns of its series."""
    return {**_read(metadata, Level.SERIES), "attributes": _kept(metadata, Level.SERIES)}


def of_instance(metadata: Json) -> dict[str, Any]:
    """The columns of itself."""
    return _read(metadata, Level.INSTANCE)


def _read(metadata: Json, level: Level) -> dict[str, Any]:
    return {column: value(metadata, tag) for column, tag, value in _PLANS[level]}


def _kept(metadata: Json, level: Level) -> Json:
    """The attributes of a level as the database can keep them."""
    found = {tag: metadata[tag] for tag in _KEPT[level] if tag in metadata}
    return json_values.without_nul(found) if b"\\u0000" in orjson.dumps(found) else found
