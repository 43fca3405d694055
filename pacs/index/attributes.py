"""The attributes that the index knows: a row each, of which keys, columns, statements and answers are made.

What has a column is matched in it; the others of a study or series are matched in what is kept of it as DICOM JSON. A
further attribute is a row here, and where it is to have a column, that column in `pacs.index.models` and a migration;
`overread reindex` then fills it from the headers that are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pacs.dicom import tags
from pacs.dicom.dictionary import public_vr
from pacs.dicom.tags import Tag


class Level(Enum):
    """The level of an attribute, and of a query's results."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


class Kind(Enum):
    """What a column holds, and how it is matched."""

    NAME = "name"
    TEXT = "text"
    UID = "UID"
    DATE = "date"
    TIME = "time"
    NUMBER = "number"
    CODES = "codes"


class Answer(Enum):
    """When an answer has an attribute of a study or series.

    `ASKED`: where somebody asks for it; `THERE`: where the instances say it; `ALWAYS`: empty where they don't (Type R).
    """

    ASKED = 0
    THERE = 1
    ALWAYS = 2


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a level. `column`: in its model, "" where it is kept as JSON alone; `kind`: of the column.

    `answer`: when a match says it. `counted`: no instance says it, the write path counts it. `patient`: it is of the
    patient, whom a study's row describes (PS3.4 C.6.1.1.2). `matched`: not where it says how others are meant.
    """

    tag: Tag
    level: Level
    column: str = ""
    kind: Kind = Kind.TEXT
    answer: Answer = Answer.ASKED
    counted: bool = False
    patient: bool = False
    matched: bool = True

    @property
    def key(self) -> str:
        """What DICOM JSON calls it."""
        return self.tag.key

    @property
    def vr(self) -> str:
        """Its value representation."""
        return public_vr(self.tag) or "UN"


def _study(tag: Tag, column: str = "", kind: Kind = Kind.TEXT, answer: Answer = Answer.ASKED) -> Attribute:
    return Attribute(tag, Level.STUDY, column, kind, answer)


def _patient(tag: Tag, column: str = "", kind: Kind = Kind.TEXT, answer: Answer = Answer.ASKED) -> Attribute:
    return Attribute(tag, Level.STUDY, column, kind, answer, patient=True)


def _series(tag: Tag, column: str = "", kind: Kind = Kind.TEXT, answer: Answer = Answer.ASKED) -> Attribute:
    return Attribute(tag, Level.SERIES, column, kind, answer)


def _instance(tag: Tag, column: str, kind: Kind) -> Attribute:
    return Attribute(tag, Level.INSTANCE, column, kind, Answer.THERE)


_THERE, _ALWAYS = Answer.THERE, Answer.ALWAYS

#: PS3.18 Tables 10.6.1-5 and 10.6.3-3 to 10.6.3-5, of the optional keys of PS3.4 Tables C.6-1, C.6-2 and C.6-5, and of
#: the series', frame of reference's and equipment's modules.
TABLE = (
    Attribute(tags.SpecificCharacterSet, Level.STUDY, matched=False),
    _study(tags.StudyDate, "study_date", Kind.DATE, _ALWAYS),
    _study(tags.StudyTime, "study_time", Kind.TIME, _ALWAYS),
    _study(tags.AccessionNumber, "accession", answer=_ALWAYS),
    _study(tags.IssuerOfAccessionNumberSequence),
    Attribute(tags.ModalitiesInStudy, Level.STUDY, "modalities", Kind.CODES, counted=True),
    _study(tags.ReferringPhysicianName, "referrer", Kind.NAME, _ALWAYS),
    # What the key's dates and times are meant in (PS3.18 8.3.4.1).
    Attribute(tags.TimezoneOffsetFromUTC, Level.STUDY, answer=_THERE, matched=False),
    # What everybody asks for besides the table's.
    _study(tags.StudyDescription, "description", answer=_THERE),
    _study(tags.ProcedureCodeSequence),
    _study(tags.PhysiciansOfRecord),
    _study(tags.NameOfPhysiciansReadingStudy),
    _study(tags.AdmittingDiagnosesDescription),
    _study(tags.ReferencedStudySequence),
    _study(tags.ReferencedPatientSequence),
    _patient(tags.PatientName, "patient_name", Kind.NAME, _ALWAYS),
    _patient(tags.PatientID, "patient_id", answer=_ALWAYS),
    _patient(tags.IssuerOfPatientID),
    _patient(tags.TypeOfPatientID),
    _patient(tags.IssuerOfPatientIDQualifiersSequence),
    _patient(tags.PatientBirthDate, "birth_date", Kind.DATE, _ALWAYS),
    _patient(tags.PatientBirthTime),
    _patient(tags.PatientSex, "sex", answer=_ALWAYS),
    _patient(tags.OtherPatientIDs),
    _patient(tags.OtherPatientNames),
    _patient(tags.OtherPatientIDsSequence),
    _study(tags.PatientAge),
    _study(tags.PatientSize),
    _study(tags.PatientWeight),
    _patient(tags.EthnicGroup),
    _study(tags.Occupation),
    _study(tags.AdditionalPatientHistory),
    _patient(tags.PatientComments),
    _study(tags.StudyInstanceUID, "study_uid", Kind.UID, _THERE),
    _study(tags.StudyID, "study_id", answer=_ALWAYS),
    Attribute(tags.NumberOfStudyRelatedSeries, Level.STUDY, "series_count", Kind.NUMBER, counted=True),
    Attribute(tags.NumberOfStudyRelatedInstances, Level.STUDY, "instance_count", Kind.NUMBER, counted=True),
    _study(tags.RequestedProcedureDescription),
    _study(tags.RequestedProcedureCodeSequence),
    _study(tags.InterpretationAuthor),
    Attribute(tags.SpecificCharacterSet, Level.SERIES, matched=False),
    _series(tags.SeriesDate, "series_date", Kind.DATE),
    _series(tags.SeriesTime, "series_time", Kind.TIME),
    _series(tags.Modality, "modality", answer=_ALWAYS),
    _series(tags.ConversionType),
    _series(tags.PresentationIntentType),
    _series(tags.Manufacturer),
    _series(tags.InstitutionName),
    _series(tags.SeriesDescription, "description", answer=_THERE),
    _series(tags.SeriesDescriptionCodeSequence),
    _series(tags.InstitutionalDepartmentName),
    _series(tags.PerformingPhysicianName),
    _series(tags.OperatorsName),
    _series(tags.ManufacturerModelName),
    _series(tags.ReferencedPerformedProcedureStepSequence),
    _series(tags.BodyPartExamined, "body_part"),
    _series(tags.SequenceName),
    _series(tags.RepetitionTime),
    _series(tags.ProtocolName),
    _series(tags.PatientPosition),
    _series(tags.SeriesInstanceUID, "series_uid", Kind.UID, _THERE),
    _series(tags.SeriesNumber, "number", Kind.NUMBER, _ALWAYS),
    Attribute(tags.NumberOfSeriesRelatedInstances, Level.SERIES, "instance_count", Kind.NUMBER, counted=True),
    _series(tags.FrameOfReferenceUID),
    _series(tags.Laterality),
    _series(tags.PositionReferenceIndicator),
    _series(tags.PerformedProcedureStepStartDate, "performed_date", Kind.DATE, _THERE),
    _series(tags.PerformedProcedureStepStartTime, "performed_time", Kind.TIME, _THERE),
    _series(tags.PerformedProcedureStepID),
    _series(tags.PerformedProcedureStepDescription),
    _series(tags.RequestAttributesSequence, answer=_THERE),
    _instance(tags.SOPClassUID, "sop_class", Kind.UID),
    _instance(tags.SOPInstanceUID, "sop_uid", Kind.UID),
    _instance(tags.InstanceNumber, "number", Kind.NUMBER),
    _instance(tags.NumberOfFrames, "number_of_frames", Kind.NUMBER),
    _instance(tags.Rows, "rows", Kind.NUMBER),
    _instance(tags.Columns, "columns", Kind.NUMBER),
    _instance(tags.BitsAllocated, "bits", Kind.NUMBER),
)
#: Dates and times that are one moment together (PS3.4 C.2.2.2.5).
MOMENTS = (
    (tags.StudyDate.key, tags.StudyTime.key),
    (tags.SeriesDate.key, tags.SeriesTime.key),
    (tags.PerformedProcedureStepStartDate.key, tags.PerformedProcedureStepStartTime.key),
)


def read(level: Level) -> list[Attribute]:
    """The attributes with a column that an instance says of a level."""
    return [one for one in TABLE if one.level is level and one.column and not one.counted]


def kept(level: Level) -> list[str]:
    """The keys of what is kept of a study or series as DICOM JSON."""
    return [one.key for one in TABLE if one.level is level and not one.counted]


def answered(level: Level) -> list[Attribute]:
    """What an answer has of what is kept of a study or series, whoever asks."""
    return [one for one in TABLE if one.level is level and one.answer is not Answer.ASKED]
