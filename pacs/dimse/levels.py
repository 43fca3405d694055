"""The Query/Retrieve information models: levels, unique keys, and which keys a level takes (PS3.4 C.3, C.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pacs.dicom import tags
from pacs.dimse.answering import Failed, Status
from pacs.dimse.identifiers import LEVEL, Identifier
from pacs.dimse.negotiation import FIND, GET, MOVE, PATIENT_ROOT
from pacs.index import patients
from pacs.index.attributes import Level
from pacs.index.keys import COLUMNS, KEPT, TIMEZONE, path

#: Levels from the top, with their unique keys.
UNIQUE = {
    "PATIENT": tags.PatientID.key,
    "STUDY": tags.StudyInstanceUID.key,
    "SERIES": tags.SeriesInstanceUID.key,
    "IMAGE": tags.SOPInstanceUID.key,
}
#: What is searched at each level; patients are made of their studies.
SEARCHED = {"PATIENT": Level.STUDY, "STUDY": Level.STUDY, "SERIES": Level.SERIES, "IMAGE": Level.INSTANCE}
_PATIENT_ROOT = {study: patient for patient, study in (FIND, MOVE, GET)}
_OF = {Level.STUDY: "STUDY", Level.SERIES: "SERIES", Level.INSTANCE: "IMAGE"}


def root(sop_class: str) -> Sequence[str]:
    """The levels of a SOP class's information model, from the top."""
    levels = list(UNIQUE)
    return levels if sop_class in PATIENT_ROOT else levels[1:]


def checked(asked: Identifier) -> str:
    """The level that is asked for. Raises Failed where there is none such."""
    if asked.level not in UNIQUE:
        raise Failed(Status.MISMATCH, "The Query/Retrieve Level is missing or not of this model.", [int(LEVEL, 16)])
    return asked.level


def model(level: str, sop_class: str) -> str:
    """The SOP class whose information model a request is of.

    The Study Root has no patients (C.6.2.1). Who asks for them there, as Orthanc does, is answered by the Patient Root,
    in which the same level has one meaning only.
    """
    return _PATIENT_ROOT.get(sop_class, sop_class) if level == "PATIENT" else sop_class


def level_of(key: str, sop_class: str) -> str | None:
    """The level of the information model that a key is of; None for a key that is not matched anywhere."""
    first = path(key)[0]
    if first in patients.TAGS and sop_class in PATIENT_ROOT:
        return "PATIENT"
    if key == TIMEZONE:
        return "STUDY"
    found = COLUMNS[key].level if key in COLUMNS else KEPT.get(first)
    return _OF[found] if found is not None else None


def above(level: str, sop_class: str) -> Sequence[str]:
    """The levels above one."""
    levels = root(sop_class)
    return levels[: levels.index(level)]


def unique_above(asked: Identifier, level: str, sop_class: str) -> Mapping[str, str]:
    """The unique keys of the levels above, of which each names one thing (C.4.1.2.1, C.4.2.1.4.1). Raises Failed.

    They all have to be there by the standard. Orthanc leaves them out, and nothing is ambiguous where a UID is given,
    of what is asked for or of something above it: it leads to one study. Without any, everything would be searched.
    """
    tags = [UNIQUE[one] for one in above(level, sop_class)]
    found = {tag: text for tag in tags if (text := asked.keys.get(tag, "").strip())}
    wrong = [int(tag, 16) for tag, text in found.items() if not is_single_value(text, tag)]
    if wrong:
        raise Failed(Status.MISMATCH, "The unique key of each upper level must be one value.", wrong)
    missing = [int(tag, 16) for tag in tags if tag not in found]
    own = asked.keys.get(UNIQUE[level], "").strip()
    if missing and not any(tag != UNIQUE["PATIENT"] for tag in found) and not is_uid_list(own):
        raise Failed(Status.MISMATCH, "Name one study, series or instance by its UID.", missing)
    return found


def issuer(asked: Identifier) -> Mapping[str, str]:
    """Whose number the Patient ID is that a lower level is asked for by: without its issuer it may be two people's.

    PS3.3 C.7.1.1; what C.4.1.2.1 and C.4.2.1.4.1 say of the unique keys holds for it as well.
    """
    return {tag: text for tag in patients.ISSUER if (text := asked.keys.get(tag, "").strip())}


def is_uid_list(text: str) -> bool:
    """Whether a key's text is UIDs, one or several, without wild cards."""
    return bool(text) and not any(sign in text for sign in "*?,")


def is_single_value(text: str, tag: str) -> bool:
    """Whether a key's text is one value, without wild cards."""
    if not text or "\\" in text or "*" in text or "?" in text:
        return False
    return tag == UNIQUE["PATIENT"] or "," not in text
