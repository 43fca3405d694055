"""The keys that a query may match, and the columns they are matched in: the rows of `pacs.index.attributes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pacs.dicom import tags
from pacs.dicom.dictionary import public_vr
from pacs.index import attributes
from pacs.index.attributes import Attribute, Kind, Level
from pacs.index.matching import NameColumns
from pacs.index.models import Instance, Series, Study
from pacs.index.nested import MAX_DEPTH, Path


@dataclass(frozen=True, slots=True)
class Key:
    """A key that has a column of its own."""

    level: Level
    kind: Kind
    column: Any


_MODELS = {Level.STUDY: Study, Level.SERIES: Series, Level.INSTANCE: Instance}
_NAMES = {
    "patient_name": NameColumns(Study.patient_fold, Study.names, "A"),
    "referrer": NameColumns(Study.referrer_fold, Study.names, "B"),
}


def column(one: Attribute) -> Any:
    """The column that an attribute is in."""
    return getattr(_MODELS[one.level], one.column)


COLUMNS = {
    one.key: Key(one.level, one.kind, _NAMES[one.column] if one.kind is Kind.NAME else column(one))
    for one in attributes.TABLE
    if one.column
}
#: Timezone Offset From UTC: not matched, but what the key's dates and times are meant in (PS3.18 8.3.4.1).
TIMEZONE = tags.TimezoneOffsetFromUTC.key
#: What is kept of a study or series as DICOM JSON, and may be matched there.
KEPT = {
    one.key: one.level
    for one in attributes.TABLE
    if one.matched and not one.counted and one.level is not Level.INSTANCE
}


def path(key: str) -> Path:
    """A key's path: tags with dots between, from the outermost sequence inwards."""
    return tuple(key.split("."))


def supported(key: str) -> bool:
    """Whether a key is matched; others are ignored with a warning (PS3.18 8.3.4.1)."""
    tags = path(key)
    return key in COLUMNS or key == TIMEZONE or (tags[0] in KEPT and len(tags) <= MAX_DEPTH)


def takes_list(key: str) -> bool:
    """Whether a key is a UID, of which there may be a list (PS3.4 C.2.2.2.2)."""
    return public_vr(int(path(key)[-1], 16)) == "UI"
