"""The keys that a query may match, and the columns they are matched in.

PS3.18 Table 10.6.1-5, and of the optional keys of PS3.4 C.6 all that `pacs.index.index` keeps with a study or a series.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from pacs.dicom.dictionary import public_vr
from pacs.index import index
from pacs.index.matching import NameColumns
from pacs.index.models import Instance, Series, Study
from pacs.index.nested import MAX_DEPTH, Path


class Level(Enum):
    """The level of a query's results."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


class Kind(Enum):
    """How a column is matched."""

    NAME = "name"
    TEXT = "text"
    UID = "UID"
    DATE = "date"
    TIME = "time"
    NUMBER = "number"
    CODES = "codes"


@dataclass(frozen=True, slots=True)
class Key:
    """A key that has a column of its own."""

    level: Level
    kind: Kind
    column: Any


_PATIENT = NameColumns(Study.patient_fold, Study.names, "A")
_REFERRER = NameColumns(Study.referrer_fold, Study.names, "B")
COLUMNS: dict[str, Key] = {
    "00080020": Key(Level.STUDY, Kind.DATE, Study.study_date),
    "00080030": Key(Level.STUDY, Kind.TIME, Study.study_time),
    "00080050": Key(Level.STUDY, Kind.TEXT, Study.accession),
    "00080061": Key(Level.STUDY, Kind.CODES, Study.modalities),
    "00080090": Key(Level.STUDY, Kind.NAME, _REFERRER),
    "00081030": Key(Level.STUDY, Kind.TEXT, Study.description),
    "00100010": Key(Level.STUDY, Kind.NAME, _PATIENT),
    "00100020": Key(Level.STUDY, Kind.TEXT, Study.patient_id),
    "00100030": Key(Level.STUDY, Kind.DATE, Study.birth_date),
    "00100040": Key(Level.STUDY, Kind.TEXT, Study.sex),
    "0020000D": Key(Level.STUDY, Kind.UID, Study.study_uid),
    "00200010": Key(Level.STUDY, Kind.TEXT, Study.study_id),
    "00201206": Key(Level.STUDY, Kind.NUMBER, Study.series_count),
    "00201208": Key(Level.STUDY, Kind.NUMBER, Study.instance_count),
    "00080021": Key(Level.SERIES, Kind.DATE, Series.series_date),
    "00080031": Key(Level.SERIES, Kind.TIME, Series.series_time),
    "00080060": Key(Level.SERIES, Kind.TEXT, Series.modality),
    "0008103E": Key(Level.SERIES, Kind.TEXT, Series.description),
    "00180015": Key(Level.SERIES, Kind.TEXT, Series.body_part),
    "0020000E": Key(Level.SERIES, Kind.UID, Series.series_uid),
    "00200011": Key(Level.SERIES, Kind.NUMBER, Series.number),
    "00201209": Key(Level.SERIES, Kind.NUMBER, Series.instance_count),
    "00400244": Key(Level.SERIES, Kind.DATE, Series.performed_date),
    "00400245": Key(Level.SERIES, Kind.TIME, Series.performed_time),
    "00080016": Key(Level.INSTANCE, Kind.UID, Instance.sop_class),
    "00080018": Key(Level.INSTANCE, Kind.UID, Instance.sop_uid),
    "00200013": Key(Level.INSTANCE, Kind.NUMBER, Instance.number),
    "00280008": Key(Level.INSTANCE, Kind.NUMBER, Instance.number_of_frames),
    "00280010": Key(Level.INSTANCE, Kind.NUMBER, Instance.rows),
    "00280011": Key(Level.INSTANCE, Kind.NUMBER, Instance.columns),
    "00280100": Key(Level.INSTANCE, Kind.NUMBER, Instance.bits),
}
#: Dates and times that are one moment together (PS3.4 C.2.2.2.5).
MOMENTS = (("00080020", "00080030"), ("00080021", "00080031"), ("00400244", "00400245"))
#: Timezone Offset From UTC: not matched, but what the key's dates and times are meant in (PS3.18 8.3.4.1).
TIMEZONE = "00080201"
#: Specific Character Set is never matched (PS3.4 C.2.2.2).
_NEVER = frozenset(("00080005", TIMEZONE))
KEPT: dict[str, Level] = {
    **{tag: Level.SERIES for tag in index.SERIES_TAGS if tag not in _NEVER},
    **{tag: Level.STUDY for tag in index.STUDY_TAGS if tag not in _NEVER},
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
