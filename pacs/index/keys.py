"""The keys that a query may match, and the columns they are matched in.

PS3.18 Table 10.6.1-5, and of the optional keys of PS3.4 C.6 all that `pacs.index.index` keeps with a study or a series.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from pacs.dicom import tags
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
    tags.StudyDate.key: Key(Level.STUDY, Kind.DATE, Study.study_date),
    tags.StudyTime.key: Key(Level.STUDY, Kind.TIME, Study.study_time),
    tags.AccessionNumber.key: Key(Level.STUDY, Kind.TEXT, Study.accession),
    tags.ModalitiesInStudy.key: Key(Level.STUDY, Kind.CODES, Study.modalities),
    tags.ReferringPhysicianName.key: Key(Level.STUDY, Kind.NAME, _REFERRER),
    tags.StudyDescription.key: Key(Level.STUDY, Kind.TEXT, Study.description),
    tags.PatientName.key: Key(Level.STUDY, Kind.NAME, _PATIENT),
    tags.PatientID.key: Key(Level.STUDY, Kind.TEXT, Study.patient_id),
    tags.PatientBirthDate.key: Key(Level.STUDY, Kind.DATE, Study.birth_date),
    tags.PatientSex.key: Key(Level.STUDY, Kind.TEXT, Study.sex),
    tags.StudyInstanceUID.key: Key(Level.STUDY, Kind.UID, Study.study_uid),
    tags.StudyID.key: Key(Level.STUDY, Kind.TEXT, Study.study_id),
    tags.NumberOfStudyRelatedSeries.key: Key(Level.STUDY, Kind.NUMBER, Study.series_count),
    tags.NumberOfStudyRelatedInstances.key: Key(Level.STUDY, Kind.NUMBER, Study.instance_count),
    tags.SeriesDate.key: Key(Level.SERIES, Kind.DATE, Series.series_date),
    tags.SeriesTime.key: Key(Level.SERIES, Kind.TIME, Series.series_time),
    tags.Modality.key: Key(Level.SERIES, Kind.TEXT, Series.modality),
    tags.SeriesDescription.key: Key(Level.SERIES, Kind.TEXT, Series.description),
    tags.BodyPartExamined.key: Key(Level.SERIES, Kind.TEXT, Series.body_part),
    tags.SeriesInstanceUID.key: Key(Level.SERIES, Kind.UID, Series.series_uid),
    tags.SeriesNumber.key: Key(Level.SERIES, Kind.NUMBER, Series.number),
    tags.NumberOfSeriesRelatedInstances.key: Key(Level.SERIES, Kind.NUMBER, Series.instance_count),
    tags.PerformedProcedureStepStartDate.key: Key(Level.SERIES, Kind.DATE, Series.performed_date),
    tags.PerformedProcedureStepStartTime.key: Key(Level.SERIES, Kind.TIME, Series.performed_time),
    tags.SOPClassUID.key: Key(Level.INSTANCE, Kind.UID, Instance.sop_class),
    tags.SOPInstanceUID.key: Key(Level.INSTANCE, Kind.UID, Instance.sop_uid),
    tags.InstanceNumber.key: Key(Level.INSTANCE, Kind.NUMBER, Instance.number),
    tags.NumberOfFrames.key: Key(Level.INSTANCE, Kind.NUMBER, Instance.number_of_frames),
    tags.Rows.key: Key(Level.INSTANCE, Kind.NUMBER, Instance.rows),
    tags.Columns.key: Key(Level.INSTANCE, Kind.NUMBER, Instance.columns),
    tags.BitsAllocated.key: Key(Level.INSTANCE, Kind.NUMBER, Instance.bits),
}
#: Dates and times that are one moment together (PS3.4 C.2.2.2.5).
MOMENTS = (
    (tags.StudyDate.key, tags.StudyTime.key),
    (tags.SeriesDate.key, tags.SeriesTime.key),
    (tags.PerformedProcedureStepStartDate.key, tags.PerformedProcedureStepStartTime.key),
)
#: Timezone Offset From UTC: not matched, but what the key's dates and times are meant in (PS3.18 8.3.4.1).
TIMEZONE = tags.TimezoneOffsetFromUTC.key
#: Specific Character Set is never matched (PS3.4 C.2.2.2).
_NEVER = frozenset((tags.SpecificCharacterSet.key, TIMEZONE))
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
