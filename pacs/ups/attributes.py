"""What a work item must, may and may not hold: PS3.4 Table CC.2.5-3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydicom.datadict import keyword_for_tag

from overread.kit import clock
from overread.kit.errors import BadInput
from pacs.dicom import sop_classes, tags
from pacs.dicom.dicomjson import JsonDataset
from pacs.ups.states import StepState

#: Unified Procedure Step - Push, of which every work item is an instance (CC.3.1); the events' SOP class.
PUSH, EVENT = sop_classes.UPS_PUSH, sop_classes.UPS_EVENT

SOP_CLASS = tags.SOPClassUID.key
SOP_INSTANCE = tags.SOPInstanceUID.key
TRANSACTION = tags.TransactionUID.key
STATE = tags.ProcedureStepState.key
MODIFIED = tags.ScheduledProcedureStepModificationDateTime.key
START = tags.ScheduledProcedureStepStartDateTime.key
EXPIRES = tags.ScheduledProcedureStepExpirationDateTime.key
EXPECTED = tags.ExpectedCompletionDateTime.key
PRIORITY = tags.ScheduledProcedureStepPriority.key
LABEL = tags.ProcedureStepLabel.key
WORKLIST = tags.WorklistLabel.key
READINESS = tags.InputReadinessState.key
STATION_NAME = tags.ScheduledStationNameCodeSequence.key
HUMANS = tags.ScheduledHumanPerformersSequence.key
HUMAN_CODE = tags.HumanPerformerCodeSequence.key
HUMAN_NAME = tags.HumanPerformerName.key
WORKITEM_CODE = tags.ScheduledWorkitemCodeSequence.key
INPUT = tags.InputInformationSequence.key
PROGRESS = tags.ProcedureStepProgressInformationSequence.key
PERFORMED = tags.UnifiedProcedureStepPerformedProcedureSequence.key
CANCELED_AT = tags.ProcedureStepCancellationDateTime.key
REASON = tags.ReasonForCancellation.key
DISCONTINUATION = tags.ProcedureStepDiscontinuationReasonCodeSequence.key
URN_CODE = tags.URNCodeValue.key
CODE_VALUE = tags.CodeValue.key
CODE_SCHEME = tags.CodingSchemeDesignator.key
CODE_MEANING = tags.CodeMeaning.key

_PRIORITIES = frozenset(("HIGH", "MEDIUM", "LOW"))
_READINESS = frozenset(("INCOMPLETE", "UNAVAILABLE", "READY"))
#: Type 1 at creation.
_NEEDED = (PRIORITY, LABEL, WORKLIST, START, READINESS, STATE)
#: Empty at creation: they are what performing brings.
_EMPTY = (TRANSACTION, PROGRESS, PERFORMED)
#: What an update may not name: identity, state, patient, admission, study and requests.
_NOT_SET = frozenset(
    (
        SOP_CLASS,
        SOP_INSTANCE,
        STATE,
        MODIFIED,
        tags.PatientName.key,
        tags.PatientID.key,
        tags.IssuerOfPatientID.key,
        tags.IssuerOfPatientIDQualifiersSequence.key,
        tags.OtherPatientIDsSequence.key,
        tags.PatientBirthDate.key,
        tags.PatientSex.key,
        tags.AdmissionID.key,
        tags.IssuerOfAdmissionIDSequence.key,
        tags.AdmittingDiagnosesDescription.key,
        tags.AdmittingDiagnosesCodeSequence.key,
        tags.StudyInstanceUID.key,
        tags.ReferencedRequestSequence.key,
        tags.ReplacedProcedureStepSequence.key,
    )
)
#: Beside the groups of patient and visit: accession number, order numbers, request, referrer.
_WHO = frozenset(("0010", "0038"))
_TELLING = frozenset(
    (
        tags.AccessionNumber.key,
        tags.ReferringPhysicianName.key,
        tags.ReferencedRequestSequence.key,
        tags.PlacerOrderNumberImagingServiceRequest.key,
        tags.FillerOrderNumberImagingServiceRequest.key,
        tags.RequestingPhysician.key,
    )
)
#: In every item of the Performed Procedure Sequence of a COMPLETED work item: station, begin, end, what was done.
_PERFORMED = (
    tags.PerformedStationNameCodeSequence.key,
    tags.PerformedProcedureStepStartDateTime.key,
    tags.PerformedProcedureStepEndDateTime.key,
    tags.PerformedWorkitemCodeSequence.key,
)
_DT = re.compile(r"\d{4}(\d{2}(\d{2}(\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?", re.ASCII)


def value(dataset: Mapping[str, Any], tag: str) -> Any:
    """An attribute's first value, or None."""
    values = dataset.get(tag, {}).get("Value") or [None]
    return values[0]


def items(dataset: Mapping[str, Any], tag: str) -> list[dict[str, Any]]:
    """A sequence's items."""
    found: list[dict[str, Any]] = dataset.get(tag, {}).get("Value", [])
    return found if dataset.get(tag, {}).get("vr") == "SQ" else []


def created(dataset: JsonDataset) -> JsonDataset:
    """A new work item's attributes, checked (CC.2.5.3). Raises BadInput, which names every attribute at fault."""
    missing = [tag for tag in _NEEDED if value(dataset, tag) in (None, "")]
    if missing:
        raise _bad(f"A work item needs {_names(missing)}.")
    if value(dataset, STATE) != StepState.SCHEDULED:
        raise _bad("A work item is created with the Procedure Step State SCHEDULED.")
    if full := [tag for tag in _EMPTY if dataset.get(tag, {}).get("Value")]:
        raise _bad(f"A new work item has nothing in {_names(full)}.")
    kept = {tag: one for tag, one in dataset.items() if tag not in (SOP_CLASS, SOP_INSTANCE, TRANSACTION, STATE)}
    _check_values(kept)
    return kept | {MODIFIED: dt(clock.now())}


