"""What a match is answered with (PS3.18 10.6.3.3, Tables 10.6.3-3 to 10.6.3-5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from pacs.dicom import json_values, tags
from pacs.index import attributes
from pacs.index.attributes import Answer, Attribute, Level
from pacs.index.nested import Path

Attributes = dict[str, Any]

#: Of Tables 10.6.3-3 and 10.6.3-4, what is kept as the instances say it.
_STUDY = tuple(attributes.answered(Level.STUDY))
_SERIES = tuple(attributes.answered(Level.SERIES))
_INSTANCE = tuple(attributes.read(Level.INSTANCE))
_ONLINE = {"vr": "CS", "Value": ["ONLINE"]}  # Instance Availability, PS3.3 C.4.23.1.1


@dataclass(frozen=True, slots=True)
class Included:
    """What an answer holds beyond the tables: `paths` of attributes, or everything that is kept."""

    paths: frozenset[Path]
    everything: bool


def of_study(wanted: Included, kept: Attributes, modalities: list[str], series: int, instances: int) -> Attributes:
    """A study's attributes, from what is kept of it and its aggregates."""
    found = _chosen(kept, _STUDY, wanted)
    found[tags.InstanceAvailability.key] = _ONLINE
    # Left out where no series says one: viewers stumble over a list without values.
    if modalities:
        found[tags.ModalitiesInStudy.key] = {"vr": "CS", "Value": sorted(modalities)}
    found[tags.NumberOfStudyRelatedSeries.key] = {"vr": "IS", "Value": [series]}
    found[tags.NumberOfStudyRelatedInstances.key] = {"vr": "IS", "Value": [instances]}
    return found


def of_series(wanted: Included, kept: Attributes, instances: int) -> Attributes:
    """A series' attributes, from what is kept of it and the number of its instances."""
    found = _chosen(kept, _SERIES, wanted)
    found[tags.InstanceAvailability.key] = _ONLINE
    found[tags.NumberOfSeriesRelatedInstances.key] = {"vr": "IS", "Value": [instances]}
    return found


def of_instance(wanted: Included, row: Any, deflated: bytes) -> Attributes:
    """An instance's attributes from its columns; its header is opened only where more is asked for.

    `row`: its columns by their names, None where the instance says nothing; `deflated` may be empty where they say all
    that is wanted.
    """
    values = ((one, getattr(row, one.column)) for one in _INSTANCE)
    found: Attributes = {one.key: {"vr": one.vr, "Value": [value]} for one, value in values if value is not None}
    # PS3.3 C.4.23.1.1
    found[tags.AvailableTransferSyntaxUID.key] = {"vr": "UI", "Value": [row.transfer_syntax]}
    found[tags.InstanceAvailability.key] = _ONLINE
    missing = {path for path in wanted.paths if path[0] not in found}
    if deflated and (wanted.everything or missing):
        header: Attributes = orjson.loads(json_values.inflate(deflated))
        if wanted.everything:
            return {**{tag: value for tag, value in header.items() if "BulkDataURI" not in value}, **found}
        for path in missing:
            _add(found, header, path)
    return found


def only(wanted: Included, upper: Attributes, always: Iterable[str]) -> Attributes:
    """Of an upper level's attributes those that were asked for, and those that are `always` there."""
    tags = {*always, *(path[0] for path in wanted.paths)}
    return {tag: value for tag, value in upper.items() if tag in tags}


def _chosen(kept: Attributes, table: Iterable[Attribute], wanted: Included) -> Attributes:
    if wanted.everything:
        found = dict(kept)
    else:
        found = {one.key: kept[one.key] for one in table if one.key in kept}
        for path in wanted.paths:
            _add(found, kept, path)
    for one in table:
        if one.answer is Answer.ALWAYS and one.key not in found:
            found[one.key] = {"vr": one.vr}
    return found


def _add(found: Attributes, source: Attributes, path: Path) -> None:
    """Add the attribute at a path; of a sequence's items only what was asked for."""
    tag, rest = path[0], path[1:]
    if tag not in source or "BulkDataURI" in source[tag]:
        return
    items = source[tag].get("Value")
    if not rest or found.get(tag) is source[tag] or not isinstance(items, list):
        found[tag] = source[tag]
        return
    ours = found.setdefault(tag, {"vr": source[tag]["vr"], "Value": [{} for _ in items]})
    for mine, item in zip(ours["Value"], items, strict=True):
        if isinstance(item, dict) and mine is not item:
            _add(mine, item, rest)