def updated(present: JsonDataset, changes: JsonDataset) -> JsonDataset:
    """The attributes after an update (CC.2.6.3). Raises BadInput."""
    changes = {tag: one for tag, one in changes.items() if tag != TRANSACTION}
    if forbidden := sorted(_NOT_SET & set(changes)):
        raise _bad(f"No update changes {_names(forbidden)}.")
    _check_values(changes)
    found = {**present, **changes, MODIFIED: dt(clock.now())}
    if missing := [tag for tag in _NEEDED if tag != STATE and value(found, tag) in (None, "")]:
        raise _bad(f"An update may not empty {_names(missing)}.")
    return found


def missing_for(dataset: JsonDataset, state: StepState) -> str:
    """Which final state requirements are not met, as text; empty where all are."""
    if state is StepState.COMPLETED:
        performed = items(dataset, PERFORMED)
        if not performed:
            return _names([PERFORMED])
        return _names([tag for tag in _PERFORMED if any(not one.get(tag, {}).get("Value") for one in performed)])
    progress = items(dataset, PROGRESS)
    tags = (CANCELED_AT, DISCONTINUATION)
    return _names([tag for tag in tags if not any(one.get(tag, {}).get("Value") for one in progress)])


def canceled(dataset: JsonDataset, request: Mapping[str, Any]) -> JsonDataset:
    """The attributes of a work item that the server itself cancels, with what the request says of the reason."""
    progress = dict((items(dataset, PROGRESS) or [{}])[0])
    progress |= {tag: request[tag] for tag in (REASON, DISCONTINUATION) if request.get(tag, {}).get("Value")}
    progress[CANCELED_AT] = dt(clock.now())
    # 110513: Discontinued for unspecified reason (CID 9300).
    progress.setdefault(DISCONTINUATION, sq([code("110513", "DCM", "Discontinued for unspecified reason")]))
    return {**dataset, PROGRESS: sq([progress]), MODIFIED: dt(clock.now())}


def performers(dataset: JsonDataset) -> list[UUID]:
    """The people of ours whom the Scheduled Human Performers Sequence names, by `urn:uuid:` codes."""
    found = []
    for human in items(dataset, HUMANS):
        for one in items(human, HUMAN_CODE):
            text = str(value(one, URN_CODE) or "")
            if text.startswith("urn:uuid:"):
                try:
                    found.append(UUID(text.removeprefix("urn:uuid:")))
                except ValueError as error:
                    raise _bad("A Human Performer Code is not the urn:uuid of anybody here.") from error
    return found


def identifying(dataset: JsonDataset) -> str:
    """The attributes with a value, at any depth, that say who a patient is: of patient, visit and order; as text."""
    return _names(sorted(_telling(dataset)))


def _telling(dataset: JsonDataset) -> set[str]:
    named = {tag for tag, one in dataset.items() if one.get("Value") and (tag[:4] in _WHO or tag in _TELLING)}
    return named.union(*(_telling(item) for tag in dataset for item in items(dataset, tag)))


def uids(dataset: JsonDataset) -> list[str]:
    """The Study Instance UIDs that a data set names, at any depth."""
    found = [str(one) for one in dataset.get(tags.StudyInstanceUID.key, {}).get("Value", [])]
    for tag in dataset:
        for item in items(dataset, tag):
            found += uids(item)
    return found


def human(person: UUID, name: str) -> dict[str, Any]:
    """An item that names a person of ours as a performer."""
    coded = {URN_CODE: {"vr": "UR", "Value": [f"urn:uuid:{person}"]}, CODE_MEANING: {"vr": "LO", "Value": [name[:64]]}}
    return {HUMAN_CODE: sq([coded]), HUMAN_NAME: {"vr": "PN", "Value": [{"Alphabetic": name[:64]}]}}


def code(code_value: str, scheme: str, meaning: str) -> dict[str, Any]:
    """A coded entry (PS3.3 8)."""
    return {
        CODE_VALUE: {"vr": "SH", "Value": [code_value]},
        CODE_SCHEME: {"vr": "SH", "Value": [scheme]},
        CODE_MEANING: {"vr": "LO", "Value": [meaning]},
    }


def sq(found: list[dict[str, Any]]) -> dict[str, Any]:
    """A sequence."""
    return {"vr": "SQ", "Value": found}


def dt(moment: datetime) -> dict[str, Any]:
    """A date and time in UTC."""
    return {"vr": "DT", "Value": [moment.strftime("%Y%m%d%H%M%S+0000")]}


def _check_values(dataset: Mapping[str, Any]) -> None:
    for tag, allowed in ((PRIORITY, _PRIORITIES), (READINESS, _READINESS)):
        if tag in dataset and value(dataset, tag) not in allowed:
            raise _bad(f"{_names([tag])} must be one of {', '.join(sorted(allowed))}.")
    for tag in (START, EXPIRES, EXPECTED):
        text = value(dataset, tag)
        if text is not None and not _DT.fullmatch(str(text)):
            raise _bad(f"{_names([tag])} must be a date and time as YYYYMMDDHHMMSS.")
    for tag in (HUMANS, STATION_NAME, WORKITEM_CODE, INPUT, PROGRESS, PERFORMED):
        if tag in dataset and dataset[tag].get("vr") != "SQ":
            raise _bad(f"{_names([tag])} must be a sequence.")


def _names(tags: list[str]) -> str:
    return ", ".join(f"{keyword_for_tag(int(tag, 16))} ({tag})" for tag in tags)


def _bad(sentence: str) -> BadInput:
    return BadInput(sentence, safe=sentence)
